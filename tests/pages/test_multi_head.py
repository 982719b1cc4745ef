"""The multi-head page: every head is of this sentence, and what is said of a head that is off is what the model did."""

import json
import re
import struct
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import figures, measure, runs, story
from pretrained.analysis import heads
from pretrained.analysis.heads import Head, Importance, Pruned
from pretrained.intervention import Intervention
from tests.pages.conftest import ODD_TEXTS, Visit, figures_of
from viz.numbers import number, rough

PAGE, MODEL, TEXT = "multi_head", "transformer", "I am happy."


def words_of(at: AppTest) -> str:
    kinds = ("markdown", "caption", "metric", "text")
    return " ".join(str(getattr(one, "value", "")) for kind in kinds for one in at.get(kind))


def drawn(at: AppTest, key: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What the matrix component of this key was sent: its description and its cells."""
    (component,) = [one for one in at.get("bidi_component") if one.proto.id.endswith(f"-{key}")]
    blob: bytes = component.proto.bytes
    (length,) = struct.unpack_from("<I", blob)
    meta = json.loads(blob[4 : 4 + length])
    return meta, [np.frombuffer(blob, one["type"], one["length"], 4 + length + one["start"]) for one in meta["arrays"]]


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_lost(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    for kind in ("markdown", "caption", "metric", "latex", "radio"):
        shown = [f"{getattr(one, 'label', '')} {getattr(one, 'value', '')}" for one in at.get(kind)]
        assert not text.strip() or text == "Hello" or not any(text in words for words in shown), "words are no markup"


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "The old dog that the cat saw sleeps."))
    assert len(one) == 6
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_every_kind_draws_its_own_heads(visit: Visit) -> None:
    trace = runs.run(MODEL, TEXT)
    for kind in ("encoder-self", "decoder-self", "cross"):
        at = visit(PAGE, text=TEXT, kind=figures.TITLES[kind], layer=1, head=2)
        assert not at.exception
        _, cells = drawn(at, f"head-{kind}")
        np.testing.assert_array_equal(cells[0], trace.attention_of(kind)[1].weights[2].ravel())
        meta, _ = drawn(at, f"heads-{kind}-0")
        assert [one["short"] for one in meta["matrices"]][6] == "1.2 ●"


def test_the_sections_stand_in_order(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT)
    assert [header.value for header in at.subheader] == [
        story.PROBLEM, story.SEE, story.STEP, story.MEASURE, story.HURTS
    ]  # fmt: skip


def test_the_parts_of_a_row_are_the_models(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, kind="Cross-attention", layer=2, row=1, part=1)
    found = heads.update(runs.load(MODEL), TEXT, "cross", 2, 1)  # type: ignore[arg-type]
    meta, cells = drawn(at, "parts")
    assert (meta["rows"], meta["currentRow"]) == (2, 1)
    np.testing.assert_array_equal(cells[0][: 4 * 192], found.parts.ravel())
    (formula,) = [one.value for one in at.latex if "o_1 &=" in one.value]
    assert f"&= {found.lengths[1]:.2f}" in formula
    whole = visit(PAGE, text=TEXT, kind="Cross-attention", layer=2, row=1)
    assert any(one.value == rough(found.difference) for one in whole.metric)


def test_what_is_switched_off_is_what_the_model_was_given(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT)
    at.multiselect(key="off").set_value(["cross 2.0", "cross 2.1", "cross 2.2", "cross 2.3", "encoder-self 0.1"]).run()
    off = [Intervention("switch-off", "cross", 2, head) for head in range(4)]
    after = runs.run(MODEL, TEXT, (*off, Intervention("switch-off", "encoder-self", 0, 1)))
    assert f"log-probability {number(after.log_probability, 2)}" in words_of(at)
    assert after.output in [text.value for text in at.text]
    at.multiselect(key="off").set_value([]).run()
    assert "The translation stays the same" in words_of(at)


def test_the_answer_is_the_models(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT)
    clearest = re.search(r"(\d)\.(\d) looks most at the token before", at.radio[0].label)
    assert clearest is not None
    layer, head = map(int, clearest.groups())
    after = runs.run(MODEL, TEXT, (Intervention("switch-off", "encoder-self", layer, head),))
    answer = "It stays the same" if after.target_tokens == runs.run(MODEL, TEXT).target_tokens else "It changes"
    at.radio[0].set_value(answer).run()
    assert any(f"Right: **{answer}**" in one.value for one in at.markdown)


@pytest.mark.parametrize(("spared", "verdict"), [(5, "holds here.**"), (1, "in part"), (0, "does not hold here")])
def test_the_verdict_on_redundancy_follows_the_numbers(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, spared: int, verdict: str
) -> None:
    shapes = {kind: np.zeros((3, 4)) for kind in ("encoder-self", "decoder-self", "cross")}
    alone = Importance(shapes, {kind: one == 0 for kind, one in shapes.items()}, -1.0)
    drops = np.linspace(-1, -9, 37, dtype=np.float32)

    def made_up(*_: object) -> Any:
        yield 0.5
        return Pruned(alone, drops, spared * 3, "Autre chose.")

    monkeypatch.setattr(heads, "pruned", made_up)
    monkeypatch.setattr(measure, "_name", lambda _: f"test {spared}")
    at = visit(PAGE, text=TEXT)
    at.button(key="pruned-start").click().run()
    assert not at.exception
    said = [one.value for one in at.markdown if "be off before it changes" in one.value]
    assert len(said) == 1
    assert f"**{3 * spared} of 36**" in said[0]
    assert verdict in said[0]
    assert "Autre chose." in [one.value for one in at.text]


def test_syntax_stands_only_where_it_was_measured(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    card = {fact: told for fact, told in runs.card(MODEL).items() if fact != "relations"}
    one = {"count": 50, "layer": 1, "head": 3, "direction": "from", "accuracy": 0.6, "offset": 1}
    for offset_accuracy, verdict in ((None, ""), (0.5, "Some heads know syntax"), (0.7, "little sign of syntax")):
        scored = {"count": 300, "by_relation": {"det": one | {"offset_accuracy": offset_accuracy}}}
        made_up = {} if offset_accuracy is None else {"relations": scored}
        monkeypatch.setattr(runs, "card", lambda _, made_up=made_up: card | made_up)
        words = words_of(visit(PAGE, text=TEXT))
        assert ("Syntactic?" in words) == bool(made_up)
        assert verdict in words


@pytest.mark.parametrize("wrong", ["99", "-1", "abc"])
def test_an_impossible_address_is_forgotten(visit: Visit, wrong: str) -> None:
    names = ("kind", "layer", "head", "row", "part", "off")
    at, plain = visit(PAGE, text=TEXT, **dict.fromkeys(names, wrong)), visit(PAGE, text=TEXT)
    assert not at.exception
    assert figures_of(at) == figures_of(plain)


def test_a_head_is_named_as_on_screen() -> None:
    assert str(Head("cross", 2, 1)) == "cross 2.1"
