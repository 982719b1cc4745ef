"""Gradients through time against finite differences and against the product of Jacobians that they are."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pretrained import entry
from pretrained.analysis.gradients import attention_jacobian_norms, jacobian_norms, moved_by_a_word, spectral_radius
from pretrained.analysis.residual import embedded
from tests.models import tiny

LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
UNITS, WIDTH, TOKENS = 4, 3, 5


def numbers(layer: nn.RNNBase, name: str) -> np.ndarray:
    found: np.ndarray = layer.get_parameter(name).numpy()
    return found


def make(cell: str) -> tuple[nn.RNNBase, Tensor]:
    torch.manual_seed(3)
    layer = LAYERS[cell](WIDTH, UNITS, batch_first=True).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer.requires_grad_(requires_grad=False), torch.randn(TOKENS, WIDTH, dtype=torch.double)


@pytest.mark.parametrize("cell", LAYERS)
def test_norms_equal_finite_differences(cell: str) -> None:
    layer, inputs = make(cell)
    jacobian = np.zeros((TOKENS, UNITS, WIDTH))
    for t in range(TOKENS):
        for j in range(WIDTH):
            up, down = inputs.clone(), inputs.clone()
            up[t, j] += 1e-5
            down[t, j] -= 1e-5
            jacobian[t, :, j] = (layer(up[None])[0][0, -1] - layer(down[None])[0][0, -1]).numpy() / 2e-5
    np.testing.assert_allclose(jacobian_norms(layer, inputs), np.sqrt((jacobian**2).sum((1, 2))), rtol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_an_elman_gradient_is_a_product_of_jacobians(scale: float) -> None:
    layer, inputs = make("rnn")
    w, u = numbers(layer, "weight_ih_l0"), scale * numbers(layer, "weight_hh_l0")
    bias = numbers(layer, "bias_ih_l0") + numbers(layer, "bias_hh_l0")
    h, states = np.zeros(UNITS), []
    for x in inputs.numpy():
        h = np.tanh(w @ x + u @ h + bias)
        states.append(h)
    expected, product = [], np.eye(UNITS)
    for h in reversed(states):
        step = np.diag(1 - h**2)
        expected.append(np.linalg.norm(product @ step @ w))
        product = product @ step @ u
    np.testing.assert_allclose(jacobian_norms(layer, inputs, scale=scale), expected[::-1], rtol=1e-6)


def test_what_is_small_is_not_nothing() -> None:
    layer, inputs = make("rnn")
    expected = jacobian_norms(layer, inputs, scale=1e-7)
    found = jacobian_norms(layer.float(), inputs.float(), scale=1e-7)
    assert expected[0] < 1e-23, "its square is below what single precision holds"
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_scaling_leaves_the_layer_as_it_was() -> None:
    layer, inputs = make("rnn")
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    jacobian_norms(layer, inputs, scale=2.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())


def test_the_radius_is_that_of_the_scaled_matrix() -> None:
    layer, _ = make("rnn")
    with torch.no_grad():
        layer.get_parameter("weight_hh_l0").copy_(torch.diag(torch.tensor([0.5, -2.0, 1.0, 0.1])))
    assert spectral_radius(layer) == pytest.approx(2.0)
    assert spectral_radius(layer, scale=0.25) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="got GRU"):
        spectral_radius(make("gru")[0])


@pytest.mark.parametrize("cell", LAYERS)
def test_a_replaced_word_moves_the_last_state(cell: str) -> None:
    layer, inputs = make(cell)
    replacement = torch.full((WIDTH,), 0.3, dtype=torch.double)
    last = layer(inputs[None])[0][0, -1]
    for t, moved in enumerate(moved_by_a_word(layer, inputs, replacement)):
        changed = inputs.clone()
        changed[t] = replacement
        assert moved == pytest.approx(float((layer(changed[None])[0][0, -1] - last).norm() / last.norm()))
    assert moved_by_a_word(layer, inputs, inputs[2])[2] == pytest.approx(0, abs=1e-12)


def test_a_transformers_norms_equal_finite_differences() -> None:
    network = tiny.network(entry("transformer"))
    ids = torch.tensor([5, 9, 5, 7])
    leaf = embedded(network, ids[None]).detach()
    network.double()
    leaf = leaf.double()
    mask = torch.ones(1, len(ids), dtype=torch.bool)

    def last(x: Tensor) -> Tensor:
        for layer in network.encoder:
            x, _ = layer(x, mask)
        vector: Tensor = network.encoder_norm(x)[0, -1]
        return vector

    jacobian = torch.autograd.functional.jacobian(last, leaf)[:, 0]
    step = torch.zeros_like(leaf)
    step[0, 1, 2] = 1e-2  # weights are made in single precision
    torch.testing.assert_close(jacobian[:, 1, 2], (last(leaf + step) - last(leaf - step)) / 2e-2, rtol=0, atol=1e-4)
    expected = jacobian.square().sum((0, 2)).sqrt().numpy()
    np.testing.assert_allclose(attention_jacobian_norms(network.float(), ids), expected, rtol=1e-4)
