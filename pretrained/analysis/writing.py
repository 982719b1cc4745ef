"""How a decoder writes: how likely a beginning of its output is, and when it would stop.

Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks", equation 1: the probability of an
output is the product of those of its tokens, each given all tokens before it; ``</s>`` is one of them, so that the
model itself decides how long the output is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pretrained.shapes import Float
from pretrained.tokenization import END
from pretrained.translation import longest_output

if TYPE_CHECKING:
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
