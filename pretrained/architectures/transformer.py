"""The Transformer: an encoder and a decoder made of attention alone.

Vaswani et al. 2017, "Attention is all you need", section 3. Differences from the paper: sizes; each sub-layer
normalises what it reads and one norm stands at each end (pre-norm, as in the authors' own later code; Xiong et al.
2020 show that it trains more steadily than norms behind the sum, as printed). Dropout acts on sub-layer outputs and
embeddings only, as section 5.4 says, so the weights shown are the weights used.

Without positions nothing tells the encoder the order: a shuffled source gives the same encodings, shuffled. In the
decoder order still leaks in through the causal mask, since every position sees one token more than the last (Haviv et
al. 2022, "Transformer language models without positional encodings still learn positional information").

    Attention(Q, K, V) = softmax(Q K^T / sqrt(d_head)) V                                 equation 1
    MultiHead(Q, K, V) = Concat(head_1 ... head_h) W_O                                   section 3.2.2
    PE(pos, 2i) = sin(pos / 10000^(2i / d_model)),  PE(pos, 2i + 1) = cos(the same)      section 3.5
    encoder layer: x = x + SelfAttention(LN(x));  x = x + FFN(LN(x));  after the last: x = LN(x)
    decoder layer: y = y + MaskedSelfAttention(LN(y));  y = y + CrossAttention(LN(y), x);  y = y + FFN(LN(y))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from pretrained.architectures.record import Attended, Output, Record, States, Step, switched_off
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pretrained.intervention import Intervention


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``n_layers`` counts encoder layers, and as many decoder layers.

    ``positions`` says what is added to embeddings: ``sinusoidal`` or ``none``.
    """

    d_vocab: int = 8000
    d_model: int = 192
    d_feedforward: int = 384
    n_heads: int = 4
    n_layers: int = 3
    positions: str = "sinusoidal"
    dropout: float = 0.0

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads


@dataclass(frozen=True)
class KeysValues:
    """Keys and values that queries may look at, split into heads."""

    keys: Float[Tensor, "batch head key d_head"]
    values: Float[Tensor, "batch head key d_head"]

    def then(self, later: KeysValues) -> KeysValues:
        """Append those of later tokens."""
        return KeysValues(torch.cat([self.keys, later.keys], 2), torch.cat([self.values, later.values], 2))


@dataclass(frozen=True)
class Encoding:
    """What was read, and every decoder layer's keys and values of it."""

    source_mask: Bool[Tensor, "batch source"]
    hidden: Float[Tensor, "batch source d_model"]
    layers: tuple[States, ...]
    attention: tuple[Attended, ...]
    cross: tuple[KeysValues, ...]


@dataclass(frozen=True)
class State:
    """Keys and values of the tokens written so far, one entry a layer."""

    past: tuple[KeysValues, ...]
    length: int


