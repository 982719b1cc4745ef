"""What stands around a word: how it fills a gap, how it changes a word's vector, and from where it can be seen.

Devlin et al. 2019, "BERT", section 3.1: a token is hidden and told from those on both sides. Ethayarajh 2019, "How
contextual are contextualized word representations?": whether two vectors of a word are alike means something only
beside how alike the vectors of any two words are.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pretrained.model import TextError, as_array
from pretrained.shapes import Float

if TYPE_CHECKING:
    from pretrained.language import DecoderOnly, EncoderOnly, LanguageModel
    from pretrained.trace import Candidate, Trace

WORD = re.compile(r"\w+(?:'\w+)*")
EQUAL = 1e-4
"""Vectors that differ by a smaller share of their length are the same but for rounding."""
SAME = 0.999
"""Vectors with a larger cosine point the same way."""

# A gap


@dataclass(frozen=True)
class Hidden:
    """One token hidden from a model, and what it puts there.

    Attributes:
        candidates: the ten likeliest tokens, best first.
        masked: the text as the model read it.
        probability: of the token that was hidden; none where the text itself had the mask there.
        rank: of that token among all pieces, counted from 1; none likewise.
    """

    candidates: tuple[Candidate, ...]
    masked: str
    probability: float | None
    rank: int | None


def places(model: EncoderOnly, text: str) -> tuple[int, ...]:
    """List the tokens of a text that can be hidden, or its own masks if it has any; raises ``TextError``."""
    ids = model.read(text).ids
    masks = tuple(place for place, index in enumerate(ids) if index == model.tokenizer.mask)
    return masks or tuple(place for place, index in enumerate(ids) if index not in model.tokenizer.special)


@torch.inference_mode()
def hidden(model: EncoderOnly, text: str, place: int) -> Hidden:
    """Hide one token, counted with special ones, and ask what stood there; raises ``TextError``."""
    pieces = model.read(text)
    ids, own, mask = torch.tensor([pieces.ids]), pieces.ids[place], model.tokenizer.mask
    assert mask is not None
    ids[0, place] = mask
    logits = model.allowed(model.network(ids).logits[0, place])
    log_p = torch.log_softmax(logits, -1)
    start, end = pieces.spans[place]
    return Hidden(
        candidates=model.candidates(log_p[None])[0],
        masked=f"{text[:start]}{model.tokenizer.special[mask]}{text[end:]}",
        probability=None if own == mask else float(log_p[own].exp()),
        rank=None if own == mask else 1 + int((logits > logits[own]).sum()),
    )


# Two contexts


@dataclass(frozen=True, eq=False)
class Compared:
    """A word's vectors in two contexts, behind the embedding and behind every layer.

    Attributes:
        same: cosine of its two vectors.
        different: the mean cosine of two different words of the same sentence, over both sentences; none where neither
            has two.
        pairs: how many pairs of different words there are.
        same_place: whether the word stands at the same place in both, so that its position makes no difference.
    """

    same: Float[np.ndarray, " depth"]
    different: Float[np.ndarray, " depth"] | None
    pairs: int
    same_place: bool

    @property
    def verdict(self) -> str:
        """Of the last layer: ``same``, ``between``, or ``apart`` where the two are no more alike than other words."""
        if self.same[-1] > SAME:
            return "same"
        return "between" if self.different is None or self.same[-1] > self.different[-1] else "apart"


def compared(model: EncoderOnly, one: str, other: str, word: str) -> Compared:
    """Compare a word's vectors in two texts, where it stands first in each.

    Raises:
        TextError: a text that the model cannot read, or that does not have the word.
    """
    found, at, alike = [], set(), []
    for text in (one, other):
        names, first_pieces, vectors = word_vectors(model.run(text))
        if word not in names:
            raise TextError(f"expected the word {word!r} in both sentences, spelled alike, got {text.strip()!r}")
        found.append(vectors[:, names.index(word)])
        at.add(first_pieces[names.index(word)])
        pairs = [
            (first, second)
            for first, second in itertools.combinations(range(len(names)), 2)
            if names[first].casefold() != names[second].casefold()
        ]
        alike += [cosine(vectors[:, first], vectors[:, second]) for first, second in pairs]
    return Compared(cosine(*found), np.mean(alike, 0) if alike else None, len(alike), len(at) == 1)


def word_vectors(trace: Trace) -> tuple[tuple[str, ...], tuple[int, ...], Float[np.ndarray, "depth word d_model"]]:
    """Give the words of a text, where each begins, and the mean of its pieces' vectors: embedding, then every layer."""
    layers = np.stack([*(state.values for state in trace.states_of("encoder-embedding")),
                       *(state.values for state in trace.states_of("encoder-hidden"))])  # fmt: skip
    starts, ends = np.array(trace.source_spans).T
    names, first_pieces, vectors = [], [], []
    for match in WORD.finditer(trace.text):
        pieces = (starts < match.end()) & (ends > match.start())
        if pieces.any():
            names.append(match.group())
            first_pieces.append(int(pieces.argmax()))
            vectors.append(layers[:, pieces].mean(1))
    return tuple(names), tuple(first_pieces), np.stack(vectors, 1) if vectors else layers[:, :0]


def cosine(one: Float[np.ndarray, "depth unit"], other: Float[np.ndarray, "depth unit"]) -> Float[np.ndarray, " depth"]:
    """Give the cosine of the angle between vectors: 1 where they point the same way, 0 at a right angle."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    found: Float[np.ndarray, " depth"] = (one * other).sum(-1) / lengths
    return found


# What comes later


@dataclass(frozen=True, eq=False)
class Moved:
    """How far the vectors of the tokens before a word move when that word is another.

    Attributes:
        tokens: those before it.
        share: by how much their vectors behind the last layer differ, as a share of their length.
    """

    tokens: tuple[str, ...]
    share: Float[np.ndarray, " token"]

    @property
    def most(self) -> float:
        """The largest share; 0 where there is no token before."""
        return float(self.share.max(initial=0))

    @property
    def sees(self) -> bool:
        """Whether any token before the word depends on it, beyond rounding."""
        return self.most >= EQUAL


def moved(causal: DecoderOnly, masked: EncoderOnly, text: str, word: str) -> tuple[Moved, Moved]:
    """Put a word in the place of a text's last one, and see which earlier vectors move in two models.

    Raises:
        TextError: a text that a model cannot read.
    """
    start, end = last_word(text)
    changed = f"{text[:start]}{word}{text[end:]}"
    return _moved(causal, text, changed, start), _moved(masked, text, changed, start)


def last_word(text: str) -> tuple[int, int]:
    """Find the last word of a text, in characters; its end where there is none."""
    return max((match.span() for match in WORD.finditer(text)), default=(len(text), len(text)))


@torch.inference_mode()
def _moved(model: LanguageModel, text: str, changed: str, start: int) -> Moved:
    pieces, others = model.read(text), model.read(changed)
    before = [
        place
        for place, (one, other, (_, end)) in enumerate(zip(pieces.ids, others.ids, pieces.spans, strict=False))
        if one == other and one not in model.tokenizer.special and end <= start
    ]
    old, new = (
        as_array(model.network(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0])[before]
        for ids in (pieces.ids, others.ids)
    )
    share = np.linalg.norm(new - old, axis=-1) / np.linalg.norm(old, axis=-1)
    return Moved(tuple(pieces.labels[place] for place in before), share)
