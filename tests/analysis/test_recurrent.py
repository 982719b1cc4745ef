"""What a recurrent encoder does: ledgers against torch and against each other, measures against their definitions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pretrained import entry
from pretrained.analysis import gradients, recurrent
from pretrained.architectures import cells
from tests.models import tiny

UNITS, WIDTH, TOKENS = 4, 3, 5
LEDGERS: dict[str, Any] = {
    "rnn": recurrent.elman_ledger,
    "lstm": recurrent.lstm_ledger,
    "gru": recurrent.gru_ledger,
}
TEXT = "The cat saw the cat."


def make(cell: str) -> tuple[nn.RNNBase, Tensor]:
    torch.manual_seed(5)
    layer = cells.layer(cell, WIDTH, UNITS).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer.requires_grad_(requires_grad=False), torch.randn(TOKENS, WIDTH, dtype=torch.double)


def reader(cell: str) -> Any:
    return tiny.translator(entry(f"{cell}-seq2seq"))


@pytest.mark.parametrize("cell", LEDGERS)
def test_a_ledger_ends_where_torch_does(cell: str) -> None:
    layer, inputs = make(cell)
    ledger = LEDGERS[cell](layer, inputs)
    expected = layer(inputs[None])[0][0].numpy()
    np.testing.assert_array_equal(ledger.model, expected)
    np.testing.assert_allclose(ledger.hidden, expected, atol=1e-12)
    single = LEDGERS[cell](layer.float(), inputs.float())
    assert 0 < np.abs(single.hidden - single.model).max() < 2e-6, "what is left is single precision's rounding"


def test_the_summands_of_an_elman_step() -> None:
    layer, inputs = make("rnn")
    ledger = recurrent.elman_ledger(layer, inputs)
    w, u, b_x, b_h = (parameter.numpy() for parameter in layer.parameters())
    before = np.vstack([np.zeros(UNITS), layer(inputs[None])[0][0, :-1].numpy()])
    np.testing.assert_allclose(ledger.of_input, [w @ x for x in inputs.numpy()])
    np.testing.assert_allclose(ledger.of_state, [u @ h for h in before], atol=1e-12)
    np.testing.assert_allclose(ledger.bias, b_x + b_h)
    np.testing.assert_allclose(np.arctanh(ledger.hidden), ledger.of_input + ledger.of_state + ledger.bias)


@pytest.mark.parametrize(("cell", "letters"), [("lstm", "ifog"), ("gru", "rzn")])
def test_a_ledgers_gates_are_the_traces(cell: str, letters: str) -> None:
    layer, inputs = make(cell)
    ledger = LEDGERS[cell](layer, inputs)
    traced = {one.kind: one.values[0] for one in cells.states(layer, inputs[None], layer(inputs[None])[0], "e")}
    for letter in letters:
        np.testing.assert_allclose(getattr(ledger, letter), traced[f"e-gate-{letter}"], atol=1e-12)
    if cell == "lstm":
        np.testing.assert_allclose(ledger.cell, traced["e-cell"], atol=1e-12)


def test_a_ledger_balances() -> None:
    lstm, gru = (LEDGERS[cell](*make(cell)) for cell in ("lstm", "gru"))
    np.testing.assert_array_equal(lstm.before[1:], lstm.cell[:-1])
    np.testing.assert_allclose(lstm.f * lstm.before + lstm.i * lstm.g, lstm.cell)
    np.testing.assert_allclose(lstm.o * np.tanh(lstm.cell), lstm.hidden)
    np.testing.assert_array_equal(gru.before[1:], gru.hidden[:-1])
    np.testing.assert_allclose((1 - gru.z) * gru.n + gru.z * gru.before, gru.hidden)
    assert not lstm.before[0].any()
    assert not gru.before[0].any()


@pytest.mark.parametrize("cell", LEDGERS)
def test_a_layer_of_another_kind_is_refused(cell: str) -> None:
    other = "gru" if cell == "rnn" else "rnn"
    with pytest.raises(ValueError, match=f"got {type(make(other)[0]).__name__}"):
        LEDGERS[cell](*make(other))


@pytest.mark.parametrize("cell", LEDGERS)
def test_what_is_measured_is_the_sentences(cell: str) -> None:
    model = reader(cell)
    inputs = model.network.embedding(torch.tensor(model.read(TEXT).ids))
    torch.testing.assert_close(recurrent.embedded(model, TEXT), inputs)
    norms = recurrent.gradient_norms(model, TEXT, 0.5)
    np.testing.assert_allclose(norms, gradients.jacobian_norms(model.network.encoder, inputs, scale=0.5))
    hidden = model.network.encode(torch.tensor([model.read(TEXT).ids])).hidden[0]
    blank = inputs.clone()
    blank[1] = 0
    expected = (model.network.encoder(blank[None])[0][0, -1] - hidden[-1]).norm() / hidden[-1].norm()
    assert recurrent.moved_by_a_blank(model, TEXT)[1] == pytest.approx(float(expected), rel=1e-4)


def test_speeds_are_tokens_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = reader("lstm"), reader("gru")
    monkeypatch.setattr(recurrent, "TIMED_SECONDS", 0)
    monkeypatch.setattr(recurrent, "_seconds", lambda layer, _: 0.5 if layer is model.network.encoder else 0.25)
    n_tokens = len(model.read(TEXT).ids)
    assert recurrent.reading_speeds(model, other, TEXT) == (n_tokens / 0.5, n_tokens / 0.25)


def test_cells_are_compared_from_the_last_token_back() -> None:
    models = [reader(cell) for cell in LEDGERS]
    for model, shares in zip(models, recurrent.relative_gradient_norms(*models, TEXT), strict=True):
        norms = recurrent.gradient_norms(model, TEXT)
        assert shares[-1] == 1
        np.testing.assert_allclose(shares * norms[-1], norms, rtol=1e-6)


def test_what_single_precision_cannot_hold_stands_at_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = np.array([np.inf, np.nan, 0, 1], np.float32)
    monkeypatch.setattr(gradients, "jacobian_norms", lambda *_, **__: odd)
    norms = recurrent.gradient_norms(reader("rnn"), TEXT)
    assert norms.dtype == np.float32
    assert norms.tolist() == [recurrent.LARGEST, recurrent.LARGEST, recurrent.SMALLEST, 1]
    odd[-1] = 1e9
    assert recurrent.relative_gradient_norms(reader("rnn"), TEXT)[0].min() > 0


def test_the_radius_is_the_encoders() -> None:
    model = reader("rnn")
    u = model.network.encoder.weight_hh_l0.numpy()
    assert recurrent.radius(model) == pytest.approx(np.abs(np.linalg.eigvals(u)).max())


def test_a_gru_has_three_quarters_of_an_lstms_numbers() -> None:
    gru, lstm = (recurrent.n_parameters(make(cell)[0]) for cell in ("gru", "lstm"))
    assert gru * 4 == lstm * 3
    assert gru == 3 * UNITS * (WIDTH + UNITS + 2)


@pytest.mark.parametrize(
    ("norms", "factor", "fate"),
    [
        ([1, 3, 9, 27], 1 / 3, "vanishes"),
        ([27, 5, 4, 1], 3.0, "explodes"),
        ([1.1, 90, 2], 0.74, "holds"),
        ([4, 0.5], 8.0, "holds"),
        ([3], 1.0, "holds"),
    ],
)
def test_what_becomes_of_a_gradient(norms: list[float], factor: float, fate: str) -> None:
    given = np.array(norms, np.float32)
    assert recurrent.factor_a_step(given) == pytest.approx(factor, abs=0.01)
    assert recurrent.fate(given) == fate


def test_halves() -> None:
    assert recurrent.halves(np.array([1.0, 3.0, 5.0, 7.0, 9.0])) == (2.0, 7.0)
    assert recurrent.halves(np.array([1.0, 3.0])) == (1.0, 3.0)


def test_it_forgets_where_the_later_half_moves_it_more() -> None:
    assert recurrent.forgets(np.array([1.0, 2.0, 3.0]))
    assert not recurrent.forgets(np.array([3.0, 1.0, 1.0]))
    assert not recurrent.forgets(np.array([1.0, 1.0])), "as much is not more"


def test_a_pace_needs_a_tenth_more_or_less() -> None:
    assert [recurrent.pace((100.0, other)) for other in (109.0, 111.0, 91.0, 89.0)] == [
        "equally fast", "faster", "equally fast", "slower"
    ]  # fmt: skip


def test_the_last_of_several_gradients_falls_least_without_its_last_token() -> None:
    steep, flat = np.array([1.0, 2.0, 4.0, 4.0]), np.array([3.0, 3.0, 3.0, 99.0])
    assert recurrent.by_distance(steep) == pytest.approx(0.5)
    assert recurrent.by_distance(flat) == 1
    assert recurrent.falls_least((steep, flat))
    assert recurrent.falls_least((flat, flat))
    assert not recurrent.falls_least((steep, flat, steep))


@pytest.mark.parametrize(("factor", "steps"), [(0.1, 1), (0.1**0.5, 2), (1.0, np.inf), (1.5, np.inf)])
def test_a_tenth_is_left_after_so_many_steps(factor: float, steps: float) -> None:
    norms = factor ** np.arange(4, -1, -1)
    assert recurrent.steps_to_a_tenth(norms) == pytest.approx(steps)
