"""IBM model 1: the fast fit equals the textbook's loop, tables are distributions, and words that belong are linked."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from pretrained.training import ibm

PAIRS = [("das Haus", "the house"), ("das Buch", "the book"), ("ein Buch", "a book"), ("Haus Haus !", "house, house!")]


def plain(pairs: list[tuple[str, str]], passes: int) -> dict[tuple[str, str], float]:
    """Expectation maximisation as Brown et al. write it: one pair, one target word, one source word at a time."""
    t: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(passes):
        counts: dict[tuple[str, str], float] = defaultdict(float)
        for source, target in pairs:
            sources = [ibm.EMPTY, *ibm.words(source)]
            for f in ibm.words(target):
                whole = sum(t[e, f] for e in sources)
                for e in sources:
                    counts[e, f] += t[e, f] / whole
        totals: dict[str, float] = defaultdict(float)
        for (e, _f), count in counts.items():
            totals[e] += count
        t = defaultdict(float, {(e, f): count / totals[e] for (e, f), count in counts.items()})
    return t


def table(found: ibm.WordTable) -> dict[tuple[str, str], float]:
    e, f = list(found.sources), list(found.targets)
    return {(e[key >> 32], f[key & 0xFFFFFFFF]): t for key, t in zip(found.keys.tolist(), found.t, strict=True)}


@pytest.mark.parametrize("passes", [1, 5])
def test_the_fit_is_the_one_of_the_textbook(passes: int) -> None:
    ours, theirs = table(ibm.train(PAIRS, passes=passes)), plain(PAIRS, passes)
    assert set(ours) == set(theirs)
    for pair, t in ours.items():
        assert t == pytest.approx(theirs[pair], abs=1e-12), pair


def test_what_a_source_word_writes_is_a_distribution() -> None:
    found = ibm.train(PAIRS)
    of_source = np.bincount(found.keys >> 32, found.t)
    np.testing.assert_allclose(of_source, 1.0, atol=1e-12)


def test_words_are_linked_whatever_their_case_and_order_and_unknown_ones_are_not() -> None:
    found = ibm.train(PAIRS, passes=20)
    assert found.links(["Buch", "Das", "nie"], ["The", "BOOK", "never"]) == {(1, 0), (0, 1)}
    assert found.links(["nie"], ["the"]) == frozenset(), "the empty word wrote it, or nothing known did"


def test_signs_are_words_and_elided_articles_keep_their_apostrophe() -> None:
    assert ibm.words("L'Orateur, d’accord!") == ["l'", "orateur", ",", "d’", "accord", "!"]


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(ValueError, match="expected at least one pair of sentences with words, got none"):
        ibm.train([])
