"""A trace belongs to its caller: nothing in it can change, and nothing in it has the wrong shape."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from pretrained.registry import Entry
from pretrained.trace import AttentionMap, StateMap, Trace
from pretrained.translation import Translator
from tests.models import tiny


@pytest.fixture
def trace(model: Translator) -> Trace:
    return model.run("I am happy.")


def attention_map(**changed: Any) -> AttentionMap:
    given: dict[str, Any] = {
        "kind": "cross",
        "layer": 1,
        "weights": np.zeros((2, 3, 4), np.float32),
        "query_tokens": ("a", "b", "c"),
        "key_tokens": ("w", "x", "y", "z"),
    }
    return AttentionMap(**given | changed)


def test_arrays_belong_to_the_caller(trace: Trace) -> None:
    numbers = [array for a in trace.attention for array in (a.weights, a.scores) if array is not None]
    numbers += [states.values for states in trace.states]
    masks = [a.may_attend for a in trace.attention if a.may_attend is not None]
    # Attention that is no softmax has no scores.
    assert len(numbers) >= len(trace.attention) + len(trace.states)
    assert len(masks) == len(trace.attention)
    assert {array.dtype for array in numbers} == {np.dtype(np.float32)}
    assert {array.dtype for array in masks} <= {np.dtype(np.bool_)}
    for array in (*numbers, *masks):
        assert array.flags.owndata
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_nothing_can_be_replaced(trace: Trace) -> None:
    parts: list[Any] = [trace, *trace.attention, *trace.states, trace.candidates[0][0]]
    for part in parts:
        name = dataclasses.fields(part)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, "other")


def test_arrays_are_named_by_kind_and_layer(trace: Trace) -> None:
    arrays = trace.arrays()
    parts: list[Any] = [*trace.attention, *trace.states]
    assert list(arrays) == [f"{part.kind}.{part.layer}" for part in parts]
    assert all(arrays[f"{a.kind}.{a.layer}"] is a.weights for a in trace.attention)
    assert all(arrays[f"{s.kind}.{s.layer}"] is s.values for s in trace.states)


def test_one_kind_can_be_asked_for(trace: Trace) -> None:
    for kind in {attended.kind for attended in trace.attention}:
        found = trace.attention_of(kind)
        assert {attended.kind for attended in found} == {kind}
        assert [attended.layer for attended in found] == list(range(len(found)))
    for kind in {states.kind for states in trace.states}:
        assert {states.kind for states in trace.states_of(kind)} == {kind}
    assert trace.attention_of("none such") == ()
    assert trace.states_of("none such") == ()


@pytest.mark.parametrize(
    ("changed", "expected", "got"),
    [
        ({"query_tokens": ("a", "b")}, r"\(2, 4\)", r"\(3, 4\)"),
        ({"key_tokens": ("w",)}, r"\(3, 1\)", r"\(3, 4\)"),
        ({"weights": np.zeros((3, 4), np.float32)}, r"\(3, 4\)", r"\(4,\)"),
        ({"scores": np.zeros((1, 3, 4), np.float32)}, r"\(2, 3, 4\)", r"\(1, 3, 4\)"),
        ({"may_attend": np.ones((4, 3), np.bool_)}, r"\(3, 4\)", r"\(4, 3\)"),
        ({"consumed_tokens": ("<s>",)}, r"\(3,\)", r"\(1,\)"),
    ],
)
def test_attention_of_the_wrong_shape_is_refused(changed: dict[str, Any], expected: str, got: str) -> None:
    with pytest.raises(ValueError, match=f"cross attention of layer 1.*expected shape {expected}, got {got}"):
        attention_map(**changed)


@pytest.mark.parametrize(
    ("shape", "expected", "got"),
    [((3, 5), r"\(2, 5\)", r"\(3, 5\)"), ((2,), r"\(2, 2\)", r"\(2,\)"), ((2, 3, 4), r"\(2, 4\)", r"\(2, 3, 4\)")],
)
def test_states_of_the_wrong_shape_are_refused(shape: tuple[int, ...], expected: str, got: str) -> None:
    with pytest.raises(ValueError, match=f"encoder-hidden of layer 0.*expected shape {expected}, got {got}"):
        StateMap("encoder-hidden", 0, np.zeros(shape, np.float32), ("a", "b"))


def test_an_unknown_kind_of_attention_is_refused() -> None:
    with pytest.raises(ValueError, match=r"self attention of layer 1.*encoder-self"):
        attention_map(kind="self")


def test_heads_are_counted() -> None:
    assert attention_map().n_heads == 2


def test_two_sentences_give_two_traces(entry: Entry) -> None:
    model = tiny.translator(entry)
    # Of the same number of pieces, so that every array has the same shape.
    one, other = model.run("I am happy."), model.run("You are late.")
    assert len(one.source_tokens) == len(other.source_tokens)
    for name, array in one.arrays().items():
        if name.startswith("decoder-self") and one.target_tokens == other.target_tokens:
            continue  # what it looks at are the same outputs
        assert array.shape == other.arrays()[name].shape
        assert not np.allclose(array, other.arrays()[name], atol=1e-3), name


def test_a_second_run_gives_the_same_trace(model: Translator) -> None:
    one, other = model.run("I am happy."), model.run("I am happy.")
    assert one.target_tokens == other.target_tokens
    assert one.candidates == other.candidates
    for name, array in one.arrays().items():
        assert np.array_equal(array, other.arrays()[name]), name
        assert array is not other.arrays()[name]
