"""The page of efficient attention: every pattern is a model's own, and verdicts follow the numbers."""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import runs, story
from pretrained import entry, registry
from pretrained.analysis import efficient, rows
from pretrained.registry import Entry
from tests.models import tiny
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of
from viz.numbers import percent

PAGE, TEXT = "efficient", "I am happy."
NAMES = ("gru-seq2seq", *(known.name for known in registry.ENTRIES if "transformer" in (known.name, known.parent)))
HYBRID, RECURRENT = "gru-selfattention", "gru-bahdanau"
FIGURES = {"bidi_component 0", "bidi_component 1", "bidi_component 2"}


@pytest.fixture(autouse=True)
def tiny_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Tiny networks in the place of all models, which need not be finished."""
    names = (*NAMES, HYBRID, RECURRENT)
    models = {name: tiny.translator(entry(name)) for name in names}
    known = [entry(name) for name in names]

    def finished(**facts: object) -> tuple[Entry, ...]:
        return tuple(one for one in known if all(getattr(one, name) == value for name, value in facts.items()))

    st.cache_resource.clear()
    monkeypatch.setattr(registry, "finished", finished)
    monkeypatch.setattr(story, "CHAPTERS", story.listed())
    monkeypatch.setattr(runs, "load", models.__getitem__)
    monkeypatch.setattr(runs, "card", lambda _: {"scores": {"test": {"metrics": {"chrf": 50.0}}}, "parameters": 1})
    yield models
    st.cache_resource.clear()


def words(at: AppTest) -> str:
    return " ".join(one.value for one in at.markdown)


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert figures_of(at).keys() == (FIGURES if readable else set())
    assert bool(at.info) != readable, "an unreadable text is explained"


def test_another_sentence_or_head_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "The old dog sleeps."))
    assert [name for name in FIGURES if one[name] == other[name]] == []
    assert figures_of(visit(PAGE, text=TEXT, head=1))["bidi_component 0"] != one["bidi_component 0"]
    assert (
        figures_of(visit(PAGE, text=TEXT, mechanism="transformer-linformer"))["bidi_component 1"]
        != one["bidi_component 1"]
    )


def test_outputs_and_errors_are_the_models(visit: Visit, tiny_models) -> None:
    at = visit(PAGE, text=TEXT)
    shown = at.dataframe[0].value.set_index("model")
    relatives = [name for name in NAMES if entry(name).parent]
    far = efficient.errors(tiny_models["transformer"], *(tiny_models[name] for name in relatives), TEXT)
    assert list(shown.index) == ["transformer", *relatives]
    for name in relatives:
        assert shown.loc[name, "output"] == (tiny_models[name].run(TEXT).output or "(nothing)")
    same = str(
        sum(tiny_models[name].run(TEXT).output == tiny_models["transformer"].run(TEXT).output for name in relatives)
    )
    next(radio for radio in at.radio if radio.key == "same").set_value(same).run()
    assert f"Right: **{same}**" in words(at)
    assert all(f"{name} {percent(error)}" in words(at) for name, error in zip(relatives, far, strict=True))


def test_the_hybrids_heads_are_drawn_and_its_verdict_follows_the_cards(
    visit: Visit, tiny_models, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = visit(PAGE, text=TEXT)
    (attended,) = tiny_models[HYBRID].run(TEXT).attention_of("encoder-self")
    _, cells = drawn(at, "hybrid")
    np.testing.assert_array_equal(cells, attended.weights.reshape(len(attended.weights), -1))
    assert f"**{percent(rows.weight_at_the_end(attended.weights))}** of their weight to `</s>`" in words(at)
    assert "a *sink*" not in words(at)
    monkeypatch.setattr(rows, "SINK", 0.0)
    assert "a *sink*" in words(visit(PAGE, text=TEXT))
    assert tiny_models[HYBRID].run(TEXT).output in [one.value for one in at.text]
    assert "**about as good as** its recurrent parts alone, and **about as good as** the Transformer" in words(at)
    assert "**The claim does not hold here.**" in words(at)
    scores = {HYBRID: 45.0, RECURRENT: 40.0}
    monkeypatch.setattr(
        runs, "card", lambda name: {"scores": {"test": {"metrics": {"chrf": scores.get(name, 50.0)}}}, "parameters": 1}
    )
    at = visit(PAGE, text=TEXT)
    assert list(at.table[1].value["chrF on the test split"]) == ["45.0", "40.0", "50.0"]
    assert "**better than** its recurrent parts alone, and **worse than** the Transformer" in words(at)
    assert "**The claim holds here in part.**" in words(at)


@pytest.mark.parametrize("quadratic", [True, False])
def test_costs_are_timed_when_asked_and_the_verdict_follows(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, quadratic: bool
) -> None:
    full = (1.0, 4.0, 16.0) if quadratic else (1.0, 2.0, 4.0)
    others = [(2.0, 4.0, 8.0)] * (len(NAMES) - 1)
    made_up = efficient.Growth((64, 128, 256), (full, *others), ((1.0, 4.0, 16.0), *others))

    def timed(*_: object) -> Generator[float, None, efficient.Growth]:
        yield 0.5
        return made_up

    monkeypatch.setattr(efficient, "scaling", timed)
    at = visit(PAGE, text=TEXT)
    assert "Full attention's weights grow" not in words(at)
    next(button for button in at.button if button.key == "scaling-start").click().run()
    assert not at.exception
    assert ("quadratic, **as claimed**" in words(at)) == quadratic
    assert ("faster from 256 tokens on" in words(at)) == quadratic
    assert ("pays only beyond them" in words(at)) != quadratic
    assert "linear, as claimed" in words(at)
