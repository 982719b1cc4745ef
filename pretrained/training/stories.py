"""Questions about stories (bAbI): the reader of the files, batches, scores, and whether attention finds the facts.

Weston et al. 2015, "Towards AI-complete question answering: a set of prerequisite toy tasks", version 1.2, CC BY 3.0.
A model reads the story as far as it was told when the question was asked, without line numbers, then the question; it
writes the answer, of one word or several. The files also name the lines that support the answer; a model never sees
that.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pretrained.tokenization import START
from pretrained.training import data
from pretrained.training.data import Pair
from pretrained.training.loss import sequence_loss

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from pretrained.tokenization import Tokenizer
    from pretrained.translation import Translator

FILES = {split: f"qa/babi_{split}.jsonl.gz" for split in ("train", "valid", "test")}
VALIDATED = 60  # questions of every task that a validation loss is measured on
CHOOSING = 200  # questions of every task that layer and head are chosen by
Place = tuple[int, int]  # layer and head


@dataclass(frozen=True)
class Question:
    """A question, and all that was told before it was asked.

    Attributes:
        task: number of the task, 1 to 20.
        lines: the story, sentence by sentence.
        question, answer: as in the file.
        supporting: numbers of the lines that the answer follows from, counted from 0.
    """

    task: int
    lines: tuple[str, ...]
    question: str
    answer: str
    supporting: frozenset[int]

    @property
    def text(self) -> str:
        """Give what a model reads."""
        return " ".join((*self.lines, self.question))

    @property
    def pair(self) -> Pair:
        """Give text and answer, with the task as their tag."""
        return Pair(self.text, self.answer, str(self.task))

    def line_spans(self) -> list[tuple[int, int]]:
        """Find where in the text every line stands, in characters."""
        spans, start = [], 0
        for line in self.lines:
            spans.append((start, start + len(line)))
            start += len(line) + 1
        return spans


def read_questions(path: Path) -> list[Question]:
    """Read stories and give every question by itself, in the order of the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken line, naming file and line, or a file without questions.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    found: list[Question] = []
    for number, line in enumerate(data.open_text(path), start=1):
        try:
            row = json.loads(line)
            found += (_question(row, asked) for asked in row["qa"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}, line {number}: expected task, lines and qa, each of it with at, q, a and sup, "
                f"got {line[:60]!r}: {error!r}"
            ) from None
    if not found:
        raise ValueError(f"{path}: expected at least one question, got none")
    return found


def _question(row: Mapping[str, Any], asked: Mapping[str, Any]) -> Question:
    told = [line.strip() for line in row["lines"][: asked["at"]]]
    supporting = frozenset(asked["sup"])
    if len(told) != asked["at"] or not supporting <= set(range(len(told))):
        raise ValueError(f"expected supporting lines among the {asked['at']} that were told, got {sorted(supporting)}")
    question, answer = asked["q"].strip(), asked["a"].strip()
    if not all((*told, question, answer)):
        raise ValueError("expected no empty line, question or answer")
    return Question(int(row["task"]), tuple(told), question, answer, supporting)


