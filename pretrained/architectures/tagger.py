"""A Transformer encoder that keeps or drops every word: sentence compression by deletion.

Filippova et al. 2015, "Sentence compression by deletion with LSTMs", section 3: a label for every token, keep or drop,
and what is kept is the compression. Differences from the paper: theirs reads the sentence and then writes the labels
one after the other, each LSTM step with the label before it; here the encoder of Vaswani et al. 2017 (section 3.1, with
its norms where ``transformer`` has them) sees the whole sentence at once and decides on every token by itself. Pieces
instead of words: the first piece of a word decides for all of it.

    x_i   = E w_i sqrt(d_model) + PE(i)
    layer : x = x + SelfAttention(LN(x));  x = x + FFN(LN(x));  after the last: x = LN(x)
    p(keep token i) = sigmoid(w . x_i + b)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures import transformer
from pretrained.architectures.record import Attended, States
from pretrained.architectures.transformer import EncoderLayer, SelfAttention, sinusoids
from pretrained.shapes import Bool, Float, Int


@dataclass(frozen=True)
class Config(transformer.Config):
    """Sizes of the model; ``n_layers`` counts encoder layers, and there are no others."""

    n_layers: int = 4
    dropout: float = 0.1


@dataclass(frozen=True)
class Tagged:
    """A score for every token, above 0 where keeping it is likelier than dropping it, and all that led to it."""

    logits: Float[Tensor, "batch token"]
    attention: tuple[Attended, ...]
    states: tuple[States, ...]


class Tagger(nn.Module):
    """Every token looks at every token, and is kept or dropped for what it saw."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights; raises ``ValueError`` if heads do not divide the width."""
        super().__init__()
        if config.d_model % config.n_heads:
            raise ValueError(f"d_model {config.d_model} is not a multiple of n_heads {config.n_heads}")
        self.config = config
        self.embedding = nn.Embedding(config.d_vocab, config.d_model)
        self.encoder = nn.ModuleList(EncoderLayer(config, SelfAttention(config, n)) for n in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.to_score = nn.Linear(config.d_model, 1)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        transformer.initialise(self)

    def forward(
        self, source: Int[Tensor, "batch token"], source_mask: Bool[Tensor, "batch token"] | None = None
    ) -> Tagged:
        """Score every token; ``source_mask`` is True at real tokens, ``None`` means all are."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        width = self.config.d_model
        x = self.dropout(self.embedding(source) * width**0.5 + sinusoids(source.shape[1], width).to(source.device))
        attention, states = [], []
        for layer, block in enumerate(self.encoder):
            x, attended = block(x, source_mask)
            attention.append(attended)
            states.append(States("encoder-hidden", layer, x))
        return Tagged(self.to_score(self.norm(x)).squeeze(-1), tuple(attention), tuple(states))
