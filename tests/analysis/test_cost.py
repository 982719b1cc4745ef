"""Timings tell what was asked for, train a copy, and give the threads back."""

import os
from typing import Any

import pytest
import torch

from pretrained import entry
from pretrained.analysis import cost
from tests.models import tiny

LENGTHS = (4, 6)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(cost, "FEWEST_PASSES", 2)


def test_every_length_is_timed_and_nothing_is_changed() -> None:
    models: list[Any] = [tiny.translator(entry(name)) for name in ("gru-seq2seq", "transformer")]
    before = [{name: part.clone() for name, part in model.network.state_dict().items()} for model in models]
    threads, shares, steps = torch.get_num_threads(), [], cost.speeds(models[0], models[1], LENGTHS)
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            found = end.value
            break
    assert shares == [0.0, 0.5]
    assert (found.lengths, found.cores) == (LENGTHS, os.cpu_count())
    for pair in (found.reading, found.reading_on_all, found.training):
        assert [len(speeds) for speeds in pair] == [2, 2]
        assert min(min(speeds) for speeds in pair) > 0
    assert torch.get_num_threads() == threads
    for model, parts in zip(models, before, strict=True):
        assert all(torch.equal(part, parts[name]) for name, part in model.network.state_dict().items())
        assert all(parameter.grad is None for parameter in model.network.parameters())


def test_whoever_stops_it_gets_the_threads_back() -> None:
    model, threads = tiny.translator(entry("transformer")), torch.get_num_threads()
    torch.set_num_threads(1)
    steps = cost.speeds(model, model, LENGTHS)
    next(steps)
    next(steps)
    steps.close()
    assert torch.get_num_threads() == 1
    torch.set_num_threads(threads)


def test_tokens_a_second_are_counted_by_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([0.1, 0.2, 0.3, 0.2, 0.1, 0.4])
    monkeypatch.setattr(cost, "_seconds", lambda _: next(taken))
    monkeypatch.setattr(cost, "FEWEST_PASSES", 3)
    assert cost._tokens_a_second(6, lambda: None, lambda: None) == pytest.approx((60.0, 30.0))


def test_faster_is_counted_length_by_length() -> None:
    found = cost.Speeds((8, 16), 2, ((2.0, 2.0), (1.0, 3.0)), ((3.0, 5.0), (1.0, 12.0)), ((1.0, 1.0), (2.0, 2.0)))
    assert found.gains == (2.5, 4.0)
    assert [found.faster(pair) for pair in (found.reading, found.training)] == [(16,), (8, 16)]
    assert found.at_every_length(found.reading) == "in part"
    assert found.at_every_length(found.training) == "holds"
    assert found.at_every_length(((1.0, 1.0), (1.0, 0.5))) == "does not hold"
