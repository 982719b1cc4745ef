"""A story and a question about it, as a reader types them, and what a card says of all such questions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pretrained.model import TextError

if TYPE_CHECKING:
    from collections.abc import Mapping

SENTENCE = re.compile(r"[^.?!\n]*[^.?!\s][^.?!\n]*[.?!]*")


@dataclass(frozen=True)
class Told:
    """A story and a question.

    Attributes:
        lines: the story, sentence by sentence.
        question: asked when all of it has been told.
    """

    lines: tuple[str, ...]
    question: str

    @property
    def text(self) -> str:
        """Give what a model reads."""
        return " ".join((*self.lines, self.question))

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Give where in this text every line stands, ``(start, end)`` in characters."""
        ends = [sum(len(line) + 1 for line in self.lines[: count + 1]) - 1 for count in range(len(self.lines))]
        return tuple((end - len(line), end) for line, end in zip(self.lines, ends, strict=True))

    def until(self, line: int) -> Told:
        """Give the story up to a line, with the same question."""
        return Told(self.lines[: line + 1], self.question)


def told(text: str) -> Told:
    """Cut a text into a story and the question at its end; a sentence ends with a stop or with its line.

    Raises:
        TextError: no question at the end, or no story before it.
    """
    sentences = [found.group().strip() for found in SENTENCE.finditer(text)]
    if not sentences or not sentences[-1].endswith("?"):
        raise TextError("expected a question at the end, with a question mark")
    if len(sentences) == 1:
        raise TextError("expected a story before the question, of one sentence at least")
    return Told(tuple(sentences[:-1]), sentences[-1])


@dataclass(frozen=True)
class Means:
    """Shares of right answers over all tasks, each weighted by its questions: the model's, and those of two guesses."""

    accuracy: float
    baseline: float
    chance: float


def means(card: Mapping[str, Any]) -> Means:
    """Read the score of a model from its card, and what always naming the commonest answer and any answer are worth."""
    tasks, guesses = card["scores"]["test"]["by_tag"], card["guesses"]
    total = sum(one["count"] for one in tasks.values())

    def mean(guess: str) -> float:
        return sum(one["count"] * guesses[task][guess] for task, one in tasks.items()) / total

    return Means(card["scores"]["test"]["metrics"]["accuracy"], mean("baseline"), mean("chance"))
