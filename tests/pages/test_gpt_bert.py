"""GPT and BERT: what is drawn is what these networks did with this sentence, and verdicts follow the numbers."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import measure, runs, story
from pretrained import entry, registry
from pretrained.analysis import contextual
from pretrained.analysis.contextual import Compared, Moved
from pretrained.registry import Entry
from tests.models import tiny
from tests.pages.conftest import FRONT_DOOR, LONG_TEXT, ODD_TEXTS, Visit, drawn, figures_of, said

PAGE, TEXT = "gpt_bert", "The cat saw the other cat."
GPT, BERT = "gpt-mini", "bert-mini"
SCORES: dict[str, Any] = {
    GPT: {
        "test": {"metrics": {"perplexity": 40.0, "kneser_ney_2": 90.0, "kneser_ney_3": 70.0}},
        "blimp": {"accuracy": 0.62},
    },
    BERT: {
        "test": {"metrics": {"pseudo_perplexity": 15.0}},
        "content_words": {"accuracy": 0.4, "same_word": 0.2, "content_accuracy": 0.7, "commonest_tag": 0.4},
    },
}
# These models have more room than the translators.
TEXTS = {**ODD_TEXTS, LONG_TEXT: True, "a " * 240: False, "[MASK] and [MASK] <|endoftext|>": True, "!": True}
OF_THE_SENTENCE = 8
"""Figures; one more compares two sentences of its own."""


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("weights")
    return {name: tiny.language_model(entry(name), folder) for name in (GPT, BERT)}


@pytest.fixture(autouse=True)
def only_these(networks: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tiny networks in the place of both models, which need not be finished."""

    def finished(**facts: object) -> tuple[Entry, ...]:
        known = [entry(name) for name in networks]
        return tuple(one for one in known if all(getattr(one, name) == value for name, value in facts.items()))

    load, card = runs.load, runs.card
    st.cache_resource.clear()
    monkeypatch.setattr(registry, "finished", finished)
    monkeypatch.setattr(story, "CHAPTERS", story.listed())
    # The start page, where every visit begins, runs others.
    monkeypatch.setattr(runs, "load", lambda name: networks.get(name) or load(name))
    made_up = {name: {"scores": scores, "parameters": 1_000_000} for name, scores in SCORES.items()}
    monkeypatch.setattr(runs, "card", lambda name: made_up.get(name) or card(name))
    yield
    st.cache_resource.clear()


def bars(at: AppTest, place: int) -> tuple[list[float], list[bool]]:
    """Shares, and which bar stands out."""
    chart = at.get("vega_lite_chart")[place]
    table = pa.ipc.open_stream(chart.proto.datasets[0].data.data).read_all()
    return table["probability"].to_pylist(), table["chosen"].to_pylist()


@pytest.mark.parametrize(("text", "readable"), TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_markup(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    for kind in ("markdown", "caption", "metric"):
        shown = [str(getattr(element, "value", "")) for element in at.get(kind)]
        assert not text.strip() or not any(text in words for words in shown)
    groups: Any = at.get("button_group")
    options = [option for group in groups for option in group.options if " " in option]
    assert [one for one in options if re.search(r"(?<!\\)[!-/:-@\[\]-`{-~]", one.replace(r"\\", ""))] == []


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "I am happy to be here again."))
    assert one.keys() == other.keys()
    same = [name for name in one if one[name] == other[name]]
    assert len(one) == OF_THE_SENTENCE + 1
    assert same == ["plotly_chart 0"], "which is of two other sentences"
    again = figures_of(visit(PAGE, text=TEXT, **{"context-1": "A bank is a house."}))
    assert [name for name in one if one[name] != again[name]] == same


