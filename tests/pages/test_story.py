"""The line of chapters, turning pages, and the controls that all chapters share."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import story
from dashboard.components.chapters import chapters
from tests.pages.conftest import Visit


def line(at: AppTest) -> dict[str, Any]:
    found = [json.loads(component.proto.json) for component in at.get("bidi_component") if component.proto.json]
    data: dict[str, Any]
    (data,) = [one for one in found if "here" in one]
    return data


@pytest.mark.parametrize("chapter", story.CHAPTERS, ids=lambda chapter: chapter.url)
def test_a_chapter_says_where_it_stands(visit: Visit, chapter: story.Chapter) -> None:
    at = visit(chapter.url.replace("-", "_"))
    assert not at.exception
    assert line(at) == {
        "here": chapter.url,
        "pages": [{"page": one.url, "title": one.title} for one in story.CHAPTERS],
    }
    place = story.CHAPTERS.index(chapter)
    around = [f"Previous: {one.title}" for one in story.CHAPTERS[max(place - 1, 0) : place]]
    around += [f"Next: {one.title}" for one in story.CHAPTERS[place + 1 : place + 2]]
    assert [link.proto.label for link in at.get("page_link")][-len(around) :] == around


def test_a_chapter_is_listed_once_its_model_is_trained(visit: Visit, finish) -> None:
    finish("gru-seq2seq")
    assert "rnn" not in {chapter.url for chapter in story.listed()}
    finish("gru-seq2seq", "rnn-seq2seq")
    assert "rnn" in {chapter.url for chapter in story.listed()}
    assert line(visit("rnn"))["here"] == "rnn"


def test_a_page_that_does_not_exist_is_told() -> None:
    with pytest.raises(ValueError, match=r"here: expected one of rnn, got 'zoo'"):
        chapters({"rnn": "RNN"}, "zoo", key="chapters")


PLAYER = """
import streamlit as st
from dashboard import controls
controls.stepper(lambda step: st.text(f"at {step}"), ("a", "b", "c"), key="step")
"""


def shown(at: AppTest) -> str:
    assert not at.exception
    return str(at.text[0].value)


def test_playing_starts_over_and_stops_at_the_end() -> None:
    at = AppTest.from_string(PLAYER).run()
    assert shown(at) == "at 2"
    assert at.button[0].label == "Play"
    at.button[0].click().run()
    assert at.session_state["step-playing"]
    assert at.session_state["step"] in (0, 1)
    at.slider[0].set_value(2).run()
    assert not at.session_state["step-playing"], "a reader who takes the slider stops the clock"
    assert shown(at) == "at 2"


QUESTION = """
from dashboard import controls
controls.prediction("Which?", ["one", "two"], 1, key="q", why="So it was.")
"""


def test_the_answer_waits_for_the_reader() -> None:
    at = AppTest.from_string(QUESTION).run()
    assert not at.markdown
    at.radio[0].set_value("one").run()
    assert [one.value for one in at.markdown] == ["Not here: **two**. So it was."]
    at.radio[0].set_value("two").run()
    assert [one.value for one in at.markdown] == ["Right: **two**. So it was."]


MEASURE = """
import streamlit as st
from dashboard import measure
from pretrained.analysis.positions import worked
st.text(repr(measure.measured(worked, (), 3, 4, 8, key="m").value.value))
"""


def test_a_measurement_says_when_and_how_and_can_be_repeated() -> None:
    at = AppTest.from_string(MEASURE).run()
    first = at.caption[0].value
    assert "`pretrained.analysis.positions.worked`" in first
    value = shown(at)
    at.run()
    assert at.caption[0].value == first, "what was measured is kept"
    at.button[0].click().run()
    assert shown(at) == value


SLOW = """
def count(n):
    for i in range(n):
        yield i / n
    return n * 10

import streamlit as st
from dashboard import measure
result = measure.measured_on_request(count, (), 5, key="s", label="Count")
st.text("nothing" if result is None else str(result.value))
"""


def test_what_takes_long_waits_to_be_asked() -> None:
    at = AppTest.from_string(SLOW).run()
    assert shown(at) == "nothing"
    at.button[0].click().run()
    assert shown(at) == "50"
    assert at.caption[0].value.endswith(".count`.")
    at.run()
    assert shown(at) == "50", "what was measured is kept"
    at.button[0].click().run()
    assert shown(at) == "nothing", "measuring again waits to be asked as well"
