"""Encoder-decoder with one context vector, around any recurrent cell.

Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
section 2 and appendix A, with gated recurrent units; Sutskever, Vinyals and Le 2014, "Sequence to sequence learning
with neural networks", with LSTMs and on whole sentences. Differences from the papers: the cells are torch's (see
``cells``); pieces instead of words; one embedding for both languages and for the output; one layer, where Sutskever et
al. stack four. Their decoder starts from the encoder's last ``h`` and ``c``; here as in Cho et al. only ``h`` is handed
over, and an LSTM's first ``c`` is made from the context as the first ``s`` is, by rows of ``V'`` of its own.

    h_t = cell(E x_t, h_{t-1})                   the encoder reads
    c   = tanh(V h_S)                            all that the decoder will ever see of the source
    s_t = cell([E y_{t-1}; c], s_{t-1})          the decoder writes, s_0 = tanh(V' c)
    p(y_t) = softmax(E maxout(O [s_t; E y_{t-1}; c]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.architectures import cells
from pretrained.architectures.cells import State
from pretrained.architectures.record import Output, Record, States, Step
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``cell`` is ``rnn``, ``lstm`` or ``gru``; ``dropout`` acts in training only."""

    d_vocab: int = 8000
    d_model: int = 192
    d_hidden: int = 352
    cell: str = "gru"
    dropout: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """What was read: every state, and the one vector that is passed on."""

    source: Int[Tensor, "batch source"]
    hidden: Float[Tensor, "batch source unit"]
    context: Float[Tensor, "batch unit"]


class Seq2Seq(nn.Module):
    """Read all, squeeze it into one vector, write."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__()
        self.config = config
        d_model, d_hidden = config.d_model, config.d_hidden
        self.embedding = nn.Embedding(config.d_vocab, d_model)
        self.encoder = cells.layer(config.cell, d_model, d_hidden)
        self.to_context = nn.Linear(d_hidden, d_hidden)
        self.to_start = cells.starting_map(config.cell, d_hidden)
        self.decoder = cells.layer(config.cell, d_model + d_hidden, d_hidden)
        self.to_output = nn.Linear(d_hidden + d_model + d_hidden, 2 * d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source into one vector, the state after its last real token."""
        hidden, _ = self.encoder(self.dropout(self.embedding(source)))
        last = hidden[:, -1]
        if source_mask is not None:
            last = hidden[torch.arange(len(source)), source_mask.sum(1) - 1]
        return Encoding(source, hidden, torch.tanh(self.to_context(last)))

    def start(self, encoding: Encoding) -> State:
        """Start writing from the context vector."""
        return cells.starting_state(self.to_start(encoding.context), self.config.d_hidden)

    def step(self, token: Int[Tensor, " batch"], state: State, encoding: Encoding) -> Step:
        """Write one token; nothing of the source but the context vector is at hand."""
        embedded = self.embedding(token)
        read = torch.cat([embedded, encoding.context], -1)
        _, state = cells.run(self.decoder, read[:, None], state)
        return Step(self._logits(state.hidden, embedded, encoding.context), state)

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding."""
        if isinstance(state, State):
            return state.select(rows)
        return Encoding(*(tensor[rows] for tensor in vars(state).values()))

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Output:
        """Score every position of a known target."""
        encoding = self.encode(source, source_mask)
        embedded = self.dropout(self.embedding(target))
        context = encoding.context[:, None].expand(-1, target.shape[1], -1)
        hidden, _ = cells.run(self.decoder, torch.cat([embedded, context], -1), self.start(encoding))
        return Output(self._logits(hidden, embedded, context))

    def record(self, encoding: Encoding, target: Int[Tensor, "batch target"], states: Sequence[State]) -> Record:
        """Name all states and gates of a run; gates come from the layers' own weights."""
        context = encoding.context[:, None].expand(-1, target.shape[1], -1)
        read = torch.cat([self.embedding(target), context], -1)
        written = torch.stack([state.hidden for state in states[1:]], 1)
        return Record(
            attention=(),
            states=(
                *cells.states(self.encoder, self.embedding(encoding.source), encoding.hidden, "encoder"),
                States("context", 0, encoding.context[:, None]),
                *cells.states(self.decoder, read, written, "decoder", states[0]),
            ),
        )

    def _logits(
        self, hidden: Float[Tensor, "... unit"], embedded: Float[Tensor, "... d"], context: Float[Tensor, "... unit"]
    ) -> Float[Tensor, "... vocab"]:
        """Deep output layer with maxout over pairs (appendix A.1.2), then the shared embedding."""
        pairs = self.to_output(torch.cat([hidden, embedded, context], -1))
        maxout = self.dropout(pairs.unflatten(-1, (-1, 2)).amax(-1))
        return nn.functional.linear(maxout, self.embedding.weight, self.output_bias)
