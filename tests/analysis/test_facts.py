"""A story and its question, cut out of what was typed; and the scores of a card, weighted by hand."""

import pytest

from pretrained.analysis import facts
from pretrained.model import TextError


@pytest.mark.parametrize(
    ("text", "lines", "question"),
    [
        ("Mary went out. Where is Mary?", ("Mary went out.",), "Where is Mary?"),
        ("  A b.\n\nC d\n e!  Who?? ", ("A b.", "C d", "e!"), "Who??"),
        ("Is it so? Yes. Why?", ("Is it so?", "Yes."), "Why?"),
        ("A... B. C?", ("A...", "B."), "C?"),
    ],
)
def test_a_sentence_ends_with_its_stop_or_its_line(text: str, lines: tuple[str, ...], question: str) -> None:
    told = facts.told(text)
    assert (told.lines, told.question) == (lines, question)
    assert tuple(told.text[start:end] for start, end in told.spans) == lines
    assert told.text.endswith(question)
    assert told.until(0) == facts.Told(lines[:1], question)


@pytest.mark.parametrize("text", ["", " \n ", "?", "?!.", "Where is Mary?", "Mary went out.", "Where? Mary went out."])
def test_what_is_no_story_with_a_question_is_refused(text: str) -> None:
    with pytest.raises(TextError, match=r"expected a (question at the end|story before the question)"):
        facts.told(text)


def test_means_are_weighted_by_the_questions_of_each_task() -> None:
    card = {
        "scores": {
            "test": {
                "metrics": {"accuracy": 0.8},
                "by_tag": {"1": {"count": 30, "accuracy": 1.0}, "2": {"count": 10, "accuracy": 0.2}},
            }
        },
        "guesses": {"1": {"chance": 0.2, "baseline": 0.4}, "2": {"chance": 0.6, "baseline": 0.8}},
    }
    found = facts.means(card)
    assert (found.accuracy, found.chance, found.baseline) == pytest.approx((0.8, 0.3, 0.5))
