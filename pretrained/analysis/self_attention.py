"""One head of self-attention, operation by operation; why its scores are divided; where a pronoun looks.

Vaswani et al. 2017, "Attention is all you need", section 3.2.1, equation 1, with their footnote 4: for queries and keys
of independent numbers with mean 0 and variance 1 a dot product has mean 0 and variance d_head.

    q_i = W_Q LN(x_i) + b_Q    k_j = W_K LN(x_j) + b_K    v_j = W_V LN(x_j) + b_V
    a_ij = softmax_j(q_i . k_j / sqrt(d_head))            output_i = sum_j a_ij v_j

LN normalises what a layer reads (pre-norm); the first layer reads embeddings with positions added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from pretrained.analysis.residual import embedded
from pretrained.analysis.verdict import Verdict, judged
from pretrained.architectures.transformer import attention
from pretrained.shapes import Float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.architectures.transformer import EncoderLayer, Transformer
    from pretrained.model import Model
    from pretrained.tokenization import Pieces

OPERATIONS = ("queries", "keys", "products", "scores", "weights", "weighted", "output")
DECIDED = 0.99  # a row whose largest weight is above this has as good as chosen one token
WIDTHS = (16, 64, 256, 1024)
DRAWN = 2000  # random queries of each width, and as many keys
SENTENCE = "The animal didn't cross the street because it was too {}."
READINGS = (("tired", "animal", "il"), ("wide", "street", "elle"))
"""How the sentence ends, the noun that "it" stands for then, and the pronoun that French has for it."""
_PRONOUN = re.compile(r"\b(it|he|she|they)\b", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Head:
    """All that one head computes for a sentence.

    Attributes:
        queries: what each token looks for.
        keys: what each is found by.
        values: what each hands over.
        products: ``q_i . k_j``.
        scores: the products divided by ``sqrt(d_head)``.
        weights: the softmax of each row of scores.
        output: the values mixed with these weights.
    """

    queries: Float[np.ndarray, "token d_head"]
    keys: Float[np.ndarray, "token d_head"]
    values: Float[np.ndarray, "token d_head"]
    products: Float[np.ndarray, "query key"]
    scores: Float[np.ndarray, "query key"]
    weights: Float[np.ndarray, "query key"]
    output: Float[np.ndarray, "query d_head"]

    def made(self, operation: str, query: int) -> Float[np.ndarray, "row column"]:
        """Give what one of the ``OPERATIONS`` makes for one query: one row, or one for every token."""
        if operation == "keys":
            return self.keys
        if operation == "weighted":
            return self.weights[query][:, None] * self.values
        whole: Float[np.ndarray, "row column"] = getattr(self, operation)
        return whole[query : query + 1]

    def exponential(self, query: int, key: int) -> float:
        """Give what the softmax divides for one key."""
        return float(np.exp(self.scores[query, key]))

    def total(self, query: int) -> float:
        """Give what it divides by: the sum of the exponentials of all keys."""
        return float(np.exp(self.scores[query]).sum())

    def difference(self, other: Head, operation: str, query: int) -> float:
        """Give the largest difference between two accounts of an operation."""
        return float(np.abs(self.made(operation, query) - other.made(operation, query)).max())


@torch.inference_mode()
def by_formula(network: Transformer, ids: Sequence[int], layer: int, head: int) -> Head:
    """Work out one head of one encoder layer in double precision, from what the layer reads and its weights alone."""
    x, block = _read(network, ids, layer).double().numpy(), _block(network, layer)
    norm, looks, d_head = block.norms[0], block.self_attention, network.config.d_head
    centred = x - x.mean(1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(1, keepdims=True) + cast("float", norm.eps))
    normed = centred / deviation * _array(norm.weight) + _array(norm.bias)
    rows = slice(head * d_head, (head + 1) * d_head)
    w_k, w_v = np.split(_array(looks.w_kv.weight), 2)
    b_k, b_v = np.split(_array(looks.w_kv.bias), 2)
    q = normed @ _array(looks.w_q.weight)[rows].T + _array(looks.w_q.bias)[rows]
    k, v = normed @ w_k[rows].T + b_k[rows], normed @ w_v[rows].T + b_v[rows]
    products = q @ k.T
    scores = products / np.sqrt(d_head)
    weights = softmax(scores)
    return Head(q, k, v, products, scores, weights, weights @ v)


@torch.inference_mode()
def in_model(network: Transformer, ids: Sequence[int], layer: int, head: int) -> Head:
    """Let the model's own modules compute the same, in its single precision."""
    block, d_head = _block(network, layer), network.config.d_head
    normed = block.norms[0](_read(network, ids, layer))[None]
    seen = block.self_attention.keys_values(normed)
    q = block.self_attention.w_q(normed).unflatten(-1, (-1, d_head)).transpose(1, 2)
    output, weights, scores = attention(q, seen.keys, seen.values)
    products = q @ seen.keys.transpose(-1, -2)
    parts = (q, seen.keys, seen.values, products, scores, weights, output)
    return Head(*(part[0, head].numpy() for part in parts))


