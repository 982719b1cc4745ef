"""What is timed mixes as the models do; errors are those of the mixtures; exponents are found again."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained import entry, registry
from pretrained.analysis import efficient
from pretrained.translation import Translator
from tests.models import tiny

TEXT = "The old dog that the cat saw sleeps."
NAMES = ("transformer", *(known.name for known in registry.ENTRIES if known.parent == "transformer"))


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> Translator:
    return tiny.translator(entry(request.param))


def test_what_is_timed_mixes_as_the_model_does(model: Translator) -> None:
    network: Any = model.network
    for number, (q, k, v) in enumerate(efficient._projected(model, TEXT)):
        layer = network.encoder[number].self_attention
        mask = torch.ones(1, q.shape[2], dtype=torch.bool)
        mixed, kept = efficient.mix(layer, q, k, v, mask)
        expected, _ = layer.mix(q, k, v, mask)
        tiny.close(mixed, expected)
        assert kept


def test_projections_are_those_that_the_layers_read() -> None:
    model = tiny.translator(entry("transformer"))
    trace = model.run(TEXT)
    for (q, k, _), attended in zip(efficient._projected(model, TEXT), trace.attention_of("encoder-self"), strict=True):
        scores = q[0] @ k[0].transpose(-1, -2) * q.shape[-1] ** -0.5
        tiny.close(scores.detach(), torch.tensor(attended.scores))


def test_full_attention_is_no_error_and_a_window_is_one() -> None:
    full, window = (tiny.translator(entry(name)) for name in ("transformer", "transformer-window"))
    none, some = efficient.errors(full, full, window, TEXT)
    assert none == 0
    assert 0 < some < 10
    # A window over all of a short text leaves nothing out.
    assert efficient.errors(full, window, "I")[0] < 1e-6


def test_every_length_is_timed_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficient, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(efficient, "FEWEST_PASSES", 1)
    models = [tiny.translator(entry(name)) for name in ("transformer", "transformer-window", "gru-seq2seq")]
    steps, shares = efficient.scaling(*models, lengths=(8, 16, 32)), []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            found = end.value
            break
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert np.array(found.milliseconds).shape == np.array(found.megabytes).shape == (3, 3)
    assert np.array(found.milliseconds).min() > 0
    heads = models[0].network.config.n_heads  # type: ignore[attr-defined]
    assert found.megabytes[0] == pytest.approx([heads * n * n * 4 / 1e6 for n in (8, 16, 32)])
    # What full attention keeps grows with the square, a window's and a recurrent layer's with the length.
    assert [found.exponent(row) for row in found.megabytes] == pytest.approx([2, 1, 1])


def test_an_exponent_is_that_of_the_longest_lengths() -> None:
    found = efficient.Growth((64, 128, 256, 512), (), ())
    assert found.exponent((1000.0, 4.0, 16.0, 64.0)) == pytest.approx(2)


def test_what_grows_like_what_and_which_is_cheaper() -> None:
    square, line, between = (1.0, 4.0, 16.0), (2.0, 4.0, 8.0), (1.0, 2.0**1.45, 2.0**2.9)
    found = efficient.Growth((64, 128, 256), (square, line, (9.0, 9.0, 9.0)), ())
    assert [found.is_quadratic(costs) for costs in (square, line, between)] == [True, False, False]
    assert [found.is_linear(costs) for costs in (square, line, between)] == [False, True, False]
    assert [found.cheaper(others) for others in (0, 1, 2)] == [(), (256,), (256,)]
    assert efficient.Growth((64,), ((1.0,), (1.0,)), ()).cheaper(1) == (), "as cheap is not cheaper"
