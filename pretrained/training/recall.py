"""The memory task: facts that overwrite each other one after the other, then a question about one of the keys.

    a3 b7 a5 c1 b2 ? a     ->  5

A fact is one token, a key with its value; of each key the last fact holds. So whoever answers has to carry four values
along, and to change one of them at every token without touching the others. All of it is synthetic, made here from a
seed. A distance is the number of tokens read after the fact, the asked key included: 2 in ``a3 ? a``. That of the key
which is asked for first is uniform, those of the others are too, but that one of them has the last fact. In training
all keys of a text are asked for, one question after the other; a test has one question. What stands before the
questions belongs to one split for good, by a checksum of it: no text of the test is in the training, whatever is asked.
"""

from __future__ import annotations

import random
import re
import string
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pretrained.recall import QUESTION
from pretrained.shapes import Int
from pretrained.tokenization import PAD
from pretrained.training import data
from pretrained.training.loss import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from pretrained.recall import Recaller
    from pretrained.tokenization import Tokenizer

KEYS, VALUES = "abcd", string.digits
ALPHABET = KEYS + VALUES + QUESTION
FACTS = tuple(key + value for key in KEYS for value in VALUES)
FACT = f"[{KEYS}][{VALUES}]"
NEAREST, FARTHEST = 2, 100
SPLITS = {"test": range(20), "valid": range(20, 30), "train": range(30, 100)}  # hundredths of all texts
PASS_TEXTS, VALID_TEXTS = 8192, 1024
# Passes that stay near, how near, and how much farther every later pass goes.
NEAR_PASSES, NEAR, GROWTH = 16, 20, 4
TEST_DISTANCES = range(NEAREST, FARTHEST + 1)
TESTS_OF_A_DISTANCE = 50
APART, TOGETHER = 5, 8  # from here on distances are scored together; nearer ones each by itself


@dataclass(frozen=True)
class Text:
    """Facts, and what is asked about them.

    Attributes:
        told: the facts that stand before the questions.
        pairs: keys and the values that hold in the end, in the order in which they are asked for.
    """

    told: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    def asking(self, questions: int) -> tuple[str, ...]:
        """Give the tokens of the text with its first questions."""
        return (*self.told, *(token for key, _ in self.pairs[:questions] for token in (QUESTION, key)))


@dataclass(frozen=True)
class Question:
    """A text with one question at its end, the answer, and the distance of the fact that gives it."""

    text: str
    answer: str
    distance: int


@dataclass(frozen=True)
class Batch:
    """Padded texts with all of their questions.

    Attributes:
        ids: what is read.
        answers: what is due when a token has been read: a value at an asked key, else ``<pad>``.
        target_tokens: how many answers are due.
    """

    ids: Int[Tensor, "batch token"]
    answers: Int[Tensor, "batch token"]
    target_tokens: int


class RecallMaterial:
    """Batches of texts with all of their questions, made up as they are asked for."""

    def __init__(self, tokenizer: Tokenizer, *, seed: int, batch_tokens: int) -> None:
        """Make up what is validated on, over all distances."""
        self._numbers = {token: tokenizer.encode_ids([token])[0][0] for token in (*ALPHABET, *FACTS)}
        self._seed = seed
        self._batch_tokens = batch_tokens
        self.validation = list(self._batches("valid", random.Random(0), VALID_TEXTS, FARTHEST))

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield one pass."""
        yield from self._batches("train", random.Random(f"{self._seed}/{number}"), PASS_TEXTS, farthest_of(number))

    def loss(self, network: nn.Module, batch: Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of the answers."""
        asked = batch.answers != PAD
        device = next(network.parameters()).device
        logits = network(batch.ids.to(device)).logits[asked.to(device)]
        return cross_entropy(logits, batch.answers[asked], label_smoothing=label_smoothing)

    def _batches(self, split: str, chance: random.Random, texts: int, farthest: int) -> Iterator[Batch]:
        group: list[Text] = []
        for left in reversed(range(texts)):
            group.append(draw(split, chance, distance=chance.randint(NEAREST, farthest), farthest=farthest))
            if not left or sum(len(text.pairs) for text in group) >= self._batch_tokens:
                yield collate(group, self._numbers)
                group = []


def farthest_of(number: int) -> int:
    """Tell how far pass ``number`` reaches: the first stay near, where reading is quick, the last go all the way."""
    return min(FARTHEST, NEAR + GROWTH * max(0, number - NEAR_PASSES))


def split_of(told: Sequence[str]) -> str:
    """Tell which split a text belongs to, by what stands before its questions."""
    share = zlib.crc32("".join(told).encode()) % 100
    return next(split for split, shares in SPLITS.items() if share in shares)


def draw(split: str, chance: random.Random, *, distance: int, farthest: int = FARTHEST) -> Text:
    """Make up a text of a split whose first question has the given distance."""
    while True:
        text = _draw(chance, distance, farthest)
        if split_of(text.told) == split:
            return text


