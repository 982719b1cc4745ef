"""The recurrent models against their papers' equations, in plain numpy, and their gates against torch's own states."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained.architectures import cells
from pretrained.architectures.bidirectional import reversal
from pretrained.registry import ENTRIES, Entry
from pretrained.registry import entry as find
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, Decoded, close

RECURRENT = [entry for entry in ENTRIES if entry.cell and "decoder-hidden" in entry.states]
CELLS = tuple(cells.KINDS)


@pytest.fixture(params=CELLS)
def seq2seq(request: pytest.FixtureRequest) -> Any:
    return tiny.network(find(f"{request.param}-seq2seq"))


@pytest.fixture(params=CELLS)
def bahdanau(request: pytest.FixtureRequest) -> Any:
    return tiny.network(find(f"{request.param}-bahdanau"))


@pytest.fixture
def luong() -> Any:
    return tiny.network(find("gru-luong"))


@pytest.fixture
def hybrid() -> Any:
    return tiny.network(find("gru-selfattention"))


def values(decoded: Decoded, kind: str) -> torch.Tensor:
    (found,) = [states.values for states in decoded.record.states if states.kind == kind]
    return found


def numpy_weights(network: Any) -> dict[str, np.ndarray]:
    return {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}


def sigmoid(x: np.ndarray) -> Any:
    return 1 / (1 + np.exp(-x))


def cell_step(w: dict[str, np.ndarray], layer: str, x: np.ndarray, before: dict[str, np.ndarray]) -> dict[str, Any]:
    """One step of a cell as torch defines it, every gate from its own rows of the fused weights."""
    ending = "_l0" if f"{layer}.weight_ih_l0" in w else ""
    w_x, w_h = w[f"{layer}.weight_ih{ending}"], w[f"{layer}.weight_hh{ending}"]
    b_x, b_h = w[f"{layer}.bias_ih{ending}"], w[f"{layer}.bias_hh{ending}"]
    h, d = before["hidden"], len(before["hidden"])
    of_x, of_h = (w_x @ x + b_x).reshape(-1, d), (w_h @ h + b_h).reshape(-1, d)
    if len(of_x) == 1:
        return {"hidden": np.tanh(of_x[0] + of_h[0])}
    if len(of_x) == 3:
        r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
        n = np.tanh(of_x[2] + r * of_h[2])
        return {"gate-r": r, "gate-z": z, "gate-n": n, "hidden": (1 - z) * n + z * h}
    i, f, o = (sigmoid(of_x[row] + of_h[row]) for row in (0, 1, 3))
    g = np.tanh(of_x[2] + of_h[2])
    c = f * before["cell"] + i * g
    return {"gate-i": i, "gate-f": f, "gate-o": o, "gate-g": g, "cell": c, "hidden": o * np.tanh(c)}


def first_state(w: dict[str, np.ndarray], read: np.ndarray) -> dict[str, Any]:
    """Both halves of an LSTM's first state, or the one vector of the others."""
    mapped = np.tanh(w["to_start.weight"] @ read + w["to_start.bias"])
    d = w["to_start.weight"].shape[1]
    return {"hidden": mapped[:d], "cell": mapped[d:]}


