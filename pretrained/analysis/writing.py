"""How a decoder writes: how likely a beginning of its output is, and when it would stop.

Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks", equation 1: the probability of an
output is the product of those of its tokens, each given all tokens before it; ``</s>`` is one of them, so that the
model itself decides how long the output is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from pretrained.shapes import Float
from pretrained.tokenization import END, SPECIAL
from pretrained.translation import longest_output

if TYPE_CHECKING:
    from pretrained.model import Model
    from pretrained.trace import Trace
    from pretrained.translation import Translator


def probability_so_far(trace: Trace) -> Float[np.ndarray, " step"]:
    """Multiply up what every written token was given: the probability of the output up to each step, in float64."""
    return np.cumprod([step[0].probability for step in trace.candidates])


@torch.inference_mode()
def end_probabilities(model: Translator, text: str) -> Float[np.ndarray, " step"]:
    """Translate a text and tell how likely ``</s>`` was at every step, 0 to 1.

    Raises:
        TextError: a text that the model cannot read.
    """
    ids = model.read(text).ids
    _, _, logits = model.greedy(model.network.encode(torch.tensor([ids])), longest_output(len(ids)))
    found: Float[np.ndarray, " step"] = torch.softmax(torch.stack(logits), -1)[:, END].numpy().copy()
    return found


@dataclass(frozen=True)
class Length:
    """How long an output is.

    Attributes:
        read: source tokens, ``</s>`` included.
        written: output tokens, likewise.
        ended: whether the model wrote ``</s>``; else it was cut off.
    """

    read: int
    written: int
    ended: bool


def lengths(*given: Model | str) -> tuple[Length, ...]:
    """Let several models translate one text, and count.

    Args:
        given: the models, and then the text.

    Raises:
        TextError: a text that a model cannot read.
    """
    *models, text = given
    found = []
    for model in models:
        trace = cast("Model", model).run(str(text))
        written = trace.target_tokens
        found.append(Length(len(trace.source_tokens), len(written), written[-1] == SPECIAL[END]))
    return tuple(found)
