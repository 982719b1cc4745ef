"""Rows of attention: the softmax by hand, a painted row's sum and proportions, how far looks are spread."""

import numpy as np
import pytest

from pretrained.analysis import rows
from pretrained.registry import entry
from pretrained.trace import AttentionMap
from tests.models import tiny

DRAW = np.random.default_rng(0)


def aligned(scores: np.ndarray) -> AttentionMap:
    p = np.exp(scores.astype(np.float64))
    weights = (p / p.sum(1, keepdims=True)).astype(np.float32)
    labels = tuple(map(str, range(max(scores.shape))))
    return AttentionMap(
        "alignment", 0, weights[None], labels[: len(scores)], labels[: scores.shape[1]], scores=scores[None].copy()
    )


def test_the_softmax_is_worked_out() -> None:
    scores = np.log(np.array([[1, 1, 2], [3, 6, 1]], np.float32))
    found = rows.worked(aligned(scores), 1)
    assert found.key == 1
    assert found.score == pytest.approx(np.log(6), abs=1e-6)
    assert found.exponential == pytest.approx(6, abs=1e-5)
    assert found.total == pytest.approx(10, abs=1e-5)
    assert found.weight == pytest.approx(0.6, abs=1e-6)
    assert found.row_sum == pytest.approx(1, abs=1e-6)
    assert [key for key, _ in found.mixture] == [1, 0]
    assert [weight for _, weight in found.mixture] == pytest.approx([0.6, 0.3], abs=1e-6)


def test_the_worked_weight_is_the_models() -> None:
    model = tiny.translator(entry("gru-bahdanau"))
    (found,) = model.run("I am happy.").attention_of("alignment")
    for row, weights in enumerate(found.weights[0]):
        assert rows.worked(found, row).weight == pytest.approx(float(weights.max()), abs=1e-6)


def test_without_scores_nothing_is_worked_out() -> None:
    bare = AttentionMap("alignment", 0, np.ones((1, 1, 1), np.float32), ("a",), ("b",))
    with pytest.raises(ValueError, match="expected scores in alignment attention of layer 0"):
        rows.worked(bare, 0)


def test_the_question_is_about_the_row_furthest_from_the_diagonal() -> None:
    weights = np.full((4, 4), 0.02, np.float32)
    weights[range(4), (0, 1, 0, 3)] = 0.94
    weights[2, 3] = 0.03
    assert rows.question(weights) == rows.Question(row=2, keys=(0, 1, 3), answer=0)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_painted_row_sums_to_1_and_the_others_keep_their_proportions(share: float) -> None:
    row = DRAW.dirichlet(np.ones(6)).astype(np.float32)
    painted = np.array(rows.repainted(row, 2, share))
    assert painted[2] == share
    assert painted.sum() == pytest.approx(1, abs=1e-9)
    others = np.delete(row, 2).astype(float)
    np.testing.assert_allclose(np.delete(painted, 2), others / others.sum() * (1 - share), atol=1e-9)


def test_where_the_others_had_nothing_they_share_evenly() -> None:
    assert rows.repainted(np.array([0, 1, 0], np.float32), 1, 0.5) == (0.25, 0.5, 0.25)
    assert rows.repainted(np.array([1], np.float32), 0, 0.5) == (1.0,)


def test_spread_of_maps_that_are_known() -> None:
    even = rows.spread(np.full((3, 4), 0.25, np.float32))
    np.testing.assert_allclose(even.looked_at, 4)
    assert even.largest == 0.25
    assert not even.is_concentrated
    sharp = rows.spread(np.eye(5, dtype=np.float32))
    np.testing.assert_allclose(sharp.looked_at, 1)
    assert (sharp.largest, sharp.distance, sharp.keys) == (1, 0, 5)
    # |j - i| over all pairs of 5 places: 2 * (4 * 1 + 3 * 2 + 2 * 3 + 1 * 4) / 25
    assert sharp.by_chance == pytest.approx(40 / 25)
    assert sharp.is_concentrated
    assert sharp.follows_the_order
    turned = rows.spread(np.eye(5, dtype=np.float32)[::-1].copy())
    assert turned.distance == pytest.approx((4 + 2 + 0 + 2 + 4) / 5)
    assert not turned.follows_the_order


def test_a_model_without_an_alignment_has_no_spread() -> None:
    with pytest.raises(ValueError, match="gru-seq2seq: expected attention of kind alignment"):
        rows.alignment_spread(tiny.translator(entry("gru-seq2seq")), "I am happy.")


def test_the_weight_at_the_end_leaves_out_the_end_itself() -> None:
    weights = np.array([[[0.2, 0.8], [1.0, 0.0]], [[0.6, 0.4], [0.0, 1.0]]], np.float32)
    assert rows.weight_at_the_end(weights) == pytest.approx(0.6)
    with pytest.raises(ValueError, match="expected two tokens or more, got 1"):
        rows.weight_at_the_end(np.ones((4, 1, 1), np.float32))
