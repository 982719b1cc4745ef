"""How a recurrent encoder's last state depends on what it read: gradients through time, and words that are forgotten.

Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult"; Pascanu, Mikolov
and Bengio 2013, "On the difficulty of training recurrent neural networks", section 2: the gradient is a product of one
Jacobian a step, so that its norm falls or grows like a power of the number of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pretrained.shapes import Float

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def jacobian_norms(
    layer: nn.RNNBase, inputs: Float[Tensor, "token input"], *, scale: float = 1.0
) -> NDArray[np.float32]:
    """Measure how much the last state would change with each input: the Frobenius norm of ``d h_T / d x_t``.

    Args:
        layer: a recurrent layer, batch first, in one direction.
        inputs: what it reads.
        scale: its recurrent matrices are multiplied by this first.

    Returns:
        ``[token]``, computed by autograd; with a scale far above 1 they may be infinite.
    """
    units = layer.hidden_size
    # One copy of the inputs for each unit of the state: one backward pass gives the whole Jacobian.
    copies = inputs.detach().expand(units, -1, -1).clone().requires_grad_()
    with torch.enable_grad():
        hidden, _ = torch.func.functional_call(layer, _scaled(layer, scale), (copies,))
        (gradient,) = torch.autograd.grad(hidden[:, -1].diagonal().sum(), copies)
    norms: NDArray[np.float32] = gradient.square().sum((0, 2)).sqrt().numpy()
    return norms


def spectral_radius(layer: nn.RNNBase, *, scale: float = 1.0) -> float:
    """Give the largest absolute eigenvalue of an Elman layer's recurrent matrix.

    Raises:
        ValueError: a layer with gates, whose steps are not made by one matrix.
    """
    if not isinstance(layer, nn.RNN):
        raise ValueError(f"expected a layer with one recurrent matrix (nn.RNN), got {type(layer).__name__}")
    return scale * float(torch.linalg.eigvals(layer.get_parameter("weight_hh_l0").detach()).abs().max())


def moved_by_a_word(
    layer: nn.RNNBase, inputs: Float[Tensor, "token input"], replacement: Float[Tensor, " input"]
) -> NDArray[np.float32]:
    """Measure how far the last state moves when one input is replaced, as a share of its own length.

    Args:
        layer: a recurrent layer, batch first, in one direction.
        inputs: what it reads.
        replacement: what stands in the place of each input in turn.

    Returns:
        ``[token]``: the distance of the last states with and without the replacement over the norm of the one without.
    """
    changed = inputs.expand(len(inputs), -1, -1).clone()
    changed[range(len(inputs)), range(len(inputs))] = replacement
    with torch.inference_mode():
        last = layer(inputs[None])[0][0, -1]
        moved: NDArray[np.float32] = ((layer(changed)[0][:, -1] - last).norm(dim=-1) / last.norm()).numpy()
    return moved


def _scaled(layer: nn.RNNBase, scale: float) -> dict[str, Tensor]:
    return {
        name: parameter.detach() * (scale if name.startswith("weight_hh") else 1.0)
        for name, parameter in layer.named_parameters()
    }
