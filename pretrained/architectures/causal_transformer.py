"""Transformer layers that read and answer: every token looks at itself and at what stands before it.

Vaswani et al. 2017, "Attention is all you need": the layers of its encoder under the mask of its decoder (section
3.2.3), as in Radford et al. 2018, "Improving language understanding by generative pre-training". Differences: those of
``transformer``, whose layers these are; an answer is asked for and not the next token, and only where there is a
question.

    x_t = E token_t sqrt(d_model) + PE(t)
    layer: x = x + MaskedSelfAttention(LN(x));  x = x + FFN(LN(x));  after the last: x = LN(x)
    p(answer | token_1 ... token_t) = softmax(E x_t + b)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures import transformer
from pretrained.architectures.record import Attended, Output, Record, States
from pretrained.architectures.transformer import EncoderLayer, SelfAttention, attention, initialise, sinusoids
from pretrained.shapes import Bool, Float, Int


@dataclass(frozen=True)
class Config(transformer.Config):
    """Sizes of the model; ``n_layers`` counts its layers, and there are no others."""

    d_vocab: int = 59
    d_model: int = 64
    d_feedforward: int = 128
    n_heads: int = 2
    n_layers: int = 2


class CausalTransformer(nn.Module):
    """Nothing is carried along: the answer is looked up among all tokens read."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights; raises ``ValueError`` if heads do not divide the width."""
        super().__init__()
        if config.d_model % config.n_heads:
            raise ValueError(f"d_model {config.d_model} is not a multiple of n_heads {config.n_heads}")
        self.config = config
        self.embedding = nn.Embedding(config.d_vocab, config.d_model)
        self.layers = nn.ModuleList(EncoderLayer(config, CausalAttention(config, n)) for n in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        initialise(self)

    def forward(self, ids: Int[Tensor, "batch token"]) -> Output:
        """Score the answers after every token; what stands behind a token changes nothing, so padding may."""
        x, record = self._read(ids)
        return Output(nn.functional.linear(self.norm(x), self.embedding.weight, self.output_bias), record.attention)

    def record(self, ids: Int[Tensor, "batch token"]) -> Record:
        """Name all attention and the output of every layer."""
        return self._read(ids)[1]

    def _read(self, ids: Int[Tensor, "batch token"]) -> tuple[Float[Tensor, "batch token d_model"], Record]:
        positions = sinusoids(ids.shape[1], self.config.d_model).to(ids.device)
        x = self.embedding(ids) * self.config.d_model**0.5 + positions
        everything = torch.ones_like(ids, dtype=torch.bool)
        maps, states = [], []
        for number, layer in enumerate(self.layers):
            x, attended = layer(x, everything)
            maps.append(attended)
            states.append(States("decoder-hidden", number, x))
        return x, Record(tuple(maps), tuple(states))


class CausalAttention(SelfAttention):
    """Masked self-attention: no token looks at a later one."""

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values of a token and of those before it."""
        may_attend = source_mask[:, None] & source_mask.new_ones(q.shape[2], q.shape[2]).tril()
        mixed, weights, scores = attention(q, k, v, may_attend)
        return mixed, Attended("decoder-self", self.layer, weights, scores, may_attend)
