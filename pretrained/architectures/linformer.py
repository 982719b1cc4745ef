"""Linformer: the keys and values of all tokens are summed up in a few slots, and every token looks at the slots.

Wang et al. 2020, "Linformer: self-attention with linear complexity", section 4. Differences from the paper: sizes; the
heads of a layer share E and F (its "headwise sharing"), which begin as a deal of tokens to slots in turn, each at a
quarter of its weight since a slot gets several. Only the encoder's self-attention differs from ``transformer.py``.

    head = softmax(Q (E K)^T / sqrt(d_head)) F V        equation 7;   E, F: [slot, position]

Padding is zeroed before it is projected. E and F know ``longest`` positions; the tokens of a longer text are dealt
from the first position again, as if every stretch of that length were laid over the first.

Cost for n tokens and s slots: 2 n s d_head products a head for E K and F V, 2 n s d_head for looking, and n s weights
to keep, where full attention has 2 n^2 d_head and n^2: half the products at n = 4 s, and more of them below n = 2 s.
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
    """Sizes of the model; ``longest`` is the number of positions that are projected to ``n_slots``."""

    n_slots: int = 8
    longest: int = 64


class TransformerLinformer(transformer.Transformer):
    """A Transformer whose source tokens look at slots."""

    config: Config

    def self_attention(self, layer: int) -> LinformerAttention:
        """Make the self-attention of one encoder layer."""
        return LinformerAttention(self.config, layer)


class LinformerAttention(transformer.SelfAttention):
    """Self-attention to slots."""

    def __init__(self, config: Config, layer: int) -> None:
        """Make the four projections, and those along the length."""
        super().__init__(config, layer)
        dealt = torch.arange(config.longest) % config.n_slots == torch.arange(config.n_slots)[:, None]
        self.e = nn.Parameter(dealt / 4)
        self.f = nn.Parameter(dealt / 4)

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values of the slots."""
        mixed, weights, scores = linformer_attention(q, k, v, source_mask, e=self.e, f=self.f)
        names = tuple(f"slot {slot}" for slot in range(len(self.e)))
        may_attend = torch.ones_like(weights[:, 0], dtype=torch.bool)
        return mixed, Attended("encoder-self", self.layer, weights, scores, may_attend, names)


def linformer_attention(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head query d_head"],
    v: Float[Tensor, "batch head query d_head"],
    source_mask: Bool[Tensor, "batch query"],
    *,
    e: Float[Tensor, "slot position"],
    f: Float[Tensor, "slot position"],
) -> tuple[
    Float[Tensor, "batch head query d_head"],
    Float[Tensor, "batch head query slot"],
    Float[Tensor, "batch head query slot"],
]:
    """Attend to projected keys and values (equation 7): mixed values, weights and scores of the slots."""
    position = torch.arange(k.shape[2], device=k.device) % e.shape[1]
    real = source_mask[:, None, :, None]
    return transformer.attention(q, e[:, position] @ (k * real), f[:, position] @ (v * real))
