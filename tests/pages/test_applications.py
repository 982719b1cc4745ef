"""The applications: every task that has a model, one at a time, and what is shown of it is what the model did."""

import math
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import measure, runs, story
from pretrained.analysis import facts, keeping, left_out
from pretrained.analysis.left_out import LeftOut
from tests.pages.conftest import ODD_TEXTS, OTHER_CARDS, Visit, drawn, figures_of, said

PAGE = "applications"
ALL = ("compress-transformer", "babi-transformer", "gpt-mini")
TASKS = ("Translation", "Compression", "Questions", "Continuation", "Dates")
TEXT, OTHER = "I am happy.", "The dog that the cat saw is sleeping."
STORY = "Mary went to the kitchen. John moved to the garden. Sandra went back to the office. Where is John?"
OTHER_STORY = "John got the milk there. Mary moved to the garden. John moved to the office. Where is the milk?"


def offered(at: AppTest) -> list[str]:
    (choice,) = [one for one in at.button_group if one.key == "task"]
    return [str(getattr(option, "content", option)) for option in choice.options]


def written(at: AppTest) -> list[str]:
    return [text.value for text in at.text]


def metrics(at: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in at.metric}


@pytest.mark.parametrize("names", [(), ("gpt-mini",), ALL])
def test_only_tasks_with_a_finished_model_are_offered_and_each_has_its_sections(
    visit: Visit, other_tasks, names: tuple[str, ...]
) -> None:
    other_tasks(*names)
    ready = {"Compression": ALL[0], "Questions": ALL[1], "Continuation": ALL[2]}
    expected = [task for task in TASKS if ready.get(task) in (None, *names)]
    for task in TASKS:
        at = visit(PAGE, task=task)
        assert not at.exception, task
        assert offered(at) == expected
        sections = [one.value for one in at.subheader]
        assert sections == [story.PROBLEM, story.SEE, story.STEP, story.MEASURE, story.HURTS]
        assert len(at.radio) == 1, "one prediction a task"


@pytest.mark.parametrize("task", ["Translation", "Compression", "Continuation"])
def test_no_text_ends_in_an_exception_and_none_is_markup(visit: Visit, other_tasks, task: str) -> None:
    other_tasks(*ALL)
    for text, readable in ODD_TEXTS.items():
        at = visit(PAGE, task=task, text=text)
        assert not at.exception, text
        # A model of bytes reads any script, and longer texts.
        if task != "Continuation" or not text.strip():
            assert bool(figures_of(at)) == readable, text
        assert story.HURTS in [one.value for one in at.subheader], "the page goes on"
        for kind in ("markdown", "caption", "metric"):
            shown = [str(getattr(element, "value", "")) for element in at.get(kind)]
            assert not text.strip() or not any(text in words for words in shown), "a reader's words are no markup"


@pytest.mark.parametrize(
    ("typed", "readable"),
    [
        *((text, False) for text in ODD_TEXTS if text),
        ("?", False),
        ("Where is Mary?", False),
        ("John moved. ?", False),
        ("Mary went to the kitchen. Where?", True),
        ("Mary\nJohn\n?!?\nWhere is <b>Mary</b> $x$ ![a](b)?", True),
        ("Mary went to the kitchen. " * 100 + "Where is Mary?", False),
    ],
)
def test_no_story_ends_in_an_exception(visit: Visit, other_tasks, typed: str, readable: bool) -> None:
    other_tasks(*ALL)
    at = visit(PAGE, task="Questions", story=typed)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert any("stays where it is" in one.value for one in at.info) != readable
    assert not any("<b>" in one.value or "![a]" in one.value for one in (*at.markdown, *at.caption))


def test_words_that_the_model_has_never_seen_are_told(visit: Visit, other_tasks) -> None:
    other_tasks(*ALL)
    at = visit(PAGE, task="Questions", story="Zorblax went to the kitchen. Mary quaffed. Where is Zorblax?")
    assert any("has never seen" in one.value or "have never seen" in one.value for one in at.caption)
    assert "Zorblax quaffed" in written(at)


@pytest.mark.parametrize(
    ("task", "name", "one", "other", "figures"),
    [
        ("Translation", "text", TEXT, OTHER, 3),
        ("Compression", "text", TEXT, OTHER, 1),
        ("Questions", "story", STORY, OTHER_STORY, 2),
        ("Continuation", "text", TEXT, OTHER, 2),
        ("Dates", "date", "3 May 1979", "4 June 2001", 3),
    ],
)
def test_another_text_changes_every_figure(
    visit: Visit, other_tasks, task: str, name: str, one: str, other: str, figures: int
) -> None:
    other_tasks(*ALL)
    first, second = (figures_of(visit(PAGE, task=task, step=1, **{name: text})) for text in (one, other))
    assert len(first) >= figures
    assert [key for key in first if first[key] == second.get(key)] == []


