"""What each head of a Transformer is worth: its part of an update, how alike two heads are, what is lost without it.

Vaswani et al. 2017, "Attention is all you need", section 3.2.2: heads are put side by side and projected,
``Concat(head_1 ... head_h) W_O``. Since a projection is linear, that is a sum with one part for every head.

Michel, Levy and Neubig 2019, "Are sixteen heads really better than one?", switch trained heads off, one by one and then
many together, the least important first. Here a head's importance is the change of the log-probability of the model's
own translation of one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from pretrained.analysis.residual import embedded
from pretrained.analysis.verdict import Verdict, judged
from pretrained.architectures.transformer import attention
from pretrained.intervention import Intervention
from pretrained.model import as_array
from pretrained.shapes import Bool, Float
from pretrained.tokenization import START
from pretrained.translation import forbid_specials, longest_output

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pretrained.architectures.transformer import MultiHeadAttention, Transformer
    from pretrained.trace import AttentionMap
    from pretrained.translation import Translator

AGREE = 1 / 2
"""The share of rows from which on heads that look most at the same token agree, and do not differ."""


class Head(NamedTuple):
    """Where a head is, counted from 0; its text is its name."""

    kind: str
    layer: int
    number: int

    def __str__(self) -> str:
        """Name it as it is named on screen."""
        return f"{self.kind} {self.layer}.{self.number}"

    @property
    def off(self) -> Intervention:
        """What switches it off."""
        return Intervention("switch-off", self.kind, self.layer, self.number)


def heads(model: Translator) -> tuple[Head, ...]:
    """List every head that can be switched off: by kind, then by layer."""
    found: Mapping[str, tuple[int, int]] = cast("Transformer", model.network).heads
    return tuple(
        Head(kind, layer, number)
        for kind, (n_layers, n_heads) in found.items()
        for layer in range(n_layers)
        for number in range(n_heads)
    )


# One update, as a sum over heads


@dataclass(frozen=True, eq=False)
class Update:
    """What one attention adds to one token's vector.

    Attributes:
        weights: ``[head, key]``, the token's row of every head.
        mixed: ``[head, d_head]``, each head's slice of the concatenation: the values mixed by the weights.
        parts: ``[head, d_model]``, each slice times its rows of ``W_O``.
        bias: ``[d_model]``, of the projection, whatever is looked at.
        own: ``[d_model]``, the update as the model makes it.
    """

    weights: Float[np.ndarray, "head key"]
    mixed: Float[np.ndarray, "head d_head"]
    parts: Float[np.ndarray, "head d_model"]
    bias: Float[np.ndarray, " d_model"]
    own: Float[np.ndarray, " d_model"]

    @property
    def total(self) -> Float[np.ndarray, " d_model"]:
        """The parts of all heads and the bias, added up."""
        found: Float[np.ndarray, " d_model"] = self.parts.sum(0) + self.bias
        return found

    @property
    def shares(self) -> Float[np.ndarray, " part"]:
        """How far every head's part, and last the bias, takes the update its own way: projected on it, 1 together."""
        parts = np.concatenate([self.parts, self.bias[None]])
        found: Float[np.ndarray, " part"] = parts @ self.own / float(self.own @ self.own)
        return found

    @property
    def lengths(self) -> Float[np.ndarray, " head"]:
        """The Euclidean length of every head's part."""
        found: Float[np.ndarray, " head"] = np.linalg.norm(self.parts, axis=1)
        return found

    @property
    def difference(self) -> float:
        """The largest difference between the sum and the model's own update, over all units."""
        return float(np.abs(self.total - self.own).max())


