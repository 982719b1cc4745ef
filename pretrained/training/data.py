"""Readers of the training text, and batches of it.

Every file is described in ``DATA.md`` beside this one. A batch holds pairs of near-equal length, so that little of it
is padding; the order of an epoch is a function of ``(seed, epoch)`` alone, which is what makes a run resumable.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import string
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pretrained.shapes import Int
from pretrained.tokenization import PAD, START, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT_FOLDER = Path(__file__).parents[2] / "data"
CHUNK = 40_000  # pairs that are cut and sorted together: enough for even batches, little enough to start at once


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation, and the source that it came from."""

    source: str
    target: str
    tag: str = ""


@dataclass(frozen=True)
class Batch:
    """Padded pairs.

    Attributes:
        source: pieces with ``</s>``.
        target_in: ``<s>`` and the target's pieces: what the decoder reads.
        target_out: the target's pieces and ``</s>``: what it has to predict.
        target_tokens: pieces to predict, padding left out.
    """

    source: Int[Tensor, "batch source"]
    target_in: Int[Tensor, "batch target"]
    target_out: Int[Tensor, "batch target"]
    target_tokens: int


def folder(given: str | Path | None = None) -> Path:
    """Find the data: as given, else ``LOOKBACK_DATA``, else ``data/`` in the repository."""
    path = Path(given or os.environ.get("LOOKBACK_DATA") or DEFAULT_FOLDER)
    if not path.is_dir():
        raise FileNotFoundError(f"no data folder at {path}; give --data FOLDER or set LOOKBACK_DATA")
    return path


def open_text(path: Path) -> Iterator[str]:
    """Yield the lines of a text file, gzip or plain, without their line ends.

    Raises:
        ValueError: broken gzip data or bytes that are not UTF-8, naming file and line.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for line in lines:
                number += 1
                yield line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {number}: expected UTF-8, got {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}, after line {number}: expected gzip data, got {error}") from None


def read_pairs(path: Path, *, tags: Mapping[str, int] | None = None) -> list[Pair]:
    """Read ``source <TAB> target [<TAB> tag]`` lines.

    Args:
        path: a ``.tsv`` or ``.tsv.gz`` file.
        tags: keep only these tags, each with pairs of at most so many words a side.

    Raises:
        ValueError: a line without two texts, naming file and line.
    """
    pairs = []
    for number, line in enumerate(open_text(path), start=1):
        fields = line.split("\t")
        if len(fields) < 2 or not fields[0].strip() or not fields[1].strip():
            raise ValueError(f"{path}, line {number}: expected source<TAB>target[<TAB>tag], got {line[:60]!r}")
        pair = Pair(*fields[:3])
        longest = tags.get(pair.tag, 0) if tags is not None else None
        if longest is None or max(pair.source.count(" "), pair.target.count(" ")) < longest:
            pairs.append(pair)
    return pairs


def read_references(path: Path) -> list[tuple[Pair, tuple[str, ...]]]:
    """Read jsonl lines of ``{"en": ..., "refs": [...]}``: a source with all its references.

    Raises:
        ValueError: a broken line, naming file and line.
    """
    rows = []
    for number, line in enumerate(open_text(path), start=1):
        try:
            row = json.loads(line)
            source, references = row["en"], row["refs"]
            # Numbers, nulls and half surrogate pairs fail here.
            "".join([source, *references]).encode()
            if not isinstance(references, list) or not source.strip():
                raise ValueError("no source or no list of references")
            rows.append((Pair(source, references[0]), tuple(references)))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(
                f'{path}, line {number}: expected {{"en": text, "refs": [text, ...]}}, got {line[:60]!r}: {error!r}'
            ) from None
    return rows


def as_typed(pair: Pair, chance: random.Random) -> Pair:
    """Vary a pair the way people type: now and then without the final stop, in lower, upper or title case.

    The target keeps its case, so that the model answers in proper French whatever the case of the question.
    """
    source, target = pair.source, pair.target
    if chance.random() < 0.15 and source.endswith(".") and target.endswith("."):
        source, target = source[:-1], target[:-1].rstrip()
    draw = chance.random()
    if draw < 0.10:
        source = source.lower()
    elif draw < 0.13:
        source = source.upper()
    elif draw < 0.16:
        source = string.capwords(source)
    return Pair(source, target, pair.tag)


def epoch_batches(
    pairs: Sequence[Pair], tokenizer: Tokenizer, *, seed: int, epoch: int, batch_tokens: int
) -> Iterator[Batch]:
    """Yield one shuffled pass over ``pairs`` in batches of at most ``batch_tokens`` padded target pieces."""
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(len(pairs)))
    chance.shuffle(order)
    for start in range(0, len(order), CHUNK):
        chosen = [as_typed(pairs[index], chance) for index in order[start : start + CHUNK]]
        yield from shuffled_batches(chosen, tokenizer, chance, batch_tokens)


def part_of_pass(all_of_it: Sequence[Pair], share: float, number: int) -> list[Pair]:
    """Choose a share of some pairs for pass ``number``, going round all of them from pass to pass."""
    count = max(1, round(share * len(all_of_it)))
    start = number * count % len(all_of_it)
    return [*all_of_it[start:], *all_of_it[:start]][:count]


def shuffled_batches(
    pairs: Sequence[Pair], tokenizer: Tokenizer, chance: random.Random, batch_tokens: int
) -> Iterator[Batch]:
    """Cut pairs into pieces, group them by length, and yield the groups in random order."""
    sources = tokenizer.encode_ids([pair.source for pair in pairs])
    targets = tokenizer.encode_ids([pair.target for pair in pairs])
    by_length = sorted(range(len(pairs)), key=lambda i: (len(targets[i]), len(sources[i]), chance.random()))
    groups: list[list[int]] = [[]]
    widest = 0
    for index in by_length:
        widest = max(widest, len(targets[index]), len(sources[index]))
        if groups[-1] and (len(groups[-1]) + 1) * widest > batch_tokens:
            groups.append([])
            widest = max(len(targets[index]), len(sources[index]))
        groups[-1].append(index)
    chance.shuffle(groups)
    for group in groups:
        yield collate([sources[index] for index in group], [targets[index] for index in group])


def collate(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Batch:
    """Pad sources and targets to a batch; the decoder's input is the target shifted right."""
    return Batch(
        source=pad(sources),
        target_in=pad([[START, *target[:-1]] for target in targets]),
        target_out=pad(targets),
        target_tokens=sum(len(target) for target in targets),
    )


def pad(rows: Sequence[Sequence[int]]) -> Int[Tensor, "batch position"]:
    """Stack rows of different lengths, filled up with ``<pad>``."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])