def test_a_compression_is_drawn_and_stepped_as_it_was_decided(visit: Visit, other_tasks) -> None:
    other_tasks(*ALL)
    model: Any = runs.load(ALL[0])
    decided = keeping.decisions(model, OTHER)
    assert 0 < sum(one.kept for one in decided) < len(decided)
    second = [place for place, one in enumerate(decided) if one.kept][1]
    at = visit(PAGE, task="Compression", text=OTHER, word=second)
    meta, (cells,) = drawn(at, "kept")
    np.testing.assert_allclose(cells.astype(float).reshape(-1, 2)[:, 0], [one.keep for one in decided], atol=1e-6)
    assert meta["axes"][meta["matrices"][0]["query"]] == [OTHER[one.start : one.end] for one in decided]
    assert keeping.left(OTHER, decided[: second + 1]) in written(at)
    assert runs.run(ALL[0], OTHER).output in written(at)
    (formula,) = [one.value for one in at.latex]
    assert f"{math.exp(-decided[second].score):.3g}" in formula
    assert metrics(at)["This model, F1"] == "70.0%"
    least = min(range(len(decided)), key=lambda place: decided[place].keep)
    at.radio[0].set_value(f"Word {least}").run()
    assert said(at, "Right: ").startswith(f"Right: **Word {least}**")


def test_an_answer_is_read_where_its_head_looked(visit: Visit, other_tasks) -> None:
    other_tasks(*ALL)
    told = facts.told(STORY)
    trace = runs.run(ALL[1], told.text)
    shares = left_out.shares(trace, told.spans)
    at = visit(PAGE, task="Questions", story=STORY)
    _, (cells,) = drawn(at, "heads")
    np.testing.assert_allclose(cells.astype(float).reshape(shares.shape), shares, atol=1e-6)
    card = OTHER_CARDS[ALL[1]]["supporting_facts"]
    chosen = shares[card["layer"], card["head"]]
    lines = at.dataframe[0].value
    assert list(lines["told"]) == list(told.lines)
    np.testing.assert_allclose(lines["share"], 100 * chosen)
    assert list(lines["lit"]) == [one > 1 / 3 for one in chosen]
    assert trace.output in written(at)
    at.radio[0].set_value(f"Line {chosen.argmax()}").run()
    assert said(at, "Right: ").startswith(f"Right: **Line {chosen.argmax()}**")


def test_a_story_is_told_line_by_line(visit: Visit, other_tasks) -> None:
    other_tasks(*ALL)
    told = facts.told(STORY)
    for line in (0, 1):
        at = visit(PAGE, task="Questions", story=STORY, told=line)
        so_far = told.until(line)
        assert "\n".join((*so_far.lines, so_far.question)) in written(at)
        assert f"→ {runs.run(ALL[1], so_far.text).output}" in written(at)


def test_an_example_brings_its_facts_and_the_table_of_tasks_is_the_cards(visit: Visit, other_tasks) -> None:
    other_tasks(*ALL)
    at = visit(PAGE, task="Questions", tasks="true")
    at.button(key="tell-Two facts").click().run()
    assert list(at.dataframe[0].value["fact"]) == [True, False, True]
    by_task = at.table[0].value
    assert list(by_task["Right"]) == ["90.0%", "30.0%"]
    assert list(by_task["Commonest answer"]) == ["40.0%", "80.0%"]
    assert by_task["Looks at facts"].iloc[0] == "60.0%"
    assert metrics(at)["Chance: any answer of the task"] == "30.0%"


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        ((0.1, 0.5, 0.9), "**The claim holds here**"),
        ((0.5, 0.1, 0.9), "**The claim holds here in part**"),
        ((0.9, 0.5, 0.5), "**The claim does not hold here**"),
    ],
)
def test_the_verdict_follows_the_numbers(visit: Visit, other_tasks, monkeypatch, without: Any, verdict: str) -> None:
    other_tasks()
    found = LeftOut(np.array([0.6, 0.3, 0.1]), "oui", 0.95, np.array(without), "non", "oui")
    monkeypatch.setattr(left_out, "left_out", lambda *_: found)
    monkeypatch.setattr(measure, "_name", lambda _: f"test {without}")
    assert said(visit(PAGE, task="Translation", text=TEXT), "One text is no proof").startswith(verdict)


def test_one_word_has_nothing_to_be_compared_with(visit: Visit, other_tasks) -> None:
    other_tasks(*ALL)
    for task, why in (("Translation", "no other to compare"), ("Continuation", "has no order")):
        (info,) = visit(PAGE, task=task, text="Hello").info
        assert why in info.value
