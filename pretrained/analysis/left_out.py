"""Does attention point at what matters? A part of a text is left out, and the model is asked again.

DeYoung et al. 2020, "ERASER: a benchmark to evaluate rationalized NLP models", call it comprehensiveness: how much less
likely an output gets without what is said to have led to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pretrained.shapes import Bool, Float
from pretrained.tokenization import END, PAD, SPECIAL, START
from pretrained.translation import forbid_specials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.trace import Trace
    from pretrained.translation import Translator

Span = tuple[int, int]
WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> tuple[Span, ...]:
    """Find the words and numbers of a text, ``(start, end)`` of each, in characters."""
    return tuple(found.span() for found in WORD.finditer(text))


def shares(trace: Trace, parts: Sequence[Span]) -> Float[np.ndarray, "layer head part"]:
    """Add up how much of the attention to the source is on each part of the text, mean over the output's rows.

    A piece belongs to the part in which it starts.

    Raises:
        ValueError: a trace without attention from an output to a source.
    """
    inside = np.array([_inside(trace, part) for part in parts])
    return _looked(trace) @ inside.T


def weights(trace: Trace, part: Span, layer: int, head: int) -> Float[np.ndarray, " piece"]:
    """Give the weights of one head on the pieces of a part: what ``shares`` adds up."""
    found: Float[np.ndarray, " piece"] = _looked(trace)[layer, head, _inside(trace, part)]
    return found


def _inside(trace: Trace, part: Span) -> Bool[np.ndarray, " source"]:
    return np.array([part[0] <= start < part[1] for start, _ in trace.source_spans])


def _looked(trace: Trace) -> Float[np.ndarray, "layer head source"]:
    """Give the weights on every source piece, mean over the rows; that of the end is left out, unless it is alone."""
    maps = trace.attention_of("cross") or trace.attention_of("alignment")
    if not maps:
        raise ValueError(f"{trace.model}: expected attention of kind cross or alignment, got none")
    rows = [row for row, token in enumerate(trace.target_tokens) if token != SPECIAL[END]] or [0]
    return np.stack([one.weights[:, rows].mean(1, dtype=np.float64) for one in maps])


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What a model does with a text, and with each of its parts left out.

    Attributes:
        shares: of the attention that each part has, 0..1; what is missing to 1 is on what is in no part.
        output: what it writes.
        probability: that it gives a token of this output: the geometric mean, each given those before it.
        without: the same probability without each part.
        without_most: what it writes without the part that is looked at most.
        without_least: what it writes without the one looked at least.
    """

    shares: Float[np.ndarray, " part"]
    output: str
    probability: float
    without: Float[np.ndarray, " part"]
    without_most: str
    without_least: str

    @property
    def most(self) -> int:
        """The part that is looked at most."""
        return int(self.shares.argmax())

    @property
    def least(self) -> int:
        """The part that is looked at least."""
        return int(self.shares.argmin())

    @property
    def matters(self) -> int:
        """The part without which the output loses most of its probability."""
        return int(self.without.argmin())

    @property
    def points(self) -> bool:
        """Whether leaving out the part looked at most costs more than leaving out the one looked at least."""
        return bool(self.without[self.most] < self.without[self.least])


@torch.inference_mode()
def left_out(model: Translator, text: str, parts: tuple[Span, ...], layer: int, head: int | None) -> LeftOut | None:
    """Leave out each part of a text in turn.

    Args:
        model: reads and writes.
        text: what it reads.
        parts: ``(start, end)`` of each, in characters.
        layer: of the attention to the source.
        head: likewise; the mean over all of the layer's heads where ``None``.

    Returns:
        What was found, or ``None`` for fewer than two parts: one alone has no other to be compared with.

    Raises:
        TextError: a text that the model cannot read.
    """
    if len(parts) < 2:
        return None
    trace = model.run(text)
    found = shares(trace, parts)[layer]
    shorter = [text[:start] + text[end:] for start, end in parts]
    sources = model.tokenizer.encode_ids([text, *shorter])
    width = max(map(len, sources))
    source = torch.tensor([[*ids, *[PAD] * (width - len(ids))] for ids in sources])
    written, _, _ = model.greedy(model.network.encode(torch.tensor(sources[:1])), len(trace.target_tokens))
    target = torch.tensor([START, *written[:-1]]).expand(len(sources), -1)
    logits = forbid_specials(model.network.forward(source, target, source != PAD).logits)
    log_p = torch.log_softmax(logits, -1)[:, range(len(written)), written]
    own, *without = log_p.mean(1).exp().tolist()
    looked = found.mean(0) if head is None else found[head]
    outputs = model.translate([shorter[int(looked.argmax())], shorter[int(looked.argmin())]])
    return LeftOut(looked, trace.output, own, np.array(without), *outputs)
