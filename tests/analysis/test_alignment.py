"""Words out of pieces, links out of weights, and error rates counted by hand."""

import numpy as np
import pytest

from pretrained.analysis import alignment
from pretrained.analysis.alignment import Agreement, Gold, agreement

# "Les chats dorment." over "The cats are asleep.", people being unsure of "are".
SURE = frozenset({(0, 0), (1, 1), (3, 2), (4, 3)})
GOLD = Gold(SURE, SURE | {(2, 2)})


def test_a_perfect_alignment_has_no_error() -> None:
    found = agreement(SURE, GOLD)
    assert (found.aer, found.precision, found.recall) == (0, 1, 1)
    # A possible link more is no error, nor is one less.
    assert agreement(GOLD.possible, GOLD).aer == 0


def test_an_alignment_without_a_right_link_is_all_error() -> None:
    found = agreement(frozenset({(1, 0), (0, 1), (0, 2), (0, 3)}), GOLD)
    assert (found.aer, found.precision, found.recall) == (1, 0, 0)


def test_measures_counted_by_hand() -> None:
    # One sure link, one possible link, two wrong ones; four sure links in gold.
    found = agreement(frozenset({(0, 0), (2, 2), (2, 1), (0, 3)}), GOLD)
    assert found == Agreement(links=4, sure=4, sure_found=1, possible_found=2)
    assert found.precision == 2 / 4
    assert found.recall == 1 / 4
    assert found.aer == 1 - (1 + 2) / (4 + 4)


def test_pairs_are_counted_together_and_not_averaged() -> None:
    long, short = Agreement(30, 20, 10, 15), Agreement(1, 1, 1, 1)
    both = long + short
    assert both == Agreement(31, 21, 11, 16)
    assert both.aer == 1 - 27 / 52 != (long.aer + short.aer) / 2
    assert sum((long, short), Agreement()) == both


def test_a_word_is_made_of_the_pieces_that_share_a_character_with_it() -> None:
    words = [(0, 3), (4, 10), (4, 10), (10, 11)]  # the second and third are one in the text: "des" for "de les"
    pieces = [(0, 3), (4, 6), (6, 11), (11, 11)]  # the third covers the full stop too; the last is </s>
    expected = [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]]
    np.testing.assert_array_equal(alignment.pieces_of(words, pieces), np.array(expected, bool))


def test_a_word_that_no_piece_covers_is_named() -> None:
    with pytest.raises(ValueError, match=r"no piece has a character of the word at \(4, 6\)"):
        alignment.pieces_of([(0, 3), (4, 6)], [(0, 3), (3, 4), (6, 6)])


def test_attention_is_summed_to_a_word_and_averaged_from_a_word() -> None:
    source = alignment.pieces_of([(0, 2), (2, 6)], [(0, 2), (2, 4), (4, 6), (6, 6)])
    target = alignment.pieces_of([(0, 4), (4, 5)], [(0, 2), (2, 4), (4, 5), (5, 5)])
    weights = np.array([[[0.4, 0.2, 0.3, 0.1], [0.2, 0.0, 0.0, 0.8], [0.0, 0.5, 0.5, 0.0], [0, 0, 0, 1]]], np.float32)
    merged = alignment.between_words(weights, target, source)
    # The first source piece has the largest weight of all pieces, but not its word of all words.
    np.testing.assert_allclose(merged, [[[0.3, 0.25], [0.0, 1.0]]], atol=1e-7)
    twice = alignment.between_words(np.concatenate([weights, weights[:, ::-1]]), target, source)
    np.testing.assert_array_equal(twice[0], merged[0])
    assert not np.allclose(twice[1], merged[0])


def test_splitting_a_word_into_more_pieces_changes_nothing() -> None:
    draw = np.random.default_rng(0)
    whole = draw.dirichlet(np.ones(4), size=(2, 3)).astype(np.float32)
    ends = [(0, 3), (3, 6), (6, 9), (9, 9)]
    words = alignment.pieces_of(ends[:3], ends)
    merged = alignment.between_words(whole, alignment.pieces_of(ends[:2], ends[:2] + ends[3:]), words)
    # The second source word in two pieces that share its weight; the first target word in two that look alike.
    halves = np.insert(whole, 1, whole[..., 1] * 0.25, axis=2)
    halves[..., 2] *= 0.75
    halves = np.insert(halves, 0, halves[:, 0], axis=1)
    source = alignment.pieces_of(ends[:3], [(0, 3), (3, 4), (4, 6), *ends[2:]])
    target = alignment.pieces_of(ends[:2], [(0, 1), (1, 3), (3, 6), (9, 9)])
    np.testing.assert_allclose(alignment.between_words(halves, target, source), merged, atol=1e-6)


def test_every_target_word_is_linked_once_to_what_it_looks_at_most() -> None:
    weights = np.array([[0.1, 0.6, 0.3], [0.05, 0.03, 0.02], [0.4, 0.2, 0.4], [0.0, 0.0, 0.0]])
    # However little is left for words; the first of equals.
    assert alignment.best_links(weights) == {(1, 0), (0, 1), (0, 2), (0, 3)}


@pytest.mark.parametrize(("n_source", "n_target"), [(1, 1), (1, 5), (7, 3), (3, 7), (6, 6), (30, 29)])
def test_the_diagonal_goes_from_first_to_last(n_source: int, n_target: int) -> None:
    links = sorted(alignment.diagonal(n_source, n_target), key=lambda link: link[1])
    sources = [source for source, _ in links]
    assert [target for _, target in links] == list(range(n_target))
    assert sources == sorted(sources)
    assert set(sources) <= set(range(n_source))
    # Read from the other end it is the same, up to a word in whose middle a border falls.
    assert all(abs(a + b - (n_source - 1)) <= 1 for a, b in zip(sources, reversed(sources), strict=True))
    if n_source == n_target:
        assert sources == list(range(n_source))


def test_the_diagonal_by_hand() -> None:
    assert alignment.diagonal(2, 4) == {(0, 0), (0, 1), (1, 2), (1, 3)}
    assert alignment.diagonal(6, 2) == {(1, 0), (4, 1)}
