"""What masks hide: later tokens from earlier ones, padding from everything; and what happens without them.

Vaswani et al. 2017, "Attention is all you need", section 3.2.3: scores of later positions are set to -inf before the
softmax, so that a row may depend on what is already known alone. A leak is a dependence on something later; whether
there is one is measured by changing the next token and looking at the row before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from pretrained.analysis.residual import embedded
from pretrained.shapes import Bool, Float, Int
from pretrained.tokenization import PAD, START
from pretrained.translation import forbid_specials, longest_output

if TYPE_CHECKING:
    from pretrained.architectures.transformer import DecoderLayer, Encoding, Transformer
    from pretrained.trace import AttentionMap
    from pretrained.translation import Translator

MOST_SWAPPED = 32  # tokens: each costs a pass of its own
EQUAL = 1e-4
"""Numbers that differ by less than this are the same but for rounding."""


def causal(length: int) -> Bool[Tensor, "query key"]:
    """Give the mask that lets every position see itself and those before it."""
    return torch.ones(length, length, dtype=torch.bool).tril()


@dataclass(frozen=True, eq=False)
class Decoded:
    """A known target, decoded in one pass.

    Attributes:
        hidden: what the last layer made at every position.
        weights: of the self-attention, one a layer.
    """

    hidden: Float[Tensor, "batch target d_model"]
    weights: tuple[Float[Tensor, "batch head query key"], ...]


def decode(
    network: Transformer,
    encoding: Encoding,
    target: Int[Tensor, "batch target"],
    may_attend: Bool[Tensor, "query key"],
) -> Decoded:
    """Run the decoder's own layers over targets of one source, with the mask that is given.

    Args:
        network: whose layers run.
        encoding: of one source; every target is decoded from it.
        target: what the decoder reads.
        may_attend: which positions its self-attention sees from which.
    """
    batch, length = target.shape
    copies = cast("Encoding", network.select(encoding, torch.zeros(batch, dtype=torch.long)))
    may_self = may_attend.expand(batch, -1, -1)
    may_cross = copies.source_mask[:, None].expand(-1, length, -1)
    y = embedded(network, target)
    found = []
    for block, source in zip(network.decoder, copies.cross, strict=True):
        layer = cast("DecoderLayer", block)
        y, attended = layer(y, layer.keys_values(y), may_self, source, may_cross)
        found.append(attended.self_weights)
    return Decoded(y, tuple(found))


@dataclass(frozen=True, eq=False)
class Leak:
    """The same translation decoded with the causal mask and without.

    Attributes:
        masked: how likely the model finds each token of its own translation, given those before it.
        plain: the same where it sees those behind it too, the token itself among them.
        moved_masked: by how much the probabilities at a row change if the token that belongs there is swapped in what
            the decoder reads next: the total variation distance, 0..1. Of the first ``MOST_SWAPPED`` rows, and never of
            the last, which has nothing behind it.
        moved_plain: the same without the mask.
        future: the share of the weights that goes to later positions without the mask, mean over the rows that have
            any; one row a layer. With the mask it is 0.
        weights: without the mask, ``[layer, head, query, key]``.
    """

    masked: Float[np.ndarray, " row"]
    plain: Float[np.ndarray, " row"]
    moved_masked: Float[np.ndarray, " swapped"]
    moved_plain: Float[np.ndarray, " swapped"]
    future: Float[np.ndarray, "layer head"]
    weights: Float[np.ndarray, "layer head query key"]

    @property
    def probability(self) -> tuple[float, float]:
        """Of a token, with the mask and without: the geometric means."""
        masked, plain = (float(np.exp(np.log(one.astype(np.float64)).mean())) for one in (self.masked, self.plain))
        return masked, plain

    @property
    def rises(self) -> bool:
        """Whether the model finds its tokens likelier without the mask."""
        masked, plain = self.probability
        return plain > masked

    @property
    def most_ahead(self) -> tuple[int, int]:
        """Layer and head that look most at later positions without the mask."""
        layer, head = divmod(int(self.future.argmax()), self.future.shape[1])
        return layer, head

    @property
    def masked_is_tight(self) -> bool:
        """Whether no row moves with the mask, but for rounding."""
        return float(self.moved_masked.max(initial=0)) < EQUAL

    @property
    def leaking(self) -> int:
        """How many rows move without the mask."""
        return int((self.moved_plain >= EQUAL).sum())


@torch.inference_mode()
def leak(model: Translator, text: str) -> Leak:
    """Decode a model's own translation with and without the causal mask.

    Each token is swapped for the one that the model finds likeliest after it at the same row.

    Raises:
        TextError: a text that the model cannot read.
    """
    network = cast("Transformer", model.network)
    encoding = network.encode(torch.tensor([model.read(text).ids]))
    ids, _, logits = model.greedy(encoding, longest_output(encoding.hidden.shape[1]))
    length = len(ids)
    # One copy as it is, then one for every token to be swapped: at place t it reads what row t - 1 wrote.
    swapped = torch.arange(1, min(length, MOST_SWAPPED + 1))
    targets = torch.tensor([START, *ids[:-1]]).repeat(1 + len(swapped), 1)
    targets[swapped, swapped] = torch.stack(logits)[swapped - 1].topk(2).indices[:, 1]
    seen = [decode(network, encoding, targets, mask) for mask in (causal(length), torch.ones_like(causal(length)))]
    own, moved = zip(*(_read(network, one, ids) for one in seen), strict=True)
    weights = torch.stack([one[0] for one in seen[1].weights])
    future = (weights * ~causal(length)).sum((-2, -1)) / max(1, length - 1)
    return Leak(*(part.numpy() for part in (*own, *moved, future, weights)))


@dataclass(frozen=True, eq=False)
class Padded:
    """A sentence read alone, and in a batch with a longer one.

    Attributes:
        length: its tokens.
        width: those of the longer one, and of the batch.
        weights: of the sentence's own tokens on all places of the batch, ``[layer, head, query, key]``.
        on_padding: the largest weight on padding.
        moved: the largest difference between what the encoder made of it alone and in the batch.
        moved_plain: the same where nothing hides the padding.
        same_output: whether the translation written in the batch is the one written alone.
    """

    length: int
    width: int
    weights: Float[np.ndarray, "layer head query key"]
    on_padding: float
    moved: float
    moved_plain: float
    same_output: bool


@torch.inference_mode()
def padded(model: Translator, text: str, longer: str) -> Padded:
    """Read a text in a batch with a longer one.

    Raises:
        TextError: a text that the model cannot read.
        ValueError: another text that is not longer.
    """
    short, long = model.read(text).ids, model.cut(longer).ids
    if len(long) <= len(short):
        raise ValueError(f"longer: expected more than {len(short)} tokens, got {len(long)}")
    batch = torch.tensor([[*short, *[PAD] * (len(long) - len(short))], long])
    alone = model.network.encode(torch.tensor([short])).hidden[0]
    together = model.network.encode(batch, batch != PAD)
    plain = model.network.encode(batch)
    weights = torch.stack([one.weights[0, :, : len(short)] for one in together.attention])
    one, other = ((encoding.hidden[0, : len(short)] - alone).abs().max() for encoding in (together, plain))
    return Padded(
        length=len(short),
        width=len(long),
        weights=weights.numpy(),
        on_padding=float(weights[..., len(short) :].max()),
        moved=float(one),
        moved_plain=float(other),
        same_output=model.translate([text, longer])[0] == model.run(text).output,
    )


@dataclass(frozen=True)
class Worked:
    """The softmax of one masked row, worked out for the key that is looked at most.

    Attributes:
        visible: how many keys the mask leaves.
        struck: how many it strikes out.
        key: that key.
        score: its score.
        exponential: of the score.
        total: the sum of the exponentials of all visible keys.
        weight: the quotient of the two.
        hidden: the sum of the weights that the model gave the others.
    """

    visible: int
    struck: int
    key: int
    score: float
    exponential: float
    total: float
    weight: float
    hidden: float


def worked(attended: AttentionMap, head: int, row: int) -> Worked:
    """Work out one row of a masked map; raises ``ValueError`` for a map without scores or mask."""
    if attended.scores is None or attended.may_attend is None:
        raise ValueError(f"expected scores and a mask in {attended.kind} attention of layer {attended.layer}")
    visible, weights = attended.may_attend[row], attended.weights[head, row]
    scores = attended.scores[head, row].astype(np.float64)
    exponentials = np.where(visible, np.exp(scores), 0)
    key = int(weights.argmax())
    return Worked(
        visible=int(visible.sum()),
        struck=int((~visible).sum()),
        key=key,
        score=float(scores[key]),
        exponential=float(exponentials[key]),
        total=float(exponentials.sum()),
        weight=float(exponentials[key] / exponentials.sum()),
        hidden=float(weights[~visible].sum()),
    )


def _read(
    network: Transformer, decoded: Decoded, ids: list[int]
) -> tuple[Float[Tensor, " row"], Float[Tensor, " swapped"]]:
    """Give the probabilities of the own tokens, and how far each row moved where the token behind it was swapped."""
    rows = torch.arange(len(decoded.hidden) - 1)
    hidden = torch.cat([decoded.hidden[0], decoded.hidden[rows + 1, rows]])
    logits = nn.functional.linear(network.decoder_norm(hidden), network.embedding.weight, network.output_bias)
    own, swapped = torch.softmax(forbid_specials(logits), -1).split([len(ids), len(rows)])
    return own[range(len(ids)), ids], (own[: len(rows)] - swapped).abs().sum(-1) / 2
