"""Which tokens reach which: gradients against replaced tokens, paths against counts, one unit against the model."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained import entry
from pretrained.analysis import reach
from tests.models import tiny

IDS = (5, 6, 7, 5, 9, 10, 11, 12, 13, 14, 15, 5, 17, 18, 2)
LAST = len(IDS) - 1


@pytest.fixture
def network() -> Any:
    return tiny.network(entry("conv-seq2seq"), n_layers=3, kernel=3)


@pytest.mark.parametrize("kernel", [3, 5])
def test_windows_of_neighbours_are_the_models_own(kernel: int) -> None:
    network = tiny.network(entry("conv-seq2seq"), kernel=kernel)
    found = reach.convolved(network, reach._embedded(network, IDS), reach.plain(network))
    layers = network.encode(torch.tensor([IDS])).layers
    assert len(found) == len(layers) + 1
    for one, layer in zip(found[1:], layers, strict=True):
        tiny.close(one, layer.values[0])


def test_windows_spread_out_are_torchs_dilated_convolution(network: Any) -> None:
    embedded = reach._embedded(network, IDS)
    z = network.encoder_in(embedded)
    for dilation, block in zip((1, 2, 4), network.encoder, strict=True):
        # Conv1d wants [out, in, window], and tokens last.
        weight = block.linear.weight.unflatten(1, (3, -1)).transpose(1, 2)
        read = block.norm(z).T[None]
        convolved = torch.nn.functional.conv1d(read, weight, block.linear.bias, padding=dilation, dilation=dilation)
        z = (torch.nn.functional.glu(convolved[0].T, -1) + z) * 0.5**0.5
    tiny.close(reach.convolved(network, embedded, reach.doubling(network))[-1], z)


@pytest.mark.parametrize("spread", [False, True])
def test_a_gradient_of_0_is_a_token_that_changes_nothing(network: Any, spread: bool) -> None:
    dilations = reach.doubling(network) if spread else reach.plain(network)
    found = reach.reach(network, IDS, 6, dilations)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    before = reach.convolved(network, reach._embedded(network, IDS), dilations)
    for source in range(len(IDS)):
        changed = [*IDS]
        changed[source] = 40
        after = reach.convolved(network, reach._embedded(network, changed), dilations)
        moved = [float((one - other)[6].abs().max()) > 1e-6 for one, other in zip(before, after, strict=True)]
        assert moved == (found[:, source] > 0).tolist()


def test_shares_are_those_of_finite_differences(network: Any) -> None:
    network = network.double()
    embedded, token = reach._embedded(network, IDS), 6
    lengths = []
    for sign in (1, -1):
        nudged = embedded + sign * 1e-5 * torch.eye(embedded.numel()).view(-1, *embedded.shape).double()
        lengths.append([reach.convolved(network, one, reach.plain(network))[-1][token].norm() for one in nudged])
    slopes = (torch.tensor(lengths[0]) - torch.tensor(lengths[1])) / 2e-5
    norms = slopes.view_as(embedded).norm(dim=-1)
    found = reach.reach(network, IDS, token, reach.plain(network))[-1]
    np.testing.assert_allclose(found, norms / norms.sum(), atol=1e-4)


def test_paths_in_layers() -> None:
    dependence = np.array([[0, 0, 1.0], [0, 0.5, 0.5], [0, 0.9, 0.1]])
    assert reach.path_lengths(dependence).tolist() == [reach.NEVER, 1, 0]


def test_gaps_lie_before_the_farthest() -> None:
    lengths = np.array([0, 1, reach.NEVER, 2, reach.NEVER, reach.NEVER])
    assert (reach.farthest(lengths), reach.gaps(lengths)) == (3, 1)
    assert (reach.farthest(lengths[:2]), reach.gaps(lengths[:2])) == (1, 0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrence_takes_a_step_a_token(cell: str) -> None:
    network = tiny.network(entry(f"{cell}-seq2seq"))
    assert reach.recurrent_paths(network, IDS).tolist() == list(range(len(IDS)))
    assert network.encoder.weight_hh_l0.dtype == torch.float32


def test_attention_takes_one_layer() -> None:
    network = tiny.network(entry("transformer"))
    assert reach.attention_paths(network, IDS).tolist() == [0] + [1] * LAST


def test_a_window_takes_one_token_more_to_each_side_a_layer() -> None:
    convolutional, recurrent, transformer = (
        tiny.translator(entry(name)) for name in ("conv-seq2seq", "gru-seq2seq", "transformer")
    )
    found = reach.paths(convolutional, recurrent, transformer, "The cat drank the milk.")
    assert found.convolutional.tolist() == [0, 1, 2] + [reach.NEVER] * (len(found.convolutional) - 3)
    assert found.spread.tolist()[:5] == [0, 1, 2, 2, reach.NEVER]
    assert found.gathered.tolist() == [1, 3, 5]
    assert found.layers_to_gather == 2
    assert found.recurrent[-1] == len(found.recurrent) - 1
    assert found.attention[-1] == 1


@pytest.mark.parametrize("token", [0, 6, LAST])
@pytest.mark.parametrize("layer", [0, 2])
def test_the_formula_gives_the_models_number(network: Any, layer: int, token: int) -> None:
    one = reach.gated(network, IDS, layer, token, 3)
    used = float(network.encode(torch.tensor([IDS])).layers[layer].values[0, token, 3])
    assert one.used == used
    assert one.after == pytest.approx(used, abs=1e-5)
    assert len(one.values) == len(one.gates) == 4
    assert (one.values[0] == 0) == (token == 0)
    assert (one.values[2] == 0) == (token == LAST)


def test_fewer_layers_than_steps() -> None:
    steps, ones, never = np.arange(5), np.ones(5, int), reach.NEVER
    paths = [
        reach.Paths(steps, np.array([0, *convolutional]), steps, ones, np.array(gathered))
        for convolutional, gathered in (
            ([1, 2, never, never], [1, 3, 5]),
            ([1, 1, 2, 2], [1, 5, 5]),
            ([1, 2, never, never], [1, 2, 3]),
        )
    ]
    assert [(one.is_shorter, one.gathers_sooner) for one in paths] == [(False, True), (True, True), (False, False)]
