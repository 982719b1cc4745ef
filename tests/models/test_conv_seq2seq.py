"""The convolutional model against its paper's equations, in plain numpy, and its reach, token by token."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pretrained import loading
from pretrained.architectures import conv_seq2seq, transformer
from pretrained.registry import entry as find
from pretrained.tokenization import START
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, Decoded, close

LONG = torch.arange(4, 27)[None]  # wider than any reach tested here, no piece twice
HALF = math.sqrt(0.5)


@pytest.fixture
def network() -> Any:
    return tiny.network(find("conv-seq2seq"))


def layers(decoded: Decoded, kind: str) -> list[torch.Tensor]:
    return [states.values for states in decoded.record.states if states.kind == kind]


def weights_of(network: Any) -> dict[str, np.ndarray]:
    return {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}


def norm(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> Any:
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return (x - x.mean(-1, keepdims=True)) / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def embed(w: dict[str, np.ndarray], side: str, ids: list[int]) -> Any:
    """Word and position, both times the square root of the width."""
    return np.sqrt(8) * (w["embedding.weight"][ids] + w[f"{side}_positions.weight"][: len(ids)])


def linear(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> Any:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def gated(w: dict[str, np.ndarray], name: str, window: np.ndarray) -> Any:
    """One window of k vectors to one vector: the first half of W X + b, each unit let through by its gate."""
    both = linear(w, f"{name}.linear", window.reshape(-1))
    a, b = both[: len(both) // 2], both[len(both) // 2 :]
    return a / (1 + np.exp(-b))


def near(actual: torch.Tensor, expected: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(actual.numpy(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("row", range(len(SOURCE)))
def test_it_follows_its_equations(network: Any, row: int) -> None:
    decoded, w = tiny.decode(network, SOURCE, TARGET, MASK), weights_of(network)
    n = int(MASK[row].sum())
    nothing = np.zeros((1, 8))

    e = embed(w, "source", SOURCE[row, :n].tolist())
    z = linear(w, "encoder_in", e)
    for layer, hidden in enumerate(layers(decoded, "encoder-hidden")):
        read = np.concatenate([nothing, norm(w, f"encoder.{layer}.norm", z), nothing])
        z = np.array([gated(w, f"encoder.{layer}", read[j : j + 3]) + z[j] for j in range(n)]) * HALF
        near(hidden[row, :n], z)
    z = norm(w, "encoder_norm", linear(w, "encoder_out", z))

    g = embed(w, "target", TARGET[row].tolist())
    h = linear(w, "decoder_in", g)
    for layer, (hidden, attended) in enumerate(
        zip(layers(decoded, "decoder-hidden"), decoded.record.attention, strict=True)
    ):
        name = f"decoder.{layer}"
        read = np.concatenate([nothing, nothing, norm(w, f"{name}.convolution.norm", h)])
        h = np.array([gated(w, f"{name}.convolution", read[i : i + 3]) + h[i] for i in range(len(h))]) * HALF
        for i in range(len(h)):
            d = (linear(w, f"{name}.to_query", h[i]) + g[i]) * HALF
            scores = np.array([d @ z[j] for j in range(n)]) / np.sqrt(8)
            a = np.exp(scores) / np.exp(scores).sum()
            c = sum(a[j] * (z[j] + e[j]) * HALF for j in range(n))
            h[i] = (h[i] + linear(w, f"{name}.from_context", c)) * HALF
            assert attended.scores is not None
            near(attended.scores[row, 0, i, :n], scores)
            near(attended.weights[row, 0, i, :n], a)
        near(hidden[row], h)
    read = norm(w, "decoder_norm", linear(w, "decoder_out", h))
    near(decoded.logits[row], read @ w["embedding.weight"].T + w["output_bias"])


def test_every_decoder_block_looks_at_the_source_with_one_head(network: Any) -> None:
    attention = network(SOURCE, TARGET, MASK).attention
    assert [(attended.kind, attended.layer) for attended in attention] == [("cross", 0), ("cross", 1)]
    for attended in attention:
        assert attended.weights.shape == (3, 1, TARGET.shape[1], SOURCE.shape[1])


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_gated_convolution_equals_torch(kernel: int) -> None:
    network = tiny.network(find("conv-seq2seq"), kernel=kernel)
    ours = network.encoder[1]
    theirs = nn.Conv1d(8, 16, kernel, padding=kernel // 2)
    # Ours has a window's vectors side by side, torch's has every unit's window together.
    theirs.load_state_dict(
        {"weight": ours.linear.weight.unflatten(1, (kernel, 8)).transpose(1, 2), "bias": ours.linear.bias}
    )
    x = torch.randn(3, 7, 8, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(x, (0, 0, kernel // 2, kernel // 2))
    close(ours(padded), nn.functional.glu(theirs(x.transpose(1, 2)), 1).transpose(1, 2))


def moved(after: torch.Tensor, before: torch.Tensor) -> list[int]:
    """The positions whose vectors differ."""
    return (after[0] - before[0]).abs().amax(-1).nonzero()[:, 0].tolist()


@pytest.mark.parametrize(("kernel", "n_layers"), [(3, 1), (3, 2), (3, 4), (5, 2)])
def test_the_encoder_reaches_one_more_window_with_every_block(kernel: int, n_layers: int) -> None:
    network = tiny.network(find("conv-seq2seq"), kernel=kernel, n_layers=n_layers)
    middle = LONG.shape[1] // 2
    changed = LONG.clone()
    changed[0, middle] = 45
    before, after = network.encode(LONG), network.encode(changed)
    for layer, (one, other) in enumerate(zip(after.layers, before.layers, strict=True), start=1):
        reach = (kernel // 2) * layer
        assert moved(one.values, other.values) == list(range(middle - reach, middle + reach + 1))
    assert len(moved(after.keys, before.keys)) == 1 + 2 * (kernel // 2) * n_layers


@pytest.mark.parametrize(("kernel", "n_layers"), [(3, 1), (3, 2), (3, 4), (5, 2)])
def test_the_decoder_reaches_back_alone(kernel: int, n_layers: int) -> None:
    network = tiny.network(find("conv-seq2seq"), kernel=kernel, n_layers=n_layers)
    changed = LONG.clone()
    changed[0, 4] = 45
    before, after = tiny.decode(network, SOURCE[:1], LONG), tiny.decode(network, SOURCE[:1], changed)
    hidden = zip(layers(after, "decoder-hidden"), layers(before, "decoder-hidden"), strict=True)
    for layer, (one, other) in enumerate(hidden, start=1):
        assert moved(one, other) == list(range(4, 4 + (kernel - 1) * layer + 1))
    assert moved(after.logits, before.logits) == list(range(4, 4 + (kernel - 1) * n_layers + 1))


def test_a_state_is_what_the_windows_still_see(network: Any) -> None:
    encoding = network.encode(SOURCE, MASK)
    state = network.start(encoding)
    assert [past.shape for past in state.past] == [(3, 2, 8)] * 2
    assert all((past == 0).all() for past in state.past)
    for length, token in enumerate(TARGET.unbind(1), start=1):
        kept = [past.clone() for past in state.past]
        after = network.step(token, state, encoding).state
        assert after.length == length
        for before, now, was in zip(state.past, after.past, kept, strict=True):
            assert torch.equal(before, was), "a state is not changed by the step that reads it"
            assert torch.equal(now[:, :-1], before[:, 1:])
        state = after


def test_positions_beyond_the_table_share_its_last_row() -> None:
    network = tiny.network(find("conv-seq2seq"), n_positions=4)
    # The same piece over and over, so that embeddings differ by their positions alone.
    target = torch.full((1, 12), 9)
    hidden = layers(tiny.decode(network, target, target), "decoder-hidden")
    # The second block's windows reach four positions back: from the seventh on, all of them share the last row.
    last = hidden[-1][0, 7:]
    close(last, last[:1].expand_as(last))
    assert (hidden[-1][0, 6] - last[0]).abs().max() > 1e-4
    close(tiny.decode(network, SOURCE, TARGET, MASK).logits, network(SOURCE, TARGET, MASK).logits)


def test_positions_begin_as_sinusoids_and_are_learned() -> None:
    network = loading.build(find("conv-seq2seq"), {"d_vocab": 50})
    assert isinstance(network, conv_seq2seq.ConvSeq2Seq)
    network(SOURCE, TARGET, MASK).logits.logsumexp(-1).sum().backward()
    for positions in (network.source_positions, network.target_positions):
        close(positions.weight.detach() * math.sqrt(192), transformer.sinusoids(64, 192))
        assert positions.weight.grad is not None
        assert (positions.weight.grad[:5].abs().amax(-1) > 0).all()
    assert network.source_positions.weight is not network.target_positions.weight


def test_order_is_told_by_positions_too(network: Any) -> None:
    # The same piece over and over: away from the ends, all windows are alike.
    source = torch.full((1, 15), 9)
    inside = network.encode(source).keys[0, 3:-3]
    assert (inside - inside[0]).abs().amax(-1)[1:].min() > 1e-3
    nn.init.zeros_(network.source_positions.weight)
    unordered = network.encode(source).keys[0, 3:-3]
    close(unordered, unordered[:1].expand_as(unordered))


def test_a_window_has_a_middle() -> None:
    with pytest.raises(ValueError, match=r"odd kernel.* got 4"):
        conv_seq2seq.ConvSeq2Seq(conv_seq2seq.Config(d_vocab=12, d_model=4, kernel=4))


def test_the_first_piece_is_written_without_a_past(network: Any) -> None:
    start = torch.full((len(SOURCE), 1), START)
    close(network(SOURCE, start, MASK).logits[:, 0], network(SOURCE, TARGET, MASK).logits[:, 0])