def _draw(chance: random.Random, distance: int, farthest: int) -> Text:
    keys = chance.sample(KEYS, len(KEYS))
    # Where each key's last fact stands, counted from the end; that of the key which is asked for first comes first.
    last = [distance - NEAREST]
    free = [place for place in range(1, farthest - NEAREST + 1) if place not in last]
    if distance > NEAREST:
        last.append(0)
    last += chance.sample(free, len(keys) - len(last))
    holder = dict(zip(last, keys, strict=True))
    told = []
    for place in range(chance.randint(max(last), farthest - NEAREST) + 1):
        # Only a key whose last fact has been told already, seen from the end, can have an earlier one.
        overwritten = [key for taken, key in holder.items() if taken < place]
        told.append((holder.get(place) or chance.choice(overwritten)) + chance.choice(VALUES))
    holds = {key: told[place][1] for place, key in holder.items()}
    return Text(tuple(reversed(told)), tuple(holds.items()))


def collate(texts: Sequence[Text], numbers: Mapping[str, int]) -> Batch:
    """Ask for all keys of every text and pad the texts to a batch; ``numbers`` are the tokens'."""
    rows = [text.asking(len(text.pairs)) for text in texts]
    ids = data.pad([[numbers[token] for token in row] for row in rows])
    answers = torch.full_like(ids, PAD)
    for due, row, text in zip(answers, rows, texts, strict=True):
        values = [numbers[value] for _, value in text.pairs]
        due[len(row) + 1 - 2 * len(values) : len(row) : 2] = torch.tensor(values)
    return Batch(ids, answers, sum(len(text.pairs) for text in texts))


def make_test() -> list[Question]:
    """Make up the test: every distance equally often."""
    chance = random.Random(0)
    return [
        Question(" ".join(text.asking(1)), text.pairs[0][1], distance)
        for distance in TEST_DISTANCES
        for _ in range(TESTS_OF_A_DISTANCE)
        for text in [draw("test", chance, distance=distance)]
    ]


def read_questions(path: Path) -> list[Question]:
    """Read ``text <TAB> answer`` lines, and find how far away every answer is.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line without a question that its text answers, naming file and line, or a file without lines.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    found = []
    for number, pair in enumerate(data.read_pairs(path), start=1):
        told, sign, key = "".join(pair.source.lower().split()).rpartition(QUESTION)
        facts = re.findall(FACT, told)
        places = [place for place, fact in enumerate(facts) if fact[0] == key]
        if not sign or "".join(facts) != told or not places or facts[places[-1]] != key + pair.target:
            raise ValueError(
                f"{path}, line {number}: expected facts, a question and its answer, as in 'a3 c7 ? a<TAB>3', "
                f"got {pair.source[-40:]!r} and {pair.target[:20]!r}"
            )
        found.append(Question(pair.source, pair.target, len(facts) - places[-1] - 1 + NEAREST))
    if not found:
        raise ValueError(f"{path}: expected at least one question, got an empty file")
    return found


def score(model: Recaller, questions: Sequence[Question]) -> dict[str, Any]:
    """Ask questions and count right answers.

    Returns:
        ``task``, ``count``, ``seconds`` (of answering), ``metrics`` (``accuracy``; ``chance``, that of a guess among
        all values; ``baseline``, that of a guess among those that hold in the end, one a key; all 0 to 1), and
        ``accuracy`` with a ``count`` for every range of distances (``by_distance``).
    """
    started = time.perf_counter()
    answers = model.answer([question.text for question in questions])
    seconds = time.perf_counter() - started
    right = [answer == question.answer for answer, question in zip(answers, questions, strict=True)]
    by_distance: dict[tuple[int, int], list[bool]] = {}
    for question, is_right in zip(questions, right, strict=True):
        by_distance.setdefault(range_of(question.distance), []).append(is_right)
    return {
        "task": model.entry.task,
        "count": len(questions),
        "seconds": round(seconds, 2),
        "metrics": {
            "accuracy": _share(right),
            "chance": 1 / len(VALUES),
            "baseline": round(sum(map(guess_of_a_key, questions)) / len(questions), 4),
        },
        "by_distance": {
            f"{low}-{high}" if low < high else str(low): {"count": len(part), "accuracy": _share(part)}
            for (low, high), part in sorted(by_distance.items())
        },
    }


def range_of(distance: int) -> tuple[int, int]:
    """Give the range of distances that this one is scored with, both ends included."""
    if distance < APART:
        return distance, distance
    low = distance - (distance - APART) % TOGETHER
    return low, low + TOGETHER - 1


def guess_of_a_key(question: Question) -> float:
    """Give the chance of being right by naming the value of any key of the text."""
    holds = {fact[0]: fact[1] for fact in re.findall(FACT, "".join(question.text.lower().split()))}
    return list(holds.values()).count(question.answer) / len(holds)


def _share(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 4)
