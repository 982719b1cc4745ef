"""What is changed in a run is what the trace shows, what follows depends on it, and nothing else does."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from pretrained.intervention import Intervention
from pretrained.registry import Entry, entry
from pretrained.trace import Trace
from pretrained.translation import Translator, longest_output
from tests.models import tiny

TEXT = "The cat drank the milk because it was hungry."
ALIGNED = [entry for entry in tiny.ENCODER_DECODERS if "alignment" in entry.attention]
HEADED = [entry for entry in tiny.ENCODER_DECODERS if {"encoder-self", "cross"} <= {*entry.attention}]
OTHERS = [entry for entry in tiny.ENCODER_DECODERS if entry not in (*ALIGNED, *HEADED)]
KINDS = ("encoder-self", "decoder-self", "cross")
STEP = 2


@pytest.fixture(params=ALIGNED, ids=lambda entry: entry.name)
def aligned(request: pytest.FixtureRequest) -> Translator:
    return tiny.translator(request.param)


def alignment(trace: Trace) -> np.ndarray:
    (found,) = trace.attention_of("alignment")
    weights: np.ndarray = found.weights[0]
    return weights


def paint(row: np.ndarray, position: int = STEP) -> Intervention:
    return Intervention("paint", "alignment", position=position, weights=tuple(map(float, row)))


def one_hot(trace: Trace, key: int) -> np.ndarray:
    row: np.ndarray = np.eye(len(trace.source_tokens), dtype=np.float32)[key]
    return row


def test_the_painted_row_is_in_the_map_and_the_models_own_scores_beside_it(aligned: Translator) -> None:
    before = aligned.run(TEXT)
    row = np.random.default_rng(0).dirichlet(np.ones(len(before.source_tokens))).astype(np.float32)
    after = aligned.run(TEXT, interventions=(paint(row),))
    np.testing.assert_array_equal(alignment(after)[STEP], row)
    (scores,) = (one.scores for one in after.attention if one.kind == "alignment")
    assert scores is not None
    # Up to the painted step nothing differs, its scores included: they are asked for before it is painted.
    np.testing.assert_array_equal(alignment(after)[:STEP], alignment(before)[:STEP])
    softmax = torch.softmax(torch.from_numpy(scores[0].copy()), -1).numpy()
    np.testing.assert_allclose(np.delete(softmax, STEP, 0), np.delete(alignment(after), STEP, 0), atol=1e-6)
    assert np.abs(softmax[STEP] - row).max() > 0.01


def test_what_is_written_follows_the_painted_row(aligned: Translator) -> None:
    before = aligned.run(TEXT)
    away = int(alignment(before)[STEP].argmin())
    after = aligned.run(TEXT, interventions=(paint(one_hot(before, away)),))
    assert before.target_tokens[:STEP] == after.target_tokens[:STEP]
    candidates = [[one.probability for one in trace.candidates[STEP]] for trace in (before, after)]
    assert candidates[0] != candidates[1]
    assert before.log_probability != after.log_probability


def test_the_context_is_the_painted_mixture(aligned: Translator) -> None:
    """By the paper's equations: with all weight on one token, the context is what was read there."""
    network = aligned.network
    encoding = network.encode(torch.tensor([aligned.read(TEXT).ids]))
    state = network.start(encoding)
    hidden = getattr(state, "decoder", state).hidden[:, None]
    for key in (0, 3):
        row = np.eye(encoding.source.shape[1])[key]
        context, weights, _ = network.attend(hidden, encoding, (paint(row),))  # type: ignore[attr-defined]
        assert weights[0, 0].tolist() == row.tolist()
        if aligned.entry.name == "gru-luong":
            read = torch.cat([encoding.annotations[:, key], hidden[:, 0]], -1)
            tiny.close(context[:, 0], torch.tanh(network.to_attentional(read)))  # type: ignore[attr-defined]
        else:
            tiny.close(context[:, 0], encoding.values[:, key])


