"""The self-attention page: every operation is the model's own, and every verdict follows what was measured."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dashboard import controls, measure, runs
from pretrained.analysis import rows, self_attention
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of, said

PAGE, MODEL = "self_attention", "transformer"
TEXT, LONGER = "I saw it there.", "The old dog that the cat saw in the garden sleeps since it is tired."


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_markup(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    for kind in ("markdown", "caption", "metric"):
        shown = [str(getattr(element, "value", "")) for element in at.get(kind)]
        assert not text.strip() or not any(text in words for words in shown)


def test_the_longest_sentence_has_a_page(visit: Visit) -> None:
    at = visit(PAGE, text="it " * 63)
    assert not at.exception
    assert figures_of(at)


def test_another_sentence_changes_every_figure_but_the_fixed_one(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, LONGER))
    assert len(one) == 6
    assert one.keys() == other.keys()
    # the two sentences about the animal are ours
    assert [name for name in one if one[name] == other[name]] == ["bidi_component 2"]


@pytest.mark.parametrize(("step", "operation"), [(0, "queries"), (3, "scores"), (6, "output")])
def test_every_operation_is_drawn_with_the_one_before(visit: Visit, step: int, operation: str) -> None:
    at = visit(PAGE, text=TEXT, layer=1, head=2, query=2, key=0, **{"operation-step": step})
    meta, cells = drawn(at, "operation")
    model: Any = runs.load(MODEL)
    made = self_attention.by_formula(model.network, model.read(TEXT).ids, 1, 2)
    names = self_attention.OPERATIONS[max(0, step - 1) : step + 1]
    assert names[-1] == operation
    for name, values, one in zip(names, cells, meta["matrices"], strict=True):
        np.testing.assert_allclose(values.astype(float), made.made(name, 2).ravel(), rtol=1e-6)
        if name in ("products", "scores"):
            assert one["limit"] == pytest.approx(np.abs(made.products[2]).max()), "what is divided keeps its colours"
    (formula,) = [one.value for one in at.latex if r"\begin{aligned}" in one.value]
    if operation == "scores":
        assert f"{made.products[2, 0]:.2f}" in formula
        assert f"&= {made.scores[2, 0]:.2f}" in formula
    assert any("differ by at most" in one.value for one in at.caption)


@pytest.mark.parametrize("wrong", ["99", "-1", "abc"])
def test_an_impossible_address_is_forgotten(visit: Visit, wrong: str) -> None:
    at = visit(PAGE, text=TEXT, layer=wrong, head=wrong, query=wrong, key=wrong, **{"operation-step": wrong})
    assert not at.exception
    assert figures_of(at) == figures_of(visit(PAGE, text=TEXT))


def test_the_answer_is_what_this_head_looks_at_most(visit: Visit) -> None:
    at = visit(PAGE, text=LONGER, layer=1, head=3)
    weights = runs.run(MODEL, LONGER).attention_of("encoder-self")[1].weights[3]
    asked = rows.question(weights)
    assert asked.keys[asked.answer] == weights[asked.row].argmax()
    at.radio[0].set_value(f"Token {asked.keys[asked.answer]}").run()
    assert said(at, "Right: ").startswith(f"Right: **Token {asked.keys[asked.answer]}**")


@pytest.mark.parametrize(("plain", "verdict"), [(0.1, "claim holds on"), (0.9, "claim does not hold on")])
def test_the_verdict_on_scaling_follows_the_slopes(visit: Visit, monkeypatch, plain: float, verdict: str) -> None:
    def scaling(*given: Any) -> self_attention.Scaling:
        found = measured(*given)
        return replace(found, plain=replace(found.plain, slope=np.full(12, plain)))

    measured = self_attention.scaling
    monkeypatch.setattr(self_attention, "scaling", scaling)
    monkeypatch.setattr(measure, "_name", lambda function: f"test {function.__name__} {plain}")
    assert verdict in said(visit(PAGE, text=TEXT), "Without the division the slope")


@pytest.mark.parametrize(("right", "verdict"), [(0, "No head follows"), (12, "no proof")])
def test_the_verdict_on_nouns_follows_the_heads(visit: Visit, monkeypatch, right: int, verdict: str) -> None:
    names = tuple(str(head) for head in range(12))
    weights = np.zeros((2, 12, 2), np.float32)
    weights[:, :, 0] = 0.1
    weights[1, :right, 1] = 0.2
    found = self_attention.Referents(names, weights, ("il", "il"))
    monkeypatch.setattr(self_attention, "referents", lambda _: found)
    monkeypatch.setattr(measure, "_name", lambda function: f"test {getattr(function, '__name__', '')} {right}")
    words = said(visit(PAGE, text=TEXT), "More on the right noun")
    assert f"12 of 12 heads in the first sentence, {right} in the second, **{right} in both**" in words
    assert verdict in words
    assert "right in 1 of 2" in words


def test_a_sentence_without_a_pronoun_is_offered_one(visit: Visit) -> None:
    at = visit(PAGE, text="The cat sleeps.")
    assert len(figures_of(at)) == 5
    at.button(key="animal").click().run()
    assert "animal" in at.session_state[controls.TEXT]
    meta, (cells,) = drawn(at, "pronoun")
    found = self_attention.pointing(runs.load(MODEL), at.session_state[controls.TEXT])
    assert found is not None
    np.testing.assert_array_equal(cells, found.weights.ravel())
    assert meta["axes"][meta["matrices"][0]["query"]] == list(found.heads)
