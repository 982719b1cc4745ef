"""The encoder-decoder page: what is drawn is what the model did with this sentence, up to this step."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from dashboard import runs
from tests.pages.conftest import ODD_TEXTS, Visit, figures_of, matrices_of

PAGE, MODEL, TEXT = "encoder_decoder", "gru-seq2seq", "I am happy."


def drawn(at: AppTest, key: str) -> tuple[dict[str, Any], list[NDArray[np.generic]]]:
    """What the matrix component of this key was sent: its description and its cells."""
    (component,) = [one for one in at.get("bidi_component") if one.proto.id.endswith(f"-{key}")]
    blob: bytes = component.proto.bytes
    (length,) = struct.unpack_from("<I", blob)
    meta = json.loads(blob[4 : 4 + length])
    cells = [np.frombuffer(blob, one["type"], one["length"], 4 + length + one["start"]) for one in meta["arrays"]]
    return meta, cells


def assert_drawn(cells: NDArray[np.generic], values: NDArray[np.float32]) -> None:
    """Cells are the values: exactly where they travel as float32, to half a step of 254 where as bytes."""
    if cells.dtype == np.float32:
        np.testing.assert_array_equal(cells, values.ravel())
    else:
        np.testing.assert_allclose(cells.astype(float) / 127 - 1, values.ravel(), atol=0.501 / 127)


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_lost(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    for kind in ("markdown", "caption", "metric"):
        shown = [str(getattr(element, "value", "")) for element in at.get(kind)]
        assert not text.strip() or not any(text in words for words in shown), "a reader's words are no markup"


@pytest.mark.parametrize("gates", ["encoder", "decoder"])
def test_another_sentence_changes_every_figure(visit: Visit, gates: str) -> None:
    one, other = (figures_of(visit(PAGE, text=text, gates=gates)) for text in (TEXT, "The old dog sleeps."))
    assert len(one) == 5
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_other_weights_change_every_figure(visit: Visit, random_weights) -> None:
    found = []
    for seed in (1, 2):
        random_weights(seed)
        found.append(figures_of(visit(PAGE, text=TEXT, gates="encoder")))
    assert len(found[0]) == 5
    assert [name for name in found[0] if found[0][name] == found[1].get(name)] == []


def test_the_cells_are_the_models_numbers(visit: Visit, random_weights) -> None:
    random_weights(3)
    at = visit(PAGE, text=TEXT)
    trace = runs.run(MODEL, TEXT)
    (context,) = trace.states_of("context")
    assert context.tokens == ("</s>",)
    assert context.values.shape == (1, runs.load(MODEL).network.config.d_hidden)
    for key, kind in (("read", "encoder-hidden"), ("context", "context"), ("written", "decoder-hidden")):
        meta, (cells,) = drawn(at, key)
        assert_drawn(cells, trace.states_of(kind)[0].values)
        assert tuple(meta["axes"][meta["matrices"][0]["query"]]) == trace.states_of(kind)[0].tokens


def test_the_vector_is_as_long_for_a_longer_sentence(visit: Visit) -> None:
    numbers = []
    for text in ("Hello", "The dog that the cat saw is sleeping."):
        at = visit(PAGE, text=text)
        numbers.append([metric.value for metric in at.metric])
    (short, computed, kept), (long, more, as_many) = numbers
    assert int(short) < int(long)
    assert int(computed.replace(",", "")) < int(more.replace(",", ""))
    assert kept == as_many
    assert int(short) * int(kept) == int(computed.replace(",", ""))


def test_a_step_draws_its_rows_and_its_candidates(visit: Visit, random_weights) -> None:
    random_weights(4)  # a random model does not stop after one token
    (first, early), (second, late) = (
        (figures_of(at), at) for at in (visit(PAGE, text=TEXT, step=step) for step in (0, 2))
    )
    changed = [name for name in first if first[name] != second[name]]
    assert changed == ["bidi_component 2", "vega_lite_chart 0"]
    for at, step in ((early, 0), (late, 2)):
        meta, _ = drawn(at, "written")
        assert (meta["rows"], meta["currentRow"]) == (step + 1, step)


@pytest.mark.parametrize("wrong", ["99", "-1", "abc"])
def test_an_impossible_address_is_forgotten(visit: Visit, wrong: str) -> None:
    at, plain = visit(PAGE, text=TEXT, step=wrong, gates=wrong), visit(PAGE, text=TEXT)
    assert not at.exception
    assert figures_of(at) == figures_of(plain)


def test_gates_are_drawn_when_asked_for(visit: Visit, random_weights) -> None:
    random_weights(5)
    assert len(matrices_of(visit(PAGE, text=TEXT))) == 3
    trace = runs.run(MODEL, TEXT)
    for side in ("encoder", "decoder"):
        meta, cells = drawn(visit(PAGE, text=TEXT, gates=side), "gate-values")
        assert [matrix["title"][0] for matrix in meta["matrices"]] == ["r", "z", "n"]
        for values, letter in zip(cells, "rzn", strict=True):
            assert_drawn(values, trace.states_of(f"{side}-gate-{letter}")[0].values)


def test_states_are_mixed_as_the_page_says(random_weights) -> None:
    random_weights(6)
    trace = runs.run(MODEL, TEXT)
    state, z, n = (trace.states_of(f"encoder-{kind}")[0].values for kind in ("hidden", "gate-z", "gate-n"))
    old = np.vstack([np.zeros_like(state[:1]), state[:-1]])
    np.testing.assert_allclose((1 - z) * n + z * old, state, atol=1e-6)


def test_the_decoder_is_given_nothing_but_the_context(random_weights) -> None:
    random_weights(7)
    model = runs.load(MODEL)
    network: Any = model.network
    source = torch.tensor([model.read(TEXT).ids])
    encoding = network.encode(source)
    (drawn_context,) = runs.run(MODEL, TEXT).states_of("context")
    torch.testing.assert_close(torch.from_numpy(drawn_context.values.copy()), encoding.context)
    torch.testing.assert_close(encoding.context, torch.tanh(network.to_context(encoding.hidden[:, -1])))
    blind = type(encoding)(torch.zeros_like(source), torch.zeros_like(encoding.hidden), encoding.context)
    token = torch.tensor([1])
    torch.testing.assert_close(
        network.step(token, network.start(blind), blind).logits,
        network.step(token, network.start(encoding), encoding).logits,
    )