def test_both_maps_are_the_heads_and_the_future_is_hidden(visit: Visit, networks) -> None:
    at = visit(PAGE, text=TEXT, layer=1, head=1)
    for key, name, kind in (("causal", GPT, "decoder-self"), ("both-ways", BERT, "encoder-self")):
        (_, attended) = networks[name].run(TEXT).attention_of(kind)
        size = len(networks[name].read(TEXT).ids)
        meta, cells = drawn(at, key)
        (one,) = meta["matrices"]
        np.testing.assert_allclose(cells[one["cells"]].reshape(size, size), attended.weights[1, :size, :size])
        assert (one["mask"] is None) == (name == BERT)
        if name == GPT:
            bits = np.unpackbits(cells[one["mask"]], bitorder="little")[: size * size].reshape(size, size)
            np.testing.assert_array_equal(bits, np.tri(size))
            assert "masked cells 0" in one["proof"]


def test_a_step_is_drawn_as_it_was_sampled(visit: Visit, networks) -> None:
    options = {"temperature": 1.5, "top_k": 4, "top_p": 0.95, "seed": 7}
    step, trace = 2, networks[GPT].run(TEXT, **options)
    at = visit(PAGE, text=TEXT, step=step, **{name.replace("_", "-"): value for name, value in options.items()})
    choices = trace.candidates[step]
    written = [one.written for one in choices]
    assert bars(at, 0) == ([one.probability for one in choices], written)
    assert bars(at, 1) == ([one.sampled for one in choices], written)
    n = len(trace.source_tokens)
    meta, _ = drawn(at, "grown")
    assert (meta["rows"], meta["currentRow"]) == (n + step, n + step - 1)
    kept = 2 * 2 * (n + step) * 8 * 4
    assert f"{kept:,}".replace(",", "{,}") in " ".join(one.value for one in at.latex)
    assert f"Measured: {kept:,} bytes, the same." in [one.value for one in at.caption]
    metrics = {one.label: one.value for one in at.metric}
    assert (metrics["Tokens run so far"], metrics["Had nothing been kept"]) == (str(n + 2), str(3 * n + 3))
    cold = visit(PAGE, text=TEXT, temperature=0)
    assert said(cold, "nothing is drawn")
    assert bars(cold, 1) == ([1.0] + [0.0] * 9, [True] + [False] * 9)


def test_runs_with_options_are_kept_apart() -> None:
    hot = runs.run(GPT, TEXT, temperature=2.0, seed=1)
    assert runs.run(GPT, TEXT, temperature=2.0, seed=1) is hot
    assert runs.run(GPT, TEXT, temperature=0.1, seed=1).output != hot.output
    assert len(runs.run(GPT, TEXT, length=3).target_tokens) == 3


@pytest.mark.parametrize(("choice", "masked"), [("1 The", "[MASK] cat saw"), ("6 cat", "the other [MASK].")])
def test_a_word_is_hidden_where_it_was_clicked(visit: Visit, networks, choice: str, masked: str) -> None:
    at = visit(PAGE, text=TEXT, hidden=choice)
    found = contextual.hidden(networks[BERT], TEXT, int(choice[0]))
    assert sum(masked in one.value for one in at.text) >= 1
    assert choice[2:] in [one.value for one in at.text]
    assert bars(at, 2)[0] == [one.probability for one in found.candidates]
    assert [one.value for one in at.metric if one.label == "Its rank"] == [f"{found.rank:,} of 8,000"]


def test_a_mask_that_was_typed_can_be_filled(visit: Visit) -> None:
    at = visit(PAGE, text="The [MASK] saw the other cat.")
    assert said(at, "You wrote this [MASK] yourself")
    assert not [one for one in at.metric if one.label == "Its rank"]


@pytest.mark.parametrize("wrong", ["99", "abc", "-1"])
def test_an_impossible_address_is_forgotten(visit: Visit, wrong: str) -> None:
    names = ("layer", "head", "step", "temperature", "top-k", "top-p", "seed", "hidden")
    at = visit(PAGE, text=TEXT, **dict.fromkeys(names, wrong))
    assert not at.exception
    assert bool(figures_of(at))


