"""Encoder-decoder made of convolutions, with attention in every decoder block.

Gehring et al. 2017, "Convolutional sequence to sequence learning", section 3. Differences from the paper: sizes; every
convolution reads normed vectors and a norm stands at each end, as in the Transformer here, instead of weight
normalisation; with norms come the Transformer's scales, embeddings times sqrt(d_model) and scores over it; positions
are learned from sinusoids on, not from noise, which finds the alignment sooner; contexts go through a map, as in the
authors' own code, and are not multiplied by sqrt(S), with which training was slower; the encoder's gradients are not
divided by the number of attentions, which AdamW would undo. Pieces instead of words; one embedding for both languages
and for the output. Positions beyond their table share its last row, in training too, so that any length is read.

    e_j    = w_j + p_j                                       a piece and its position, both learned: section 3.1
    v(X)   = A * sigmoid(B),  [A; B] = W X + b_w             a gated linear unit over k vectors: section 3.2
    z_j^l  = v(z_{j-k/2}^{l-1} ... z_{j+k/2}^{l-1}) + z_j^{l-1}           encoder block: a window around j
    h_i^l  = v(h_{i-k+1}^{l-1} ... h_i^{l-1}) + h_i^{l-1}                 decoder block: a window that ends at i
    d_i^l  = W_d h_i^l + b_d + g_i                           equation 1; g_i is the piece read at i, embedded
    a_ij^l = softmax_j(d_i^l . z_j / sqrt(d_model))          section 3.3: how much of source token j goes into i
    c_i^l  = sum_j a_ij^l (z_j + e_j)                        equation 2; h_i^l + W_c c_i^l is the block's output

A sum of two vectors is multiplied by sqrt(0.5), so that it varies as much as each of them (section 3.4). Linear maps
lead from embeddings into both stacks, and out of them to ``z`` and to the output (section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from pretrained.architectures.record import Attended, Output, Record, States, Step
from pretrained.architectures.transformer import sinusoids
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SQRT_HALF = 0.5**0.5


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``n_layers`` counts encoder blocks, and as many decoder blocks."""

    d_vocab: int = 8000
    d_model: int = 192
    kernel: int = 3
    n_layers: int = 4
    n_positions: int = 64
    dropout: float = 0.0


@dataclass(frozen=True)
class Encoding:
    """What was read.

    Attributes:
        keys: ``z``, what queries are compared with.
        values: ``z + e``, what is gathered: the token in its surroundings, and by itself.
    """

    source_mask: Bool[Tensor, "batch source"]
    keys: Float[Tensor, "batch source d_model"]
    values: Float[Tensor, "batch source d_model"]
    layers: tuple[States, ...]


@dataclass(frozen=True)
class State:
    """What windows still see of the pieces written so far: the last ``kernel - 1`` inputs of every block."""

    past: tuple[Float[Tensor, "batch past d_model"], ...]
    length: int


@dataclass(frozen=True)
class Decoded:
    """What a few target pieces in a row gave."""

    logits: Float[Tensor, "batch target vocab"]
    attention: tuple[Attended, ...]
    layers: tuple[States, ...]
    state: State


