"""The zoo: every figure from a card or from a run, and one model at twelve moments of its training."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import pretrained
from dashboard import cards, runs
from pretrained import registry
from tests.pages.conftest import ODD_TEXTS, Visit, figures_of

PAGE = "zoo"
DATE = "3 May 1979"


def written(at: AppTest) -> list[str]:
    return [text.value for text in at.text]


def table(at: AppTest) -> Any:
    (shown,) = at.dataframe
    return shown.value.set_index("model")


def test_the_table_says_what_the_cards_say(visit: Visit) -> None:
    shown = table(visit(PAGE))
    assert list(shown.index) == [known.name for known in cards.with_cards()]
    for known in registry.finished(task="translation en-fr"):
        card, row = known.card(), shown.loc[known.name]
        assert row["parameters"] == card["parameters"] / 1e6
        assert row["tokens"] == card["target_tokens"] / 1e6
        assert row["score"] == card["scores"]["test"]["metrics"]["chrf"]
        assert row["conversation"] == card["scores"]["test"]["by_tag"]["tatoeba"]["chrf"]
    dates = shown.loc["date-bahdanau"]
    card = pretrained.entry("date-bahdanau").card()
    assert (dates["measure"], dates["score"]) == ("exact match", card["scores"]["test"]["metrics"]["exact_match"])


def test_every_chart_is_drawn_when_it_is_chosen(visit: Visit) -> None:
    at = visit(PAGE)
    (choice,) = (one for one in at.button_group if one.key == "chart")
    seen = []
    for name in choice.options:
        label = getattr(name, "content", name)
        at = visit(PAGE, chart=label)
        assert not at.exception, label
        seen.append([digest for place, digest in figures_of(at).items() if not place.startswith("bidi")])
    assert len(seen) >= 3
    assert len({tuple(one) for one in seen}) == len(seen), "each choice draws another chart"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_learning_curves_end_where_the_cards_do(theme: Any) -> None:
    names = cards.learners()
    assert "transformer" in names
    for curve, name in zip(cards.learning_curves(names, theme=theme).data, names, strict=True):
        points = [point for point in pretrained.entry(name).card()["learning_curve"] if point["valid_loss"] is not None]
        assert curve.name == name
        assert len(curve.x) == len(points)
        assert curve.y[-1] == pytest.approx(points[-1]["valid_loss"], abs=1e-4)


def test_a_point_stands_where_its_card_says() -> None:
    drawn = {
        name: (x, y)
        for group in cards.scores_against("Training time", theme="light").data
        for name, x, y in zip(group.text, group.x, group.y, strict=True)
    }
    for known in registry.finished(task="translation en-fr"):
        card = known.card()
        expected = (card["minutes"], card["scores"]["test"]["metrics"]["chrf"])
        assert drawn[known.name] == pytest.approx(expected, abs=1e-3)


def test_alignment_errors_are_in_order_and_among_them_those_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def card(name: str) -> dict[str, Any]:
        error = {"transformer": 0.3, "gru-bahdanau": 0.4}.get(name)
        told = {"test": {"metrics": {"aer": error}, "diagonal": {"aer": 0.35}, "ibm_model_1": {"aer": 0.5}}}
        return {"alignment": told} if error else {}

    monkeypatch.setattr(runs, "card", card)
    drawn = cards.alignment_errors(theme="light")
    assert drawn is not None
    (rows,) = drawn["datasets"].values()
    assert [(row["token"], row["probability"]) for row in rows] == [
        ("transformer", 0.3),
        ("the diagonal", 0.35),
        ("gru-bahdanau", 0.4),
        ("IBM model 1", 0.5),
    ]
    assert "alignment error rate" in json.dumps(drawn)
    monkeypatch.setattr(runs, "card", lambda _: {})
    assert cards.alignment_errors(theme="light") is None


def test_the_scrubber_runs_the_checkpoint_that_was_chosen(visit: Visit) -> None:
    seen = {}
    for checkpoint in (0, 6, 11):
        at = visit(PAGE, date=DATE, checkpoint=checkpoint)
        assert not at.exception
        output = pretrained.load("date-bahdanau", checkpoint=checkpoint).run(DATE).output
        assert (output or "(nothing)") in written(at)
        seen[checkpoint] = figures_of(at)["bidi_component 0"]
    assert len(set(seen.values())) == 3
    assert "1979-05-03" in written(at)


def test_another_date_is_another_picture(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, date=date))["bidi_component 0"] for date in (DATE, "4 May 1979"))
    assert one != other


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_no_date_ends_in_an_exception(visit: Visit, text: str) -> None:
    at = visit(PAGE, date=text)
    assert not at.exception
    assert at.info or figures_of(at)
