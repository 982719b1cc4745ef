"""Encoder-decoder with additive attention.

Bahdanau, Cho and Bengio 2015, "Neural machine translation by jointly learning to align and translate", sections 3.1
and 3.2 and appendix A.1.2 and A.2. Differences from the paper: torch's GRU applies the reset gate after the recurrent
product and keeps ``z`` of the old state; the output layer reads ``s_i``, as in equation 4, where the appendix writes
``s_{i-1}``; pieces instead of words; one embedding for both languages and for the output.

    h_j    = [forward GRU; reverse GRU](E x)_j               annotations: every token in its sentence
    e_ij   = v . tanh(W_a s_{i-1} + U_a h_j)                 how well token j fits what is to be written next
    a_ij   = softmax_j(e_ij)                                 the alignment
    c_i    = sum_j a_ij h_j                                  a context of its own for every output
    s_i    = GRU([E y_{i-1}; c_i], s_{i-1})                  s_0 = tanh(W_s reverse h_1)
    p(y_i) = softmax(E maxout(O [s_i; E y_{i-1}; c_i]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.architectures.gru_seq2seq import gru_gates
from pretrained.architectures.record import Attended, Output, Record, States, Step
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``d_hidden`` is each encoder direction's, the decoder's and the attention layer's width."""

    d_vocab: int = 8000
    d_model: int = 192
    d_hidden: int = 256
    dropout: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """What was read: both directions, and the half of every energy that does not depend on the step."""

    source: Int[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"]
    hidden: Float[Tensor, "batch source both"]
    keys: Float[Tensor, "batch source unit"]


@dataclass(frozen=True)
class State:
    """The decoder's state ``s`` after the step that made it."""

    hidden: Float[Tensor, "batch unit"]


class GRUBahdanau(nn.Module):
    """Read all in both directions; look back at all of it before every output."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__()
        self.config = config
        d_model, d_hidden = config.d_model, config.d_hidden
        self.embedding = nn.Embedding(config.d_vocab, d_model)
        self.encoder = nn.GRU(d_model, d_hidden, batch_first=True)
        self.encoder_reverse = nn.GRU(d_model, d_hidden, batch_first=True)
        self.to_start = nn.Linear(d_hidden, d_hidden)
        self.to_query = nn.Linear(d_hidden, d_hidden, bias=False)  # W_a
        self.to_keys = nn.Linear(2 * d_hidden, d_hidden)  # U_a
        self.to_energy = nn.Linear(d_hidden, 1, bias=False)  # v_a
        self.decoder = nn.GRUCell(d_model + 2 * d_hidden, d_hidden)
        self.to_output = nn.Linear(d_hidden + d_model + 2 * d_hidden, 2 * d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source in both directions; padding is passed over, not read."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        embedded = self.dropout(self.embedding(source))
        flipped = reversal(source_mask)
        forward, _ = self.encoder(embedded)
        reverse, _ = self.encoder_reverse(_reorder(embedded, flipped))
        hidden = torch.cat([forward, _reorder(reverse, flipped)], -1)
        return Encoding(source, source_mask, hidden, self.to_keys(hidden))

    def start(self, encoding: Encoding) -> State:
        """Start writing from the reverse encoder's last state, which has just read the first token."""
        return State(torch.tanh(self.to_start(encoding.hidden[:, 0, self.config.d_hidden :])))

    def step(self, token: Int[Tensor, " batch"], state: State, encoding: Encoding) -> Step:
        """Look back, then write one token."""
        embedded = self.embedding(token)
        context, weights, _ = self.attend(state.hidden[:, None], encoding)
        hidden = self.decoder(torch.cat([embedded, context[:, 0]], -1), state.hidden)
        logits = self._logits(hidden, embedded, context[:, 0])
        return Step(logits, State(hidden), (weights,))

    def attend(
        self, hidden: Float[Tensor, "batch query unit"], encoding: Encoding
    ) -> tuple[
        Float[Tensor, "batch query both"], Float[Tensor, "batch query source"], Float[Tensor, "batch query source"]
    ]:
        """Align states ``s_{i-1}`` with the source: contexts, weights and energies (equations 5 and 6)."""
        queries = self.to_query(hidden)[:, :, None]
        energies = self.to_energy(torch.tanh(queries + encoding.keys[:, None])).squeeze(-1)
        visible = energies.masked_fill(~encoding.source_mask[:, None], -torch.inf)
        weights = torch.softmax(visible.float(), -1)
        return weights.to(encoding.hidden.dtype) @ encoding.hidden, weights, energies

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding."""
        return type(state)(*(tensor[rows] for tensor in vars(state).values()))

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Output:
        """Score every position of a known target; only recurrence and attention have to go step by step."""
        encoding = self.encode(source, source_mask)
        embedded = self.dropout(self.embedding(target))
        state = self.start(encoding).hidden
        hidden, contexts, alignment = [], [], []
        for read in embedded.unbind(1):
            context, weights, _ = self.attend(state[:, None], encoding)
            state = self.decoder(torch.cat([read, context[:, 0]], -1), state)
            hidden.append(state)
            contexts.append(context)
            alignment.append(weights)
        logits = self._logits(torch.stack(hidden, 1), embedded, torch.cat(contexts, 1))
        return Output(logits, (Attended("alignment", 0, torch.cat(alignment, 1)[:, None]),))

    def record(self, encoding: Encoding, target: Int[Tensor, "batch target"], states: Sequence[State]) -> Record:
        """Name the alignment, its energies, all states and gates; with the states known, all steps are one batch."""
        written = torch.stack([state.hidden for state in states], 1)
        contexts, weights, energies = self.attend(written[:, :-1], encoding)
        may_attend = encoding.source_mask[:, None].expand(-1, target.shape[1], -1)
        forward, reverse = encoding.hidden.split(self.config.d_hidden, -1)
        flipped = reversal(encoding.source_mask)
        embedded = self.embedding(encoding.source)
        zero = torch.zeros_like(forward[:, :1])
        reverse_gates = gru_gates(
            self.encoder_reverse,
            _reorder(embedded, flipped),
            torch.cat([zero, _reorder(reverse, flipped)], 1),
            "encoder-reverse",
        )
        return Record(
            attention=(Attended("alignment", 0, weights[:, None], energies[:, None], may_attend),),
            states=(
                States("encoder-hidden", 0, forward),
                *gru_gates(self.encoder, embedded, torch.cat([zero, forward], 1), "encoder"),
                States("encoder-reverse-hidden", 0, reverse),
                *(States(gate.kind, 0, _reorder(gate.values, flipped)) for gate in reverse_gates),
                States("decoder-hidden", 0, written[:, 1:]),
                *gru_gates(self.decoder, torch.cat([self.embedding(target), contexts], -1), written, "decoder"),
            ),
        )

    def _logits(
        self, hidden: Float[Tensor, "... unit"], embedded: Float[Tensor, "... d"], context: Float[Tensor, "... both"]
    ) -> Float[Tensor, "... vocab"]:
        """Deep output layer with maxout over pairs (appendix A.2.2), then the shared embedding."""
        pairs = self.to_output(torch.cat([hidden, embedded, context], -1))
        maxout = self.dropout(pairs.unflatten(-1, (-1, 2)).amax(-1))
        return nn.functional.linear(maxout, self.embedding.weight, self.output_bias)


def reversal(mask: Bool[Tensor, "batch source"]) -> Int[Tensor, "batch source"]:
    """Give the order that turns every row's real tokens round and leaves its padding where it is; its own inverse."""
    positions = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - positions, positions)


def _reorder(
    values: Float[Tensor, "batch source unit"], order: Int[Tensor, "batch source"]
) -> Float[Tensor, "batch source unit"]:
    return values.gather(1, order[:, :, None].expand_as(values))