@dataclass(frozen=True)
class Product:
    """A dot product written out.

    Attributes:
        factors: the pairs whose products are largest by size, largest first.
        rest: the sum of all other products.
        total: the dot product.
    """

    factors: tuple[tuple[float, float], ...]
    rest: float
    total: float


def dot_product(q: Float[np.ndarray, " d_head"], k: Float[np.ndarray, " d_head"], written: int = 3) -> Product:
    """Write out a dot product as far as its largest parts."""
    parts = q * k
    largest = np.argsort(-np.abs(parts), kind="stable")[:written]
    return Product(
        tuple((float(q[unit]), float(k[unit])) for unit in largest),
        float(np.delete(parts, largest).sum()),
        float(parts.sum()),
    )


def softmax(scores: Float[np.ndarray, "... key"]) -> Float[np.ndarray, "... key"]:
    """Turn every row of scores into weights that sum to 1."""
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    weights: Float[np.ndarray, "... key"] = exponentials / exponentials.sum(-1, keepdims=True)
    return weights


def slope(weights: Float[np.ndarray, "... key"]) -> Float[np.ndarray, " ..."]:
    """Tell how much a row of weights moves with its scores: the Frobenius norm of ``diag(p) - p p^T``.

    That is the derivative of the softmax; squared and added up, its entries are ``s2 - 2 s3 + s2^2`` with the sums
    ``s2`` of squares and ``s3`` of cubes.
    """
    squares, cubes = (weights**2).sum(-1), (weights**3).sum(-1)
    # Near a row of one 1 rounding may leave a little less than 0.
    return np.sqrt(np.maximum(squares - 2 * cubes + squares**2, 0))


