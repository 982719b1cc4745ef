"""The memory task: pairs of a key and a value with nothing between them, then a question about one of the keys.

    a 3 . . c 7 . . . . ? a     ->  3

All of it is synthetic, made here from a seed. A distance is the number of tokens read after the value, the asked key
included: 2 in ``a 3 ? a``. The distance of the pair that is asked for first is uniform, those of the others are too, as
far as they leave room for each other; keys are distinct, so a question has one answer. In training all pairs of a text
are asked for, one question after the other; a test has one question. What stands before the questions belongs to one
split for good, by a checksum of it: no text of the test is in the training, whatever is asked.
"""

from __future__ import annotations

import random
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

KEYS, VALUES, FILLER = "abcdefgh", string.digits, "."
ALPHABET = KEYS + VALUES + FILLER + QUESTION
MOST_PAIRS = 4  # a text for training has 1 to 4 pairs, one for the test has 4
NEAREST, FARTHEST = 2, 100
SPLITS = {"test": range(20), "valid": range(20, 30), "train": range(30, 100)}  # hundredths of all texts
PASS_TEXTS, VALID_TEXTS = 8192, 1024
# Passes that stay near, how near, and how much farther every later pass goes.
NEAR_PASSES, NEAR, GROWTH = 16, 20, 4
TEST_DISTANCES = range(5, FARTHEST + 1)
TESTS_OF_A_DISTANCE = 50
TOGETHER = 8  # distances that are scored together; they part the 96 of the test


@dataclass(frozen=True)
class Text:
    """Pairs and fillers, and what is asked about them.

    Attributes:
        told: what stands before the questions, a character a token.
        pairs: keys and their values, in the order in which they are asked for.
    """

    told: str
    pairs: tuple[tuple[str, str], ...]

    def asking(self, questions: int) -> str:
        """Give the text with its first questions, a character a token."""
        return self.told + "".join(QUESTION + key for key, _ in self.pairs[:questions])


@dataclass(frozen=True)
class Question:
    """A text with one question at its end, the answer, and the distance of its pair."""

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
        self._numbers = {character: tokenizer.encode_ids([character])[0][0] for character in ALPHABET}
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
            pairs, distance = chance.randint(1, MOST_PAIRS), chance.randint(NEAREST, farthest)
            group.append(draw(split, chance, pairs=pairs, distance=distance, farthest=farthest))
            if not left or sum(len(text.pairs) for text in group) >= self._batch_tokens:
                yield collate(group, self._numbers)
                group = []


def farthest_of(number: int) -> int:
    """Tell how far pass ``number`` reaches: the first stay near, where reading is quick, the last go all the way."""
    return min(FARTHEST, NEAR + GROWTH * max(0, number - NEAR_PASSES))


def split_of(told: str) -> str:
    """Tell which split a text belongs to, by what stands before its questions."""
    share = zlib.crc32(told.encode()) % 100
    return next(split for split, shares in SPLITS.items() if share in shares)


def draw(split: str, chance: random.Random, *, pairs: int, distance: int, farthest: int = FARTHEST) -> Text:
    """Make up a text of a split whose first question has the given distance."""
    while True:
        text = _draw(chance, pairs, distance, farthest)
        if split_of(text.told) == split:
            return text


def _draw(chance: random.Random, pairs: int, distance: int, farthest: int) -> Text:
    keys = chance.sample(KEYS, pairs)
    values = [chance.choice(VALUES) for _ in keys]
    distances = [distance]
    while len(distances) < pairs:
        other = chance.randint(NEAREST, farthest)
        if all(abs(other - taken) > 1 for taken in distances):
            distances.append(other)
    tokens = [FILLER] * max(distances)
    # The first asked key will stand one behind the first question mark, which stands where the tokens end.
    for key, value, place in zip(keys, values, (len(tokens) + 1 - taken for taken in distances), strict=True):
        tokens[place - 1], tokens[place] = key, value
    return Text("".join(tokens), tuple(zip(keys, values, strict=True)))


def collate(texts: Sequence[Text], numbers: Mapping[str, int]) -> Batch:
    """Ask for all pairs of every text and pad the texts to a batch; ``numbers`` are the tokens'."""
    rows = [text.asking(len(text.pairs)) for text in texts]
    ids = data.pad([[numbers[token] for token in row] for row in rows])
    answers = torch.full_like(ids, PAD)
    for due, row, text in zip(answers, rows, texts, strict=True):
        values = [numbers[value] for _, value in text.pairs]
        due[len(row) + 1 - 2 * len(values) : len(row) : 2] = torch.tensor(values)
    return Batch(ids, answers, sum(len(text.pairs) for text in texts))


def make_test() -> list[Question]:
    """Make up the test: every distance equally often, four pairs a text."""
    chance = random.Random(0)
    return [
        Question(" ".join(text.asking(1)), text.pairs[0][1], distance)
        for distance in TEST_DISTANCES
        for _ in range(TESTS_OF_A_DISTANCE)
        for text in [draw("test", chance, pairs=MOST_PAIRS, distance=distance)]
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
        place = told.rfind(key + pair.target)
        if not sign or len(key) != 1 or len(pair.target) != 1 or place < 0:
            raise ValueError(
                f"{path}, line {number}: expected pairs, a question and its answer, as in 'a 3 c 7 ? a<TAB>3', "
                f"got {pair.source[-40:]!r} and {pair.target[:20]!r}"
            )
        found.append(Question(pair.source, pair.target, len(told) - place))
    if not found:
        raise ValueError(f"{path}: expected at least one question, got an empty file")
    return found


def score(model: Recaller, questions: Sequence[Question]) -> dict[str, Any]:
    """Ask questions and count right answers.

    Returns:
        ``task``, ``count``, ``seconds`` (of answering), ``metrics`` (``accuracy``; ``chance``, that of a guess among
        all values; ``baseline``, that of a guess among those of the text; all 0 to 1), and ``accuracy`` with a
        ``count`` for every range of distances (``by_distance``).
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
            "baseline": round(sum(map(guess_in_the_text, questions)) / len(questions), 4),
        },
        "by_distance": {
            f"{low}-{high}": {"count": len(part), "accuracy": _share(part)}
            for (low, high), part in sorted(by_distance.items())
        },
    }


def range_of(distance: int) -> tuple[int, int]:
    """Give the range of distances that this one is scored with, both ends included."""
    low = distance - (distance - TEST_DISTANCES.start) % TOGETHER
    return max(low, NEAREST), low + TOGETHER - 1


def guess_in_the_text(question: Question) -> float:
    """Give the chance of being right by naming any value of the text."""
    values = [character for character in question.text if character in VALUES]
    return values.count(question.answer) / len(values)


def _share(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 4)
