"""How an encoder's last state depends on what it read: gradients through time, and words that are forgotten.

Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult"; Pascanu, Mikolov
and Bengio 2013, "On the difficulty of training recurrent neural networks", section 2: the gradient is a product of one
Jacobian a step, so that its norm falls or grows like a power of the number of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from pretrained.analysis.residual import embedded
from pretrained.architectures import cells
from pretrained.shapes import Float, Int

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from pretrained.architectures.transformer import EncoderLayer, Transformer


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
    cell, leaf = _cell(layer, scale), inputs.detach().clone().requires_grad_()
    zero = leaf.new_zeros(1, layer.hidden_size)
    state = cells.State(zero, zero if isinstance(layer, nn.LSTM) else None)
    with torch.enable_grad():
        for read in leaf:
            state = cells.step(cell, read[None], state)
    return _norms(state.hidden[0], leaf)


def attention_jacobian_norms(network: Transformer, ids: Int[Tensor, " token"]) -> NDArray[np.float32]:
    """Measure how much a Transformer encoder's last vector would change with what its first layer reads at each token.

    Returns:
        ``[token]``: Frobenius norms, computed by autograd, as ``jacobian_norms`` gives them of recurrent layers.
    """
    leaf = embedded(network, ids[None]).detach().requires_grad_()
    mask = torch.ones_like(ids[None], dtype=torch.bool)
    with torch.enable_grad():
        x = leaf
        for layer in cast("Iterable[EncoderLayer]", network.encoder):
            x, _ = layer(x, mask)
        last = network.encoder_norm(x)[0, -1]
    return _norms(last, leaf)[0]


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


def _norms(last: Float[Tensor, " unit"], leaf: Float[Tensor, "... input"]) -> NDArray[np.float32]:
    """Give the Frobenius norms of the Jacobian of the last state by everything that was read."""
    # One backward pass for every unit of the last state, all of them at once.
    every = torch.eye(len(last), dtype=leaf.dtype)
    (jacobian,) = torch.autograd.grad(last, leaf, every, is_grads_batched=True)
    # Squares of what is small, or large, leave single precision long before their root does.
    norms: NDArray[np.float32] = jacobian.double().square().sum((0, -1)).sqrt().float().numpy()
    return norms


def _cell(layer: nn.RNNBase, scale: float) -> nn.RNNCellBase:
    """Make a cell of a layer's own weights, which batched backward passes know how to go through."""
    (kind,) = (one for whole, one in cells.KINDS.values() if isinstance(layer, whole))
    cell = kind(layer.input_size, layer.hidden_size, device="meta")
    weights = {
        name.removesuffix("_l0"): parameter.detach() * (scale if name.startswith("weight_hh") else 1.0)
        for name, parameter in layer.named_parameters()
    }
    cell.load_state_dict(weights, assign=True)
    return cell.requires_grad_(requires_grad=False)
