"""A recurrent layer that reads and answers: after every token, what should be said now.

Elman 1990, "Finding structure in time", figure 2; the LSTM and the GRU stand in the same place (see ``cells``).
Differences from the paper: the next token is not asked for, an answer is, and only where there is a question; scores
come from the embedding of the answers, tied to that of the tokens read.

    h_t = cell(E x_t, h_{t-1})               h_0 = 0; whatever is remembered is in here
    p(answer | x_1 ... x_t) = softmax(E (V h_t + b) + b')
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures import cells
from pretrained.architectures.record import Output, Record
from pretrained.shapes import Float, Int


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``cell`` is ``rnn``, ``lstm`` or ``gru``."""

    d_vocab: int = 59
    d_model: int = 32
    d_hidden: int = 128
    cell: str = "gru"


class RecurrentReader(nn.Module):
    """One state, made anew at every token; the answer is read from it."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.d_vocab, config.d_model)
        self.encoder = cells.layer(config.cell, config.d_model, config.d_hidden)
        self.to_output = nn.Linear(config.d_hidden, config.d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))

    def forward(self, ids: Int[Tensor, "batch token"]) -> Output:
        """Score the answers after every token; what stands behind a token changes nothing, so padding may."""
        hidden, _ = self.encoder(self.embedding(ids))
        return Output(self._logits(hidden))

    def record(self, ids: Int[Tensor, "batch token"]) -> Record:
        """Name all states and gates; gates come from the layer's own weights."""
        embedded = self.embedding(ids)
        hidden, _ = self.encoder(embedded)
        return Record((), cells.states(self.encoder, embedded, hidden, "encoder"))

    def _logits(self, hidden: Float[Tensor, "batch token unit"]) -> Float[Tensor, "batch token vocab"]:
        return nn.functional.linear(self.to_output(hidden), self.embedding.weight, self.output_bias)
