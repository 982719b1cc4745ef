"""Reading in both directions, so that every token is seen in its sentence; what writes is up to the subclasses.

Schuster and Paliwal 1997, "Bidirectional recurrent neural networks"; in translation Bahdanau, Cho and Bengio 2015,
section 3.2 and appendix A.2, whose letters these are. Differences from the papers: any recurrent cell (see ``cells``);
an LSTM's first ``c`` is made as the first ``s`` is, by rows of ``W_s`` of its own.

    h_j = [forward cell; reverse cell](E x)_j        annotations
    s_0 = tanh(W_s reverse h_1)                      where writing starts
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures import cells
from pretrained.architectures.record import States
from pretrained.shapes import Bool, Float, Int


@dataclass(frozen=True)
class Config:
    """Sizes of the model; ``d_hidden`` is the width of each direction, and of what subclasses say.

    ``cell`` is ``rnn``, ``lstm`` or ``gru``; ``dropout`` acts in training only.
    """

    d_vocab: int = 8000
    d_model: int = 192
    d_hidden: int = 256
    cell: str = "gru"
    dropout: float = 0.0


class Bidirectional(nn.Module):
    """Two layers that read the same source, one from its end."""

    def __init__(self, config: Config) -> None:
        """Make what reads, with random weights."""
        super().__init__()
        self.config = config
        d_model, d_hidden = config.d_model, config.d_hidden
        self.embedding = nn.Embedding(config.d_vocab, d_model)
        self.encoder = cells.layer(config.cell, d_model, d_hidden)
        self.encoder_reverse = cells.layer(config.cell, d_model, d_hidden)
        self.to_start = cells.starting_map(config.cell, d_hidden)  # W_s
        self.dropout = nn.Dropout(config.dropout)

    def annotate(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source both"]:
        """Read a source in both directions; padding is passed over, not read."""
        embedded = self.dropout(self.embedding(source))
        flipped = reversal(source_mask)
        forward, _ = self.encoder(embedded)
        reverse, _ = self.encoder_reverse(reorder(embedded, flipped))
        return torch.cat([forward, reorder(reverse, flipped)], -1)

    def first_state(self, annotations: Float[Tensor, "batch source both"]) -> cells.State:
        """Start writing from the reverse encoder's last state, which has just read the first token."""
        d_hidden = self.config.d_hidden
        return cells.starting_state(self.to_start(annotations[:, 0, d_hidden:]), d_hidden)

    def encoder_states(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        annotations: Float[Tensor, "batch source both"],
    ) -> tuple[States, ...]:
        """Name the states and gates of both directions."""
        embedded = self.embedding(source)
        forward, reverse = annotations.split(self.config.d_hidden, -1)
        flipped = reversal(source_mask)
        turned = cells.states(
            self.encoder_reverse, reorder(embedded, flipped), reorder(reverse, flipped), "encoder-reverse"
        )
        return (
            *cells.states(self.encoder, embedded, forward, "encoder"),
            *(States(part.kind, 0, reorder(part.values, flipped)) for part in turned),
        )


def reversal(mask: Bool[Tensor, "batch source"]) -> Int[Tensor, "batch source"]:
    """Give the order that turns every row's real tokens round and leaves its padding where it is; its own inverse."""
    positions = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - positions, positions)


def reorder(
    values: Float[Tensor, "batch source unit"], order: Int[Tensor, "batch source"]
) -> Float[Tensor, "batch source unit"]:
    """Put every row's tokens in another order."""
    return values.gather(1, order[:, :, None].expand_as(values))
