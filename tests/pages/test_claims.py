"""The claims: none is missing, every verdict follows its number, and what the page says was measured on this text."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import cards, claims, measure, outcomes, runs, story, textbooks
from pretrained import entry, registry
from pretrained.analysis.bottleneck import Remembered
from pretrained.analysis.cost import Speeds
from pretrained.analysis.efficient import Growth
from pretrained.analysis.heads import Importance, Pruned
from pretrained.analysis.positions import Moved
from pretrained.analysis.reach import Paths
from pretrained.analysis.rows import Spread
from pretrained.analysis.self_attention import Referents
from pretrained.analysis.verdict import Verdict
from pretrained.analysis.writing import Length
from pretrained.registry import Entry
from tests.models import tiny
from tests.pages.conftest import ODD_TEXTS, Visit

PAGE, TEXT, OTHER = "claims", "I am happy.", "The old dog that the cat saw sleeps."
NAMES = (
    "rnn-seq2seq", "lstm-seq2seq", "gru-seq2seq", "gru-bahdanau", "conv-seq2seq", "transformer", "transformer-window",
)  # fmt: skip
CARD = entry("transformer").card()
TITLES = {claim.title for claim in claims.CLAIMS}
HOLDS, IN_PART, FAILS = get_args(Verdict)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Entry]]:
    """Tiny networks in the place of all models; those in the list are finished."""
    models = {name: tiny.translator(entry(name)) for name in NAMES}
    known = [entry(name) for name in NAMES]

    def finished(**facts: object) -> tuple[Entry, ...]:
        return tuple(one for one in known if all(getattr(one, name) == value for name, value in facts.items()))

    st.cache_resource.clear()
    monkeypatch.setattr(registry, "finished", finished)
    monkeypatch.setattr(cards, "ablations", list)
    monkeypatch.setattr(story, "CHAPTERS", story.listed())
    monkeypatch.setattr(runs, "load", models.__getitem__)
    monkeypatch.setattr(runs, "card", lambda _: CARD)
    yield known
    st.cache_resource.clear()


def words(at: AppTest) -> str:
    return "\n".join([*(str(one.value) for one in at.markdown), *(str(one.value) for one in at.caption)])


def figures(at: AppTest) -> set[str]:
    """What is said beside the verdicts."""
    return {one.value for one in at.markdown if one.value.startswith(":material/")}


# The list


def test_no_claim_of_the_story_is_missing() -> None:
    assert {
        "Vanishing", "Exploding", "Forgetting", "The bottleneck", "Sequential against parallel", "Gradient path",
        "Time", "Memory", "Receptive field", "Order without positions", "Residual and normalisation",
        "Attention aligns", "Heads differ", "Heads are redundant", "Variable-length output", "Data efficiency",
        "GRU against LSTM",
    } <= TITLES  # fmt: skip
    assert len(TITLES) == len(claims.CLAIMS)


def test_whatever_is_named_exists() -> None:
    urls = {chapter.url for part in story.PARTS.values() for chapter in part}
    assert {claim.url for claim in claims.CLAIMS} | {loose.url for loose in textbooks.LOOSE} <= urls
    assert {claim.part for claim in claims.CLAIMS} == set(claims.PARTS) - {claims.TABLES}
    rows = (*textbooks.ASPECTS, *textbooks.PROBLEMS)
    assert {title for one in (*rows, *textbooks.LOOSE) for title in one.claims} <= TITLES
    assert all(one.claims for one in rows), "every row of the two tables is tested by a claim"
    for claim in claims.CLAIMS:
        assert claim.rule
        assert claim.question.endswith("?")
        assert claim.function or claim.command, "what is not measured here was measured in training"


# The verdicts


def remembered(left: float) -> tuple[Remembered, ...]:
    return Remembered(3, 1.0, ""), Remembered(9, left, "")


def pruned(spared: int) -> Pruned:
    alone = Importance({"cross": np.zeros((1, 6))}, {"cross": np.ones((1, 6), bool)}, 0.0)
    return Pruned(alone, np.zeros(7, np.float32), spared, "")


def paths(*, shorter: bool, sooner: bool) -> Paths:
    layers = np.array([0, 1, 1 if shorter else 2])
    return Paths(np.arange(3), layers, layers, layers, np.array([1, 3, 3] if sooner else [1, 2, 3]))


def referents(*, found: bool, pronouns: tuple[str, str]) -> Referents:
    first, second = (0.5, 0.1), (0.1, 0.5)
    return Referents(("0.0",), np.array([[first], [second if found else first]]), pronouns)


def growth(full: float, recurrence: float, sparse: tuple[float, ...] = (99.0, 99.0, 99.0)) -> Growth:
    costs = (1.0, 2.0**full, 4.0**full), sparse, (1.0, 2.0**recurrence, 4.0**recurrence)
    return Growth((64, 128, 256), costs, costs)


def speeds(*ratios: float) -> Speeds:
    pair = (1.0, 1.0), ratios
    return Speeds((8, 16), 2, pair, pair, pair)


STEEP, FLAT = np.array([0.01, 0.1, 1.0, 1.0]), np.array([1.0, 1.0, 1.0, 1.0])
FAST, SLOW = (1.0, 2.0), (1.0, 0.5)
NARROW = Spread(np.array([1.0]), 8, 0.9, 0.0, 2.0)
BROAD = replace(NARROW, looked_at=np.array([7.0]))
OF_TWO = ("GRU against LSTM", "Gradient path", "Variable-length output")
TRIO = ("transformer", "transformer-window", "gru-seq2seq")
MADE_UP: dict[str, dict[Verdict | None, Any]] = {
    "Vanishing": {HOLDS: STEEP, FAILS: FLAT},
    "Exploding": {HOLDS: 1 / STEEP, FAILS: FLAT},
    "Forgetting": {HOLDS: STEEP, FAILS: 1 / STEEP},
    "GRU against LSTM": {HOLDS: FAST, IN_PART: SLOW},
    "The bottleneck": {HOLDS: remembered(0.4), IN_PART: remembered(0.6), FAILS: remembered(0.95), None: ()},
    "Nothing is lost": {FAILS: remembered(0.4), IN_PART: remembered(0.6), HOLDS: remembered(0.95), None: ()},
    "Receptive field": {
        HOLDS: paths(shorter=True, sooner=True),
        IN_PART: paths(shorter=False, sooner=True),
        FAILS: paths(shorter=False, sooner=False),
    },
    "Attention aligns": {HOLDS: NARROW, IN_PART: BROAD},
    "Heads differ": {HOLDS: 0.2, FAILS: 0.6},
    "Heads are redundant": {HOLDS: pruned(2), IN_PART: pruned(1), FAILS: pruned(0)},
    "It finds its noun": {
        HOLDS: referents(found=True, pronouns=("il", "elle")),
        IN_PART: referents(found=True, pronouns=("il", "il")),
        FAILS: referents(found=False, pronouns=("il", "elle")),
    },
    "Gradient path": {HOLDS: (STEEP, FLAT), FAILS: (FLAT, STEEP)},
    "Order without positions": {HOLDS: Moved(0.5, 1e-6), FAILS: Moved(0.5, 0.1), None: Moved(0.0, 0.0)},
    "Indifferent to place": {HOLDS: 1e-6, FAILS: 0.1},
    "Variable-length output": {
        HOLDS: (Length(4, 5, True), Length(4, 4, True)),
        IN_PART: (Length(4, 5, True), Length(4, 18, False)),
        FAILS: (Length(4, 18, False), Length(4, 18, False)),
    },
    "Sequential against parallel": {HOLDS: speeds(2, 2), IN_PART: speeds(2, 0.5), FAILS: speeds(0.5, 0.5)},
    "Faster at any length": {HOLDS: speeds(2, 2), IN_PART: speeds(2, 0.5), FAILS: speeds(0.5, 0.5)},
    "Time": {HOLDS: growth(2, 1), IN_PART: growth(1.5, 1), FAILS: growth(1.5, 1.5)},
    "Memory": {HOLDS: growth(2, 1), IN_PART: growth(2, 1.5), FAILS: growth(1, 2)},
    "Sparse attention": {
        HOLDS: growth(2, 1, (0.1, 0.1, 0.1)), IN_PART: growth(2, 1, (99.0, 99.0, 1.0)), FAILS: growth(2, 1),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("title", "verdict"), [(title, verdict) for title, outcomes in MADE_UP.items() for verdict in outcomes]
)
def test_the_verdict_follows_the_number(title: str, verdict: Verdict | None) -> None:
    (claim,) = [one for one in claims.CLAIMS if one.title == title]
    names = NAMES[:2] if title in OF_TWO else TRIO
    outcome = claim.judge(MADE_UP[title][verdict], names)
    assert outcome.verdict == verdict
    assert outcome.figure.endswith((".", ".)"))


def test_every_live_claim_is_tried_on_made_up_numbers() -> None:
    assert set(MADE_UP) == {claim.title for claim in claims.CLAIMS if claim.function}


def test_verdicts_on_training_follow_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def card(chrf: tuple[float, float], losses: tuple[float, ...]) -> dict[str, Any]:
        ranges = {"1-5": {"count": 1, "chrf": chrf[0]}, "6+": {"count": 1, "chrf": chrf[1]}}
        curve = [{"target_tokens": n * 1_000_000, "valid_loss": loss} for n, loss in enumerate(losses, start=1)]
        scores = {"test": {"by_length": ranges, "metrics": {"chrf": chrf[0]}}}
        return {"scores": scores, "learning_curve": curve, "target_tokens": 1_000_000 * len(losses)}

    made = {"good": card((50.0, 40.0), (2.0, 1.0)), "bad": card((49.5, 20.0), (3.0, 2.0))}
    relations = {"det": {"accuracy": 0.8, "offset_accuracy": 0.5}, "obl": {"accuracy": 0.1, "offset_accuracy": 0.5}}
    told = {"test": {"metrics": {"aer": 0.6}, "diagonal": {"aer": 0.5}, "ibm_model_1": {"aer": 0.3}, "count": 7}}
    made["parsed"] = {"relations": {"by_relation": relations, "count": 9}, "alignment": told}
    monkeypatch.setattr(runs, "card", made.__getitem__)
    monkeypatch.setattr(cards, "ablations", lambda: ["bad"])
    both = ("good", "bad")
    assert [outcomes.eased(None, names).verdict for names in (both, both[::-1])] == [HOLDS, FAILS]
    assert [outcomes.learns_from_less(None, names).verdict for names in (both, both[::-1])] == [HOLDS, FAILS]
    assert outcomes.trainable(None, both).verdict == HOLDS
    monkeypatch.setattr(cards, "ablations", lambda: ["good"])
    assert outcomes.trainable(None, both[::-1]).verdict == FAILS
    assert outcomes.know_syntax(None, ("parsed",)).verdict == FAILS, "one of two is not more than half"
    relations["obl"]["accuracy"] = 0.6
    assert outcomes.know_syntax(None, ("parsed",)).verdict == HOLDS
    assert [outcomes.aligns(one, ("parsed",)).verdict for one in (NARROW, BROAD)] == [IN_PART, FAILS]
    assert [outcomes.gru_and_lstm(one, both).verdict for one in (FAST, SLOW)] == [HOLDS, IN_PART]
    made["bad"]["scores"]["test"]["metrics"]["chrf"] = 40.0
    assert [outcomes.gru_and_lstm(one, both).verdict for one in (FAST, SLOW)] == [IN_PART, FAILS]


# The page


@pytest.mark.parametrize("part", claims.PARTS)
def test_another_sentence_gives_other_figures(visit: Visit, part: str) -> None:
    one, other = (visit(PAGE, text=text, claims=part) for text in (TEXT, OTHER))
    assert not one.exception
    assert not other.exception
    live = [claim for claim in claims.CLAIMS if claim.part == part and claim.function and not claim.label]
    of_the_sentence = [claim for claim in live if claim.arguments(TEXT)]
    assert len(figures(one) - figures(other)) == len(of_the_sentence)
    assert len([caption for caption in one.caption if caption.value.startswith("Measured at")]) == len(live)


@pytest.mark.parametrize(
    ("text", "readable", "part"),
    [(text, readable, part) for text, readable in ODD_TEXTS.items() for part in claims.PARTS[: 3 if readable else 1]],
)
def test_no_text_ends_in_an_exception_and_none_is_markup(visit: Visit, text: str, readable: bool, part: str) -> None:
    at = visit(PAGE, text=text, claims=part)
    assert not at.exception
    assert bool(at.info) != readable, "an unreadable text is explained"
    assert bool(at.metric) == readable
    assert not text.strip() or text not in words(at)


def test_the_summary_counts_what_is_shown(visit: Visit, known: list[Entry]) -> None:
    at = visit(PAGE, text=TEXT)
    outcomes = claims.so_far(TEXT)
    told = [one.verdict for one in outcomes.values() if one and one.verdict]
    assert f"Of {len(TITLES)} claims {len(told)} have a verdict" in words(at)
    assert [metric.value for metric in at.metric] == [
        str(told.count(HOLDS)), str(told.count(IN_PART)), str(told.count(FAILS)), str(len(outcomes) - len(told))
    ]  # fmt: skip
    at.radio(key="guess").set_value("All of them").run()
    assert f"{told.count(HOLDS)} hold, {told.count(IN_PART)} in part, {told.count(FAILS)} do not." in words(at)
    known.remove(entry("conv-seq2seq"))
    at = visit(PAGE, text=TEXT)
    assert "2 wait for models that are still being trained" in words(at)
    assert "Convolutions connect" not in words(at)


@pytest.mark.parametrize(
    ("part", "chapters", "rest"),
    [
        ("Recurrence", ("rnn", "lstm_gru", "encoder_decoder", "convolution"), []),
        ("Attention", ("attention", "self_attention"), ["agreed", "remembered"]),
        ("Transformer", ("transformer",), ["lengths", "moved_along", "moved_when_shuffled"]),
    ],
)
def test_what_a_chapter_measured_is_not_measured_again(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, part: str, chapters: tuple[str, ...], rest: list[str]
) -> None:
    for chapter in chapters:
        assert not visit(chapter, text=TEXT).exception
    measured: list[str] = []
    run = measure._run

    def counted(function: Any, *given: Any) -> measure.Measured:
        measured.append(function.__name__)
        return run(function, *given)

    monkeypatch.setattr(measure, "_run", counted)
    visit(PAGE, text=TEXT, claims=part)
    assert sorted(measured) == rest
    measured.clear()
    visit(PAGE, text=TEXT, claims="Tables")
    assert measured == [], "nothing is measured that is not shown"


def test_what_takes_long_waits_to_be_asked(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(*_: object) -> Generator[float, None, Speeds]:
        yield 0.5
        return speeds(2, 0.5)

    quick = [replace(one, function=timed) if one.title == "Faster at any length" else one for one in claims.CLAIMS]
    monkeypatch.setattr(claims, "CLAIMS", quick)
    at = visit(PAGE, text=TEXT, claims="Cost")
    assert figures(at) == set()
    next(button for button in at.button if button.key == "faster-at-any-length-start").click().run()
    assert "it is faster at 1 of 2 lengths" in words(at)
    (told,) = figures(at)
    assert "**It holds in part.**" in told
    assert at.metric[1].value == "1", "the summary follows"


def test_tables_tell_how_claims_stand(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, claims="Tables")
    aspects, problems = (table.value for table in at.table)
    assert len(aspects) == 7
    assert len(problems) == 5
    assert "Attention eases the bottleneck: does not hold" in aspects["as measured"].tolist()[1]
    assert problems["as measured"].tolist()[3] == "Residual and normalisation: waits for a model"
    assert aspects["as measured"].tolist()[4] == "Memory: not measured yet"
    assert [loose.said for loose in textbooks.LOOSE if f"**“{loose.said}”**" not in words(at)] == []
    assert len(at.dataframe[0].value) == len(TITLES)


def test_an_impossible_part_is_forgotten(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, claims="nothing")
    assert not at.exception
    assert "**Vanishing.**" in words(at)


ALL = """
def count(n):
    for i in range(n):
        yield i / n
    return n * 10

def double(n):
    return 2 * n

import streamlit as st
from dashboard import measure
asked = [measure.Request("Count", count, (), (5,)), measure.Request("Double", double, (), (4,))]
measure.all_on_request(asked, key="all", label="All")
for one in asked:
    kept = measure.kept(one.function, one.models, *one.arguments)
    st.text("nothing" if kept is None else str(kept.value))
"""


def test_all_is_measured_when_asked_and_kept() -> None:
    at = AppTest.from_string(ALL).run()
    assert [one.value for one in at.text] == ["nothing", "nothing"]
    at.button[0].click().run()
    assert not at.exception
    assert [one.value for one in at.text] == ["50", "8"]
    at.run()
    assert [one.value for one in at.text] == ["50", "8"]
    assert len(at.button) == 0, "there is nothing left to measure"
