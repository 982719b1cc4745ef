"""A hybrid: a recurrent encoder, self-attention on top of it, a recurrent decoder.

Chen et al. 2018, "The best of both worlds: combining recent advances in neural machine translation", the section on
hybrids, whose cascaded encoder puts a Transformer's layers on top of a recurrent encoder. Differences from the paper:
sizes; one layer of self-attention without a feed-forward layer behind it; all of it is trained at once, where they
freeze a trained recurrent encoder; the decoder is Bahdanau's (see ``bahdanau``), theirs a stack of LSTMs.

    h_j = [forward GRU; reverse GRU](E x)_j                  every token in its sentence, neighbours most of all
    m_j = MultiHead(h_j, h, h)                               Vaswani et al. 2017, section 3.2.2
    v_j = LayerNorm(h_j + m_j)                               what Bahdanau's decoder looks at in place of h_j
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures import bidirectional, transformer
from pretrained.architectures.bahdanau import Bahdanau, Encoding
from pretrained.shapes import Bool, Int


@dataclass(frozen=True)
class Config(bidirectional.Config):
    """Sizes of the model; ``d_hidden`` as in ``bahdanau``, and both directions together are cut into heads."""

    d_hidden: int = 184
    n_heads: int = 4


class GRUSelfAttention(Bahdanau):
    """Recurrence brings order, self-attention any two tokens together; then look back before every output."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights; raises ``ValueError`` if heads do not divide both directions' width."""
        super().__init__(config)
        d_both = 2 * config.d_hidden
        if d_both % config.n_heads:
            raise ValueError(f"both directions' width {d_both} is not a multiple of n_heads {config.n_heads}")
        self.self_attention = transformer.SelfAttention(
            transformer.Config(d_model=d_both, n_heads=config.n_heads), layer=0
        )
        self.norm = nn.LayerNorm(d_both)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source in both directions, then let every token look at every token."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        annotations = self.annotate(source, source_mask)
        mixed, attended = self.self_attention.look(annotations, source_mask)
        values = self.norm(annotations + self.dropout(mixed))
        return Encoding(source, source_mask, annotations, values, self.to_keys(values), (attended,))
