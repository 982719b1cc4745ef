"""Dates as people write them, and what they mean: text made up here, without end, for a task that can be seen through.

Every text is synthetic. Conventions, so that each has one meaning: the year stands first or last, in four digits where
it stands first. Three numbers with the year last are day, month, year; with the month first only where the second
number is too large for a month. A year of two digits is one of 1950 to 2049. A weekday, where there is one, is right.

A day belongs to one split for good, by a checksum of its name: no day of the test is in the training, in whatever form.
"""

from __future__ import annotations

import datetime
import random
import re
import time
import zlib
from typing import TYPE_CHECKING, Any

import torch

from pretrained.tokenization import PAD
from pretrained.training import data
from pretrained.training.data import Batch, Pair
from pretrained.training.loss import sequence_loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from pretrained.tokenization import Tokenizer
    from pretrained.translation import Translator

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789,./-'"
DAYS = (datetime.date(1000, 1, 1), datetime.date(2999, 12, 31))
SHORT_YEARS = (datetime.date(1950, 1, 1), datetime.date(2049, 12, 31))  # days whose year two digits can name
SPLITS = {"test": range(5), "valid": range(5, 10), "train": range(10, 100)}  # hundredths of all days
TEST_ROWS, VALID_ROWS, PASS_ROWS = 2000, 1000, 20_000

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
UNITS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
ORDINALS = (
    *UNITS,
    "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth",
    "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
    *(f"twenty-{unit}" for unit in UNITS),
    "thirtieth",
    "thirty-first",
)  # fmt: skip

# ``day`` and ``month`` are numbers, ``nth`` is "3rd" or "third", ``name`` is the month's; ``year`` may be cut.
FORMS = {
    "words": (
        "{day} {name} {year}",
        "{day} {name}, {year}",
        "{day}-{name}-{year}",
        "{nth} {name} {year}",
        "{nth} of {name} {year}",
        "{nth} of {name}, {year}",
        "the {nth} of {name} {year}",
        "the {nth} of {name}, {year}",
        "{name} {day} {year}",
        "{name} {day}, {year}",
        "{name} {nth} {year}",
        "{name} {nth}, {year}",
        "{name} the {nth}, {year}",
    ),
    "numbers": ("{day}/{month}/{year}", "{day}.{month}.{year}", "{day}-{month}-{year}", "{day} {month} {year}"),
    "month first": ("{month}/{day}/{year}", "{month}-{day}-{year}"),
    "year first": (
        "{whole}-{mm}-{dd}",
        "{whole}/{mm}/{dd}",
        "{whole}.{mm}.{dd}",
        "{whole}{mm}{dd}",
        "{whole} {name} {day}",
        "{whole}, {name} {day}",
    ),
}


def split_of(day: datetime.date) -> str:
    """Tell which split a day belongs to."""
    share = zlib.crc32(day.isoformat().encode()) % 100
    return next(split for split, shares in SPLITS.items() if share in shares)


def made_up(split: str, count: int, *, seed: object) -> list[Pair]:
    """Make up texts of one split, each with its date; a function of its arguments alone."""
    chance = random.Random(f"{split}/{seed}")
    return [draw(split, chance) for _ in range(count)]


def made_up_test() -> list[Pair]:
    """Make up the test."""
    return made_up("test", TEST_ROWS, seed=0)


def draw(split: str, chance: random.Random) -> Pair:
    """Make up one text, with its date, and what kind of form it has as its tag."""
    day = draw_day(split, chance)
    kinds = [kind for kind in FORMS if kind != "month first" or day.day > len(MONTHS)]
    kind = chance.choices(kinds, [len(FORMS[kind]) for kind in kinds])[0]
    text = write(day, chance.choice(FORMS[kind]), chance)
    if kind == "words" and chance.random() < 0.3:
        text = _name(WEEKDAYS[day.weekday()], chance) + chance.choice((", ", " ")) + text
    return Pair(text.lower() if chance.random() < 0.3 else text, day.isoformat(), kind)


def draw_day(split: str, chance: random.Random) -> datetime.date:
    """Draw a day of a split: every second one out of the hundred years that two digits can name."""
    while True:
        first, last = SHORT_YEARS if chance.random() < 0.5 else DAYS
        day = datetime.date.fromordinal(chance.randint(first.toordinal(), last.toordinal()))
        if split_of(day) == split:
            return day


def write(day: datetime.date, form: str, chance: random.Random) -> str:
    """Write a day in one of the forms; names, ordinals, zeros and years are cut or spelled as it happens."""
    width = chance.choice((1, 2))
    year = str(day.year)
    if SHORT_YEARS[0] <= day <= SHORT_YEARS[1] and chance.random() < 0.3:
        year = chance.choice(("", "'") if "{name}" in form else ("",)) + year[2:]
    return form.format(
        day=f"{day.day:0{width}}",
        month=f"{day.month:0{width}}",
        nth=ORDINALS[day.day - 1] if chance.random() < 0.3 else in_digits(day.day),
        name=_name(MONTHS[day.month - 1], chance),
        year=year,
        whole=day.year,
        mm=f"{day.month:02}",
        dd=f"{day.day:02}",
    )


