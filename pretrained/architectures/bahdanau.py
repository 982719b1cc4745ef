"""Encoder-decoder with additive attention, around any recurrent cell.

Bahdanau, Cho and Bengio 2015, "Neural machine translation by jointly learning to align and translate", sections 3.1
and 3.2 and appendix A.1.2 and A.2. Differences from the paper: theirs are GRUs, and the cells here are torch's (see
``cells``), whose GRU keeps ``z`` of the old state; the output layer reads ``s_i``, as in equation 4, where the appendix
writes ``s_{i-1}``; pieces instead of words; one embedding for both languages and for the output.

    h_j    = [forward cell; reverse cell](E x)_j             annotations: every token in its sentence
    e_ij   = v . tanh(W_a s_{i-1} + U_a h_j)                 how well token j fits what is to be written next
    a_ij   = softmax_j(e_ij)                                 the alignment
    c_i    = sum_j a_ij h_j                                  a context of its own for every output
    s_i    = cell([E y_{i-1}; c_i], s_{i-1})                 s_0 = tanh(W_s reverse h_1)
    p(y_i) = softmax(E maxout(O [s_i; E y_{i-1}; c_i]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.architectures import bidirectional, cells
from pretrained.architectures.bidirectional import Bidirectional
from pretrained.architectures.cells import State
from pretrained.architectures.record import Attended, Output, Record, Step, paint
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.intervention import Intervention


@dataclass(frozen=True)
class Config(bidirectional.Config):
    """Sizes of the model; ``d_hidden`` is each encoder direction's, the decoder's and the attention layer's width."""


@dataclass(frozen=True)
class Encoding:
    """What was read.

    Attributes:
        annotations: ``h`` of both directions.
        values: what contexts are mixed from: the annotations, or what a subclass made of them.
        keys: the half of every energy that does not depend on the step.
        attention: what a subclass's encoder looked at.
    """

    source: Int[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"]
    annotations: Float[Tensor, "batch source both"]
    values: Float[Tensor, "batch source both"]
    keys: Float[Tensor, "batch source unit"]
    attention: tuple[Attended, ...] = ()


class Bahdanau(Bidirectional):
    """Read all in both directions; look back at all of it before every output."""

    def __init__(self, config: bidirectional.Config) -> None:
        """Make the model with random weights."""
        super().__init__(config)
        d_model, d_hidden = config.d_model, config.d_hidden
        self.to_query = nn.Linear(d_hidden, d_hidden, bias=False)  # W_a
        self.to_keys = nn.Linear(2 * d_hidden, d_hidden)  # U_a
        self.to_energy = nn.Linear(d_hidden, 1, bias=False)  # v_a
        self.decoder = cells.single(config.cell, d_model + 2 * d_hidden, d_hidden)
        self.to_output = nn.Linear(d_hidden + d_model + 2 * d_hidden, 2 * d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source in both directions."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        annotations = self.annotate(source, source_mask)
        return Encoding(source, source_mask, annotations, annotations, self.to_keys(annotations))

    def start(self, encoding: Encoding) -> State:
        """Start writing where the reverse encoder ended."""
        return self.first_state(encoding.annotations)

    def step(
        self, token: Int[Tensor, " batch"], state: State, encoding: Encoding, interventions: Sequence[Intervention] = ()
    ) -> Step:
        """Look back, then write one token."""
        embedded = self.embedding(token)
        context, weights, _ = self.attend(state.hidden[:, None], encoding, interventions)
        state = cells.step(self.decoder, torch.cat([embedded, context[:, 0]], -1), state)
        return Step(self._logits(state.hidden, embedded, context[:, 0]), state, (weights,))

    def attend(
        self,
        hidden: Float[Tensor, "batch query unit"],
        encoding: Encoding,
        interventions: Sequence[Intervention] = (),
    ) -> tuple[
        Float[Tensor, "batch query both"], Float[Tensor, "batch query source"], Float[Tensor, "batch query source"]
    ]:
        """Align states ``s_{i-1}`` with the source: contexts, weights and energies (equations 5 and 6)."""
        queries = self.to_query(hidden)[:, :, None]
        energies = self.to_energy(torch.tanh(queries + encoding.keys[:, None])).squeeze(-1)
        visible = energies.masked_fill(~encoding.source_mask[:, None], -torch.inf)
        weights = paint(torch.softmax(visible.float(), -1), interventions)
        return weights.to(encoding.values.dtype) @ encoding.values, weights, energies

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding; of an encoding, what decoding needs."""
        if isinstance(state, State):
            return state.select(rows)
        return Encoding(
            state.source[rows], state.source_mask[rows], state.annotations[rows], state.values[rows], state.keys[rows]
        )

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Output:
        """Score every position of a known target; only recurrence and attention have to go step by step."""
        encoding = self.encode(source, source_mask)
        embedded = self.dropout(self.embedding(target))
        state = self.start(encoding)
        hidden, contexts, alignment = [], [], []
        for read in embedded.unbind(1):
            context, weights, _ = self.attend(state.hidden[:, None], encoding)
            state = cells.step(self.decoder, torch.cat([read, context[:, 0]], -1), state)
            hidden.append(state.hidden)
            contexts.append(context)
            alignment.append(weights)
        logits = self._logits(torch.stack(hidden, 1), embedded, torch.cat(contexts, 1))
        return Output(logits, (*encoding.attention, Attended("alignment", 0, torch.cat(alignment, 1)[:, None])))

    def record(
        self,
        encoding: Encoding,
        target: Int[Tensor, "batch target"],
        states: Sequence[State],
        interventions: Sequence[Intervention] = (),
    ) -> Record:
        """Name the alignment, its energies, all states and gates; with the states known, all steps are one batch."""
        written = torch.stack([state.hidden for state in states], 1)
        contexts, weights, energies = self.attend(written[:, :-1], encoding, interventions)
        may_attend = encoding.source_mask[:, None].expand(-1, target.shape[1], -1)
        alignment = Attended("alignment", 0, weights[:, None], energies[:, None], may_attend)
        read = torch.cat([self.embedding(target), contexts], -1)
        return Record(
            attention=(*encoding.attention, alignment),
            states=(
                *self.encoder_states(encoding.source, encoding.source_mask, encoding.annotations),
                *cells.states(self.decoder, read, written[:, 1:], "decoder", states[0]),
            ),
        )

    def _logits(
        self, hidden: Float[Tensor, "... unit"], embedded: Float[Tensor, "... d"], context: Float[Tensor, "... both"]
    ) -> Float[Tensor, "... vocab"]:
        """Deep output layer with maxout over pairs (appendix A.2.2), then the shared embedding."""
        pairs = self.to_output(torch.cat([hidden, embedded, context], -1))
        maxout = self.dropout(pairs.unflatten(-1, (-1, 2)).amax(-1))
        return nn.functional.linear(maxout, self.embedding.weight, self.output_bias)