def test_painting_what_is_there_changes_nothing(aligned: Translator) -> None:
    before = aligned.run(TEXT)
    after = aligned.run(TEXT, interventions=(paint(alignment(before)[STEP]), paint(alignment(before)[0], 0)))
    assert after.target_tokens == before.target_tokens
    for name, array in before.arrays().items():
        np.testing.assert_allclose(after.arrays()[name], array, atol=1e-5, err_msg=name)


def test_a_run_after_a_changed_one_is_as_before(aligned: Translator) -> None:
    before = aligned.run(TEXT)
    aligned.run(TEXT, interventions=(paint(one_hot(before, 0)),))
    again = aligned.run(TEXT)
    assert again.log_probability == before.log_probability
    np.testing.assert_array_equal(alignment(again), alignment(before))


@pytest.mark.parametrize("listed", OTHERS, ids=lambda entry: entry.name)
def test_a_model_without_an_alignment_refuses(listed: Entry) -> None:
    model = tiny.translator(listed)
    with pytest.raises(ValueError, match=f"^{listed.name}: expected no intervention"):
        model.run(TEXT, interventions=(paint(np.eye(12)[0]),))


def test_what_a_model_does_not_have_is_named(aligned: Translator) -> None:
    count = len(aligned.read(TEXT).ids)
    row = (1.0, *([0.0] * (count - 1)))
    last = longest_output(count) - 1
    for wrong, expected in (
        (Intervention("paint", "cross", position=0, weights=row), "expected a row painted in alignment, layer 0"),
        (Intervention("paint", "alignment", 1, position=0, weights=row), "layer 0, head 0, got .*layer=1"),
        (Intervention("paint", "alignment", 0, 2, position=0, weights=row), "layer 0, head 0, got .*head=2"),
        (Intervention("paint", "alignment", position=0, weights=row[:-1]), f"a weight for each of {count} tokens"),
        (Intervention("paint", "alignment", position=last + 1, weights=row), f"a row from 0 to {last} painted"),
        (Intervention("switch-off", "alignment"), "expected a row painted"),
        (Intervention("mask", position=1), "expected a row painted"),
    ):
        with pytest.raises(ValueError, match=f"^{aligned.entry.name}: .*{expected}"):
            aligned.run(TEXT, interventions=(wrong,))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"action": "erase"}, "an action out of paint, switch-off, mask, swap"),
        ({"action": "paint", "kind": "alignment", "position": 0}, "kind, position, weights"),
        ({"action": "mask", "position": 0, "token": "x"}, "mask: expected position, got position, token"),
        ({"action": "switch-off", "kind": "sideways"}, "a kind out of alignment, "),
        ({"action": "switch-off", "kind": "cross", "head": -1}, "a head of at least 0"),
        ({"action": "paint", "kind": "cross", "position": 0, "weights": (0.5, 0.4)}, "that sum to 1"),
        ({"action": "paint", "kind": "cross", "position": 0, "weights": (1.5, -0.5)}, "of at least 0"),
        ({"action": "paint", "kind": "cross", "position": 0, "weights": ()}, "of at least 0"),
        ({"action": "paint", "kind": "cross", "position": 0, "weights": (float("nan"), 1.0)}, "that sum to 1"),
    ],
)
def test_an_intervention_that_makes_no_sense_is_refused(arguments: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Intervention(**arguments)  # type: ignore[arg-type]


def test_it_is_a_value() -> None:
    one, same = (Intervention("paint", "alignment", position=1, weights=(0.25, 0.75)) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, Intervention("switch-off", "cross", layer=1, head=3), Intervention("mask", position=1)}) == 3


def test_there_are_models_of_both_kinds() -> None:
    assert {"bahdanau:Bahdanau", "luong:Luong"} <= {entry.architecture for entry in ALIGNED}
    assert {"transformer", "transformer-rotary", "transformer-performer"} <= {entry.name for entry in HEADED}
    assert len(OTHERS) > 3


# Heads switched off


