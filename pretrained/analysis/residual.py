"""The residual stream of a Transformer: one vector a token, to which every block adds.

Vaswani et al. 2017, section 3.1: each sub-layer's output is added to what it read. He et al. 2016, "Deep residual
learning for image recognition", for the idea. The name is that of Elhage et al. 2021, "A mathematical framework for
transformer circuits".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pretrained.shapes import Float, Int
from pretrained.tokenization import START
from pretrained.translation import forbid_specials, longest_output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pretrained.architectures.transformer import DecoderLayer, EncoderLayer, Transformer
    from pretrained.trace import Candidate
    from pretrained.translation import Translator

EMBEDDING, SELF, CROSS, FEEDFORWARD = "embedding", "self-attention", "cross-attention", "feed-forward"
Blocks = Iterator[tuple[str, Float[Tensor, "token d_model"]]]


@dataclass(frozen=True, eq=False)
class Stream:
    """How long a token's vector is along its way, and how long what each block adds to it.

    Attributes:
        blocks: names, ``embedding`` first, then ``layer 0 self-attention`` and so on.
        lengths: Euclidean norms of the vectors behind each block.
        added: those of what each block added; the embedding added all there was.
        vectors: what stands behind each block.
    """

    blocks: tuple[str, ...]
    lengths: Float[np.ndarray, "block token"]
    added: Float[np.ndarray, "block token"]
    vectors: Float[np.ndarray, "block token d_model"]

    def strongest(self, token: int) -> str:
        """Name the block behind the embedding that adds the longest vector to a token."""
        return self.blocks[1 + int(self.added[1:, token].argmax())]


@torch.inference_mode()
def streams(model: Translator, text: str) -> tuple[Stream, Stream]:
    """Follow a text through the encoder, and its translation through the decoder; raises ``TextError``."""
    source = torch.tensor([model.read(text).ids])
    network: Any = model.network
    ids, _, _ = model.greedy(network.encode(source), longest_output(source.shape[1]))
    return encoder_stream(network, source), decoder_stream(network, source, torch.tensor([[START, *ids[:-1]]]))


@torch.inference_mode()
def encoder_stream(network: Transformer, source: Int[Tensor, "1 source"]) -> Stream:
    """Follow every source token through the encoder."""
    return _followed(_encoder_blocks(network, source))


@torch.inference_mode()
def decoder_stream(network: Transformer, source: Int[Tensor, "1 source"], target: Int[Tensor, "1 target"]) -> Stream:
    """Follow every position of the decoder, where ``target`` is what it reads."""
    return _followed(_decoder_blocks(network, source, target))


@torch.inference_mode()
def read_early(model: Translator, stream: Stream, block: int, token: int) -> tuple[Candidate, ...]:
    """Read from a decoder's vector behind any block what would be written if the rest were left out.

    nostalgebraist 2020, "interpreting GPT: the logit lens". Behind the last block these are the model's own
    candidates.
    """
    network: Any = model.network
    vector = torch.from_numpy(stream.vectors[block, token])
    logits = nn.functional.linear(network.decoder_norm(vector), network.embedding.weight, network.output_bias)
    return model.candidates(torch.log_softmax(forbid_specials(logits), -1)[None])[0]


def _encoder_blocks(network: Transformer, source: Int[Tensor, "1 source"]) -> Blocks:
    mask = torch.ones_like(source, dtype=torch.bool)
    x = embedded(network, source)
    yield EMBEDDING, x[0]
    for number, layer in enumerate(cast("Iterable[EncoderLayer]", network.encoder)):
        mixed, _ = layer.self_attention.look(layer.norms[0](x), mask)
        yield f"layer {number} {SELF}", mixed[0]
        x = x + mixed
        fed = layer.feedforward(layer.norms[1](x))
        yield f"layer {number} {FEEDFORWARD}", fed[0]
        x = x + fed


def _decoder_blocks(network: Transformer, source: Int[Tensor, "1 source"], target: Int[Tensor, "1 target"]) -> Blocks:
    encoding = network.encode(source)
    length = target.shape[1]
    causal = torch.ones(1, length, length, dtype=torch.bool).tril()
    may_cross = encoding.source_mask[:, None].expand(-1, length, -1)
    y = embedded(network, target)
    yield EMBEDDING, y[0]
    for number, (layer, read) in enumerate(
        zip(cast("Iterable[DecoderLayer]", network.decoder), encoding.cross, strict=True)
    ):
        own, _, _ = layer.self_attention(layer.norms[0](y), layer.keys_values(y), causal)
        yield f"layer {number} {SELF}", own[0]
        y = y + own
        seen, _, _ = layer.cross_attention(layer.norms[1](y), read, may_cross)
        yield f"layer {number} {CROSS}", seen[0]
        y = y + seen
        fed = layer.feedforward(layer.norms[2](y))
        yield f"layer {number} {FEEDFORWARD}", fed[0]
        y = y + fed


def embedded(network: Transformer, ids: Int[Tensor, "batch token"]) -> Float[Tensor, "batch token d_model"]:
    """Give what the first layer reads: scaled embeddings with their positions added."""
    scaled: Tensor = network.embedding(ids) * network.config.d_model**0.5
    return scaled + network.positions(ids.shape[1])


def _followed(blocks: Blocks) -> Stream:
    names, parts = zip(*blocks, strict=True)
    added = torch.stack(parts)
    vectors = added.cumsum(0)
    return Stream(names, vectors.norm(dim=-1).numpy(), added.norm(dim=-1).numpy(), vectors.numpy())
