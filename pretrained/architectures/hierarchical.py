"""Two levels: tokens are summed up in blocks, and every token looks at the blocks.

The lower level is that of Yang et al. 2016, "Hierarchical attention networks for document classification", section
2.2: within a block the tokens weigh as they fit a learned context vector (equations 6 and 7; keys stand for their u_it,
blocks of tokens for sentences). In the upper level they ask with one more learned vector; here every token asks with
its own query. That a weight is a product of two, one for the block and one within it that does not know who asks,
follows Ren et al. 2021, "Combiner: full attention transformer with sparse computation cost", section 3, who also let a
token see its own block directly. Only the encoder's self-attention differs from ``transformer.py``.

    p(j | b) = exp(u k_j) / sum_{l in b} exp(u k_l),   K_b = sum_{j in b} p(j | b) k_j,   V_b likewise
    A(i, b)  = exp(q_i K_b / sqrt(d_head)) / sum_c exp(q_i K_c / sqrt(d_head))
    a_ij     = A(i, block of j) p(j | block of j),     sum_j a_ij v_j = sum_b A(i, b) V_b

Cost for n tokens in blocks of s: 3 n d_head products a head for the summaries, 2 n (n / s) d_head for looking, and
n (n / s) + n weights to keep, where full attention has 2 n^2 d_head and n^2: about an s-th, still a square. Blocks that
grow as sqrt(n) would make it n^1.5.
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
    """Sizes of the model; ``block`` tokens make a block, the last one may have fewer."""

    block: int = 4


class TransformerHierarchical(transformer.Transformer):
    """A Transformer whose source tokens look at blocks of tokens."""

    config: Config

    def self_attention(self, layer: int) -> HierarchicalAttention:
        """Make the self-attention of one encoder layer."""
        return HierarchicalAttention(self.config, layer)


class HierarchicalAttention(transformer.SelfAttention):
    """Self-attention on two levels."""

    def __init__(self, config: Config, layer: int) -> None:
        """Make the four projections and every head's context vector; at first all tokens of a block weigh the same."""
        super().__init__(config, layer)
        self.block = config.block
        self.u = nn.Parameter(torch.zeros(config.n_heads, config.d_head))

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values of the blocks."""
        mixed, over, within = hierarchical_attention(q, k, v, source_mask, u=self.u, block=self.block)
        may_attend = source_mask[:, None].expand(-1, q.shape[2], -1)
        weights = token_weights(over, within)[..., : q.shape[2]]
        return mixed, Attended("encoder-self", self.layer, weights, None, may_attend)


def hierarchical_attention(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head query d_head"],
    v: Float[Tensor, "batch head query d_head"],
    source_mask: Bool[Tensor, "batch query"],
    *,
    u: Float[Tensor, "head d_head"],
    block: int,
) -> tuple[
    Float[Tensor, "batch head query d_head"],
    Float[Tensor, "batch head query block"],
    Float[Tensor, "batch head block place"],
]:
    """Attend to blocks: mixed values, every query's weights A over the blocks, and p of every place in every block."""
    missing = -k.shape[2] % block  # places without a token in the last block
    k, v = (nn.functional.pad(x, (0, 0, 0, missing)).unflatten(2, (-1, block)) for x in (k, v))
    real = nn.functional.pad(source_mask, (0, missing)).unflatten(1, (-1, block))
    # Finite, since a block may be all padding: the upper level looks past it.
    hidden = torch.finfo(torch.float32).min
    fit = torch.einsum("hd,bhcpd->bhcp", u, k).float().masked_fill(~real[:, None], hidden)
    within = torch.softmax(fit, -1)
    summary_k, summary_v = (torch.einsum("bhcp,bhcpd->bhcd", within, x) for x in (k, v))
    may_attend = real.any(-1)[:, None].expand(-1, q.shape[2], -1)
    mixed, over, _ = transformer.attention(q, summary_k, summary_v, may_attend)
    return mixed, over, within


def token_weights(
    over: Float[Tensor, "batch head query block"], within: Float[Tensor, "batch head block place"]
) -> Float[Tensor, "batch head query key"]:
    """Multiply both levels out: every query's weight of every place, those without a token last."""
    return (over[..., None] * within[:, :, None]).flatten(3)
