"""The encoder-decoder page: what is drawn is what the model did with this sentence, up to this step."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dashboard import measure, runs
from pretrained import registry
from pretrained.analysis import bottleneck
from pretrained.analysis.bottleneck import Remembered
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of

PAGE, MODEL, TEXT = "encoder_decoder", "gru-seq2seq", "I am happy."


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


SCORES = "plotly_chart 1"  # from the cards: only the mark moves, and only with the length
LONGER = "The old dog that the cat saw in the garden sleeps."


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, LONGER))
    assert len(one) == 7
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_another_cell_changes_every_figure(visit: Visit, random_weights) -> None:
    random_weights(2)
    cells = [str(known.cell) for known in registry.finished(task="translation en-fr", attention=())]
    drawn = [figures_of(visit(PAGE, text=TEXT, network=cell.upper())) for cell in cells]
    assert len(drawn) > 1
    for one, other in itertools.pairwise(drawn):
        assert [name for name in one if one[name] == other[name]] == []


def test_other_weights_change_every_figure_of_this_sentence(visit: Visit, random_weights) -> None:
    found = []
    for seed in (1, 2):
        random_weights(seed)
        found.append(figures_of(visit(PAGE, text=TEXT)))
    assert len(found[0]) == 7
    assert [name for name in found[0] if found[0][name] == found[1].get(name)] == [SCORES]


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
    assert changed == ["bidi_component 2", "plotly_chart 0", "vega_lite_chart 0"]
    for at, step in ((early, 0), (late, 2)):
        meta, _ = drawn(at, "written")
        assert (meta["rows"], meta["currentRow"]) == (step + 1, step)


@pytest.mark.parametrize("wrong", ["99", "-1", "abc"])
def test_an_impossible_address_is_forgotten(visit: Visit, wrong: str) -> None:
    at, plain = visit(PAGE, text=TEXT, step=wrong, network=wrong), visit(PAGE, text=TEXT)
    assert not at.exception
    assert figures_of(at) == figures_of(plain)


def test_the_answer_is_the_length_that_was_written(visit: Visit, random_weights) -> None:
    random_weights(4)  # a random model writes to its limit
    at = visit(PAGE, text=TEXT)
    at.radio(key="length").set_value("More").run()
    written = len(runs.run(MODEL, TEXT).target_tokens)
    assert any(f"Right: **More**. It wrote {written}," in one.value for one in at.markdown)


@pytest.mark.parametrize(
    ("left", "verdict"),
    [(0.2, "less than half is left"), (0.7, "a part is lost"), (1.1, "not supported here")],
)
def test_the_verdict_follows_the_numbers(visit: Visit, monkeypatch, left: float, verdict: str) -> None:
    found = (Remembered(5, 0.5, "oui"), Remembered(20, 0.5 * left, "non"))
    monkeypatch.setattr(bottleneck, "remembered", lambda *_: found)
    monkeypatch.setattr(measure, "_name", lambda _: f"test {left}")
    (said,) = [one.value for one in visit(PAGE, text=TEXT).markdown if "a token alone" in one.value]
    assert verdict in said


def test_a_sentence_that_fills_the_model_is_told_so(visit: Visit) -> None:
    at = visit(PAGE, text="cat " * 62)
    assert not at.exception
    assert any("no room" in one.value for one in at.info)


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
