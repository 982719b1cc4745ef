"""The Transformer: an encoder and a decoder made of attention alone.

Vaswani et al. 2017, "Attention is all you need", section 3. Differences from the paper: sizes; each sub-layer
normalises what it reads and one norm stands at each end (pre-norm, as in the authors' own later code; Xiong et al.
2020 show that it trains more steadily than norms behind the sum, as printed). Dropout acts on sub-layer outputs and
embeddings only, as section 5.4 says, so the weights shown are the weights used.

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

from pretrained.architectures.record import Attended, Output, Record, States, Step
from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``n_layers`` counts encoder layers, and as many decoder layers."""

    d_vocab: int = 8000
    d_model: int = 192
    d_feedforward: int = 384
    n_heads: int = 4
    n_layers: int = 3
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
        """Make the model with random weights; raises ``ValueError`` if heads do not divide the width."""
        super().__init__()
        if config.d_model % config.n_heads:
            raise ValueError(f"d_model {config.d_model} is not a multiple of n_heads {config.n_heads}")
        self.config = config
        self.embedding = nn.Embedding(config.d_vocab, config.d_model)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.n_layers))
        self.encoder_norm = nn.LayerNorm(config.d_model)
        self.decoder_norm = nn.LayerNorm(config.d_model)
        self.output_bias = nn.Parameter(torch.zeros(config.d_vocab))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        for parameter in [*self.encoder.parameters(), *self.decoder.parameters()]:
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"] | None = None
    ) -> Encoding:
        """Read a source, all of its tokens at once."""
        if source_mask is None:
            source_mask = torch.ones_like(source, dtype=torch.bool)
        may_attend = source_mask[:, None].expand(-1, source.shape[1], -1)
        x = self._embed(source)
        layers, attention = [], []
        for layer, block in enumerate(self.encoder):
            x, weights, scores = block(x, may_attend)
            layers.append(States("encoder-hidden", layer, x))
            attention.append(Attended("encoder-self", layer, weights, scores, may_attend))
        x = self.encoder_norm(x)
        cross = tuple(block.cross_attention.keys_values(x) for block in self._decoder_layers)
        return Encoding(source_mask, x, tuple(layers), tuple(attention), cross)

    def start(self, encoding: Encoding) -> State:
        """Start with nothing written."""
        config = self.config
        nothing = encoding.hidden.new_zeros(len(encoding.hidden), config.n_heads, 0, config.d_head)
        return State((KeysValues(nothing, nothing),) * config.n_layers, 0)

    def step(self, token: Int[Tensor, " batch"], state: State, encoding: Encoding) -> Step:
        """Write one token; earlier keys and values come from the state."""
        y = self._embed(token[:, None], first=state.length)
        visible = encoding.source_mask[:, None]
        past, cross_weights = [], []
        for block, before, source in zip(self._decoder_layers, state.past, encoding.cross, strict=True):
            now = block.keys_values(y)
            seen = KeysValues(torch.cat([before.keys, now.keys], 2), torch.cat([before.values, now.values], 2))
            y, attended = block(y, seen, None, source, visible)
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
    ) -> Output:
        """Score every position of a known target, all at once."""
        encoding = self.encode(source, source_mask)
        y, attention, _ = self._decode(encoding, target)
        return Output(self._logits(y), encoding.attention + attention)

    def record(self, encoding: Encoding, target: Int[Tensor, "batch target"], states: Sequence[State]) -> Record:  # noqa: ARG002
        """Name all attention and the output of every layer, by decoding the known target once more in parallel."""
        _, attention, layers = self._decode(encoding, target)
        return Record(encoding.attention + attention, encoding.layers + layers)

    def positions(self, length: int, *, first: int = 0) -> Float[Tensor, "position d_model"]:
        """Give the sinusoids of ``length`` positions from ``first`` on (section 3.5)."""
        return sinusoids(length, self.config.d_model, first=first).to(self.embedding.weight.device)

    @property
    def _decoder_layers(self) -> Iterable[DecoderLayer]:
        return cast("Iterable[DecoderLayer]", self.decoder)

    def _decode(
        self, encoding: Encoding, target: Int[Tensor, "batch target"]
    ) -> tuple[Float[Tensor, "batch target d_model"], tuple[Attended, ...], tuple[States, ...]]:
        length = target.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        may_self = causal.expand(len(target), -1, -1)
        may_cross = encoding.source_mask[:, None].expand(-1, length, -1)
        y = self._embed(target)
        own, cross, layers = [], [], []
        for layer, (block, source) in enumerate(zip(self._decoder_layers, encoding.cross, strict=True)):
            y, seen = block(y, block.keys_values(y), may_self, source, may_cross)
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
        self.n_heads = config.n_heads
        self.w_q = nn.Linear(config.d_model, config.d_model)
        self.w_kv = nn.Linear(config.d_model, 2 * config.d_model)
        self.w_o = nn.Linear(config.d_model, config.d_model)

    def keys_values(self, x: Float[Tensor, "batch key d_model"]) -> KeysValues:
        """Project what is looked at."""
        keys, values = self.w_kv(x).chunk(2, -1)
        return KeysValues(self._split(keys), self._split(values))

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        seen: KeysValues,
        may_attend: Bool[Tensor, "batch query key"] | None,
    ) -> tuple[
        Float[Tensor, "batch query d_model"],
        Float[Tensor, "batch head query key"],
        Float[Tensor, "batch head query key"],
    ]:
        """Look from ``x`` at ``seen``: the output, and the weights and scores of every head."""
        mixed, weights, scores = attention(self._split(self.w_q(x)), seen.keys, seen.values, may_attend)
        return self.w_o(mixed.transpose(1, 2).flatten(2)), weights, scores

    def _split(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch head token d_head"]:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


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


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each on normed input and added to what it read."""

    def __init__(self, config: Config) -> None:
        """Make the layer."""
        super().__init__()
        self.self_attention = MultiHeadAttention(config)
        self.feedforward = FeedForward(config)
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model) for _ in range(2))
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "batch source d_model"], may_attend: Bool[Tensor, "batch source source"]
    ) -> tuple[
        Float[Tensor, "batch source d_model"],
        Float[Tensor, "batch head source source"],
        Float[Tensor, "batch head source source"],
    ]:
        """Return the layer's output, and the weights and scores of every head."""
        normed = self.norms[0](x)
        mixed, weights, scores = self.self_attention(normed, self.self_attention.keys_values(normed), may_attend)
        x = x + self.dropout(mixed)
        x = x + self.dropout(self.feedforward(self.norms[1](x)))
        return x, weights, scores


class DecoderLayer(nn.Module):
    """Masked self-attention, cross-attention, feed-forward, each on normed input and added to what it read."""

    def __init__(self, config: Config) -> None:
        """Make the layer."""
        super().__init__()
        self.self_attention = MultiHeadAttention(config)
        self.cross_attention = MultiHeadAttention(config)
        self.feedforward = FeedForward(config)
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def keys_values(self, y: Float[Tensor, "batch query d_model"]) -> KeysValues:
        """Project what later positions will look at in the self-attention."""
        return self.self_attention.keys_values(self.norms[0](y))

    def forward(
        self,
        y: Float[Tensor, "batch query d_model"],
        seen: KeysValues,
        may_self: Bool[Tensor, "batch query key"] | None,
        source: KeysValues,
        may_cross: Bool[Tensor, "batch query_or_1 source"],
    ) -> tuple[Float[Tensor, "batch query d_model"], DecoderAttended]:
        """Return the layer's output and both attentions; ``seen`` are keys and values of the tokens written so far."""
        own, self_weights, self_scores = self.self_attention(self.norms[0](y), seen, may_self)
        y = y + self.dropout(own)
        read, cross_weights, cross_scores = self.cross_attention(self.norms[1](y), source, may_cross)
        y = y + self.dropout(read)
        y = y + self.dropout(self.feedforward(self.norms[2](y)))
        return y, DecoderAttended(self_weights, self_scores, cross_weights, cross_scores)
