"""The recurrent models against their papers' equations, in plain numpy, and their gates against torch's own states."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained.architectures import gru_bahdanau
from pretrained.registry import ENTRIES, Entry
from pretrained.registry import entry as find
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, Decoded, close

GATED = [entry for entry in ENTRIES if entry.cell == "gru"]


@pytest.fixture
def seq2seq() -> Any:
    return tiny.network(find("gru-seq2seq"))


@pytest.fixture
def bahdanau() -> Any:
    return tiny.network(find("gru-bahdanau"))


def values(decoded: Decoded, kind: str) -> torch.Tensor:
    (found,) = [states.values for states in decoded.record.states if states.kind == kind]
    return found


def numpy_weights(network: Any) -> dict[str, np.ndarray]:
    return {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}


def sigmoid(x: np.ndarray) -> Any:
    return 1 / (1 + np.exp(-x))


def gru_step(w: dict[str, np.ndarray], layer: str, ending: str, x: np.ndarray, h: np.ndarray) -> dict[str, np.ndarray]:
    """One step of a GRU with torch's reset gate, every gate from its own rows of the fused weights."""
    d = len(h)
    w_x, w_h = w[f"{layer}.weight_ih{ending}"], w[f"{layer}.weight_hh{ending}"]
    b_x, b_h = w[f"{layer}.bias_ih{ending}"], w[f"{layer}.bias_hh{ending}"]
    first, second, third = slice(0, d), slice(d, 2 * d), slice(2 * d, 3 * d)
    r = sigmoid(w_x[first] @ x + b_x[first] + w_h[first] @ h + b_h[first])
    z = sigmoid(w_x[second] @ x + b_x[second] + w_h[second] @ h + b_h[second])
    n = np.tanh(w_x[third] @ x + b_x[third] + r * (w_h[third] @ h + b_h[third]))
    return {"gate-r": r, "gate-z": z, "gate-n": n, "hidden": (1 - z) * n + z * h}


