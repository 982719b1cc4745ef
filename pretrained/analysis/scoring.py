"""How likely one model holds what another wrote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from pretrained.tokenization import START
from pretrained.translation import forbid_specials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.translation import Translator


@torch.inference_mode()
def log_probabilities(model: Translator, text: str, *outputs: str) -> tuple[float, ...]:
    """Give log p(output | text) of each output, in nats, the sum over its pieces, ``</s>`` included.

    Outputs are cut into the model's own pieces, whichever way they were written.

    Raises:
        TextError: a text that the model cannot read.
    """
    source = torch.tensor([model.read(text).ids])
    found = []
    for ids in model.tokenizer.encode_ids(outputs):
        logits = forbid_specials(model.network.forward(source, torch.tensor([[START, *ids[:-1]]])).logits[0])
        found.append(float(torch.log_softmax(logits, -1)[range(len(ids)), ids].sum()))
    return tuple(found)


def lead(ahead: Sequence[float], behind: Sequence[float]) -> float:
    """Give the difference of two means, 0 where it is no more than single precision leaves over."""
    difference = sum(ahead) / len(ahead) - sum(behind) / len(behind)
    return 0.0 if math.isclose(difference, 0.0, abs_tol=1e-4) else difference
