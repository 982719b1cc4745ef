"""What efficient self-attention leaves out, what that changes, and what it costs: against the full one it stands for.

Tay et al. 2020, "Efficient Transformers: a survey", for the family; each mechanism's own paper is named where it is
built, in ``architectures``. Costs are those of one layer: projections, the mixing itself, the output's projection.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pretrained.analysis.residual import embedded
from pretrained.architectures import bigbird, hierarchical, linformer, performer, transformer, window
from pretrained.shapes import Bool, Float

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pretrained.architectures.transformer import SelfAttention
    from pretrained.model import Model

LENGTHS = (64, 128, 256, 512, 1024, 2048)
FITTED = 3  # of the longest lengths: where what grows fastest has taken over
FEWEST_PASSES, TIMED_SECONDS = 3, 0.1
FLOAT_BYTES = 4
LINEAR, QUADRATIC = 1.3, 1.6
"""Exponents below which a cost counts as linear, and above which as quadratic."""

Mixed = tuple[Float[Tensor, "batch head query d_head"], tuple[Tensor, ...]]


def mix(
    layer: SelfAttention,
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head query d_head"],
    v: Float[Tensor, "batch head query d_head"],
    source_mask: Bool[Tensor, "batch query"],
) -> Mixed:
    """Mix values as a layer does, without the square picture that a trace wants.

    Returns:
        What is mixed, and the tensors that had to be made for it and grow with the text.
    """
    if isinstance(layer, window.WindowAttention):
        mixed, weights, _ = window.window_attention(q, k, v, source_mask, radius=layer.radius)
        return mixed, (weights,)
    if isinstance(layer, bigbird.BigBirdAttention):
        keys = bigbird.graph(source_mask, layer.config, layer.layer)
        mixed, few, ends = bigbird.bigbird_attention(q, k, v, source_mask, keys)
        return mixed, (few.weights, ends.weights)
    if isinstance(layer, linformer.LinformerAttention):
        mixed, weights, _ = linformer.linformer_attention(q, k, v, source_mask, e=layer.e, f=layer.f)
        return mixed, (weights,)
    if isinstance(layer, performer.PerformerAttention):
        phi_q, phi_k = performer.features(q, k, source_mask, layer.omega)
        return performer.linear_attention(phi_q, phi_k, v), (phi_q, phi_k)
    if isinstance(layer, hierarchical.HierarchicalAttention):
        mixed, over, within = hierarchical.hierarchical_attention(q, k, v, source_mask, u=layer.u, block=layer.block)
        return mixed, (over, within)
    mixed, weights, _ = transformer.attention(q, k, v)
    return mixed, (weights,)


@torch.inference_mode()
def errors(parent: Model, *given: Model | str) -> tuple[float, ...]:
    """Measure how far each relative's mixing is from full attention, on the parent's own queries, keys and values.

    Args:
        parent: the Transformer with full attention.
        given: its relatives, and then the text.

    Returns:
        One for each: the length of the difference as a share of the length of what full attention mixes, the mean
        over layers.
    """
    *relatives, text = given
    found: list[list[float]] = [[] for _ in relatives]
    for number, (q, k, v) in enumerate(_projected(parent, str(text))):
        mask = torch.ones(1, q.shape[2], dtype=torch.bool)
        full, _ = mix(parent.network.encoder[number].self_attention, q, k, v, mask)
        for shares, relative in zip(found, relatives, strict=True):
            near, _ = mix(relative.network.encoder[number].self_attention, q, k, v, mask)  # type: ignore[union-attr]
            shares.append(float((near - full).norm() / full.norm()))
    return tuple(statistics.fmean(shares) for shares in found)


@dataclass(frozen=True)
class Growth:
    """What one layer of several models costs at several lengths.

    Attributes:
        lengths: tokens.
        milliseconds: of one pass over a text, one row a model, by the median of several.
        megabytes: of the tensors that are made on the way and grow with the text: weights, features or states.
    """

    lengths: tuple[int, ...]
    milliseconds: tuple[tuple[float, ...], ...]
    megabytes: tuple[tuple[float, ...], ...]

    def exponent(self, values: tuple[float, ...]) -> float:
        """Fit ``cost = c n^p`` to the longest lengths, on logarithms: twice the text costs ``2^p`` times as much."""
        return float(np.polyfit(np.log(self.lengths[-FITTED:]), np.log(values[-FITTED:]), 1)[0])

    def is_linear(self, values: tuple[float, ...]) -> bool:
        """Whether costs grow like the length; see ``LINEAR``."""
        return self.exponent(values) < LINEAR

    def is_quadratic(self, values: tuple[float, ...]) -> bool:
        """Whether costs grow like its square; see ``QUADRATIC``."""
        return self.exponent(values) > QUADRATIC

    def cheaper(self, others: int) -> tuple[int, ...]:
        """List the lengths at which one of so many models behind the first takes less time than the first."""
        costs = zip(self.lengths, *self.milliseconds[: 1 + others], strict=True)
        return tuple(length for length, full, *few in costs if any(one < full for one in few))


@torch.inference_mode()
def scaling(*models: Model, lengths: tuple[int, ...] = LENGTHS) -> Generator[float, None, Growth]:
    """Time one layer of every model on random vectors of growing length, in turns.

    Args:
        models: Transformers, of which the first encoder layer's self-attention is timed; or recurrent encoders.
        lengths: tokens.

    Yields:
        The share that is done, 0 to 1; the generator returns ``Growth``.
    """
    milliseconds, megabytes = [], []
    whole, done = sum(length**2 for length in lengths), 0
    for length in lengths:
        yield done / whole
        done += length**2
        layers = [_layer(model, length) for model in models]
        megabytes.append([sum(part.numel() for part in layer()) * FLOAT_BYTES / 1e6 for layer in layers])
        seconds: list[list[float]] = []
        started = time.perf_counter()
        while len(seconds) < FEWEST_PASSES or time.perf_counter() - started < TIMED_SECONDS:
            seconds.append([_seconds(layer) for layer in layers])
        milliseconds.append([1000 * statistics.median(passes) for passes in zip(*seconds, strict=True)])
    return Growth(lengths, tuple(zip(*milliseconds, strict=True)), tuple(zip(*megabytes, strict=True)))


def _projected(model: Model, text: str) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Give every encoder layer's queries, keys and values of a text."""
    network: Any = model.network
    ids = torch.tensor([model.read(text).ids])
    mask, found = torch.ones_like(ids, dtype=torch.bool), []
    x = embedded(network, ids)
    for layer in network.encoder:
        found.append(_project(layer.self_attention, layer.norms[0](x)))
        x, _ = layer(x, mask)
    return found