class Transformer(nn.Module):
    """Every token looks at every token, as often as there are layers and in as many ways as there are heads."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights.

        Raises:
            ValueError: heads that do not divide the width, or unknown positions.
        """
        super().__init__()
        if config.d_model % config.n_heads:
            raise ValueError(f"d_model {config.d_model} is not a multiple of n_heads {config.n_heads}")
        if config.positions not in ("sinusoidal", "none"):
            raise ValueError(f"positions: expected 'sinusoidal' or 'none', got {config.positions!r}")
        self.config = config
        self.embedding = nn.Embedding(config.d_vocab, config.d_model)
        self.encoder = nn.ModuleList(EncoderLayer(config, self.self_attention(n)) for n in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.n_layers))
        self.encoder_norm: nn.Module = nn.LayerNorm(config.d_model)
        self.decoder_norm: nn.Module = nn.LayerNorm(config.d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        initialise(self)

    def self_attention(self, layer: int) -> SelfAttention:
        """Make the self-attention of one encoder layer: all that efficient relatives do differently."""
        return SelfAttention(self.config, layer)

    @property
    def heads(self) -> Mapping[str, tuple[int, int]]:
        """Say how many layers and heads a layer there are of each kind of attention; each head can be switched off."""
        return dict.fromkeys(("encoder-self", "decoder-self", "cross"), (self.config.n_layers, self.config.n_heads))

    def encode(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> Encoding:
        """Read a source, all of its tokens at once."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        x = self._embed(source)
        layers, attention = [], []
        for layer, block in enumerate(self.encoder):
            x, attended = block(x, source_mask, switched_off(interventions, "encoder-self", layer))
            layers.append(States("encoder-hidden", layer, x))
            attention.append(attended)
        x = self.encoder_norm(x)
        cross = tuple(block.cross_attention.keys_values(x) for block in self._decoder_layers)
        return Encoding(source_mask, x, tuple(layers), tuple(attention), cross)

    def start(self, encoding: Encoding) -> State:
        """Start with nothing written."""
        nothing = encoding.cross[0].keys[:, :, :0]
        return State((KeysValues(nothing, nothing),) * self.config.n_layers, 0)

    def step(
        self, token: Int[Tensor, " batch"], state: State, encoding: Encoding, interventions: Sequence[Intervention] = ()
    ) -> Step:
        """Write one token; earlier keys and values come from the state."""
        y = self._embed(token[:, None], first=state.length)
        visible = encoding.source_mask[:, None]
        past, cross_weights = [], []
        for layer, (block, before, source) in enumerate(
            zip(self._decoder_layers, state.past, encoding.cross, strict=True)
        ):
            seen = block.keys_values(y, before)
            own_off, cross_off = (switched_off(interventions, kind, layer) for kind in ("decoder-self", "cross"))
            y, attended = block(y, seen, None, source, visible, own_off, cross_off)
            past.append(seen)
            cross_weights.append(attended.cross_weights[:, :, 0])
        return Step(self._logits(y[:, 0]), State(tuple(past), state.length + 1), tuple(cross_weights))

    def select(self, state: State | Encoding, rows: Int[Tensor, " kept"]) -> State | Encoding:
        """Keep these rows of a state or an encoding; of an encoding, what decoding needs."""

        def kept(caches: tuple[KeysValues, ...]) -> tuple[KeysValues, ...]:
            return tuple(KeysValues(cache.keys[rows], cache.values[rows]) for cache in caches)

        if isinstance(state, State):
            return State(kept(state.past), state.length)
        return Encoding(state.source_mask[rows], state.hidden[rows], (), (), kept(state.cross))

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> Output:
        """Score every position of a known target, all at once."""
        encoding = self.encode(source, source_mask, interventions)
        y, attention, _ = self._decode(encoding, target, interventions)
        return Output(self._logits(y), encoding.attention + attention)

    def record(
        self,
        encoding: Encoding,
        target: Int[Tensor, "batch target"],
        states: Sequence[State],  # noqa: ARG002
        interventions: Sequence[Intervention] = (),
    ) -> Record:
        """Name all attention and the output of every layer, by decoding the known target once more in parallel."""
        _, attention, layers = self._decode(encoding, target, interventions)
        return Record(encoding.attention + attention, encoding.layers + layers)

    def positions(self, length: int, *, first: int = 0) -> Float[Tensor, "position d_model"]:
        """Give what is added to the embeddings of ``length`` positions from ``first`` on: sinusoids, or nothing."""
        if self.config.positions == "none":
            return self.embedding.weight.new_zeros(length, self.config.d_model)
        return sinusoids(length, self.config.d_model, first=first).to(self.embedding.weight.device)

    @property
    def _decoder_layers(self) -> Iterable[DecoderLayer]:
        return cast("Iterable[DecoderLayer]", self.decoder)

    def _decode(
        self, encoding: Encoding, target: Int[Tensor, "batch target"], interventions: Sequence[Intervention]
    ) -> tuple[Float[Tensor, "batch target d_model"], tuple[Attended, ...], tuple[States, ...]]:
        length = target.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        may_self = causal.expand(len(target), -1, -1)
        may_cross = encoding.source_mask[:, None].expand(-1, length, -1)
        y = self._embed(target)
        own, cross, layers = [], [], []
        for layer, (block, source) in enumerate(zip(self._decoder_layers, encoding.cross, strict=True)):
            own_off, cross_off = (switched_off(interventions, kind, layer) for kind in ("decoder-self", "cross"))
            y, seen = block(y, block.keys_values(y), may_self, source, may_cross, own_off, cross_off)
            own.append(Attended("decoder-self", layer, seen.self_weights, seen.self_scores, may_self))
            cross.append(Attended("cross", layer, seen.cross_weights, seen.cross_scores, may_cross))
            layers.append(States("decoder-hidden", layer, y))
        return y, (*own, *cross), tuple(layers)

    def _embed(self, ids: Int[Tensor, "batch token"], *, first: int = 0) -> Float[Tensor, "batch token d_model"]:
        scaled = self.embedding(ids) * self.config.d_model**0.5
        return self.dropout(scaled + self.positions(ids.shape[1], first=first))

    def _logits(self, y: Float[Tensor, "... d_model"]) -> Float[Tensor, "... vocab"]:
        return nn.functional.linear(self.decoder_norm(y), self.embedding.weight, self.output_bias)


def sinusoids(length: int, d_model: int, *, first: int = 0) -> Float[Tensor, "position d_model"]:
    """Compute positional encodings: sines at even units, cosines at odd ones (section 3.5)."""
    pos = torch.arange(first, first + length, dtype=torch.float32)[:, None]
    frequency = 10000 ** (-torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
    return torch.stack([torch.sin(pos * frequency), torch.cos(pos * frequency)], -1).flatten(1)


def initialise(network: nn.Module) -> None:
    """Draw every projection so that what goes through it keeps its size (Glorot and Bengio 2010, equation 16)."""
    for part in network.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)


def attention(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head key d_head"],
    v: Float[Tensor, "batch head key d_head"],
    may_attend: Bool[Tensor, "batch query key"] | None = None,
) -> tuple[
    Float[Tensor, "batch head query d_head"],
    Float[Tensor, "batch head query key"],
    Float[Tensor, "batch head query key"],
]:
    """Scaled dot-product attention (equation 1): mixed values, weights, and scores before mask and softmax."""
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    visible = scores if may_attend is None else scores.masked_fill(~may_attend[:, None], -torch.inf)
    weights = torch.softmax(visible.float(), -1)
    return weights.to(v.dtype) @ v, weights, scores


class MultiHeadAttention(nn.Module):
    """Attention in several subspaces at once (section 3.2.2)."""

    def __init__(self, config: Config) -> None:
        """Make the four projections."""
        super().__init__()
        self.d_head = config.d_head
        self.w_q = nn.Linear(config.d_model, config.d_model)
        self.w_kv = nn.Linear(config.d_model, 2 * config.d_model)
        self.w_o = nn.Linear(config.d_model, config.d_model)

    def keys_values(self, x: Float[Tensor, "batch key d_model"], past: KeysValues | None = None) -> KeysValues:
        """Project what is looked at, behind what was looked at before."""
        now = KeysValues(*(self._split(part) for part in self.w_kv(x).chunk(2, -1)))
        return past.then(now) if past else now

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        seen: KeysValues,
        may_attend: Bool[Tensor, "batch query key"] | None,
        off: Sequence[int] = (),
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch head query key"],
        Float[Tensor, "batch head query key"],
    ]:
        """Look from ``x`` at ``seen``: the output, and the weights and scores of every head; some may be ``off``."""
        return self.attend(self._split(self.w_q(x)), seen, may_attend, off)

    def attend(
        self,
        q: Float[Tensor, "batch head query d_head"],
        seen: KeysValues,
        may_attend: Bool[Tensor, "batch query key"] | None,
        off: Sequence[int] = (),
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch head query key"],
        Float[Tensor, "batch head query key"],
    ]:
        """Look with every head's queries, and put the heads together."""
        mixed, weights, scores = attention(q, seen.keys, seen.values, may_attend)
        return self._join(mixed, off), weights, scores

    def _split(self, x: Float[Tensor, "batch token heads"]) -> Float[Tensor, "batch head token d_head"]:
        return x.unflatten(-1, (-1, self.d_head)).transpose(1, 2)

    def _join(
        self, mixed: Float[Tensor, "batch head token d_head"], off: Sequence[int]
    ) -> Float[Tensor, "batch token d_model"]:
        """Put the heads side by side and project them; those that are ``off`` look, and hand over nothing."""
        if off:
            mixed = mixed.index_fill(1, torch.tensor(off, device=mixed.device), 0.0)
        return self.w_o(mixed.transpose(1, 2).flatten(2))


class SelfAttention(MultiHeadAttention):
    """An encoder layer's attention: every token looks at every token that is not padding."""

    def __init__(self, config: Config, layer: int) -> None:
        """Make the four projections."""
        super().__init__(config)
        self.layer = layer

    def look(
        self,
        x: Float[Tensor, "batch source d_model"],
        source_mask: Bool[Tensor, "batch source"],
        off: Sequence[int] = (),
    ) -> tuple[Float[Tensor, "batch source d_model"], Attended]:
        """Look from every token of ``x`` at the others: the output, and the attention."""
        seen = self.keys_values(x)
        mixed, attended = self.mix(self._split(self.w_q(x)), seen.keys, seen.values, source_mask)
        return self._join(mixed, off), attended

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values of every head; efficient relatives replace this and nothing else."""
        may_attend = source_mask[:, None].expand(-1, q.shape[2], -1)
        mixed, weights, scores = attention(q, k, v, may_attend)
        return mixed, Attended("encoder-self", self.layer, weights, scores, may_attend)


@dataclass(frozen=True)
class DecoderAttended:
    """Both attentions of one decoder layer."""

    self_weights: Float[Tensor, "batch head query key"]
    self_scores: Float[Tensor, "batch head query key"]
    cross_weights: Float[Tensor, "batch head query source"]
    cross_scores: Float[Tensor, "batch head query source"]


class FeedForward(nn.Sequential):
    """Two linear maps with a ReLU between them, the same at every position (section 3.3)."""

    def __init__(self, config: Config) -> None:
        """Make the two maps."""
        super().__init__(
            nn.Linear(config.d_model, config.d_feedforward), nn.ReLU(), nn.Linear(config.d_feedforward, config.d_model)
        )


class Residual(nn.Module):
    """Add what a sub-layer made, after dropout, to what it read (sections 3.1 and 5.4)."""

    def __init__(self, dropout: float) -> None:
        """Set the share of units that training drops."""
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch token d_model"], made: Float[Tensor, "batch token d_model"]
    ) -> Float[Tensor, "batch token d_model"]:
        """Return the sum."""
        return x + self.dropout(made)


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each on normed input and added to what it read."""

    def __init__(self, config: Config, self_attention: SelfAttention) -> None:
        """Make the layer around its attention."""
        super().__init__()
        self.self_attention = self_attention
        self.feedforward = FeedForward(config)
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model) for _ in range(2))
        self.add = Residual(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch source d_model"],
        source_mask: Bool[Tensor, "batch source"],
        off: Sequence[int] = (),
    ) -> tuple[Float[Tensor, "batch source d_model"], Attended]:
        """Return the layer's output and its attention; heads that are ``off`` hand over nothing."""
        mixed, attended = self.self_attention.look(self.norms[0](x), source_mask, off)
        x = self.add(x, mixed)
        x = self.add(x, self.feedforward(self.norms[1](x)))
        return x, attended