@dataclass(frozen=True, eq=False)
class Rows:
    """What the softmax made of many rows of numbers, in the mean over each group of them.

    Attributes:
        slope: see ``slope``.
        looked_at: over how many tokens a row is spread: the exponential of its entropy.
        decided: the share of rows with a weight above ``DECIDED``.
    """

    slope: Float[np.ndarray, " group"]
    looked_at: Float[np.ndarray, " group"]
    decided: Float[np.ndarray, " group"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """The same dot products, with the division by ``sqrt(d_head)`` and without.

    Attributes:
        names: of the groups: heads as ``layer.head``, or widths of random vectors.
        widths: ``d_head`` of every group.
        variance: of the dot products.
        divided: rows as the Transformer makes them.
        plain: rows without the division.
    """

    names: tuple[str, ...]
    widths: tuple[int, ...]
    variance: Float[np.ndarray, " group"]
    divided: Rows
    plain: Rows

    @property
    def flatter(self) -> int:
        """In how many groups the softmax moves less with its scores without the division."""
        return int((self.plain.slope < self.divided.slope).sum())

    @property
    def at_products(self) -> tuple[float, float]:
        """The mean derivative by the products themselves: divided, which costs a factor of its own, and plain."""
        return float((self.divided.slope / np.sqrt(self.widths)).mean()), float(self.plain.slope.mean())

    @property
    def off_by(self) -> float:
        """By how much a variance differs from its width at most, as a share of the width."""
        return float(np.abs(self.variance / np.array(self.widths) - 1).max())


def scaling(model: Model, text: str) -> Scaling:
    """Measure every encoder head on one text; without the division is a what-if, as the model was trained with it.

    Raises:
        TextError: a text that the model cannot read.
        ValueError: a model without scores of encoder self-attention.
    """
    maps = [one for one in model.run(text).attention_of("encoder-self") if one.scores is not None]
    if not maps:
        raise ValueError(f"{model.entry.name}: expected encoder self-attention with scores, got none")
    scores = np.concatenate([one.scores for one in maps if one.scores is not None]).astype(np.float64)
    width = cast("Transformer", model.network).config.d_head
    names = tuple(f"{one.layer}.{head}" for one in maps for head in range(one.n_heads))
    return _compared(names, list(scores * np.sqrt(width)), [width] * len(names))


def random_products(n_keys: int) -> Scaling:
    """Measure rows of ``n_keys`` dot products of independent normal numbers, for every one of ``WIDTHS``."""
    draw = np.random.default_rng(0)
    groups = []
    for width in WIDTHS:
        q, k = (draw.standard_normal((max(1, DRAWN // n_keys), n_keys, width), dtype=np.float32) for _ in range(2))
        groups.append((q @ k.transpose(0, 2, 1)).astype(np.float64))
    return _compared(tuple(str(width) for width in WIDTHS), groups, WIDTHS)


@dataclass(frozen=True, eq=False)
class Pointing:
    """Where every encoder head looks from a pronoun.

    Attributes:
        pronoun: the place of its last piece.
        heads: ``layer.head``.
        weights: one row a head.
    """

    pronoun: int
    heads: tuple[str, ...]
    weights: Float[np.ndarray, "head token"]


def pointing(model: Model, text: str) -> Pointing | None:
    """Follow the first of it, he, she, they in a text; ``None`` where there is none.

    Raises:
        TextError: a text that the model cannot read.
    """
    found = _PRONOUN.search(text)
    if found is None:
        return None
    (place,) = _pieces(model.read(text), found.span())[-1:]
    maps = model.run(text).attention_of("encoder-self")
    return Pointing(
        place,
        tuple(f"{one.layer}.{head}" for one in maps for head in range(one.n_heads)),
        np.concatenate([one.weights[:, place] for one in maps]),
    )


@dataclass(frozen=True, eq=False)
class Referents:
    """From "it" to two nouns, in two sentences that differ in their last word and so in what "it" stands for.

    Attributes:
        heads: ``layer.head``.
        weights: for every sentence of ``READINGS``, head, and noun in their order; a noun's pieces together.
        outputs: what the model writes for them.
    """

    heads: tuple[str, ...]
    weights: Float[np.ndarray, "sentence head noun"]
    outputs: tuple[str, ...]

    @property
    def right(self) -> tuple[int, ...]:
        """How many heads look more at the right noun than at the other, in each sentence."""
        return tuple(int(one.sum()) for one in self._right())

    @property
    def in_both(self) -> tuple[str, ...]:
        """The heads that do in both."""
        return tuple(head for head, both in zip(self.heads, np.logical_and(*self._right()), strict=True) if both)

    @property
    def pronouns(self) -> tuple[str, ...]:
        """The French pronoun in each output: ``il``, ``elle``, or nothing."""
        found = [re.search(r"\b(il|elle)\b", one, re.IGNORECASE) for one in self.outputs]
        return tuple(one[0].lower() if one else "" for one in found)

    @property
    def right_pronouns(self) -> int:
        """In how many outputs it is the right one."""
        return sum(pronoun == right for pronoun, (_, _, right) in zip(self.pronouns, READINGS, strict=True))

    @property
    def follow_the_meaning(self) -> Verdict:
        """What this says of heads that find the noun: one in both, and both pronouns right; in part the head alone."""
        found = bool(self.in_both)
        return judged(found, found and self.right_pronouns == len(READINGS))

    def _right(self) -> tuple[np.ndarray, np.ndarray]:
        first, second = self.weights
        return first[:, 0] > first[:, 1], second[:, 1] > second[:, 0]


def referents(model: Model) -> Referents:
    """Measure where "it" looks in the two sentences of ``READINGS``."""
    heads: tuple[str, ...] = ()
    weights, outputs = [], []
    for ending, _, _ in READINGS:
        text = SENTENCE.format(ending)
        pieces, found = model.read(text), pointing(model, text)
        assert found is not None
        nouns = [_pieces(pieces, (text.index(noun), text.index(noun) + len(noun))) for _, noun, _ in READINGS]
        weights.append(np.stack([found.weights[:, places].sum(1) for places in nouns], 1))
        outputs.append(model.run(text).output)
        heads = found.heads
    return Referents(heads, np.stack(weights), tuple(outputs))


def _compared(
    names: tuple[str, ...], products: Sequence[Float[np.ndarray, "... key"]], widths: Sequence[int]
) -> Scaling:
    return Scaling(
        names,
        tuple(widths),
        np.array([one.var() for one in products]),
        _rows([softmax(one / np.sqrt(width)) for one, width in zip(products, widths, strict=True)]),
        _rows([softmax(one) for one in products]),
    )


def _rows(groups: Sequence[Float[np.ndarray, "... key"]]) -> Rows:
    entropies = [-(p * np.log(np.where(p > 0, p, 1))).sum(-1) for p in groups]
    return Rows(
        np.array([slope(p).mean() for p in groups]),
        np.array([np.exp(entropy).mean() for entropy in entropies]),
        np.array([(p.max(-1) > DECIDED).mean() for p in groups]),
    )


def _read(network: Transformer, ids: Sequence[int], layer: int) -> Float[Tensor, "token d_model"]:
    """Give what an encoder layer reads: embeddings and positions, or what the layer before it made."""
    source = torch.tensor([list(ids)])
    if layer:
        return network.encode(source).layers[layer - 1].values[0]
    return embedded(network, source)[0]


def _block(network: Transformer, layer: int) -> EncoderLayer:
    return cast("EncoderLayer", network.encoder[layer])


def _array(tensor: Tensor | torch.nn.Module) -> Float[np.ndarray, " ..."]:
    array: Float[np.ndarray, " ..."] = cast("Tensor", tensor).detach().double().numpy()
    return array


def _pieces(pieces: Pieces, span: tuple[int, int]) -> list[int]:
    """List the pieces that spell a part of the text."""
    return [place for place, (start, end) in enumerate(pieces.spans) if start < span[1] and span[0] < end]
