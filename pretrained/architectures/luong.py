"""Encoder-decoder with multiplicative attention and input feeding.

Luong, Pham and Manning 2015, "Effective approaches to attention-based neural machine translation", sections 3.1 and
3.3. Differences from the paper: it reads both ways as ``bahdanau`` does, with which it is to be compared, and starts
writing as that does, where theirs stacks four LSTMs a side that read one way; the attentional vector is as wide as the
embedding, which is the output layer too; of their attentions, this is the global one with the "general" score; pieces
instead of words; one embedding for both languages.

    h_s    = [forward cell; reverse cell](E x)_s             what was read
    h_t    = cell([E y_{t-1}; a_{t-1}], h_{t-1})             input feeding; a_0 = 0
    w_t(s) = softmax_s(h_t . W_a h_s)                        equations 7 and 8; asked with the present state
    c_t    = sum_s w_t(s) h_s
    a_t    = tanh(W_c [c_t; h_t])                            equation 5, the attentional vector
    p(y_t) = softmax(E a_t)                                  equation 6
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.architectures import bidirectional, cells
from pretrained.architectures.bidirectional import Bidirectional
from pretrained.architectures.record import Attended, Output, Record, Step, paint
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.intervention import Intervention


@dataclass(frozen=True)
class Config(bidirectional.Config):
    """Sizes of the model; ``d_hidden`` is each encoder direction's and the decoder's width."""

    d_hidden: int = 320


@dataclass(frozen=True)
class Encoding:
    """What was read, and the half of every score that does not depend on the step."""

    source: Int[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"]
    annotations: Float[Tensor, "batch source both"]
    keys: Float[Tensor, "batch source unit"]


@dataclass(frozen=True)
class State:
    """The decoder's own state, and the attentional vector that it will read next."""

    decoder: cells.State
    attentional: Float[Tensor, "batch d_model"]


class Luong(Bidirectional):
    """Take in the last token, then look back; what was seen is fed to the next step."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__(config)
        d_model, d_hidden = config.d_model, config.d_hidden
        self.to_keys = nn.Linear(2 * d_hidden, d_hidden, bias=False)  # W_a
        self.decoder = cells.single(config.cell, 2 * d_model, d_hidden)
        self.to_attentional = nn.Linear(2 * d_hidden + d_hidden, d_model, bias=False)  # W_c
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source in both directions."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        annotations = self.annotate(source, source_mask)
        return Encoding(source, source_mask, annotations, self.to_keys(annotations))

    def start(self, encoding: Encoding) -> State:
        """Start writing where the reverse encoder ended, with nothing looked at."""
        first = self.first_state(encoding.annotations)
        return State(first, first.hidden.new_zeros(len(first.hidden), self.config.d_model))

    def step(
        self, token: Int[Tensor, " batch"], state: State, encoding: Encoding, interventions: Sequence[Intervention] = ()
    ) -> Step:
        """Take in one token, look back, score the next."""
        state, weights = self._advance(self.embedding(token), state, encoding, interventions)
        return Step(self._logits(state.attentional), state, (weights,))

    def attend(
        self,
        hidden: Float[Tensor, "batch query unit"],
        encoding: Encoding,
        interventions: Sequence[Intervention] = (),
    ) -> tuple[
        Float[Tensor, "batch query d_model"], Float[Tensor, "batch query source"], Float[Tensor, "batch query source"]
    ]:
        """Align states ``h_t`` with the source: attentional vectors, weights and scores (equations 5, 7 and 8)."""
        scores = hidden @ encoding.keys.transpose(1, 2)
        visible = scores.masked_fill(~encoding.source_mask[:, None], -torch.inf)
        weights = paint(torch.softmax(visible.float(), -1), interventions)
        context = weights.to(encoding.annotations.dtype) @ encoding.annotations
        return torch.tanh(self.to_attentional(torch.cat([context, hidden], -1))), weights, scores

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding."""
        if isinstance(state, State):
            return State(state.decoder.select(rows), state.attentional[rows])
        return Encoding(*(tensor[rows] for tensor in vars(state).values()))

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Output:
        """Score every position of a known target; only the output layer can do all of them at once."""
        encoding = self.encode(source, source_mask)
        state = self.start(encoding)
        attentional, alignment = [], []
        for read in self.dropout(self.embedding(target)).unbind(1):
            state, weights = self._advance(read, state, encoding)
            attentional.append(state.attentional)
            alignment.append(weights)
        logits = self._logits(torch.stack(attentional, 1))
        return Output(logits, (Attended("alignment", 0, torch.stack(alignment, 2)),))

    def record(
        self,
        encoding: Encoding,
        target: Int[Tensor, "batch target"],
        states: Sequence[State],
        interventions: Sequence[Intervention] = (),
    ) -> Record:
        """Name the alignment, its scores, all states and gates; with the states known, all steps are one batch."""
        hidden = torch.stack([state.decoder.hidden for state in states[1:]], 1)
        fed = torch.stack([state.attentional for state in states[:-1]], 1)
        _, weights, scores = self.attend(hidden, encoding, interventions)
        may_attend = encoding.source_mask[:, None].expand(-1, target.shape[1], -1)
        read = torch.cat([self.embedding(target), fed], -1)
        return Record(
            attention=(Attended("alignment", 0, weights[:, None], scores[:, None], may_attend),),
            states=(
                *self.encoder_states(encoding.source, encoding.source_mask, encoding.annotations),
                *cells.states(self.decoder, read, hidden, "decoder", states[0].decoder),
            ),
        )

    def _advance(
        self,
        embedded: Float[Tensor, "batch d_model"],
        state: State,
        encoding: Encoding,
        interventions: Sequence[Intervention] = (),
    ) -> tuple[State, Float[Tensor, "batch head source"]]:
        """Take one step: the new state, and the weights of its one head."""
        decoder = cells.step(self.decoder, torch.cat([embedded, state.attentional], -1), state.decoder)
        attentional, weights, _ = self.attend(decoder.hidden[:, None], encoding, interventions)
        return State(decoder, attentional[:, 0]), weights

    def _logits(self, attentional: Float[Tensor, "... d_model"]) -> Float[Tensor, "... vocab"]:
        return nn.functional.linear(self.dropout(attentional), self.embedding.weight, self.output_bias)