def maxout_logits(w: dict[str, np.ndarray], read: np.ndarray) -> Any:
    """The deep output layer: the larger of every two neighbours, then a score for every piece."""
    pairs = w["to_output.weight"] @ read + w["to_output.bias"]
    t = np.array([max(pairs[2 * i], pairs[2 * i + 1]) for i in range(len(pairs) // 2)])
    return w["embedding.weight"] @ t + w["output_bias"]


def near(actual: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(actual.numpy(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("entry", GATED, ids=lambda entry: entry.name)
def test_gates_make_the_hidden_states(entry: Entry) -> None:
    network = tiny.network(entry)
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    prefixes = [kind.removesuffix("-gate-z") for kind in entry.states if kind.endswith("-gate-z")]
    assert prefixes
    for prefix in prefixes:
        z, n, h = (values(decoded, f"{prefix}-{part}") for part in ("gate-z", "gate-n", "hidden"))
        for row, length in enumerate(MASK.sum(1).tolist()):
            length = TARGET.shape[1] if prefix == "decoder" else length
            start = decoded.states[0].hidden[row] if prefix == "decoder" else torch.zeros(h.shape[2])
            order = range(length - 1, -1, -1) if "reverse" in prefix else range(length)
            before = start
            for t in order:
                close(h[row, t], (1 - z[row, t]) * n[row, t] + z[row, t] * before, 1e-6)
                before = h[row, t]


@pytest.mark.parametrize("entry", GATED, ids=lambda entry: entry.name)
def test_encoder_gates_equal_numpy(entry: Entry) -> None:
    network = tiny.network(entry)
    decoded, w = tiny.decode(network, SOURCE, TARGET, MASK), numpy_weights(network)
    for prefix, layer in (("encoder", "encoder"), ("encoder-reverse", "encoder_reverse")):
        if f"{prefix}-hidden" not in entry.states:
            continue
        for row, length in enumerate(MASK.sum(1).tolist()):
            h = np.zeros(network.config.d_hidden)
            for t in range(length) if prefix == "encoder" else reversed(range(length)):
                step = gru_step(w, layer, "_l0", w["embedding.weight"][SOURCE[row, t]], h)
                for part, expected in step.items():
                    near(values(decoded, f"{prefix}-{part}")[row, t], expected)
                h = step["hidden"]


def test_seq2seq_follows_its_equations(seq2seq: Any) -> None:
    decoded, w = tiny.decode(seq2seq, SOURCE, TARGET, MASK), numpy_weights(seq2seq)
    for row, length in enumerate(MASK.sum(1).tolist()):
        h_last = values(decoded, "encoder-hidden")[row, length - 1].double().numpy()
        c = np.tanh(w["to_context.weight"] @ h_last + w["to_context.bias"])
        s = np.tanh(w["to_start.weight"] @ c + w["to_start.bias"])
        near(values(decoded, "context")[row, 0], c)
        for i, previous in enumerate(TARGET[row].tolist()):
            y = w["embedding.weight"][previous]
            step = gru_step(w, "decoder", "_l0", np.concatenate([y, c]), s)
            s = step["hidden"]
            for part, expected in step.items():
                near(values(decoded, f"decoder-{part}")[row, i], expected)
            near(decoded.logits[row, i], maxout_logits(w, np.concatenate([s, y, c])))


def test_seq2seq_writes_from_its_context_alone(seq2seq: Any) -> None:
    decoded = tiny.decode(seq2seq, SOURCE, TARGET, MASK)
    seen = decoded.encoding
    blinded = type(seen)(torch.zeros_like(seen.source), torch.zeros_like(seen.hidden), seen.context)
    step = seq2seq.step(TARGET[:, 0], seq2seq.start(blinded), blinded)
    assert torch.equal(step.logits, decoded.logits[:, 0])


def test_bahdanau_follows_its_equations(bahdanau: Any) -> None:
    decoded, w = tiny.decode(bahdanau, SOURCE, TARGET, MASK), numpy_weights(bahdanau)
    weights, scores = decoded.record.attention[0].weights, decoded.record.attention[0].scores
    assert scores is not None
    for row, length in enumerate(MASK.sum(1).tolist()):
        forward = values(decoded, "encoder-hidden")[row, :length].double().numpy()
        reverse = values(decoded, "encoder-reverse-hidden")[row, :length].double().numpy()
        h = np.concatenate([forward, reverse], 1)
        s = np.tanh(w["to_start.weight"] @ reverse[0] + w["to_start.bias"])
        for i, previous in enumerate(TARGET[row].tolist()):
            query = w["to_query.weight"] @ s
            e = np.array(
                [w["to_energy.weight"][0] @ np.tanh(query + w["to_keys.weight"] @ h_j + w["to_keys.bias"]) for h_j in h]
            )
            a = np.exp(e) / np.exp(e).sum()
            c = sum(a[j] * h[j] for j in range(length))
            near(scores[row, 0, i, :length], e)
            near(weights[row, 0, i, :length], a)
            near(bahdanau.attend(decoded.states[i].hidden[:, None], decoded.encoding)[0][row, 0], c)
            y = w["embedding.weight"][previous]
            step = gru_step(w, "decoder", "", np.concatenate([y, c]), s)
            s = step["hidden"]
            for part, expected in step.items():
                near(values(decoded, f"decoder-{part}")[row, i], expected)
            near(decoded.logits[row, i], maxout_logits(w, np.concatenate([s, y, c])))


def test_bahdanau_attends_to_the_encoder(bahdanau: Any) -> None:
    before = bahdanau(SOURCE, TARGET, MASK)
    for position in range(SOURCE.shape[1]):
        changed = SOURCE.clone()
        changed[0, position] = 45
        after = bahdanau(changed, TARGET, MASK)
        rows_moved = (after.attention[0].weights[0, 0] - before.attention[0].weights[0, 0]).abs().amax(-1)
        assert (rows_moved > 1e-4).all(), f"token {position} does not change every row of the alignment"
        assert ((after.logits[0] - before.logits[0]).abs().amax(-1) > 1e-4).all()


def test_bahdanau_asks_with_the_previous_state(bahdanau: Any) -> None:
    decoded = tiny.decode(bahdanau, SOURCE, TARGET, MASK)
    alignment = decoded.record.attention[0].weights[:, 0]
    for i in range(TARGET.shape[1]):
        _, by_previous, _ = bahdanau.attend(decoded.states[i].hidden[:, None], decoded.encoding)
        _, by_own, _ = bahdanau.attend(decoded.states[i + 1].hidden[:, None], decoded.encoding)
        close(by_previous[:, 0], alignment[:, i], 1e-6)
        assert not torch.allclose(by_own[0, 0], alignment[0, i], atol=1e-4)


def test_each_direction_reads_its_own_way(bahdanau: Any) -> None:
    before = tiny.decode(bahdanau, SOURCE, TARGET, MASK)
    changed = SOURCE.clone()
    changed[0, 3] = 45
    after = tiny.decode(bahdanau, changed, TARGET, MASK)
    for kind, unmoved in (("encoder-hidden", range(3)), ("encoder-reverse-hidden", range(4, 7))):
        moved = (values(after, kind)[0] - values(before, kind)[0]).abs().amax(-1) > 1e-6
        assert moved.tolist() == [t not in unmoved for t in range(SOURCE.shape[1])]


def test_reversal_turns_tokens_and_leaves_padding() -> None:
    order = gru_bahdanau.reversal(MASK)
    assert order.tolist() == [[6, 5, 4, 3, 2, 1, 0], [3, 2, 1, 0, 4, 5, 6], [1, 0, 2, 3, 4, 5, 6]]
    assert torch.equal(order.gather(1, order), torch.arange(SOURCE.shape[1]).expand_as(order))
