"""The Transformer page: every picture is of this sentence, these weights and the chosen layer and head."""

import json
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import figures, runs
from pretrained.trace import AttentionMap
from tests.pages.conftest import ODD_TEXTS, Visit, figures_of, matrices_of

PAGE = "transformer"
MOUNTS = ("encoder", "encoder-heads", "decoder", "decoder-heads", "cross", "cross-heads")
TEXT = "I am happy."


def mounts(at: AppTest) -> dict[str, tuple[dict[str, Any], np.ndarray]]:
    """Header and cells of every mount of the matrix component, by the name it has in MOUNTS."""
    found = {}
    for name, element in zip(MOUNTS, matrices_of(at), strict=True):
        blob = element.proto.bytes
        (length,) = struct.unpack_from("<I", blob)
        found[name] = (json.loads(blob[4 : 4 + length]), np.frombuffer(blob, np.uint8, offset=4 + length))
    return found


def cells(at: AppTest) -> dict[str, bytes]:
    """The numbers of every mount, without titles and tokens."""
    return {name: values.tobytes() for name, (_, values) in mounts(at).items()}


def candidates(at: AppTest) -> tuple[list[str], list[float]]:
    """Labels and probabilities of the bars."""
    (chart,) = at.get("vega_lite_chart")
    table = pa.ipc.open_stream(chart.proto.datasets[0].data.data).read_all()
    return table["label"].to_pylist(), table["probability"].to_pylist()


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert len(figures_of(at)) == (len(MOUNTS) + 1 if readable else 0)
    assert bool(at.info) != readable, "an unreadable text is explained"


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (visit(PAGE, text=text) for text in (TEXT, "The old dog sleeps well."))
    assert [name for name, drawn in figures_of(one).items() if figures_of(other)[name] == drawn] == []
    numbers = cells(one), cells(other)
    assert [name for name in MOUNTS if numbers[0][name] == numbers[1][name]] == []


def test_other_weights_change_every_figure(visit: Visit, random_weights) -> None:
    drawn, numbers = [], []
    for seed in (1, 2):
        random_weights(seed)
        at = visit(PAGE, text=TEXT)
        drawn.append(figures_of(at))
        numbers.append(cells(at))
    assert len(drawn[0]) == len(MOUNTS) + 1
    assert [name for name in drawn[0] if drawn[0][name] == drawn[1][name]] == []
    assert [name for name in MOUNTS if numbers[0][name] == numbers[1][name]] == []


def test_layer_and_head_choose_what_is_large(visit: Visit) -> None:
    drawn = {(layer, head): visit(PAGE, text=TEXT, layer=layer, head=head) for layer in (0, 2) for head in (0, 3)}
    for name in ("encoder", "decoder", "cross"):
        assert len({cells(at)[name] for at in drawn.values()}) == 4, name
    # a grid holds the same heads whichever is large, and marks that one
    for name in ("encoder-heads", "decoder-heads", "cross-heads"):
        assert len({cells(at)[name] for at in drawn.values()}) == 1, name
        for (layer, head), at in drawn.items():
            shorts = [one["short"] for one in mounts(at)[name][0]["matrices"]]
            assert [short for short in shorts if "●" in short] == [f"{layer}.{head} ●"]


def test_every_head_of_every_layer_is_in_the_grids(visit: Visit) -> None:
    trace = runs.run("transformer", TEXT)
    drawn = mounts(visit(PAGE, text=TEXT))
    for name, kind in (("encoder-heads", "encoder-self"), ("decoder-heads", "decoder-self"), ("cross-heads", "cross")):
        heads = np.concatenate([attended.weights for attended in trace.attention_of(kind)])
        header, values = drawn[name]
        assert len(header["matrices"]) == len(heads)
        for one, weights in zip(header["matrices"], heads, strict=True):
            place = header["arrays"][one["cells"]]
            assert place["type"] == "float32"
            given = values[place["start"] : place["start"] + 4 * place["length"]].view("<f4")
            np.testing.assert_array_equal(given, weights.ravel())


def test_the_mask_is_shown_between_scores_and_weights(visit: Visit) -> None:
    header, values = mounts(visit(PAGE, text=TEXT, layer=1, head=2))["decoder"]
    before, masked, after = header["matrices"]
    assert (before["mask"], masked["mask"] is None, after["mask"] is None) == (None, False, False)
    # the same scores in the same colours
    assert before["limit"] == masked["limit"]
    places = [header["arrays"][one["cells"]] for one in header["matrices"]]
    scores, hidden, weights = (values[p["start"] : p["start"] + 4 * p["length"]].view("<f4") for p in places)
    np.testing.assert_array_equal(scores, hidden)
    n = len(header["axes"][before["query"]])
    future = np.triu(np.ones((n, n), bool), 1)
    assert (weights.reshape(n, n)[future] == 0).all()
    visible = np.where(future, -np.inf, scores.reshape(n, n))
    by_hand = np.exp(visible - visible.max(1, keepdims=True))
    np.testing.assert_allclose(weights.reshape(n, n), by_hand / by_hand.sum(1, keepdims=True), atol=1e-6)


def test_masked_scores_keep_the_colours_of_all_scores() -> None:
    # the largest score lies in the future
    scores = np.array([[[1, 9], [2, 3]]], np.float32)
    weights, may_attend = np.array([[[1, 0], [0.5, 0.5]]], np.float32), np.tril(np.ones((2, 2), bool))
    attended = AttentionMap("decoder-self", 0, weights, ("a", "b"), ("<s>", "a"), ("<s>", "a"), scores, may_attend)
    before, masked, after = figures.masking(attended, 0, model="m")
    assert before.bound == masked.bound == 9
    assert before.may_attend is None
    assert masked.masked(0, 1)
    assert after.bound == 1


def test_the_step_draws_so_many_rows_and_its_own_candidates(visit: Visit) -> None:
    trace = runs.run("transformer", TEXT)
    for step in (0, 1):
        at = visit(PAGE, text=TEXT, step=step)
        header = mounts(at)["cross"][0]
        assert (header["rows"], header["currentRow"]) == (step + 1, step)
        labels, probabilities = candidates(at)
        assert len(labels) == 10
        assert labels[0] == trace.target_tokens[step]
        assert probabilities == [candidate.probability for candidate in trace.candidates[step]]


def test_an_impossible_link_is_forgotten(visit: Visit) -> None:
    whole = figures_of(visit(PAGE, text=TEXT))
    for wrong in ({"layer": 99}, {"head": -1}, {"layer": "abc"}, {"step": "abc"}, {"step": 999}, {"head": "0.5"}):
        at = visit(PAGE, text=TEXT, **wrong)
        assert not at.exception
        assert figures_of(at) == whole, wrong


def test_d_head_is_the_models(visit: Visit) -> None:
    config: Any = runs.load("transformer").network
    words = " ".join(markdown.value for markdown in visit(PAGE, text=TEXT).markdown)
    assert f"√{config.config.d_head}" in words


def test_what_was_typed_is_never_markdown(visit: Visit) -> None:
    at = visit(PAGE, text="Zebra **bold** ![x](https://example.org/x.png)")
    words = [element.value for kind in (at.markdown, at.caption, at.header, at.subheader) for element in kind]
    assert [word for word in words if "Zebra" in word or "example.org" in word] == []