def off(kind: str, layer: int, head: int) -> Intervention:
    return Intervention("switch-off", kind, layer, head)


def projection(network: Any, kind: str, layer: int) -> torch.nn.Linear:
    """The output projection of one attention."""
    block = (network.encoder if kind == "encoder-self" else network.decoder)[layer]
    found: torch.nn.Linear = (block.cross_attention if kind == "cross" else block.self_attention).w_o
    return found


@pytest.mark.parametrize("listed", HEADED, ids=lambda entry: entry.name)
def test_a_head_that_is_off_is_one_whose_columns_of_the_projection_are_zero(listed: Entry) -> None:
    network = tiny.network(listed)
    choice = (off("encoder-self", 1, 0), off("decoder-self", 0, 1), off("cross", 1, 1), off("cross", 1, 0))
    zeroed = copy.deepcopy(network)
    for one in choice:
        width = network.config.d_head
        projection(zeroed, str(one.kind), one.layer).weight[:, one.head * width : (one.head + 1) * width] = 0
    parallel = network.forward(tiny.SOURCE, tiny.TARGET, tiny.MASK, choice)
    expected = zeroed.forward(tiny.SOURCE, tiny.TARGET, tiny.MASK)
    tiny.close(parallel.logits, expected.logits, 1e-6 * float(expected.logits.abs().max()))
    for one, other in zip(parallel.attention, expected.attention, strict=True):
        tiny.close(one.weights, other.weights, 1e-6)
    # Step by step, as it writes, the same; each of them changes something by itself.
    encoding = network.encode(tiny.SOURCE, tiny.MASK, choice)
    state = network.start(encoding)
    for place, token in enumerate(tiny.TARGET.unbind(1)):
        step = network.step(token, state, encoding, choice)
        tiny.close(step.logits, parallel.logits[:, place], 1e-4)
        state = step.state
    whole = network.forward(tiny.SOURCE, tiny.TARGET, tiny.MASK).logits
    for one in choice:
        assert (network.forward(tiny.SOURCE, tiny.TARGET, tiny.MASK, (one,)).logits - whole).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_a_head_is_that_of_a_model_without_its_columns(kind: str) -> None:
    model = tiny.translator(entry("transformer"))
    before = model.run(TEXT)
    after = model.run(TEXT, interventions=(off(kind, 0, 1),))
    # In its own layer it looks as it did, at what it looked at.
    own, same = (trace.attention_of(kind)[0].weights[:, 0] for trace in (before, after))
    np.testing.assert_array_equal(own, same)
    assert model.run(TEXT).log_probability == before.log_probability
    width = model.network.config.d_head  # type: ignore[attr-defined]
    projection(model.network, kind, 0).weight[:, width : 2 * width] = 0
    zeroed = model.run(TEXT)
    assert zeroed.target_tokens == after.target_tokens
    assert zeroed.log_probability == pytest.approx(after.log_probability, rel=1e-6)
    for name, array in zeroed.arrays().items():
        np.testing.assert_allclose(after.arrays()[name], array, atol=1e-5, err_msg=name)


def test_a_head_that_is_not_there_is_named() -> None:
    model = tiny.translator(entry("transformer"))
    for wrong, expected in (
        (off("cross", 2, 0), "expected a layer below 2, a head below 2, got .*layer=2"),
        (off("cross", 0, 2), "expected a layer below 2, a head below 2, got .*head=2"),
        (off("alignment", 0, 0), "expected a head of encoder-self, decoder-self, cross switched off"),
        (paint(np.eye(12)[0]), "expected a head of encoder-self, decoder-self, cross switched off"),
    ):
        with pytest.raises(ValueError, match=f"^transformer: {expected}"):
            model.run(TEXT, interventions=(wrong,))
    with pytest.raises(ValueError, match=r"^gru-selfattention: expected a row painted"):
        tiny.translator(entry("gru-selfattention")).run(TEXT, interventions=(off("encoder-self", 0, 0),))
