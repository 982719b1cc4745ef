"""Heads: their parts add up to the model's update, and what is said of a head that is off is what a run gives."""

import numpy as np
import pytest
import torch

from pretrained.analysis import heads
from pretrained.registry import entry
from pretrained.trace import AttentionMap
from pretrained.translation import Translator
from tests.models import tiny

TEXT = "The cat drank the milk."
KINDS = ("encoder-self", "decoder-self", "cross")


@pytest.fixture
def model() -> Translator:
    made = tiny.translator(entry("transformer"))
    tiny.favour_end(made, 5)
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [0, 1])
def test_the_parts_add_up_to_the_update(model: Translator, kind: str, layer: int) -> None:
    trace = model.run(TEXT)
    attended = trace.attention_of(kind)[layer]
    for row in (0, len(attended.query_tokens) - 1):
        found = heads.update(model, TEXT, kind, layer, row)
        np.testing.assert_allclose(found.weights, attended.weights[:, row], atol=1e-6)
        np.testing.assert_allclose(found.total, found.own, atol=1e-5)
        assert found.difference < 1e-5
        assert found.shares.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(found.lengths, np.sqrt((found.parts**2).sum(1)), rtol=1e-5)


def test_the_update_is_what_the_residual_stream_gains(model: Translator) -> None:
    """By the layer's equations: x + update, then the feed-forward, is the state that the trace has."""
    trace = model.run(TEXT)
    block = model.network.encoder[1]  # type: ignore[attr-defined]
    before, after = (torch.from_numpy(one.values.copy())[2] for one in trace.states_of("encoder-hidden")[:2])
    x = before + torch.from_numpy(heads.update(model, TEXT, "encoder-self", 1, 2).total)
    tiny.close(x + block.feedforward(block.norms[1](x)), after, 1e-4)


def test_switching_a_head_off_takes_its_part_out_of_the_sum(model: Translator) -> None:
    found = heads.update(model, TEXT, "encoder-self", 0, 1)
    network = model.network
    head = heads.Head("encoder-self", 0, 1)
    width = network.config.d_head  # type: ignore[attr-defined]
    network.encoder[0].self_attention.w_o.weight[:, width : 2 * width] = 0  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        heads.update(model, TEXT, "encoder-self", 0, 1).own, found.own - found.parts[head.number], atol=1e-5
    )


def test_similarity_is_one_minus_the_jensen_shannon_distance() -> None:
    draw = np.random.default_rng(0)
    weights = draw.dirichlet(np.ones(4), (3, 5)).astype(np.float32)
    weights[2] = np.eye(4)[[0, 1, 2, 3, 0]]
    maps = [AttentionMap("cross", 0, weights, tuple("abcde"), tuple("wxyz"))]
    found = heads.similarity(maps)
    p, q = weights[0].astype(float), weights[1].astype(float)
    m = (p + q) / 2
    divergence = ((p * np.log2(p / m)).sum(1) + (q * np.log2(q / m)).sum(1)) / 2
    assert found[0, 1] == pytest.approx(1 - np.sqrt(divergence).mean())
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-6)
    np.testing.assert_array_equal(found, found.T)
    apart = np.stack([np.eye(4), np.roll(np.eye(4), 1, 1)]).astype(np.float32)
    maps = [AttentionMap("cross", 0, apart, tuple("abcd"), tuple("wxyz"))]
    assert heads.similarity(maps)[0, 1] == pytest.approx(0)
    assert heads.agreement(maps) == 0


def test_rows_without_a_choice_are_left_out() -> None:
    weights = np.array([[[1, 0], [1, 0]], [[1, 0], [0, 1]]], np.float32)
    mask = np.tril(np.ones((2, 2), dtype=bool))
    maps = [AttentionMap("decoder-self", 0, weights, ("a", "b"), ("<s>", "a"), may_attend=mask)]
    assert heads.agreement(maps) == 0
    assert heads.similarity(maps)[0, 1] == pytest.approx(0)
    single = [AttentionMap("decoder-self", 0, np.ones((2, 1, 1), np.float32), ("a",), ("<s>",))]
    assert heads.agreement(single) == 1
    np.testing.assert_array_equal(heads.similarity(single), np.ones((2, 2)))


def test_importance_and_what_is_spared_are_what_runs_give(model: Translator) -> None:
    before = model.run(TEXT)
    steps = heads.pruned(model, TEXT)
    done = []
    while True:
        try:
            done.append(next(steps))
        except StopIteration as end:
            found: heads.Pruned = end.value
            break
    assert done == sorted(done)
    assert 0 == done[0] < done[-1] < 1
    alone = found.importance
    assert alone.log_probability == pytest.approx(before.log_probability, abs=1e-3)
    assert alone.n_heads == len(heads.heads(model)) == len(found.log_probability) - 1 == 12
    for one in heads.heads(model):
        after = model.run(TEXT, interventions=(one.off,))
        stays = bool(alone.stays[one.kind][one.layer, one.number])
        assert stays == (after.target_tokens == before.target_tokens)
        if stays:
            gained = after.log_probability - before.log_probability
            assert alone.change[one.kind][one.layer, one.number] == pytest.approx(gained, abs=1e-3)
    order = alone.ranked()
    assert sorted(order) == sorted(heads.heads(model))
    sizes = [abs(alone.change[one.kind][one.layer, one.number]) for one in order]
    assert sizes == sorted(sizes)
    off = [one.off for one in order]
    assert model.run(TEXT, interventions=off[: found.spared]).target_tokens == before.target_tokens
    if found.spared < alone.n_heads:
        changed = model.run(TEXT, interventions=off[: found.spared + 1])
        assert changed.target_tokens != before.target_tokens
        assert found.after == changed.output


def test_agreement_is_measured_on_one_kind(model: Translator) -> None:
    agreed = heads.agreed(model, TEXT, "cross")
    assert agreed == heads.agreement(model.run(TEXT).attention_of("cross"))
    assert heads.differ(0.49)
    assert not heads.differ(0.5)


@pytest.mark.parametrize(("spared", "verdict"), [(0, "does not hold"), (1, "in part"), (2, "holds")])
def test_a_third_that_is_spared_is_redundant(spared: int, verdict: str) -> None:
    alone = heads.Importance({"cross": np.zeros((1, 6))}, {"cross": np.ones((1, 6), bool)}, 0.0)
    assert heads.Pruned(alone, np.zeros(7, np.float32), spared, "").are_redundant == verdict