@torch.inference_mode()
def update(model: Translator, text: str, kind: str, layer: int, row: int) -> Update:
    """Take apart what one layer's attention adds to the vector at one row.

    Args:
        model: a Transformer that translates.
        text: what it reads, and translates greedily.
        kind: ``encoder-self``, ``decoder-self`` or ``cross``.
        layer: counted from 0.
        row: of that layer's map: a source token, or an output step.

    Raises:
        TextError: a text that the model cannot read.
    """
    network = cast("Transformer", model.network)
    source, written = _translated(model, text)
    module, x, looked_at, may_attend = _read_by(network, source, written[:, :-1], kind, layer)
    seen = module.keys_values(looked_at)
    own, *_ = module(x, seen, may_attend)
    q = module.w_q(x).unflatten(-1, (-1, module.d_head)).transpose(1, 2)
    mixed, weights, _ = attention(q, seen.keys, seen.values, may_attend)
    slices = mixed[0, :, row].double()
    # Columns of the projection that belong to a head read its slice.
    columns = module.w_o.weight.double().unflatten(1, (-1, module.d_head))
    return Update(
        weights=as_array(weights[0, :, row]),
        mixed=as_array(slices),
        parts=as_array(torch.einsum("dhk,hk->hd", columns, slices)),
        bias=as_array(module.w_o.bias),
        own=as_array(own[0, row]),
    )


