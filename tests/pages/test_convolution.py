"""The convolution page: what is drawn was measured on this sentence, and words follow numbers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import runs, story
from pretrained import entry, registry
from pretrained.analysis import reach
from pretrained.analysis.reach import Paths
from pretrained.registry import Entry
from tests.models import tiny
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of

PAGE, TEXT, LONGER = "convolution", "I am happy.", "The old dog that the cat saw sleeps."
NAMES = ("conv-seq2seq", "gru-seq2seq", "transformer")
FIGURES = {"bidi_component 0", "bidi_component 1", "plotly_chart 0"}


@pytest.fixture(autouse=True)
def tiny_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Tiny networks in the place of the three models, which need not be finished."""
    models = {name: tiny.translator(entry(name)) for name in NAMES}

    def finished(**facts: object) -> tuple[Entry, ...]:
        known = [entry(name) for name in NAMES]
        return tuple(one for one in known if all(getattr(one, name) == value for name, value in facts.items()))

    st.cache_resource.clear()
    monkeypatch.setattr(registry, "finished", finished)
    monkeypatch.setattr(story, "CHAPTERS", story.listed())
    monkeypatch.setattr(runs, "load", models.__getitem__)
    monkeypatch.setattr(runs, "card", lambda _: {"parameters": 1000})
    yield models
    st.cache_resource.clear()


def words(at: AppTest) -> str:
    return "\n".join(one.value for one in at.markdown)


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert figures_of(at).keys() == (FIGURES if readable else set())
    assert bool(at.info) != readable, "an unreadable text is explained"


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, LONGER))
    assert one.keys() == other.keys() == FIGURES
    assert [name for name in one if one[name] == other[name]] == []


def test_the_window_is_that_of_the_model(visit: Visit, tiny_models) -> None:
    model = tiny_models["conv-seq2seq"]
    ids = model.read(LONGER).ids
    for windows, dilations in (("neighbours", (1, 1)), ("spread out", (1, 2))):
        meta, (cells, *_) = drawn(visit(PAGE, text=LONGER, token=3, windows=windows, depth=1), "reached")
        assert (meta["rows"], meta["currentRow"]) == (2, 1)
        found = reach.reach(model.network, ids, 3, dilations)
        np.testing.assert_allclose(np.asarray(cells, np.float32).reshape(found.shape), found, atol=1e-6)


def test_the_formula_and_the_model_agree(visit: Visit, tiny_models) -> None:
    model = tiny_models["conv-seq2seq"]
    at = visit(PAGE, text=LONGER, token=3, unit=5, depth=2)
    by_formula, used = (metric.value for metric in at.metric)
    assert by_formula == used
    one = reach.gated(model.network, model.read(LONGER).ids, 1, 3, 5)
    assert used.replace("−", "-") == f"{one.used:.4f}"
    assert len(visit(PAGE, text=LONGER, windows="spread out").metric) == 0, "which is not the model's own"


def test_the_answer_is_measured(visit: Visit) -> None:
    at = visit(PAGE, text=LONGER)
    at.radio(key="far").set_value("2").run()
    assert "Not here: **not even after 2**" in words(at)


@pytest.mark.parametrize("place", ["99", "-1", "abc"])
def test_an_impossible_address_is_forgotten(visit: Visit, place: str) -> None:
    at = visit(PAGE, text=TEXT, token=place, unit=place, depth=place, windows=place, layer=place)
    assert not at.exception
    assert figures_of(at) == figures_of(visit(PAGE, text=TEXT))


def test_a_place_of_a_longer_sentence_is_left_behind(visit: Visit) -> None:
    at = visit(PAGE, text=LONGER, token=8)
    assert at.slider(key="token").value == 8
    at.text_input(key="text").set_value("Hello").run()
    assert not at.exception


@pytest.mark.parametrize(
    ("convolutional", "spread", "said"),
    [
        (
            [0, 1, 2, -1, -1],
            [0, 1, 2, 2, 2],
            ("no path (2 layers reach 2 tokens)", "**Not shorter**", "end to end, none"),
        ),
        ([0, 1, 1, 2, 2], [0, 1, -1, 1, -1], ("convolution 2.", "Shorter, as claimed", "reach 3 tokens, 1 left out")),
    ],
)
def test_the_verdict_follows_the_numbers(visit: Visit, monkeypatch, convolutional, spread, said) -> None:
    text = "I am happy."
    steps, ones = np.arange(5), np.array([0, 1, 1, 1, 1])
    found = Paths(steps, np.array(convolutional), np.array(spread), ones, np.array([1, 3, 5]))
    monkeypatch.setattr(reach, "paths", lambda *_: found)
    written = words(visit(PAGE, text=text))
    assert [part for part in said if part not in written] == []