class StoryMaterial:
    """Batches of stories with their questions."""

    def __init__(
        self,
        folder: Path,
        tokenizer: Tokenizer,
        *,
        share: Mapping[int, float],
        longest: int,
        seed: int,
        batch_tokens: int,
    ) -> None:
        """Read the questions of the tasks in ``share`` whose stories have at most ``longest`` pieces.

        Args:
            folder: the data.
            tokenizer: cuts stories and answers.
            share: task to the part of its questions that one pass reads; the next pass reads another part.
            longest: pieces of a story and its question.
            seed: of the order of questions.
            batch_tokens: padded pieces of stories in one batch.
        """
        self._tokenizer = tokenizer
        self._seed = seed
        self._batch_tokens = batch_tokens
        self._share = share
        self._pairs = by_task(read_questions(folder / FILES["train"]), tokenizer, share, longest)
        for pairs in self._pairs.values():
            random.Random(seed).shuffle(pairs)
        held_out = by_task(read_questions(folder / FILES["valid"]), tokenizer, share, longest)
        validated = [pair for pairs in held_out.values() for pair in pairs[:VALIDATED]]
        self.validation = list(data.shuffled_batches(validated, tokenizer, random.Random(0), batch_tokens))

    def batches(self, number: int) -> Iterator[data.Batch]:
        """Yield one pass."""
        chance = random.Random(f"{self._seed}/{number}")
        chosen: list[Pair] = []
        for task, pairs in self._pairs.items():
            chosen += data.part_of_pass(pairs, self._share[task], number)
        chance.shuffle(chosen)
        for start in range(0, len(chosen), data.CHUNK):
            part = chosen[start : start + data.CHUNK]
            yield from data.shuffled_batches(part, self._tokenizer, chance, self._batch_tokens)

    def loss(self, network: nn.Module, batch: data.Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of the answers' pieces."""
        return sequence_loss(network, batch, label_smoothing=label_smoothing)


def by_task(
    questions: Sequence[Question], tokenizer: Tokenizer, tasks: Mapping[int, float], longest: int
) -> dict[int, list[Pair]]:
    """Sort texts and answers by task, those of other tasks and those that are too long left out."""
    kept = [question for question in questions if question.task in tasks]
    lengths = map(len, tokenizer.encode_ids([question.text for question in kept]))
    found: dict[int, list[Pair]] = {}
    for question, length in zip(kept, lengths, strict=True):
        if length <= longest:
            found.setdefault(question.task, []).append(question.pair)
    return dict(sorted(found.items()))


def score(model: Translator, questions: Sequence[Question]) -> dict[str, Any]:
    """Ask questions and count answers that are right to the letter, but for capitals.

    Returns:
        ``task``, ``count``, ``seconds`` (of answering), ``metrics`` (``accuracy``, 0 to 1), and the same with a
        ``count`` for every task (``by_tag``).
    """
    started = time.perf_counter()
    answers = model.translate([question.text for question in questions])
    seconds = time.perf_counter() - started
    right = [answer.lower() == asked.answer.lower() for answer, asked in zip(answers, questions, strict=True)]
    return {
        "task": model.entry.task,
        "count": len(questions),
        "seconds": round(seconds, 2),
        "metrics": {"accuracy": _mean(right)},
        "by_tag": {
            str(task): {"count": len(part), "accuracy": _mean([right[i] for i in part])}
            for task, part in _places(questions).items()
        },
    }


def guesses(training: Sequence[Question], test: Sequence[Question]) -> dict[str, dict[str, float]]:
    """Tell what guessing is worth, for every task of ``test``.

    Returns:
        Task to ``chance``, a guess among all answers that the task has in training, and ``baseline``, always naming the
        commonest of them; both are shares of right answers on the test.
    """
    counts: dict[int, Counter[str]] = {}
    for question in training:
        counts.setdefault(question.task, Counter())[question.answer] += 1
    found = {}
    for task, part in _places(test).items():
        ((commonest, _),) = counts[task].most_common(1)
        baseline = _mean([test[i].answer == commonest for i in part])
        found[str(task)] = {"chance": round(1 / len(counts[task]), 4), "baseline": baseline}
    return found


def of_tasks(questions: Sequence[Question], tasks: Container[int]) -> list[Question]:
    """Keep the questions of these tasks.

    Raises:
        ValueError: there is none.
    """
    kept = [question for question in questions if question.task in tasks]
    if not kept:
        raise ValueError(f"expected questions of a task that the model is trained on, got {len(questions)} of others")
    return kept


def for_card(model: Translator, folder: Path, tasks: Container[int]) -> dict[str, Any]:
    """Score the official test of these tasks and tell what a card says: guesses, and attention to supporting facts."""
    training, valid, test = (
        of_tasks(read_questions(folder / FILES[split]), tasks) for split in ("train", "valid", "test")
    )
    measured = attention_to_facts(model, first_of_each(valid, CHOOSING))
    layer, head = choose(measured)
    facts = attention_to_facts(model, first_of_each(test, CHOOSING))
    return {
        "scores": {"test": score(model, test)},
        "guesses": guesses(training, test),
        "supporting_facts": {
            "layer": layer,
            "head": head,
            "questions_a_task": CHOOSING,
            "by_tag": {
                str(task): {"share": round(found.share[layer, head], 4), "chance": round(found.chance, 4)}
                for task, found in facts.items()
            },
        },
    }


@dataclass(frozen=True)
class Found:
    """How much of an answer's attention is on the lines that support it, as a mean over the questions of a task.

    Attributes:
        share: of the weight of the answer's rows, for every layer and head; all that was read counts.
        chance: share of the supporting lines in the pieces of the story.
    """

    share: dict[Place, float]
    chance: float


def attention_to_facts(model: Translator, questions: Sequence[Question]) -> dict[int, Found]:
    """Measure, for every task, how much cross-attention the rows of the true answer have on the supporting lines."""
    return {task: _mean_found([_look(model, questions[i]) for i in part]) for task, part in _places(questions).items()}


@torch.inference_mode()
def _look(model: Translator, question: Question) -> Found:
    source, target = model.tokenizer.encode(question.text), model.tokenizer.encode(question.answer)
    output = model.network.forward(torch.tensor([source.ids]), torch.tensor([[START, *target.ids[:-1]]]))
    spans = question.line_spans()
    line_of = [
        next((line for line, (first, last) in enumerate(spans) if first <= start < last), None)
        for start, _ in source.spans
    ]
    supporting = torch.tensor([line in question.supporting for line in line_of])
    # The last row predicts the end of the answer, which is no part of it.
    share = {
        (attended.layer, head): float(weights[:-1, supporting].sum(-1).mean())
        for attended in output.attention
        if attended.kind == "cross"
        for head, weights in enumerate(attended.weights[0])
    }
    return Found(share, int(supporting.sum()) / sum(line is not None for line in line_of))


def _mean_found(found: Sequence[Found]) -> Found:
    share = {place: sum(one.share[place] for one in found) / len(found) for place in found[0].share}
    return Found(share, sum(one.chance for one in found) / len(found))


def choose(measured: Mapping[int, Found]) -> Place:
    """Choose the layer and head with the largest share on supporting facts, every task counting as much."""
    places = next(iter(measured.values())).share
    return max(places, key=lambda place: sum(found.share[place] for found in measured.values()))


def first_of_each(questions: Sequence[Question], count: int) -> list[Question]:
    """Keep the first questions of every task."""
    return [questions[i] for part in _places(questions).values() for i in part[:count]]


def _places(questions: Sequence[Question]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place, question in enumerate(questions):
        found.setdefault(question.task, []).append(place)
    return dict(sorted(found.items()))


def _mean(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 4)