def _read_by(
    network: Transformer, source: Tensor, written: Tensor, kind: str, layer: int
) -> tuple[MultiHeadAttention, Tensor, Tensor, Tensor | None]:
    """Find one attention, what its queries are made from, what its keys and values are, and its mask."""
    encoding = network.encode(source)
    encoder = kind == "encoder-self"
    ids = source if encoder else written
    layers = encoding.layers if encoder else network.record(encoding, written, ()).states[network.config.n_layers :]
    x = layers[layer - 1].values if layer else embedded(network, ids)
    block: Any = (network.encoder if encoder else network.decoder)[layer]
    normed = block.norms[0](x)
    if encoder:
        return block.self_attention, normed, normed, None
    causal = torch.ones(1, ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    if kind == "decoder-self":
        return block.self_attention, normed, normed, causal
    x = x + block.self_attention(normed, block.keys_values(x), causal)[0]
    return block.cross_attention, block.norms[1](x), encoding.hidden, None


# Two heads beside each other


def similarity(maps: Sequence[AttentionMap]) -> Float[np.ndarray, "head other"]:
    """Compare every head of all layers of one kind with every other, by where they look.

    Returns:
        1 minus the Jensen-Shannon distance (the root of the divergence, in bits: 0 to 1), mean over the rows that see
        more than one key; 1 is the same map, 0 two heads that never look at the same token.
    """
    p = np.concatenate([attended.weights for attended in maps]).astype(np.float64)
    telling = _with_a_choice(maps[0])
    if not telling.any():
        return np.ones((len(p), len(p)))
    p = p[:, telling]
    middle = (p[:, None] + p) / 2
    # The mixture's entropy less the mean of both: it is 0 where they agree.
    own = _bits(p)
    divergence = np.clip(_bits(middle) - (own[:, None] + own) / 2, 0, 1)
    found: Float[np.ndarray, "head other"] = 1 - np.sqrt(divergence).mean(-1)
    return found


def agreement(maps: Sequence[AttentionMap]) -> float:
    """Give the share of rows with a choice in which two heads look most at the same token, mean over all pairs."""
    telling = _with_a_choice(maps[0])
    if not telling.any():
        return 1.0
    best = np.concatenate([attended.weights for attended in maps]).argmax(2)[:, telling]
    one, other = np.triu_indices(len(best), 1)
    return float((best[one] == best[other]).mean())


def agreed(model: Translator, text: str, kind: str) -> float:
    """Measure the ``agreement`` of all heads of a kind on a text; raises ``TextError``."""
    return agreement(model.run(text).attention_of(kind))


def differ(agreed: float) -> bool:
    """Tell whether heads with this agreement look at different tokens; see ``AGREE``."""
    return agreed < AGREE


def _with_a_choice(attended: AttentionMap) -> Bool[np.ndarray, " query"]:
    """Tell which rows see more than one key."""
    visible = attended.may_attend
    counts = np.full(attended.weights.shape[1], attended.weights.shape[2]) if visible is None else visible.sum(1)
    found: Bool[np.ndarray, " query"] = counts > 1
    return found


def _bits(p: Float[np.ndarray, "*shape key"]) -> Float[np.ndarray, "*shape"]:
    entropy: Float[np.ndarray, "*shape"] = -np.where(p > 0, p * np.log2(np.where(p > 0, p, 1)), 0).sum(-1)
    return entropy


# Without a head, and without many


@dataclass(frozen=True, eq=False)
class Importance:
    """What switching off each head alone does to a model's own translation of a text.

    Attributes:
        change: by kind, ``[layer, head]``, of the translation's log-probability, in nats; below 0 it is less likely.
        stays: by kind, ``[layer, head]``, whether the model would still write it.
        log_probability: with all heads on.
    """

    change: Mapping[str, Float[np.ndarray, "layer head"]]
    stays: Mapping[str, Bool[np.ndarray, "layer head"]]
    log_probability: float

    @property
    def n_heads(self) -> int:
        """How many heads there are."""
        return sum(one.size for one in self.change.values())

    @property
    def n_needed(self) -> int:
        """How many heads change the translation when they alone are off."""
        return sum(int((~one).sum()) for one in self.stays.values())

    def ranked(self) -> tuple[Head, ...]:
        """List all heads, that of the smallest change first, whichever way it goes."""
        found = [Head(kind, *place) for kind, change in self.change.items() for place in np.ndindex(change.shape)]
        return tuple(sorted(found, key=lambda one: abs(float(self.change[one.kind][one.layer, one.number]))))


@dataclass(frozen=True, eq=False)
class Pruned:
    """A translation while more and more heads are off, the least important first.

    Attributes:
        importance: what each head alone is worth, and so the order: `Importance.ranked`.
        log_probability: of the model's own translation with so many heads off, from 0 to all of them, in nats.
        spared: how many heads can be off together, in this order, before the translation changes.
        after: what is written with one head more off; the translation itself where it never changes.
    """

    importance: Importance
    log_probability: Float[np.ndarray, " off"]
    spared: int
    after: str

    @property
    def are_redundant(self) -> Verdict:
        """What this says of heads being redundant: at least a third of them spared, or in part some."""
        return judged(3 * self.spared >= self.importance.n_heads, self.spared > 0)


def pruned(model: Translator, text: str) -> Generator[float, None, Pruned]:
    """Switch every head off alone, then more and more of them together, the least important first.

    Each time one pass asks how likely the model's own translation of the text is then.

    Yields:
        The share that is done.

    Returns:
        What became of the translation, as `Pruned`.

    Raises:
        TextError: a text that the model cannot read.
    """
    source, written = _translated(model, text)
    shapes = cast("Transformer", model.network).heads
    whole, _ = _rewritten(model, source, written, ())
    alone = Importance(
        {kind: np.zeros(shape) for kind, shape in shapes.items()},
        {kind: np.zeros(shape, dtype=bool) for kind, shape in shapes.items()},
        whole,
    )
    passes = 2 * alone.n_heads
    for done, one in enumerate(heads(model)):
        yield done / passes
        log_probability, stays = _rewritten(model, source, written, (one,))
        alone.change[one.kind][one.layer, one.number] = log_probability - whole
        alone.stays[one.kind][one.layer, one.number] = stays
    order = alone.ranked()
    together, unchanged = [whole], [True]
    for count in range(1, len(order) + 1):
        yield (len(order) + count - 1) / passes
        log_probability, stays = _rewritten(model, source, written, order[:count])
        together.append(log_probability)
        unchanged.append(stays)
    spared = [*unchanged, False].index(False) - 1
    after = model.run(text, interventions=tuple(one.off for one in order[: spared + 1])).output
    return Pruned(alone, np.array(together, np.float32), spared, after)


@torch.inference_mode()
def _translated(model: Translator, text: str) -> tuple[Tensor, Tensor]:
    """Translate greedily: the pieces read, and ``<s>`` with the pieces written."""
    ids = model.read(text).ids
    source = torch.tensor([ids])
    written, *_ = model.greedy(model.network.encode(source), longest_output(len(ids)))
    return source, torch.tensor([[START, *written]])


@torch.inference_mode()
def _rewritten(model: Translator, source: Tensor, written: Tensor, off: Sequence[Head]) -> tuple[float, bool]:
    """Give the log-probability of a known translation without these heads, and whether it would still be written."""
    network = cast("Transformer", model.network)
    logits = network.forward(source, written[:, :-1], None, tuple(one.off for one in off)).logits[0]
    log_p = torch.log_softmax(forbid_specials(logits), -1)
    target = written[0, 1:]
    # Greedy writes the same if at every step, with all before it the same, the same piece is the likeliest.
    return float(log_p.gather(1, target[:, None]).sum()), bool((log_p.argmax(-1) == target).all())
