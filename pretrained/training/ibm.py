"""IBM model 1: words aligned by counting which occur together, without a network; what attention is compared with.

Brown, Della Pietra, Della Pietra and Mercer 1993, "The mathematics of statistical machine translation: parameter
estimation", section 4.1. Every target word f is written by one source word e, or by none (the empty word e_0):

    p(f_j, a_j = i) = t(f_j | e_i) / (l + 1)

The table t is learned by expectation maximisation from pairs of sentences alone. It begins uniform, so the order of
words, which the model does not see, can not come in.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pretrained.analysis.alignment import Link

WORD = re.compile(r"\w+['’]?|[^\w\s]")  # an elided article keeps its apostrophe, as the gold alignments cut it
EMPTY = ""  # the source word of what no source word wrote
PASSES = 5  # Och and Ney 2003 take as many


@dataclass(frozen=True)
class WordTable:
    """A trained model 1.

    Attributes:
        sources, targets: number of every word; the empty word's is 0.
        keys: pairs of words that shared a pair of sentences, ``source << 32 | target``, ascending.
        t: t(f | e) of each.
    """

    sources: Mapping[str, int]
    targets: Mapping[str, int]
    keys: NDArray[np.int64]
    t: NDArray[np.float64]

    def links(self, source: Sequence[str], target: Sequence[str]) -> frozenset[Link]:
        """Link every target word to the source word that most likely wrote it, if one did and is known."""
        e = np.array([0, *(self.sources.get(word.lower(), -1) for word in source)])
        f = np.array([self.targets.get(word.lower(), -1) for word in target])
        asked = (e << 32) + f[:, None]
        at = np.searchsorted(self.keys, asked).clip(max=len(self.keys) - 1)
        likely = np.where((self.keys[at] == asked) & (e >= 0) & (f >= 0)[:, None], self.t[at], 0.0)
        return frozenset((int(i) - 1, j) for j, i in enumerate(likely.argmax(1)) if i)


def words(text: str) -> list[str]:
    """Cut a text into words in small letters; signs are words too."""
    return WORD.findall(text.lower())


def train(pairs: Iterable[tuple[str, str]], *, passes: int = PASSES) -> WordTable:
    """Learn t(f | e) from pairs of source and target sentences.

    Raises:
        ValueError: no pair with a word on its target side.
    """
    sources: dict[str, int] = defaultdict(lambda: len(sources))
    targets: dict[str, int] = defaultdict(lambda: len(targets))
    cells, lengths = [], []
    sources[EMPTY]  # the empty word is number 0
    for source, target in pairs:
        e = np.array([0, *(sources[word] for word in words(source))])
        f = np.array([targets[word] for word in words(target)], dtype=np.int64)
        # A row for every target word, a column for every source word that may have written it.
        cells.append((f[:, None] + (e << 32)).ravel())
        lengths.append(np.full(len(f), len(e)))
    if not targets:
        raise ValueError("expected at least one pair of sentences with words, got none")
    keys, cell_key = np.unique(np.concatenate(cells), return_inverse=True)
    t = _fitted(keys >> 32, cell_key, np.concatenate(lengths), passes)
    return WordTable(dict(sources), dict(targets), keys, t)


def _fitted(
    source_of_key: NDArray[np.int64], cell_key: NDArray[np.int64], lengths: NDArray[np.int64], passes: int
) -> NDArray[np.float64]:
    """Fit t, a number for every key; ``lengths`` tells how many cells, in their order, every target word has."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    t = np.ones(len(source_of_key))
    for _ in range(passes):
        posterior = t[cell_key]
        posterior /= np.repeat(np.add.reduceat(posterior, starts), lengths)
        counts = np.bincount(cell_key, posterior, minlength=len(t))
        t = counts / np.bincount(source_of_key, counts)[source_of_key]
    return t
