"""Sentence compression word by word: how each decision is made, and whether it depends on the other words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pretrained.compression import LIKELIER, spell, words_of
from pretrained.shapes import Int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.compression import Compressor


@dataclass(frozen=True)
class Decision:
    """What a model decides about one word.

    Attributes:
        start, end: of the word in the text, in characters.
        score: above 0 where keeping is likelier.
        keep: the probability of keeping it, 1 / (1 + exp(-score)).
    """

    start: int
    end: int
    score: float
    keep: float

    @property
    def kept(self) -> bool:
        """Whether the word stays."""
        return self.keep > LIKELIER


@torch.inference_mode()
def decisions(model: Compressor, text: str) -> tuple[Decision, ...]:
    """Decide about every word of a text; the first piece of a word decides for all of it.

    Raises:
        TextError: a text that the model cannot read.
    """
    pieces = model.read(text)
    scores = model.network(torch.tensor([pieces.ids])).logits[0].double()
    starts = [start for start, _ in pieces.spans]
    found = []
    for start, end in words_of(text):
        score = scores[starts.index(start)]
        found.append(Decision(start, end, float(score), float(torch.sigmoid(score))))
    return tuple(found)


def left(text: str, decided: Sequence[Decision]) -> str:
    """Write what is left of a text by the decisions made so far."""
    return spell(text, [(one.start, one.end) for one in decided if one.kept])[0]


def flips(model: Compressor, text: str) -> Int[np.ndarray, " word"]:
    """Leave out each word in turn, and count the decisions about other words that change.

    Raises:
        TextError: a text that the model cannot read.
    """
    model.read(text)
    words = [text[start:end] for start, end in words_of(text)]
    changed = np.zeros(len(words), np.int64)
    if len(words) > 1:
        whole, *shorter = model.keep([words, *(words[:place] + words[place + 1 :] for place in range(len(words)))])
        for place, kept in enumerate(shorter):
            as_before = {one + (one >= place) for one in kept}
            changed[place] = len(as_before ^ ({*whole} - {place}))
    return changed
