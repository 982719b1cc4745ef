"""How well attention finds the words that people linked: pieces to words, words to links, links against gold.

Och and Ney 2003, "A systematic comparison of various statistical alignment models", "Evaluation methodology". People
linked the words of a sentence to those of its translation, surely (S) or possibly (P, the sure links among them). Of
links A that a model gives:

    precision = |A & P| / |A|
    recall    = |A & S| / |S|
    AER       = 1 - (|A & S| + |A & P|) / (|A| + |S|)            the alignment error rate, 0 is best

Here A has one link for every target word: to the source word that is looked at most where it is written, or where it is
read. Attention is between pieces: to a word it is the sum over the word's pieces, from a word the mean over them (Clark
et al. 2019, "What does BERT look at?", section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pretrained.shapes import Bool, Float

if TYPE_CHECKING:
    from collections.abc import Sequence

Span = tuple[int, int]  # start and end in a text, in characters
Link = tuple[int, int]  # source word, target word
WRITTEN, READ = "written", "read"


class Place(NamedTuple):
    """Whose weights make links.

    Attributes:
        layer: of the decoder.
        head: none stands for the mean of the layer's heads.
        row: the one that a piece is ``written`` from, or the next, where it is ``read``.
    """

    layer: int
    head: int | None
    row: str


@dataclass(frozen=True)
class Gold:
    """What people linked in one pair of sentences; ``possible`` has the sure links too."""

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class Agreement:
    """Counts from which all three measures follow; those of many pairs are added up.

    Attributes:
        links: |A|, what the model gives.
        sure: |S|.
        sure_found: |A & S|.
        possible_found: |A & P|.
    """

    links: int = 0
    sure: int = 0
    sure_found: int = 0
    possible_found: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        """Count two lots of pairs together."""
        return Agreement(
            self.links + other.links,
            self.sure + other.sure,
            self.sure_found + other.sure_found,
            self.possible_found + other.possible_found,
        )

    @property
    def precision(self) -> float:
        """Share of the given links that are at least possible; 0 without a link."""
        return self.possible_found / self.links if self.links else 0.0

    @property
    def recall(self) -> float:
        """Share of the sure links that are given."""
        return self.sure_found / self.sure

    @property
    def aer(self) -> float:
        """Alignment error rate."""
        return 1 - (self.sure_found + self.possible_found) / (self.links + self.sure)


def agreement(links: frozenset[Link], gold: Gold) -> Agreement:
    """Count what one pair's links have in common with gold."""
    return Agreement(len(links), len(gold.sure), len(links & gold.sure), len(links & gold.possible))


def pieces_of(words: Sequence[Span], pieces: Sequence[Span]) -> Bool[np.ndarray, "word piece"]:
    """Tell which pieces share a character with which words; ``</s>``, whose span is empty, is in no word.

    Raises:
        ValueError: a word without a piece.
    """
    starts, ends = np.array(pieces).T
    shared = np.array([(np.maximum(starts, start) < np.minimum(ends, end)) for start, end in words])
    if not shared.any(1).all():
        raise ValueError(f"no piece has a character of the word at {words[int(shared.any(1).argmin())]}")
    return shared


def between_words(
    weights: Float[np.ndarray, "head target source"],
    target: Bool[np.ndarray, "target_word target"],
    source: Bool[np.ndarray, "source_word source"],
) -> Float[np.ndarray, "head target_word source_word"]:
    """Merge attention between pieces: the sum over a source word's pieces, the mean over a target word's.

    Args:
        weights: a row for every target piece that is predicted, a column for every source piece that is looked at.
        target: the pieces of every target word.
        source: the pieces of every source word.
    """
    looking = target / target.sum(1, keepdims=True)
    merged: Float[np.ndarray, "head target_word source_word"] = looking @ weights @ source.T
    return merged


def best_links(weights: Float[np.ndarray, "target_word source_word"]) -> frozenset[Link]:
    """Link every target word to the source word that it looks at most, the first of equals."""
    return frozenset((int(source), target) for target, source in enumerate(weights.argmax(1)))


def diagonal(n_source: int, n_target: int) -> frozenset[Link]:
    """Link every target word to the source word at the same place in its sentence, whatever the words are."""
    return frozenset(((2 * target + 1) * n_source // (2 * n_target), target) for target in range(n_target))
