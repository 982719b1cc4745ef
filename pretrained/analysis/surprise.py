"""How well a language model expects a text, and the same words in another order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pretrained.analysis.positions import shuffled

if TYPE_CHECKING:
    from pretrained.language import DecoderOnly

ORDERS = 5


@dataclass(frozen=True)
class Surprise:
    """Perplexities of one text: 1 where every piece is certain, as large as the vocabulary where all are alike.

    Attributes:
        as_written: of the text.
        shuffled: of its words in other orders, the geometric mean over these.
    """

    as_written: float
    shuffled: float


def surprise(model: DecoderOnly, text: str) -> Surprise | None:
    """Give the perplexity of a text as it is, and with its words in other orders; ``None`` for a single word.

    Raises:
        TextError: a text that the model cannot read.
    """
    model.read(text)
    others = {shuffled(text, seed) for seed in range(ORDERS)} - {" ".join(text.split())}
    if not others:
        return None
    mean = sum(_nats(model, other) for other in sorted(others)) / len(others)
    return Surprise(math.exp(_nats(model, text)), math.exp(mean))


@torch.inference_mode()
def _nats(model: DecoderOnly, text: str) -> float:
    """Give the mean negative log-likelihood of every piece but the first, all before it read."""
    ids = torch.tensor([model.tokenizer.encode(text).ids])
    log_p = torch.log_softmax(model.network(ids).logits[0, :-1], -1)
    return -float(log_p[range(log_p.shape[0]), ids[0, 1:]].mean())
