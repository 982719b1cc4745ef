"""The loss that all models are trained with, made quick for a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from pretrained.tokenization import PAD

if TYPE_CHECKING:
    from pretrained.training.data import Batch


def cross_entropy(logits: torch.Tensor, target: torch.Tensor, *, label_smoothing: float = 0.0) -> torch.Tensor:
    """Mean negative log-likelihood of ``target`` in nats, padding left out.

    Args:
        logits: ``[..., piece]``.
        target: ``[...]``; ``<pad>`` is not counted.
        label_smoothing: share of the wanted probability that is spread over all pieces.
    """
    loss: torch.Tensor = CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits.flatten(0, -2), target.to(logits.device).flatten(), label_smoothing
    )
    return loss


def sequence_loss(network: torch.nn.Module, batch: Batch, *, label_smoothing: float) -> torch.Tensor:
    """Cross-entropy of an encoder-decoder over a batch of pairs."""
    source = batch.source.to(next(network.parameters()).device)
    output = network(source, batch.target_in.to(source.device), source != PAD)
    return cross_entropy(output.logits, batch.target_out, label_smoothing=label_smoothing)


class CrossEntropy(torch.autograd.Function):
    """``nn.functional.cross_entropy`` with its gradient made in the same pass, a few rows at a time.

    On a CPU the usual way spends a third of a training step on moving logits of 8,000 pieces through memory.
    """

    ROWS: ClassVar = {"cpu": 64, "cuda": 8192}

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, target: torch.Tensor, smoothing: float) -> torch.Tensor:
        """Mean loss in nats over the rows whose target is not padding, ``[row, piece]`` and ``[row]`` in."""
        counted = (target != PAD).float()
        scale = 1 / counted.sum()
        gradient = torch.empty_like(logits)
        loss = torch.zeros((), device=logits.device)
        rows = CrossEntropy.ROWS[logits.device.type]
        for start in range(0, len(target), rows):
            part = slice(start, start + rows)
            log_p = torch.log_softmax(logits[part].float(), -1)
            wanted, weight = target[part, None], counted[part, None] * scale
            likelihood = (1 - smoothing) * log_p.gather(1, wanted) + smoothing * log_p.mean(1, keepdim=True)
            loss -= (likelihood * weight).sum()
            p = log_p.exp_().sub_(smoothing / logits.shape[1])
            p.scatter_add_(1, wanted, torch.full_like(weight, smoothing - 1))
            gradient[part] = p.mul_(weight)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, _: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Hand on the gradient that ``forward`` made; a loss is differentiated by 1."""
        (gradient,) = ctx.saved_tensors
        return gradient, None, None