def _project(layer: SelfAttention, x: Float[Tensor, "batch query d_model"]) -> tuple[Tensor, Tensor, Tensor]:
    """Project vectors to every head's queries, keys and values."""
    seen = layer.keys_values(x)
    return layer.w_q(x).unflatten(-1, (-1, layer.d_head)).transpose(1, 2), seen.keys, seen.values


def _layer(model: Model, length: int) -> Callable[[], tuple[Tensor, ...]]:
    """Make what is timed: it returns the tensors that grow with the text."""
    encoder: Any = model.network.encoder
    draw = torch.Generator().manual_seed(0)
    if isinstance(encoder, nn.RNNBase):
        inputs = torch.randn(1, length, encoder.input_size, generator=draw)
        return lambda: (encoder(inputs)[0],)
    layer: SelfAttention = encoder[0].self_attention
    x = torch.randn(1, length, model.network.config.d_model, generator=draw)
    mask = torch.ones(1, length, dtype=torch.bool)

    def look() -> tuple[Tensor, ...]:
        mixed, kept = mix(layer, *_project(layer, x), mask)
        layer.w_o(mixed.transpose(1, 2).flatten(2))
        return kept

    return look


def _seconds(layer: Callable[[], object]) -> float:
    started = time.perf_counter()
    layer()
    return time.perf_counter() - started