def maxout_logits(w: dict[str, np.ndarray], read: np.ndarray) -> Any:
    """The deep output layer: the larger of every two neighbours, then a score for every piece."""
    pairs = w["to_output.weight"] @ read + w["to_output.bias"]
    t = np.array([max(pairs[2 * i], pairs[2 * i + 1]) for i in range(len(pairs) // 2)])
    return w["embedding.weight"] @ t + w["output_bias"]


def near(actual: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(actual.numpy(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("entry", RECURRENT, ids=lambda entry: entry.name)
def test_encoder_states_and_gates_equal_numpy(entry: Entry) -> None:
    network = tiny.network(entry)
    decoded, w = tiny.decode(network, SOURCE, TARGET, MASK), numpy_weights(network)
    for prefix, layer in (("encoder", "encoder"), ("encoder-reverse", "encoder_reverse")):
        if f"{prefix}-hidden" not in entry.states:
            continue
        for row, length in enumerate(MASK.sum(1).tolist()):
            state = dict.fromkeys(("hidden", "cell"), np.zeros(network.config.d_hidden))
            for t in range(length) if prefix == "encoder" else reversed(range(length)):
                state = cell_step(w, layer, w["embedding.weight"][SOURCE[row, t]], state)
                for part, expected in state.items():
                    near(values(decoded, f"{prefix}-{part}")[row, t], expected)


@pytest.mark.parametrize("cell", CELLS)
def test_states_and_gates_equal_those_of_torch(cell: str) -> None:
    layer, single = cells.layer(cell, 5, 4), cells.single(cell, 5, 4)
    single.load_state_dict({name.removesuffix("_l0"): tensor for name, tensor in layer.state_dict().items()})
    draw = torch.Generator().manual_seed(0)
    inputs, h, c = (torch.randn(3, *shape, generator=draw) for shape in ((6, 5), (4,), (4,)))
    start = cells.State(h, c if cell == "lstm" else None)
    hidden, last = cells.run(layer, inputs, start)
    by_layer, by_cell = (
        {part.kind: part.values for part in cells.states(ran, inputs, hidden, "x", start)} for ran in (layer, single)
    )
    for t, x in enumerate(inputs.unbind(1)):
        before_h, before_c = h, c
        h, c = single(x, (h, c)) if cell == "lstm" else (single(x, h), c)
        for named in (by_layer, by_cell):
            now = {kind.removeprefix("x-"): found[:, t] for kind, found in named.items()}
            close(now["hidden"], h, 1e-6)
            if cell == "gru":
                close((1 - now["gate-z"]) * now["gate-n"] + now["gate-z"] * before_h, h, 1e-6)
            if cell == "lstm":
                close(now["cell"], c, 1e-6)
                close(now["gate-f"] * before_c + now["gate-i"] * now["gate-g"], c, 1e-6)
                close(now["gate-o"] * torch.tanh(c), h, 1e-6)
    close(last.hidden, h, 1e-6)
    assert (last.cell is None) == (cell != "lstm")
    if last.cell is not None:
        close(last.cell, c, 1e-6)


@pytest.mark.parametrize("made", [cells.layer, cells.single])
def test_an_unknown_cell_is_refused(made: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown cell 'mgu'; expected one of rnn, lstm, gru"):
        made("mgu", 3, 4)


@pytest.mark.parametrize("made", [cells.layer, cells.single])
def test_an_untrained_lstm_keeps_its_cell_state(made: Any) -> None:
    _, _, _, b_h = made("lstm", 3, 4).parameters()
    assert [bool((gate == 1).all()) for gate in b_h.chunk(4)] == [False, True, False, False]


def test_seq2seq_follows_its_equations(seq2seq: Any) -> None:
    decoded, w = tiny.decode(seq2seq, SOURCE, TARGET, MASK), numpy_weights(seq2seq)
    for row, length in enumerate(MASK.sum(1).tolist()):
        h_last = values(decoded, "encoder-hidden")[row, length - 1].double().numpy()
        c = np.tanh(w["to_context.weight"] @ h_last + w["to_context.bias"])
        near(values(decoded, "context")[row, 0], c)
        state = first_state(w, c)
        for i, previous in enumerate(TARGET[row].tolist()):
            y = w["embedding.weight"][previous]
            state = cell_step(w, "decoder", np.concatenate([y, c]), state)
            for part, expected in state.items():
                near(values(decoded, f"decoder-{part}")[row, i], expected)
            near(decoded.logits[row, i], maxout_logits(w, np.concatenate([state["hidden"], y, c])))


def test_seq2seq_writes_from_its_context_alone(seq2seq: Any) -> None:
    decoded = tiny.decode(seq2seq, SOURCE, TARGET, MASK)
    seen = decoded.encoding
    blinded = type(seen)(torch.zeros_like(seen.source), torch.zeros_like(seen.hidden), seen.context)
    step = seq2seq.step(TARGET[:, 0], seq2seq.start(blinded), blinded)
    assert torch.equal(step.logits, decoded.logits[:, 0])


def test_bahdanau_follows_its_equations(bahdanau: Any) -> None:
    decoded = tiny.decode(bahdanau, SOURCE, TARGET, MASK)
    assert_bahdanau_writes(bahdanau, decoded, annotations(decoded))


def annotations(decoded: Decoded) -> np.ndarray:
    """Both directions' states, ``[batch, source, both]``."""
    kinds = ("encoder-hidden", "encoder-reverse-hidden")
    return np.concatenate([values(decoded, kind).double().numpy() for kind in kinds], -1)


def assert_bahdanau_writes(network: Any, decoded: Decoded, looked_at: np.ndarray) -> None:
    """Write every target from what the decoder looks at, by the equations."""
    w = numpy_weights(network)
    weights, scores = decoded.record.attention[-1].weights, decoded.record.attention[-1].scores
    assert scores is not None
    for row, length in enumerate(MASK.sum(1).tolist()):
        h = looked_at[row, :length]
        state = first_state(w, values(decoded, "encoder-reverse-hidden")[row, 0].double().numpy())
        for i, previous in enumerate(TARGET[row].tolist()):
            query = w["to_query.weight"] @ state["hidden"]
            e = np.array(
                [w["to_energy.weight"][0] @ np.tanh(query + w["to_keys.weight"] @ h_j + w["to_keys.bias"]) for h_j in h]
            )
            a = np.exp(e) / np.exp(e).sum()
            c = sum(a[j] * h[j] for j in range(length))
            near(scores[row, 0, i, :length], e)
            near(weights[row, 0, i, :length], a)
            near(network.attend(decoded.states[i].hidden[:, None], decoded.encoding)[0][row, 0], c)
            y = w["embedding.weight"][previous]
            state = cell_step(w, "decoder", np.concatenate([y, c]), state)
            for part, expected in state.items():
                near(values(decoded, f"decoder-{part}")[row, i], expected)
            near(decoded.logits[row, i], maxout_logits(w, np.concatenate([state["hidden"], y, c])))


def test_the_hybrid_follows_its_equations(hybrid: Any) -> None:
    decoded, w = tiny.decode(hybrid, SOURCE, TARGET, MASK), numpy_weights(hybrid)
    h = annotations(decoded)
    own, alignment = decoded.record.attention
    assert (own.kind, alignment.kind) == ("encoder-self", "alignment")
    assert own.scores is not None
    heads, width = hybrid.config.n_heads, h.shape[-1] // hybrid.config.n_heads
    looked_at = np.zeros_like(h)
    for row, length in enumerate(MASK.sum(1).tolist()):
        q = h[row] @ w["self_attention.w_q.weight"].T + w["self_attention.w_q.bias"]
        kv = h[row] @ w["self_attention.w_kv.weight"].T + w["self_attention.w_kv.bias"]
        k, v = np.split(kv, 2, axis=-1)
        for j in range(length):
            mixed = []
            for head in range(heads):
                units = slice(head * width, (head + 1) * width)
                scores = k[:length, units] @ q[j, units] / np.sqrt(width)
                a = np.exp(scores) / np.exp(scores).sum()
                near(own.scores[row, head, j, :length], scores)
                near(own.weights[row, head, j, :length], a)
                mixed.append(a @ v[:length, units])
            m = w["self_attention.w_o.weight"] @ np.concatenate(mixed) + w["self_attention.w_o.bias"]
            total = h[row, j] + m
            normed = (total - total.mean()) / np.sqrt(total.var() + hybrid.norm.eps)
            looked_at[row, j] = w["norm.weight"] * normed + w["norm.bias"]
    assert_bahdanau_writes(hybrid, decoded, looked_at)


def test_heads_of_the_hybrid_divide_both_directions() -> None:
    with pytest.raises(ValueError, match=r"both directions' width 12 .* n_heads 5"):
        tiny.network(find("gru-selfattention"), n_heads=5)


def test_luong_follows_its_equations(luong: Any) -> None:
    decoded, w = tiny.decode(luong, SOURCE, TARGET, MASK), numpy_weights(luong)
    h = annotations(decoded)
    weights, scores = decoded.record.attention[0].weights, decoded.record.attention[0].scores
    assert scores is not None
    for row, length in enumerate(MASK.sum(1).tolist()):
        state = first_state(w, values(decoded, "encoder-reverse-hidden")[row, 0].double().numpy())
        attentional = np.zeros(luong.config.d_model)
        for t, previous in enumerate(TARGET[row].tolist()):
            state = cell_step(w, "decoder", np.concatenate([w["embedding.weight"][previous], attentional]), state)
            score = np.array([state["hidden"] @ w["to_keys.weight"] @ h_s for h_s in h[row, :length]])
            a = np.exp(score) / np.exp(score).sum()
            c = sum(a[s] * h[row, s] for s in range(length))
            attentional = np.tanh(w["to_attentional.weight"] @ np.concatenate([c, state["hidden"]]))
            for part, expected in state.items():
                near(values(decoded, f"decoder-{part}")[row, t], expected)
            near(scores[row, 0, t, :length], score)
            near(weights[row, 0, t, :length], a)
            near(decoded.states[t + 1].attentional[row], attentional)
            near(decoded.logits[row, t], w["embedding.weight"] @ attentional + w["output_bias"])


def test_luong_is_fed_what_it_looked_at(luong: Any) -> None:
    decoded = tiny.decode(luong, SOURCE, TARGET, MASK)
    before = decoded.states[2]
    other = type(before)(before.decoder, before.attentional.flip(0))
    step = luong.step(TARGET[:, 2], other, decoded.encoding)
    assert not torch.allclose(step.state.decoder.hidden[0], decoded.states[3].decoder.hidden[0], atol=1e-3)


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
    order = reversal(MASK)
    assert order.tolist() == [[6, 5, 4, 3, 2, 1, 0], [3, 2, 1, 0, 4, 5, 6], [1, 0, 2, 3, 4, 5, 6]]
    assert torch.equal(order.gather(1, order), torch.arange(SOURCE.shape[1]).expand_as(order))