def in_digits(number: int) -> str:
    """Write an ordinal number: ``1st``, ``12th``."""
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _name(name: str, chance: random.Random) -> str:
    """Cut the name of a month or a weekday to its first letters, with or without a stop, in two of five cases."""
    short = "Sept" if name == "September" and chance.random() < 0.5 else name[:3]
    return name if len(name) <= len(short) else chance.choice((name, name, name, short, f"{short}."))


class DateMaterial:
    """Batches of made-up texts and their dates, other ones in every pass."""

    def __init__(self, tokenizer: Tokenizer, *, seed: int, batch_tokens: int) -> None:
        """Make up the texts for validation."""
        self._tokenizer, self._seed, self._batch_tokens = tokenizer, seed, batch_tokens
        self.validation = list(self._batches(made_up("valid", VALID_ROWS, seed=seed), random.Random(0)))

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield one pass."""
        seed = f"{self._seed}/{number}"
        return self._batches(made_up("train", PASS_ROWS, seed=seed), random.Random(seed))

    def loss(self, network: nn.Module, batch: Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of the date's characters."""
        return sequence_loss(network, batch, label_smoothing=label_smoothing)

    def _batches(self, pairs: Sequence[Pair], chance: random.Random) -> Iterator[Batch]:
        return data.shuffled_batches(pairs, self._tokenizer, chance, self._batch_tokens)


def read_test(path: Path) -> list[Pair]:
    """Read ``text <TAB> date [<TAB> tag]`` lines.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken row, naming file and line, or a file without rows.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    pairs = data.read_pairs(path)
    for number, pair in enumerate(pairs, start=1):
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", pair.target):
            raise ValueError(f"{path}, line {number}: expected a date like 1979-05-03, got {pair.target[:60]!r}")
    if not pairs:
        raise ValueError(f"{path}: expected at least one date, got an empty file")
    return pairs


def score(model: Translator, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Let a model read texts and compare with their dates.

    Returns:
        ``task``, ``count``, ``seconds`` (of reading), ``metrics`` (``exact_match``, the share of dates without a wrong
        character; ``row_maximum``; ``baseline``, the exact match of ``by_rule``; ``chance``, that of naming any day;
        all 0 to 1), and ``exact_match`` with a ``count`` for every tag (``by_tag``).
    """
    started = time.perf_counter()
    outputs = model.translate([pair.source for pair in pairs])
    seconds = time.perf_counter() - started
    exact = [output == pair.target for output, pair in zip(outputs, pairs, strict=True)]
    by_tag = {
        tag: [right for right, pair in zip(exact, pairs, strict=True) if pair.tag == tag]
        for tag in sorted({pair.tag for pair in pairs} - {""})
    }
    return {
        "task": model.entry.task,
        "count": len(pairs),
        "seconds": round(seconds, 2),
        "metrics": {
            "exact_match": _share(exact),
            "row_maximum": round(row_maximum(model, pairs), 4),
            "baseline": _share([by_rule(pair.source) == pair.target for pair in pairs]),
            "chance": 1 / ((DAYS[1] - DAYS[0]).days + 1),
        },
        "by_tag": {tag: {"count": len(part), "exact_match": _share(part)} for tag, part in by_tag.items()},
    }


@torch.inference_mode()
def row_maximum(model: Translator, pairs: Sequence[Pair]) -> float:
    """Give the largest weight of the alignment, on average over all characters, while the true date is written."""
    total = count = 0.0
    for batch in data.shuffled_batches(pairs, model.tokenizer, random.Random(0), 4096):
        (alignment,) = model.network.forward(batch.source, batch.target_in, batch.source != PAD).attention
        largest = alignment.weights.amax(-1).mean(1)
        total += float(largest[batch.target_out != PAD].sum())
        count += batch.target_tokens
    return total / count


def by_rule(text: str) -> str:
    """Read a date by what is plain in it: digits between other signs, and the first letters of a month."""
    numbers = [int(found) for found in re.findall(r"\d+", text)]
    month = re.search("|".join(name[:3] for name in MONTHS), text, re.IGNORECASE)
    if month:
        numbers.insert(1, 1 + [name[:3] for name in MONTHS].index(month.group().title()))
    if len(numbers) != 3:
        return ""
    day, number, year = reversed(numbers) if numbers[0] > 31 else numbers
    return f"{year if year > 99 else 1900 + year}-{number:02}-{day:02}"


def _share(right: Sequence[bool]) -> float:
    return round(sum(right) / len(right), 4)
