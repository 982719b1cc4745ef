"""One row of attention at a time: how it is made from its scores, how far it is spread, how it is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pretrained.analysis.alignment import diagonal
from pretrained.shapes import Float

if TYPE_CHECKING:
    from pretrained.model import Model
    from pretrained.trace import AttentionMap

SINK = 0.5  # of the weight at the last token: it is a sink then


@dataclass(frozen=True)
class Worked:
    """The softmax of one row, worked out for the key that is looked at most.

    Attributes:
        key: that key.
        score: its score (Bahdanau's energy).
        exponential: of the score.
        total: the sum of the exponentials of all keys.
        weight: the quotient of the two.
        row_sum: of the weights that the model used.
        mixture: the keys of the largest weights with these weights, largest first; at most two.
    """

    key: int
    score: float
    exponential: float
    total: float
    weight: float
    row_sum: float
    mixture: tuple[tuple[int, float], ...]


def worked(attended: AttentionMap, row: int) -> Worked:
    """Work out the softmax of one row of a map with one head; raises ``ValueError`` for a map without scores."""
    if attended.scores is None:
        raise ValueError(f"expected scores in {attended.kind} attention of layer {attended.layer}, got none")
    scores, weights = attended.scores[0, row], attended.weights[0, row]
    exponentials = np.exp(scores.astype(np.float64))
    key, total = int(weights.argmax()), float(exponentials.sum())
    largest = np.argsort(-weights, kind="stable")[:2]
    return Worked(
        key=key,
        score=float(scores[key]),
        exponential=float(exponentials[key]),
        total=total,
        weight=float(exponentials[key]) / total,
        row_sum=float(weights.sum(dtype=np.float64)),
        mixture=tuple((int(place), float(weights[place])) for place in largest),
    )


@dataclass(frozen=True)
class Question:
    """A row worth guessing.

    Attributes:
        row: its number.
        keys: the three that it looks at most, in the order of the source.
        answer: the index in ``keys`` of the one looked at most.
    """

    row: int
    keys: tuple[int, ...]
    answer: int


def question(weights: Float[np.ndarray, "row key"]) -> Question:
    """Choose the row that looks furthest away from the diagonal, the first of equals."""
    row = int(_distances(weights).argmax())
    keys = sorted(np.argsort(-weights[row], kind="stable")[:3].tolist())
    return Question(row, tuple(keys), keys.index(int(weights[row].argmax())))


def repainted(row: Float[np.ndarray, " key"], key: int, share: float) -> tuple[float, ...]:
    """Give one key this share of a row; the others keep their proportions, and the sum is 1 again.

    Where the others had nothing, they get equal parts of the rest; a single key has all of the row.

    Args:
        row: weights that sum to 1.
        key: its number.
        share: 0..1.
    """
    others = row.astype(np.float64)
    others[key] = 0
    if not others.any():
        others = np.ones(len(row))
        others[key] = 0
    if len(row) == 1:
        return (1.0,)
    painted = others / others.sum() * (1 - share)
    painted[key] = share
    return tuple(painted.tolist())


@dataclass(frozen=True, eq=False)
class Spread:
    """How far a model's looks were spread.

    Attributes:
        looked_at: ``[row]``, in keys: the exponential of the row's entropy, which is n where n keys share it evenly.
        keys: how many keys there are.
        largest: the mean of the rows' largest weights.
        distance: from the diagonal to the key that is looked at most, in keys, mean over the rows.
        by_chance: what it would be if every key were as likely to be that one.
    """

    looked_at: Float[np.ndarray, " row"]
    keys: int
    largest: float
    distance: float
    by_chance: float

    @property
    def is_concentrated(self) -> bool:
        """Whether a row is spread over less than half of the keys, in the mean."""
        return float(self.looked_at.mean()) < self.keys / 2

    @property
    def follows_the_order(self) -> bool:
        """Whether the distance from the diagonal is less than half of what chance would give."""
        return self.distance < self.by_chance / 2


def alignment_spread(model: Model, text: str) -> Spread:
    """Measure the alignment of one text.

    Raises:
        TextError: a text that the model cannot read.
        ValueError: a model without an alignment.
    """
    found = model.run(text).attention_of("alignment")
    if not found:
        raise ValueError(f"{model.entry.name}: expected attention of kind alignment, got none")
    return spread(found[0].weights[0])


def spread(weights: Float[np.ndarray, "row key"]) -> Spread:
    """Measure the rows of a map whose queries and keys are in the order of their sentences."""
    p = weights.astype(np.float64)
    entropy = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(1)
    count = p.shape[1]
    chance = [np.abs(np.arange(count) - key).mean() for key in _on_diagonal(*p.shape)]
    return Spread(
        looked_at=np.exp(entropy),
        keys=count,
        largest=float(p.max(1).mean()),
        distance=float(_distances(weights).mean()),
        by_chance=float(np.mean(chance)),
    )


def _on_diagonal(n_rows: int, n_keys: int) -> list[int]:
    return [key for key, _ in sorted(diagonal(n_keys, n_rows), key=lambda link: link[1])]


def _distances(weights: Float[np.ndarray, "row key"]) -> Float[np.ndarray, " row"]:
    distances: Float[np.ndarray, " row"] = np.abs(weights.argmax(1) - np.array(_on_diagonal(*weights.shape))) * 1.0
    return distances


def weight_at_the_end(weights: Float[np.ndarray, "head token token"]) -> float:
    """Give the mean weight, 0 to 1, that heads give to the last token from all others, where it may be a sink.

    Clark et al. 2019, section 3.2, found that heads with nothing to look up give it to a separator.

    Args:
        weights: the same tokens as queries and as keys.

    Raises:
        ValueError: fewer than two tokens.
    """
    if weights.shape[1] < 2:
        raise ValueError(f"weights: expected two tokens or more, got {weights.shape[1]}")
    return float(weights[:, :-1, -1].mean())
