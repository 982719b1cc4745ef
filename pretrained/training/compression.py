"""Sentence compression: which words of a sentence its compression keeps, batches of that, and scores.

Pairs are news sentences and compressions that were made of them by deletion alone (``DATA.md``), both in lower case,
cut into words and with one mark for whatever holds a digit.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pretrained.shapes import Bool, Float, Int
from pretrained.tokenization import PAD
from pretrained.training import data
from pretrained.training.evaluation import LENGTHS, range_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pretrained.compression import Compressor
    from pretrained.tokenization import Tokenizer

FILES = {split: f"summ/compress_{split}.tsv.gz" for split in ("train", "valid", "test")}
LONGEST = 36  # no sentence of the data has more words


@dataclass(frozen=True)
class Sentence:
    """The words of a sentence, and the places of those that its compression keeps."""

    words: tuple[str, ...]
    kept: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Padded sentences.

    Attributes:
        source: pieces with ``</s>``.
        decided: True at the first piece of every word.
        keep: 1 where that word is kept.
        target_tokens: words to decide on.
    """

    source: Int[Tensor, "batch token"]
    decided: Bool[Tensor, "batch token"]
    keep: Float[Tensor, "batch token"]
    target_tokens: int


def read_sentences(path: Path) -> list[Sentence]:
    """Read ``sentence <TAB> compression`` lines, words apart.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a compression that is not made by deletion, naming file and line, or a file without lines.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    sentences = []
    for number, pair in enumerate(data.read_pairs(path), start=1):
        words = tuple(pair.source.split())
        kept = find_kept(words, pair.target.split())
        if not kept:
            raise ValueError(
                f"{path}, line {number}: expected a compression that leaves out words of its sentence and changes "
                f"nothing else, got {pair.target[:60]!r}"
            )
        sentences.append(Sentence(words, kept))
    if not sentences:
        raise ValueError(f"{path}: expected at least one sentence, got an empty file")
    return sentences


def find_kept(words: Sequence[str], compression: Sequence[str]) -> tuple[int, ...]:
    """Find the words of a compression in its sentence, in their order; nothing if they are not there.

    Where a word stands in a sentence several times, what is kept has as many neighbours as can be: the ways to keep the
    words so far, one for each place of the last of them, are followed with the neighbours that they have.
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    ways: dict[int, tuple[int, tuple[int, ...]]] = {-1: (0, ())}
    for word in compression:
        ways = {
            place: max(
                (neighbours + (last == place - 1), (*kept, place))
                for last, (neighbours, kept) in ways.items()
                if last < place
            )
            for place in places.get(word, ())
            if place > min(ways)
        }
        if not ways:
            return ()
    return max(ways.values())[1]


class CompressionMaterial:
    """Batches of sentences for a tagger, and the cross-entropy of its decisions."""

    def __init__(self, tokenizer: Tokenizer, folder: Path, *, seed: int, batch_tokens: int) -> None:
        """Read and cut the sentences."""
        self._seed, self._batch_tokens = seed, batch_tokens
        self._rows = cut(read_sentences(folder / FILES["train"]), tokenizer)
        validation = cut(read_sentences(folder / FILES["valid"]), tokenizer)
        self.validation = list(shuffled_batches(validation, random.Random(0), batch_tokens))

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield one pass."""
        return shuffled_batches(self._rows, random.Random(f"{self._seed}/{number}"), self._batch_tokens)

    def loss(self, network: nn.Module, batch: Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of keeping or dropping every word, in nats a word."""
        device = next(network.parameters()).device
        source, decided = batch.source.to(device), batch.decided.to(device)
        logits = network(source, source != PAD).logits.float()
        wanted = batch.keep.to(device) * (1 - label_smoothing) + label_smoothing / 2
        return nn.functional.binary_cross_entropy_with_logits(logits[decided], wanted[decided])


Row = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # pieces, first ones of words, first ones of kept words


def cut(sentences: Sequence[Sentence], tokenizer: Tokenizer) -> list[Row]:
    """Cut sentences into pieces, and find where the words and the kept words begin among them."""
    pieces = tokenizer.encode_words([sentence.words for sentence in sentences])
    return [
        (one.ids, first := one.first, tuple(first[place] for place in sentence.kept))
        for one, sentence in zip(pieces, sentences, strict=True)
    ]


