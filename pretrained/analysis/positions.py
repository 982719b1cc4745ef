"""How order gets into a Transformer: sinusoids, what they say of distance, and what they are added to.

Vaswani et al. 2017, section 3.5:

    PE(pos, 2i) = sin(pos / 10000^(2i / d_model)),  PE(pos, 2i + 1) = cos(pos / 10000^(2i / d_model))

Since sin a sin b + cos a cos b = cos(a - b), the product of two positions depends on their distance alone:

    PE(p) . PE(q) = sum over i of cos((p - q) / 10000^(2i / d_model)),  which is d_model / 2 for p = q
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pretrained.architectures.transformer import sinusoids
from pretrained.shapes import Float
from pretrained.tokenization import PAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.architectures.transformer import Transformer
    from pretrained.model import Model

BASE = 10000
ROUNDING = 1e-3
"""Of a vector's length, or of a weight: what single precision may leave over after some layers."""


@dataclass(frozen=True)
class Worked:
    """One value of the encoding, step by step.

    Attributes:
        unit: the even one is a sine, the odd one a cosine.
        exponent: 2i, the same for both units of a pair.
        divisor: ``10000^(2i / d_model)``.
        angle: ``pos / divisor``, in radians.
        value: sine or cosine of the angle, in double precision.
        turn: after how many positions the wave repeats.
    """

    pos: int
    unit: int
    d_model: int
    exponent: int
    divisor: float
    angle: float
    value: float
    turn: float


def worked(pos: int, unit: int, d_model: int) -> Worked:
    """Work out one value by the formula, independently of the model.

    Raises:
        ValueError: a unit that is not there.
    """
    if not 0 <= unit < d_model:
        raise ValueError(f"unit: expected 0..{d_model - 1}, got {unit}")
    exponent = unit - unit % 2
    divisor = BASE ** (exponent / d_model)
    angle = pos / divisor
    value = math.cos(angle) if unit % 2 else math.sin(angle)
    return Worked(pos, unit, d_model, exponent, divisor, angle, value, 2 * math.pi * divisor)


def wave(unit: int, d_model: int, positions: Float[np.ndarray, " position"]) -> Float[np.ndarray, " position"]:
    """Follow one unit over positions, which may lie between tokens.

    Raises:
        ValueError: a unit that is not there.
    """
    angles = positions / worked(0, unit, d_model).divisor
    return np.cos(angles) if unit % 2 else np.sin(angles)


def dot_products(encoding: Float[np.ndarray, "position d_model"]) -> Float[np.ndarray, "position position"]:
    """Multiply every position with every position."""
    return encoding @ encoding.T


def dot_product_at(distance: Float[np.ndarray, " distance"], d_model: int) -> Float[np.ndarray, " distance"]:
    """Give the dot product of any two positions that are so far apart, by the sum of cosines."""
    frequencies = BASE ** (-np.arange(0, d_model, 2) / d_model)
    return np.cos(distance[:, None] * frequencies).sum(1)