@pytest.mark.parametrize(
    ("last", "different", "verdict"),
    [(0.9999, 0.1, "not supported here"), (0.6, 0.1, "itself keeps a part"), (0.1, 0.6, "little is left")],
)
def test_the_verdict_on_contexts_follows_the_cosines(
    visit: Visit, monkeypatch, last: float, different: float, verdict: str
) -> None:
    found = Compared(np.array([1, last], np.float32), np.array([0, different], np.float32), 5, True)
    monkeypatch.setattr(contextual, "compared", lambda *_: found)
    monkeypatch.setattr(measure, "_name", lambda function: f"test {function.__name__} {last}")
    assert said(visit(PAGE, text=TEXT), verdict)


def test_a_word_that_is_not_in_both_sentences_is_explained(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, word="river")
    assert not at.exception
    assert [one.value for one in at.info] == ["These two cannot be compared."]
    assert "expected the word 'river' in both sentences" in " ".join(one.value for one in at.text)


@pytest.mark.parametrize(
    ("in_gpt", "in_bert", "verdict", "answer"),
    [
        (0.0, 0.3, "**exactly 0**. In BERT the change reaches back, by up to **30.0%**", "in BERT alone"),
        (1e-6, 0.3, "but for rounding, 1·10⁻⁶. In BERT the change", "in BERT alone"),
        (0.2, 0.3, "**In GPT something moves**", "in both"),
        (0.0, 0.0, "shows no difference", "in neither"),
        (0.2, 0.0, "shows no difference", "in GPT alone"),
    ],
)
def test_the_verdict_on_the_future_follows_what_moves(
    visit: Visit, monkeypatch, in_gpt: float, in_bert: float, verdict: str, answer: str
) -> None:
    found = tuple(Moved(("a", "<b>"), np.array([0, most], np.float32)) for most in (in_gpt, in_bert))
    monkeypatch.setattr(contextual, "moved", lambda *_: found)
    monkeypatch.setattr(measure, "_name", lambda function: f"test {function.__name__} {found}")
    at = visit(PAGE, text=TEXT)
    assert verdict in said(at, "In GPT ")
    at.radio[0].set_value(answer).run()
    assert said(at, "Right: ").startswith(f"Right: **{answer}**")


def test_another_last_word_is_tried(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=TEXT, swap=word)) for word in ("dog", "house"))
    changed = [name for name in one if one[name] != other[name]]
    assert changed == ["plotly_chart 1", "plotly_chart 2"], "BERT moves, and both are on one scale"
    lone = visit(PAGE, text="Hello!")
    assert not lone.exception
    assert said(lone, "Nothing stands before your last word")


@pytest.mark.parametrize(("perplexity", "verdict"), [(40.0, "the claim holds"), (75.0, "not supported here")])
def test_the_verdict_on_text_follows_the_cards(visit: Visit, monkeypatch, perplexity: float, verdict: str) -> None:
    monkeypatch.setitem(SCORES[GPT]["test"]["metrics"], "perplexity", perplexity)
    at = visit(PAGE, text=TEXT)
    assert verdict in said(at, "by new text")
    assert list(at.table[0].value["With it"]) == [f"{perplexity:.1f}", "62.0%", "15.0", "40.0%", "70.0%", "20.0%"]


def test_the_chapter_waits_for_both_models(monkeypatch) -> None:
    finished = registry.finished
    assert "gpt-bert" in {chapter.url for chapter in story.listed()}
    for missing in (GPT, BERT):
        monkeypatch.setattr(
            registry, "finished", lambda without=missing, **facts: tuple(
                one for one in finished(**facts) if one.name != without
            )
        )  # fmt: skip
        assert "gpt-bert" not in {chapter.url for chapter in story.listed()}


def test_no_other_page_imports_the_library() -> None:
    parts = "dashboard.controls, dashboard.story, dashboard.figures, dashboard.charts, dashboard.cards"
    program = f"import sys, pretrained.loading, {parts}; assert 'transformers' not in sys.modules"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=FRONT_DOOR.parent, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