def shuffled_batches(rows: Sequence[Row], chance: random.Random, batch_tokens: int) -> Iterator[Batch]:
    """Group sentences by length, at most ``batch_tokens`` padded pieces each, and yield the groups in random order."""
    groups: list[list[Row]] = [[]]
    for row in sorted(rows, key=lambda row: (len(row[0]), chance.random())):
        if groups[-1] and (len(groups[-1]) + 1) * len(row[0]) > batch_tokens:
            groups.append([])
        groups[-1].append(row)
    chance.shuffle(groups)
    return map(collate, groups)


def collate(rows: Sequence[Row]) -> Batch:
    """Pad sentences to a batch."""
    source = data.pad([ids for ids, _, _ in rows])
    decided, keep = torch.zeros(source.shape, dtype=torch.bool), torch.zeros(source.shape)
    for number, (_, first, kept) in enumerate(rows):
        decided[number, [*first]] = True
        keep[number, [*kept]] = 1
    return Batch(source, decided, keep, sum(len(first) for _, first, _ in rows))


def score(model: Compressor, sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Compress sentences and compare the kept words with those that should be.

    Returns:
        ``task``, ``count``, ``seconds`` (of compressing), ``metrics`` (``f1`` of the kept words, mean over sentences;
        ``micro_f1``, over all words; ``exact_match``; ``kept``, the share of words that is kept; ``baseline``, the f1
        of keeping the first n words, with the n that suits these sentences best; ``chance``, that of keeping words
        blindly, as many as should be; all 0 to 1), ``f1`` by number of words, and the ``lead``: n and f1 of the
        baseline, and of the mean number of words that should be kept.
    """
    started = time.perf_counter()
    outputs = model.keep([sentence.words for sentence in sentences])
    seconds = time.perf_counter() - started
    each = [f1(output, sentence.kept) for output, sentence in zip(outputs, sentences, strict=True)]
    scored = [*zip(each, sentences, strict=True)]
    words = sum(len(sentence.words) for sentence in sentences)
    wanted = sum(len(sentence.kept) for sentence in sentences)
    leads = {n: lead(sentences, n) for n in range(1, LONGEST)}
    best, usual = max(leads, key=lambda n: leads[n]), round(wanted / len(sentences))
    by_length = {
        range_name(low, high): [own for own, one in scored if low <= len(one.words) <= (high or len(one.words))]
        for low, high in LENGTHS
    }
    return {
        "task": model.entry.task,
        "count": len(sentences),
        "seconds": round(seconds, 2),
        "metrics": {
            "f1": _mean(each),
            "micro_f1": round(micro_f1(outputs, sentences), 4),
            "exact_match": _mean([tuple(output) == one.kept for output, one in zip(outputs, sentences, strict=True)]),
            "kept": round(sum(map(len, outputs)) / words, 4),
            "baseline": leads[best],
            "chance": blind(sentences, wanted / words),
        },
        "by_length": {name: {"count": len(part), "f1": _mean(part)} for name, part in by_length.items() if part},
        "lead": {"best": {"words": best, "f1": leads[best]}, "mean": {"words": usual, "f1": leads[usual]}},
    }


def f1(kept: Sequence[int], wanted: Sequence[int]) -> float:
    """Give the harmonic mean of precision and recall of the kept words of one sentence; 0 if none is right."""
    return 2 * len({*kept} & {*wanted}) / (len(kept) + len(wanted))


def micro_f1(outputs: Sequence[Sequence[int]], sentences: Sequence[Sentence]) -> float:
    """Give F1 over the words of all sentences together."""
    right = sum(len({*output} & {*sentence.kept}) for output, sentence in zip(outputs, sentences, strict=True))
    return 2 * right / (sum(map(len, outputs)) + sum(len(sentence.kept) for sentence in sentences))


def lead(sentences: Sequence[Sentence], count: int) -> float:
    """Give the mean F1 of keeping the first words."""
    return _mean([f1(range(min(count, len(one.words))), one.kept) for one in sentences])


def blind(sentences: Sequence[Sentence], share: float) -> float:
    """Give the mean F1 of keeping words at random, this share of them."""
    chance = random.Random(0)
    return _mean([f1([i for i in range(len(one.words)) if chance.random() < share], one.kept) for one in sentences])


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
