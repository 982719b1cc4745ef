"""The Transformer without one of its parts: what is gone, and that nothing else is."""

from typing import Any

import pytest
import torch
from torch import nn

from pretrained import loading
from pretrained.registry import ABLATIONS, Entry
from pretrained.registry import entry as find
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, close


@pytest.fixture(params=ABLATIONS, ids=lambda entry: entry.name)
def entry(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


def new(name: str) -> nn.Module:
    torch.manual_seed(0)
    return loading.build(find(name), tiny.sizes(find(name)))


def test_training_begins_with_the_transformers_weights(entry: Entry) -> None:
    whole = new("transformer").state_dict()
    for name, tensor in new(entry.name).state_dict().items():
        assert torch.equal(tensor, whole.pop(name)), name
    assert all("norm" in name for name in whole)


def test_it_runs_as_the_transformer_does(entry: Entry) -> None:
    network = tiny.network(entry)
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    logits = network(SOURCE, TARGET, MASK).logits
    largest = logits.abs().max()  # without norms, a large number
    close(decoded.logits / largest, logits / largest)
    assert tuple(dict.fromkeys(attended.kind for attended in decoded.record.attention)) == entry.attention
    assert {states.kind for states in decoded.record.states} == set(entry.states)


def silence(network: Any) -> Any:
    """Let every sub-layer make nothing but zeros."""
    for name, parameter in network.named_parameters():
        if "w_o." in name or "feedforward.2." in name:
            nn.init.zeros_(parameter)
    return network


@pytest.mark.parametrize(("name", "kept"), [("transformer", 1.0), ("transformer-no-residual", 0.0)])
def test_a_residual_connection_hands_on_what_a_sub_layer_read(name: str, kept: float) -> None:
    network = silence(tiny.network(find(name)))
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    for states in decoded.record.states:
        embedded = network._embed(SOURCE if states.kind == "encoder-hidden" else TARGET)
        assert torch.equal(states.values, kept * embedded)


@pytest.mark.parametrize(("name", "same"), [("transformer", True), ("transformer-no-norm", False)])
def test_a_norm_keeps_the_size_of_what_a_sub_layer_reads(name: str, same: bool) -> None:
    """Embeddings ten times as long look at each other as before, or with scores a hundred times as large."""
    network = tiny.network(find(name), positions="none")
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.endswith(("w_q.bias", "w_kv.bias")):
            nn.init.zeros_(parameter)
    before = network.encode(SOURCE, MASK).attention[0].scores
    network.embedding.weight *= 10
    after = network.encode(SOURCE, MASK).attention[0].scores
    torch.testing.assert_close(after, before if same else 100 * before, rtol=1e-3, atol=1e-3)


def test_no_norm_is_left() -> None:
    parts = [type(part) for part in tiny.network(find("transformer-no-norm")).modules()]
    assert nn.LayerNorm not in parts
    assert parts.count(nn.Identity) == 2 * 2 + 2 * 3 + 2
