"""Encoder-decoder with gated recurrent units and one context vector.

Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
section 2 and appendix A; Sutskever, Vinyals and Le 2014 for its use on whole sentences. Differences from the paper:
torch's GRU applies the reset gate after the recurrent product; pieces instead of words; one embedding for both
languages and for the output.

    h_t = GRU(E x_t, h_{t-1})                    the encoder reads
    c   = tanh(V h_S)                            all that the decoder will ever see of the source
    s_t = GRU([E y_{t-1}; c], s_{t-1})           the decoder writes, s_0 = tanh(V' c)
    p(y_t) = softmax(E maxout(O [s_t; E y_{t-1}; c]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.architectures.record import Output, Record, States, Step
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``dropout`` acts on embeddings and before the output, in training only."""

    d_vocab: int = 8000
    d_model: int = 192
    d_hidden: int = 352
    dropout: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """What was read: every state, and the one vector that is passed on."""

    source: Int[Tensor, "batch source"]
    hidden: Float[Tensor, "batch source unit"]
    context: Float[Tensor, "batch unit"]


@dataclass(frozen=True)
class State:
    """The decoder's state ``s`` after the step that made it."""

    hidden: Float[Tensor, "batch unit"]


class GRUSeq2Seq(nn.Module):
    """Read all, squeeze it into one vector, write."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__()
        self.config = config
        d_model, d_hidden = config.d_model, config.d_hidden
        self.embedding = nn.Embedding(config.d_vocab, d_model)
        self.encoder = nn.GRU(d_model, d_hidden, batch_first=True)
        self.to_context = nn.Linear(d_hidden, d_hidden)
        self.to_start = nn.Linear(d_hidden, d_hidden)
        self.decoder = nn.GRU(d_model + d_hidden, d_hidden, batch_first=True)
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
        return State(torch.tanh(self.to_start(encoding.context)))

    def step(self, token: Int[Tensor, " batch"], state: State, encoding: Encoding) -> Step:
        """Write one token; nothing of the source but the context vector is at hand."""
        embedded = self.embedding(token)
        read = torch.cat([embedded, encoding.context], -1)
        hidden, _ = self.decoder(read[:, None], state.hidden[None].contiguous())
        logits = self._logits(hidden[:, 0], embedded, encoding.context)
        return Step(logits, State(hidden[:, 0]))

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding."""
        return type(state)(*(tensor[rows] for tensor in vars(state).values()))

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
        start = self.start(encoding).hidden[None]
        hidden, _ = self.decoder(torch.cat([embedded, context], -1), start)
        return Output(self._logits(hidden, embedded, context))

    def record(self, encoding: Encoding, target: Int[Tensor, "batch target"], states: Sequence[State]) -> Record:
        """Name all states and gates of a run; gates come from the fused layers' own weights."""
        embedded = self.embedding(target)
        context = encoding.context[:, None].expand(-1, target.shape[1], -1)
        written = torch.stack([state.hidden for state in states], 1)
        read = torch.cat([torch.zeros_like(encoding.hidden[:, :1]), encoding.hidden], 1)
        return Record(
            attention=(),
            states=(
                States("encoder-hidden", 0, encoding.hidden),
                *gru_gates(self.encoder, self.embedding(encoding.source), read, "encoder"),
                States("context", 0, encoding.context[:, None]),
                States("decoder-hidden", 0, written[:, 1:]),
                *gru_gates(self.decoder, torch.cat([embedded, context], -1), written, "decoder"),
            ),
        )

    def _logits(
        self, hidden: Float[Tensor, "... unit"], embedded: Float[Tensor, "... d"], context: Float[Tensor, "... unit"]
    ) -> Float[Tensor, "... vocab"]:
        """Deep output layer with maxout over pairs (appendix A.1.2), then the shared embedding."""
        pairs = self.to_output(torch.cat([hidden, embedded, context], -1))
        maxout = self.dropout(pairs.unflatten(-1, (-1, 2)).amax(-1))
        return nn.functional.linear(maxout, self.embedding.weight, self.output_bias)


def gru_gates(
    gru: nn.GRU | nn.GRUCell,
    inputs: Float[Tensor, "batch token input"],
    hidden: Float[Tensor, "batch token_and_start unit"],
    prefix: str,
) -> tuple[States, ...]:
    """Recompute a GRU's gates of all steps at once from the states that it went through.

    Args:
        gru: the layer or cell that ran, in one direction.
        inputs: what it read at every step.
        hidden: the state before the first step, then after every step.
        prefix: what the kinds start with: ``encoder``, ``decoder``.

    Returns:
        ``r`` (reset), ``z`` (update, the share of the old state that stays) and ``n`` (the candidate).
    """
    ending = "_l0" if isinstance(gru, nn.GRU) else ""
    w_x, w_h = getattr(gru, "weight_ih" + ending), getattr(gru, "weight_hh" + ending)
    b_x, b_h = getattr(gru, "bias_ih" + ending), getattr(gru, "bias_hh" + ending)
    x_r, x_z, x_n = nn.functional.linear(inputs, w_x, b_x).chunk(3, -1)
    h_r, h_z, h_n = nn.functional.linear(hidden[:, :-1], w_h, b_h).chunk(3, -1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return tuple(States(f"{prefix}-gate-{name}", 0, gate) for name, gate in (("r", r), ("z", z), ("n", n)))
