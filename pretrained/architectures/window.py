"""The sliding window: every token looks at its neighbours alone.

Beltagy, Peters and Cohan 2020, "Longformer: the long-document Transformer", section 3.1 (attention pattern, sliding
window). Differences from the paper: one radius for all layers, no dilation, no global tokens (``bigbird.py`` has
them). Only the encoder's self-attention differs from ``transformer.py``; a token further off is reached through the
layers, one radius each.

    a_ij = exp(q_i k_j / sqrt(d_head)) / sum_{|l - i| <= radius} exp(q_i k_l / sqrt(d_head))    where |j - i| <= radius
    a_ij = 0                                                                                    elsewhere

Cost for n tokens and w = 2 radius + 1: 2 n w d_head products a head and n w weights to keep, where full attention has
2 n^2 d_head and n^2. The scores are computed diagonal by diagonal, so nothing of size n^2 is made but the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures import transformer
from pretrained.architectures.record import Attended
from pretrained.shapes import Bool, Float


@dataclass(frozen=True)
class Config(transformer.Config):
    """Sizes of the model; every token sees ``radius`` tokens on either side, and itself."""

    radius: int = 2


class TransformerWindow(transformer.Transformer):
    """A Transformer whose source tokens look at their neighbours alone."""

    config: Config

    def self_attention(self, layer: int) -> WindowAttention:
        """Make the self-attention of one encoder layer."""
        return WindowAttention(self.config, layer)


class WindowAttention(transformer.SelfAttention):
    """Self-attention within a window."""

    def __init__(self, config: Config, layer: int) -> None:
        """Make the four projections."""
        super().__init__(config, layer)
        self.radius = config.radius

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values within every token's window."""
        mixed, weights, scores = window_attention(q, k, v, source_mask, radius=self.radius)
        may_attend = pattern(q.shape[2], self.radius).to(q.device) & source_mask[:, None]
        square, square_scores = spread(weights, 0.0), spread(scores, -torch.inf)
        return mixed, Attended("encoder-self", self.layer, square, square_scores, may_attend)


def pattern(length: int, radius: int) -> Bool[Tensor, "query key"]:
    """Tell which tokens see which."""
    position = torch.arange(length)
    return (position - position[:, None]).abs() <= radius


def window_attention(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head query d_head"],
    v: Float[Tensor, "batch head query d_head"],
    source_mask: Bool[Tensor, "batch query"],
    *,
    radius: int,
) -> tuple[
    Float[Tensor, "batch head query d_head"],
    Float[Tensor, "batch head query place"],
    Float[Tensor, "batch head query place"],
]:
    """Attend within a window: mixed values, weights, and scores before mask and softmax.

    ``place`` p of a query is the key ``query - radius + p``; places past the ends and padding weigh nothing, and a
    query that sees nothing else gets nothing.
    """
    n, width = q.shape[2], 2 * radius + 1
    k, v = (nn.functional.pad(x, (0, 0, radius, radius)) for x in (k, v))
    visible = nn.functional.pad(source_mask, (radius, radius)).unfold(1, width, 1)[:, None]
    scores = torch.stack([(q * k[:, :, p : p + n]).sum(-1) for p in range(width)], -1) * q.shape[-1] ** -0.5
    # Finite, since a query amid padding may see nothing.
    hidden = torch.finfo(torch.float32).min
    weights = torch.softmax(scores.float().masked_fill(~visible, hidden), -1) * visible
    mixed = torch.stack([weights[..., p, None] * v[:, :, p : p + n] for p in range(width)]).sum(0)
    return mixed, weights, scores


def spread(band: Float[Tensor, "batch head query place"], fill: float) -> Float[Tensor, "batch head query key"]:
    """Lay a band of places along the diagonal of a square matrix, ``fill`` elsewhere."""
    n, width = band.shape[2:]
    padded_key = torch.arange(n, device=band.device)[:, None] + torch.arange(width, device=band.device)
    square = band.new_full((*band.shape[:3], n + width - 1), fill).scatter(-1, padded_key.expand_as(band), band)
    return square[..., width // 2 : width // 2 + n]