def pairs_by_distance(
    products: Float[np.ndarray, "position position"],
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    """List every pair of positions once, each with itself too: the distances, and the dot products."""
    first, second = np.triu_indices(len(products))
    return (second - first).astype(np.float64), products[first, second]


@dataclass(frozen=True, eq=False)
class Summands:
    """The two vectors that are added for every token before the first layer.

    Attributes:
        embeddings: what the word is, already multiplied by ``sqrt(d_model)``.
        positions: where it stands.
    """

    embeddings: Float[np.ndarray, "token d_model"]
    positions: Float[np.ndarray, "token d_model"]

    @property
    def lengths(self) -> tuple[Float[np.ndarray, " token"], Float[np.ndarray, " token"]]:
        """Euclidean lengths of the embeddings, and of the positions."""
        return np.linalg.norm(self.embeddings, axis=1), np.linalg.norm(self.positions, axis=1)


@torch.inference_mode()
def summands(network: Transformer, ids: Sequence[int]) -> Summands:
    """Take apart what the first layer reads."""
    return Summands(_array(_scaled(network, ids)), _array(network.positions(len(ids))))


@dataclass(frozen=True, eq=False)
class Way:
    """How one model is told the order of its tokens, and what that makes of the place where a sentence stands.

    Attributes:
        likeness: cosine of what every two positions add to a token, or turn it by; 1 for a position with itself.
        moved: as ``moved_along`` measures it.
        tokens: the sentence as the model cuts it.
    """

    likeness: Float[np.ndarray, "token token"]
    moved: float
    tokens: tuple[str, ...]


def ways(*given: Model | str | int) -> tuple[Way, ...]:
    """Compare how models are told of order: models first, then a text and ``moved_along``'s ``by``."""
    *models, text, by = cast("tuple[Any, ...]", given)
    return tuple(
        Way(likeness(vectors(model, len(pieces.ids))), moved_along(model, text, by), pieces.labels)
        for model in models
        for pieces in (model.read(text),)
    )


@torch.inference_mode()
def vectors(model: Model, length: int) -> Float[np.ndarray, "position unit"]:
    """Give what tells the first positions apart in a model.

    Sinusoids or learned vectors, as they are added. Of rotary positions the sinusoids of a head's width: a query and a
    key that are turned have the product ``sum_i |q_i| |k_i| cos((m - n) theta_i + their angle)``, and for two equal
    vectors with pairs of equal lengths that is the product of these (Su et al. 2021, section 3.4.3).

    Raises:
        ValueError: a model that is told no positions.
    """
    kind, network = model.entry.positions, model.network
    if kind == "learned":
        # The first table with a row for every position: a decoder's own comes after its encoder's.
        tables = (part.weight for part in network.modules() if isinstance(part, nn.Embedding))
        return _array(next(table for table in tables if len(table) == model.entry.max_tokens)[:length])
    if kind not in ("sinusoidal", "rotary"):
        raise ValueError(f"{model.entry.name}: expected sinusoidal, learned or rotary positions, got {kind}")
    return _array(sinusoids(length, network.config.d_head if kind == "rotary" else network.config.d_model))


def likeness(vectors: Float[np.ndarray, "position unit"]) -> Float[np.ndarray, "position position"]:
    """Give the cosine between every two vectors."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions @ directions.T


@torch.inference_mode()
def moved_along(model: Model, text: str, by: int) -> float:
    """Measure how far the last encoder layer's vectors move when the sentence stands ``by`` positions later.

    Masked padding is put before it, which nothing may look at, so that only the positions differ.

    Returns:
        The mean over tokens, as a share of a vector's length; 0 for a model that is translation-invariant.
    """
    ids = list(model.read(text).ids)
    here, there = (_encoded_from(model, ids, first) for first in (0, by))
    return float(((there - here).norm(dim=-1) / here.norm(dim=-1)).mean())


def is_indifferent(change: float) -> bool:
    """Tell whether ``moved_along`` is nothing but what single precision leaves over."""
    return change < ROUNDING


@dataclass(frozen=True)
class Moved:
    """How far a token's last encoder vector moves when the tokens change places, as a share of its length.

    Attributes:
        with_positions: the mean over tokens, read as the model reads them.
        without: the same network with nothing added to the embeddings.
    """

    with_positions: float
    without: float

    @property
    def order_is_lost(self) -> bool:
        """Whether without positions nothing moves but by rounding."""
        return self.without < ROUNDING

    @property
    def order_is_read(self) -> bool:
        """Whether with positions something moves."""
        return self.with_positions >= ROUNDING


def shuffled(text: str, seed: int) -> str:
    """Put the words of a text in another order, the same for the same seed; a text of one word stays."""
    words = text.split()
    order, draw = list(words), random.Random(seed)
    while order == words and len(set(words)) > 1:
        draw.shuffle(order)
    return " ".join(order)


@torch.inference_mode()
def moved_when_shuffled(model: Model, text: str, seed: int) -> Moved:
    """Measure how much of the order a Transformer's encoder notices; its own ``</s>`` stays at the end.

    Attention sums over tokens, and a sum knows no order: without positions every token's vector is the same wherever
    it stands (Vaswani et al. 2017, section 3.5).
    """
    ids = model.read(text).ids
    order = list(range(len(ids) - 1))
    random.Random(seed).shuffle(order)
    order.append(len(ids) - 1)
    scaled = _scaled(model.network, ids)
    places = model.network.positions(len(ids))
    shares = []
    for added in (places, torch.zeros_like(places)):
        one, other = (_encoded(model.network, tokens + added) for tokens in (scaled[order], scaled))
        shares.append(float(((one - other[order]).norm(dim=-1) / other[order].norm(dim=-1)).mean()))
    return Moved(*shares)


def _encoded(network: Transformer, x: Float[Tensor, "token d_model"]) -> Float[Tensor, "token d_model"]:
    y, mask = x[None], torch.ones(1, len(x), dtype=torch.bool)
    for layer in network.encoder:
        y, _ = layer(y, mask)
    hidden: Tensor = network.encoder_norm(y)[0]
    return hidden


def _scaled(network: Transformer, ids: Sequence[int]) -> Float[Tensor, "token d_model"]:
    scaled: Tensor = network.embedding(torch.tensor(list(ids))) * network.config.d_model**0.5
    return scaled


def _encoded_from(model: Model, ids: list[int], first: int) -> Float[Tensor, "token d_model"]:
    source = torch.tensor([[PAD] * first + ids])
    mask = torch.tensor([[False] * first + [True] * len(ids)])
    if model.entry.is_hugging_face:
        read = model.network(source, attention_mask=mask, output_hidden_states=True).hidden_states[-1]
    else:
        read = model.network.encode(source, mask).layers[-1].values
    hidden: Tensor = read[0, first:]
    return hidden


def _array(tensor: Tensor) -> Float[np.ndarray, "token d_model"]:
    array = tensor.float().numpy().copy()
    array.flags.writeable = False
    return array
