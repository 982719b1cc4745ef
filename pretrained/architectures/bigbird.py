"""BigBird: every token looks at its neighbours, at both ends of the text, and at a few tokens drawn by lot.

Zaheer et al. 2020, "Big Bird: Transformers for longer sequences", section 2: a sparse graph of a sliding window, of
global tokens that see all and are seen by all (tokens of the text itself, its BigBird-ITC; here the first one and
``</s>``), and of random keys for every query. Differences from the paper: one token is a block, and all heads of a
layer share a graph. Only the encoder's self-attention differs from ``transformer.py``.

    N(i) = {j: |j - i| <= radius} + {first, last} + n_random drawn keys,    N(first) = N(last) = all
    a_ij = exp(q_i k_j / sqrt(d_head)) / sum_{l in N(i)} exp(q_i k_l / sqrt(d_head))   where j in N(i), 0 elsewhere

The lot is a function of layer, length of the text and position: a text keeps its graph in any batch.

Cost for n tokens and f = 2 radius + 3 + n_random keys a query: 2 n f d_head products a head, 4 n d_head more for the
two ends, and n (f + 2) weights to keep, where full attention has 2 n^2 d_head and n^2. But the keys and values of every
query are copied together, 2 n f d_head numbers, so memory is won only where n is beyond 2 f d_head or so; the paper
moves whole blocks of tokens to gather less (its appendix on implementation).
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

import torch
from torch import Tensor

from pretrained.architectures import transformer
from pretrained.architectures.record import Attended
from pretrained.shapes import Bool, Float, Int

NOTHING = -1  # stands where a query has fewer keys than others


@dataclass(frozen=True)
class Config(transformer.Config):
    """Sizes of the model; every token sees ``radius`` tokens on either side, and ``n_random`` drawn ones."""

    radius: int = 1
    n_random: int = 1


@dataclass(frozen=True)
class Rows:
    """Weights and scores of some queries, over the keys that they were compared with."""

    weights: Float[Tensor, "batch head query key"]
    scores: Float[Tensor, "batch head query key"]


class TransformerBigBird(transformer.Transformer):
    """A Transformer whose source tokens look along a sparse graph."""

    config: Config

    def self_attention(self, layer: int) -> BigBirdAttention:
        """Make the self-attention of one encoder layer."""
        return BigBirdAttention(self.config, layer)


class BigBirdAttention(transformer.SelfAttention):
    """Self-attention along a sparse graph."""

    def __init__(self, config: Config, layer: int) -> None:
        """Make the four projections."""
        super().__init__(config, layer)
        self.config = config

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values of the tokens that every token sees."""
        keys = graph(source_mask, self.config, self.layer)
        mixed, few, ends = bigbird_attention(q, k, v, source_mask, keys)
        weights, scores = square(few.weights, keys, 0.0), square(few.scores, keys, -torch.inf)
        at_ends = _ends(source_mask)[:, None, :, None].expand_as(ends.weights)
        may_attend = torch.zeros_like(weights[:, 0], dtype=torch.bool)
        for row, length in zip(may_attend, source_mask.sum(1).tolist(), strict=True):
            row[:length, :length] = pattern(length, self.config, self.layer)
        return mixed, Attended(
            "encoder-self",
            self.layer,
            weights.scatter(2, at_ends, ends.weights),
            scores.scatter(2, at_ends, ends.scores),
            may_attend,
        )


@functools.lru_cache(maxsize=1024)
def neighbours(length: int, config: Config, layer: int) -> tuple[tuple[int, ...], ...]:
    """List the keys of every token of a text: the window, both ends, and those drawn by lot."""
    rows = []
    for i in range(length):
        seen = {*range(max(0, i - config.radius), min(length, i + config.radius + 1)), 0, length - 1}
        few = min(len(seen) + config.n_random, length)
        lot = random.Random(f"{layer}/{length}/{i}")
        while len(seen) < few:
            seen.add(lot.randrange(length))
        rows.append(tuple(sorted(seen)))
    return tuple(rows)


def pattern(length: int, config: Config, layer: int) -> Bool[Tensor, "query key"]:
    """Tell which tokens of a text see which."""
    sees = torch.zeros(length, length, dtype=torch.bool)
    for query, keys in enumerate(neighbours(length, config, layer)):
        sees[query, list(keys)] = True
    sees[[0, -1]] = True
    return sees


def graph(source_mask: Bool[Tensor, "batch query"], config: Config, layer: int) -> Int[Tensor, "batch query few"]:
    """Lay the neighbours of every text's tokens side by side; what is left of a row is ``NOTHING``."""
    few = 2 * config.radius + 3 + config.n_random
    rows = [neighbours(length, config, layer) for length in source_mask.sum(1).tolist()]
    table = [[[*keys, *[NOTHING] * (few - len(keys))] for keys in row] for row in rows]
    for row in table:
        row += [[NOTHING] * few] * (source_mask.shape[1] - len(row))
    return torch.tensor(table, device=source_mask.device)


def bigbird_attention(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head query d_head"],
    v: Float[Tensor, "batch head query d_head"],
    source_mask: Bool[Tensor, "batch query"],
    keys: Int[Tensor, "batch query few"],
) -> tuple[Float[Tensor, "batch head query d_head"], Rows, Rows]:
    """Attend along a graph: mixed values, the rows of all queries over their few keys, and the full rows of both ends.

    ``NOTHING`` weighs nothing, and a query with no other keys gets nothing.
    """
    text = torch.arange(len(q), device=q.device)[:, None]
    gathered = (text[..., None], slice(None), keys.clamp(min=0))
    visible = (keys != NOTHING)[:, None]
    scores = torch.einsum("bhqd,bqfhd->bhqf", q, k[gathered]) * q.shape[-1] ** -0.5
    # Finite, since a query amid padding sees nothing.
    hidden = torch.finfo(torch.float32).min
    weights = torch.softmax(scores.float().masked_fill(~visible, hidden), -1) * visible
    mixed = torch.einsum("bhqf,bqfhd->bhqd", weights, v[gathered])
    ends = _ends(source_mask)
    full, end_weights, end_scores = transformer.attention(
        q[text, :, ends].transpose(1, 2), k, v, source_mask[:, None].expand(-1, 2, -1)
    )
    mixed = mixed.scatter(2, ends[:, None, :, None].expand_as(full), full.to(mixed.dtype))
    return mixed, Rows(weights, scores), Rows(end_weights, end_scores)


def square(
    few: Float[Tensor, "batch head query few"], keys: Int[Tensor, "batch query few"], fill: float
) -> Float[Tensor, "batch head query key"]:
    """Put what belongs to a few keys of every query where they stand among all keys, ``fill`` elsewhere."""
    n = few.shape[2]
    # One column more, for nothing.
    column = torch.where(keys == NOTHING, n, keys)[:, None].expand_as(few)
    return few.new_full((*few.shape[:3], n + 1), fill).scatter(-1, column, few)[..., :n]


def _ends(source_mask: Bool[Tensor, "batch query"]) -> Int[Tensor, "batch 2"]:
    last = source_mask.sum(1) - 1
    return torch.stack([torch.zeros_like(last), last], 1)