class ConvSeq2Seq(nn.Module):
    """Every token looks at its neighbours; every block looks a little further."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights; raises ``ValueError`` if a window has no middle."""
        super().__init__()
        if config.kernel % 2 == 0:
            raise ValueError(f"expected an odd kernel, whose window has a middle, got {config.kernel}")
        self.config = config
        d_model = config.d_model
        self.embedding = nn.Embedding(config.d_vocab, d_model)
        start = sinusoids(config.n_positions, d_model) * d_model**-0.5
        self.source_positions = nn.Embedding.from_pretrained(start, freeze=False)
        self.target_positions = nn.Embedding.from_pretrained(start.clone(), freeze=False)
        self.encoder_in, self.encoder_out = _linear(d_model, d_model), _linear(d_model, d_model)
        self.decoder_in, self.decoder_out = _linear(d_model, d_model), _linear(d_model, d_model)
        self.encoder = nn.ModuleList(GatedConvolution(config) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder_norm = nn.LayerNorm(d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source; windows that reach beyond its ends, or into padding, find zeros there."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        margin = self.config.kernel // 2
        e = self._embed(source, self.source_positions)
        z = self.encoder_in(e)
        layers = []
        for layer, convolution in enumerate(cast("Iterable[GatedConvolution]", self.encoder)):
            read = convolution.norm(z).masked_fill(~source_mask[..., None], 0.0)
            z = _sum(self.dropout(convolution(nn.functional.pad(read, (0, 0, margin, margin)))), z)
            layers.append(States("encoder-hidden", layer, z))
        z = self.encoder_norm(self.encoder_out(z))
        return Encoding(source_mask, z, _sum(z, e), tuple(layers))

    def start(self, encoding: Encoding) -> State:
        """Start with zeros where windows reach back before the first piece."""
        nothing = encoding.keys.new_zeros(len(encoding.keys), self.config.kernel - 1, self.config.d_model)
        return State((nothing,) * self.config.n_layers, 0)

    def step(self, token: Int[Tensor, " batch"], state: State, encoding: Encoding) -> Step:
        """Write one piece; what its windows see of earlier ones comes from the state."""
        decoded = self._decode(encoding, token[:, None], state)
        weights = tuple(attended.weights[:, :, 0] for attended in decoded.attention)
        return Step(decoded.logits[:, 0], decoded.state, weights)

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding; of an encoding, what decoding needs."""
        if isinstance(state, State):
            return State(tuple(past[rows] for past in state.past), state.length)
        return Encoding(state.source_mask[rows], state.keys[rows], state.values[rows], ())

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Output:
        """Score every position of a known target, all at once."""
        encoding = self.encode(source, source_mask)
        decoded = self._decode(encoding, target, self.start(encoding))
        return Output(decoded.logits, decoded.attention)

    def record(self, encoding: Encoding, target: Int[Tensor, "batch target"], states: Sequence[State]) -> Record:
        """Name all attention and the output of every block, by decoding the known target once more in parallel."""
        decoded = self._decode(encoding, target, states[0])
        return Record(decoded.attention, encoding.layers + decoded.layers)

    def _decode(self, encoding: Encoding, target: Int[Tensor, "batch target"], state: State) -> Decoded:
        may_attend = encoding.source_mask[:, None].expand(-1, target.shape[1], -1)
        g = self._embed(target, self.target_positions, first=state.length)
        h = self.decoder_in(g)
        attention, layers, past = [], [], []
        blocks = cast("Iterable[DecoderBlock]", self.decoder)
        for layer, (block, before) in enumerate(zip(blocks, state.past, strict=True)):
            read = torch.cat([before, block.convolution.norm(h)], 1)
            past.append(read[:, target.shape[1] :])
            h = _sum(self.dropout(block.convolution(read)), h)
            context, weights, scores = block.attend(h, g, encoding)
            h = _sum(self.dropout(context), h)
            attention.append(Attended("cross", layer, weights[:, None], scores[:, None], may_attend))
            layers.append(States("decoder-hidden", layer, h))
        logits = nn.functional.linear(self.decoder_norm(self.decoder_out(h)), self.embedding.weight, self.output_bias)
        return Decoded(logits, tuple(attention), tuple(layers), State(tuple(past), state.length + target.shape[1]))

    def _embed(
        self, ids: Int[Tensor, "batch token"], positions: nn.Embedding, *, first: int = 0
    ) -> Float[Tensor, "batch token d_model"]:
        pos = torch.arange(first, first + ids.shape[1], device=ids.device).clamp(max=self.config.n_positions - 1)
        return self.dropout((self.embedding(ids) + positions(pos)) * self.config.d_model**0.5)


class GatedConvolution(nn.Module):
    """A gated linear unit over every ``kernel`` neighbours (section 3.2).

    The paper's ``W`` of ``[2 d_model, kernel d_model]`` reads windows laid side by side: the same numbers as
    ``nn.Conv1d``, for which tokens and units would have to change places twice.
    """

    def __init__(self, config: Config) -> None:
        """Make a norm for what is read, and ``W`` and ``b_w``."""
        super().__init__()
        self.kernel = config.kernel
        self.norm = nn.LayerNorm(config.d_model)
        # A gate lets about a quarter of the variance through.
        self.linear = _linear(config.kernel * config.d_model, 2 * config.d_model, gain=4.0)

    def forward(self, read: Float[Tensor, "batch padded d_model"]) -> Float[Tensor, "batch token d_model"]:
        """Turn all windows into vectors; they are ``kernel - 1`` fewer than the vectors read."""
        n_windows = read.shape[1] - self.kernel + 1
        windows = torch.cat([read[:, first : first + n_windows] for first in range(self.kernel)], -1)
        return nn.functional.glu(self.linear(windows), -1)


class DecoderBlock(nn.Module):
    """A convolution over what was written, and a look at what was read (section 3.3)."""

    def __init__(self, config: Config) -> None:
        """Make the convolution and both maps of the attention."""
        super().__init__()
        self.convolution = GatedConvolution(config)
        self.to_query = _linear(config.d_model, config.d_model)  # W_d
        self.from_context = _linear(config.d_model, config.d_model)  # W_c

    def attend(
        self,
        h: Float[Tensor, "batch target d_model"],
        g: Float[Tensor, "batch target d_model"],
        encoding: Encoding,
    ) -> tuple[
        Float[Tensor, "batch target d_model"],
        Float[Tensor, "batch target source"],
        Float[Tensor, "batch target source"],
    ]:
        """Look at the source from every position: contexts, weights, and scores before mask and softmax."""
        d = _sum(self.to_query(h), g)
        scores = d @ encoding.keys.transpose(1, 2) * h.shape[-1] ** -0.5
        visible = scores.masked_fill(~encoding.source_mask[:, None], -torch.inf)
        weights = torch.softmax(visible.float(), -1)
        return self.from_context(weights.to(encoding.values.dtype) @ encoding.values), weights, scores


def _linear(d_in: int, d_out: int, *, gain: float = 1.0) -> nn.Linear:
    """Make a map whose outputs vary ``gain`` times as much as its inputs (section 3.5)."""
    linear = nn.Linear(d_in, d_out)
    nn.init.normal_(linear.weight, std=(gain / d_in) ** 0.5)
    nn.init.zeros_(linear.bias)
    return linear


def _sum(one: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Add two vectors and keep their variance (section 3.4)."""
    return (one + other) * SQRT_HALF