class DecoderLayer(nn.Module):
    """Masked self-attention, cross-attention, feed-forward, each on normed input and added to what it read."""

    def __init__(self, config: Config) -> None:
        """Make the layer."""
        super().__init__()
        self.self_attention = MultiHeadAttention(config)
        self.cross_attention = MultiHeadAttention(config)
        self.feedforward = FeedForward(config)
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model) for _ in range(3))
        self.add = Residual(config.dropout)

    def keys_values(self, y: Float[Tensor, "batch query d_model"], past: KeysValues | None = None) -> KeysValues:
        """Project what later positions will look at in the self-attention, behind what they could see before."""
        return self.self_attention.keys_values(self.norms[0](y), past)

    def forward(
        self,
        y: Float[Tensor, "batch query d_model"],
        seen: KeysValues,
        may_self: Bool[Tensor, "batch query key"] | None,
        source: KeysValues,
        may_cross: Bool[Tensor, "batch query_or_1 source"],
        own_off: Sequence[int] = (),
        cross_off: Sequence[int] = (),
    ) -> tuple[Float[Tensor, "batch query d_model"], DecoderAttended]:
        """Return the layer's output and both attentions; ``seen`` are keys and values of the tokens written so far."""
        own, self_weights, self_scores = self.self_attention(self.norms[0](y), seen, may_self, own_off)
        y = self.add(y, own)
        read, cross_weights, cross_scores = self.cross_attention(self.norms[1](y), source, may_cross, cross_off)
        y = self.add(y, read)
        y = self.add(y, self.feedforward(self.norms[2](y)))
        return y, DecoderAttended(self_weights, self_scores, cross_weights, cross_scores)
