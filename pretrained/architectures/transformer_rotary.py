"""The Transformer as it is built since: order by rotation, heads that share keys and values, a simpler norm.

Su et al. 2021, "RoFormer: enhanced Transformer with rotary position embedding", section 3.2; Ainslie et al. 2023, "GQA:
training generalized multi-query Transformer models from multi-head checkpoints", section 2.2; Zhang and Sennrich 2019,
"Root mean square layer normalization", section 3. Differences from the papers: groups are there from the first step of
training, not made out of a trained model's heads. What the groups save is given to the feed-forward; all else is as in
``transformer.py``.

    (R_m x)_2i-1 = x_2i-1 cos(m theta_i) - x_2i sin(m theta_i)        Su et al., equation 34: the token at position m
    (R_m x)_2i   = x_2i cos(m theta_i) + x_2i-1 sin(m theta_i)        theta_i = 10000^(-2(i - 1) / d_head), i from 1
    R_m q . R_n k = q . R_(n - m) k                                   equation 16: only the distance counts
    head_h = Attention(R q_h, R k_g, v_g)                             g = h // (n_heads / n_kv_heads)
    RMSNorm(a) = g * a / RMS(a),  RMS(a) = sqrt(mean(a^2))            Zhang and Sennrich, equation 4

Self-attention is rotated in the encoder and in the decoder, cross-attention is not: a source has no distance from a
target. Heads share keys and values where a decoder keeps them while it writes (decoder-self and cross); the encoder
makes its own once and has them all, as in Ainslie et al.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.architectures import transformer
from pretrained.architectures.record import Attended
from pretrained.architectures.transformer import KeysValues, MultiHeadAttention, SelfAttention, Transformer, initialise
from pretrained.shapes import Bool, Float

if TYPE_CHECKING:
    from collections.abc import Sequence

EPSILON = 1e-6  # keeps RMSNorm from dividing by nothing


@dataclass(frozen=True)
class Config(transformer.Config):
    """Sizes of the model; a decoder's ``n_heads`` share ``n_kv_heads``; nothing is added to embeddings."""

    d_feedforward: int = 480
    n_kv_heads: int = 2
    positions: str = "none"


class TransformerRotary(Transformer):
    """Every token looks at every token, from where it stands."""

    config: Config

    def __init__(self, config: Config) -> None:
        """Make the model with random weights.

        Raises:
            ValueError: heads that share nothing evenly, or whose units make no pairs.
        """
        if config.n_heads % config.n_kv_heads:
            raise ValueError(f"n_heads {config.n_heads} is not a multiple of n_kv_heads {config.n_kv_heads}")
        if config.d_head % 2:
            raise ValueError(f"d_head: expected an even number, got {config.d_head}")
        super().__init__(config)
        for block in self.decoder:
            block.self_attention = RotaryAttention(config)
            block.cross_attention = GroupedQueryAttention(config)
        for block in (*self.encoder, *self.decoder):
            block.norms = nn.ModuleList(RMSNorm(config.d_model) for _ in block.norms)
        self.encoder_norm, self.decoder_norm = RMSNorm(config.d_model), RMSNorm(config.d_model)
        initialise(self)

    def self_attention(self, layer: int) -> RotarySelfAttention:
        """Make the self-attention of one encoder layer."""
        return RotarySelfAttention(self.config, layer)


def rotate(x: Float[Tensor, "... token d_head"], *, first: int = 0) -> Float[Tensor, "... token d_head"]:
    """Turn every pair of units by its own angle a position (equation 34); ``first`` is the first token's position."""
    n_tokens, d_head = x.shape[-2:]
    m = torch.arange(first, first + n_tokens, device=x.device)[:, None]
    theta = 10000 ** (-torch.arange(0, d_head, 2, device=x.device) / d_head)
    # A pair of units is a complex number, and multiplying it by exp(i m theta) turns it (equation 12).
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    turned = pairs * torch.polar(torch.ones_like(theta), m * theta)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


class RMSNorm(nn.Module):
    """Give every vector the same length, and leave its mean alone (Zhang and Sennrich 2019, equation 4)."""

    def __init__(self, d_model: int) -> None:
        """Make the gain ``g``."""
        super().__init__()
        self.gain = nn.Parameter(torch.ones(d_model))

    def forward(self, a: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Divide by the root of the mean square."""
        return self.gain * (a * torch.rsqrt(a.square().mean(-1, keepdim=True) + EPSILON))


class RotarySelfAttention(SelfAttention):
    """An encoder layer's attention, where a score depends on how far apart two tokens stand."""

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values of every head, by rotated queries and keys."""
        return super().mix(rotate(q), rotate(k), v, source_mask)


class GroupedQueryAttention(MultiHeadAttention):
    """Attention whose heads share keys and values, group by group (Ainslie et al. 2023, section 2.2)."""

    def __init__(self, config: Config) -> None:
        """Make the four projections, that to keys and values a narrower one."""
        super().__init__(config)
        self.w_kv = nn.Linear(config.d_model, 2 * config.n_kv_heads * config.d_head)

    def attend(
        self,
        q: Float[Tensor, "batch head query d_head"],
        seen: KeysValues,
        may_attend: Bool[Tensor, "batch query key"] | None,
        off: Sequence[int] = (),
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch head query key"],
        Float[Tensor, "batch head query key"],
    ]:
        """Look with every head at what its group shares."""
        group = q.shape[1] // seen.keys.shape[1]
        shared = KeysValues(seen.keys.repeat_interleave(group, 1), seen.values.repeat_interleave(group, 1))
        return super().attend(q, shared, may_attend, off)


class RotaryAttention(GroupedQueryAttention):
    """A decoder's self-attention: queries and keys are rotated to where they stand, and keys are kept so."""

    def keys_values(self, x: Float[Tensor, "batch key d_model"], past: KeysValues | None = None) -> KeysValues:
        """Project what is looked at, behind what was looked at before."""
        now = super().keys_values(x)
        if past is None:
            return KeysValues(rotate(now.keys), now.values)
        return past.then(KeysValues(rotate(now.keys, first=past.keys.shape[2]), now.values))

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        seen: KeysValues,
        may_attend: Bool[Tensor, "batch query key"] | None,
        off: Sequence[int] = (),
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch head query key"],
        Float[Tensor, "batch head query key"],
    ]:
        """Look from ``x``, which stands at the end of what is seen."""
        first = seen.keys.shape[2] - x.shape[1]
        return self.attend(rotate(self._split(self.w_q(x)), first=first), seen, may_attend, off)
