"""What one vector holds of a sentence: what is left of it once more is read.

Cho, van Merriënboer, Bahdanau and Bengio 2014, "On the properties of neural machine translation: encoder-decoder
approaches", find that translations get worse as sentences grow. Longer test sentences are also harder in other ways;
``remembered`` therefore asks the same of the same sentence, and lets only the text around it grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pretrained.analysis.verdict import Verdict, judged
from pretrained.tokenization import END, START
from pretrained.translation import forbid_specials, longest_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.translation import Translator

HALF, NEARLY_ALL = 0.5, 0.9
"""Of what a model gave its words at first: less than the one is lost, more than the other is kept."""


@dataclass(frozen=True)
class Remembered:
    """What a model still knows of a sentence when it has read so much.

    Attributes:
        tokens: source tokens read, ``</s>`` included.
        probability: what it gives a token of its own translation of the sentence alone: the geometric mean over them,
            each given those before it. The ``</s>`` is left out, since a longer text is not at its end there.
        output: what it writes by itself.
    """

    tokens: int
    probability: float
    output: str


@torch.inference_mode()
def remembered(model: Translator, text: str, others: tuple[str, ...]) -> tuple[Remembered, ...]:
    """Read a sentence alone, then with one, two, ... others behind it, as far as the model reads.

    Returns:
        One for each, the sentence alone first; nothing if the model writes nothing for it.

    Raises:
        TextError: a text that the model cannot read.
    """
    alone = model.read(text).ids
    encoding = model.network.encode(torch.tensor([alone]))
    written, _, _ = model.greedy(encoding, longest_output(len(alone)))
    own = written[:-1] if written[-1] == END else written
    found: list[Remembered] = []
    for count in range(len(others) + 1 if own else 0):
        ids = model.cut(" ".join((text, *others[:count]))).ids
        if len(ids) > model.entry.max_tokens:
            break
        source = torch.tensor([ids])
        logits = forbid_specials(model.network.forward(source, torch.tensor([[START, *own[:-1]]])).logits[0])
        log_p = torch.log_softmax(logits, -1)[range(len(own)), own]
        output, _, _ = model.greedy(model.network.encode(source), longest_output(len(ids)))
        found.append(Remembered(len(ids), float(log_p.mean().exp()), model.tokenizer.text(output)))
    return tuple(found)


def left(found: Sequence[Remembered]) -> float:
    """Tell what is left of a token's probability when most is read, as a share of what it is alone."""
    return found[-1].probability / found[0].probability


def is_lost(found: Sequence[Remembered]) -> Verdict:
    """Judge that a sentence is lost when more is read: less than ``HALF`` is left, or in part ``NEARLY_ALL``."""
    return judged(left(found) < HALF, left(found) < NEARLY_ALL)


def is_kept(found: Sequence[Remembered]) -> Verdict:
    """Judge the opposite: that nothing is lost."""
    return judged(left(found) >= HALF, left(found) >= NEARLY_ALL)
