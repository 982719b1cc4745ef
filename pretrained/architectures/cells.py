"""Recurrent cells: how a state takes in one more token.

Elman 1990, "Finding structure in time"; Hochreiter and Schmidhuber 1997, "Long short-term memory", with the forget
gate of Gers, Schmidhuber and Cummins 2000, "Learning to forget"; Cho et al. 2014, "Learning phrase representations
using RNN encoder-decoder for statistical machine translation", section 2.3. Differences from the papers: the first two
are trained through all of time, where they cut the gradient short; Elman's units are squashed by tanh; torch's GRU
applies the reset gate after the recurrent product. Every W and b is a cell's and a gate's own.

    rnn     h_t = tanh(W x_t + b + W' h_{t-1} + b')

    lstm    i, f, o = sigmoid(W x_t + b + W' h_{t-1} + b')      what enters, what stays, what is shown
            g       = tanh(W x_t + b + W' h_{t-1} + b')         the candidate
            c_t     = f * c_{t-1} + i * g                       the cell state, which nothing squashes on its way
            h_t     = o * tanh(c_t)

    gru     r, z = sigmoid(W x_t + b + W' h_{t-1} + b')         reset; update, the share of the old state that stays
            n    = tanh(W x_t + b + r * (W' h_{t-1} + b'))      the candidate
            h_t  = (1 - z) * n + z * h_{t-1}
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pretrained.architectures.record import States
from pretrained.shapes import Float, Int

KINDS: dict[str, tuple[type[nn.RNN | nn.LSTM | nn.GRU], type[nn.RNNCell | nn.LSTMCell | nn.GRUCell]]] = {
    "rnn": (nn.RNN, nn.RNNCell),
    "lstm": (nn.LSTM, nn.LSTMCell),
    "gru": (nn.GRU, nn.GRUCell),
}


@dataclass(frozen=True)
class State:
    """What is carried from one step to the next: ``h``, and in an LSTM ``c``."""

    hidden: Float[Tensor, "batch unit"]
    cell: Float[Tensor, "batch unit"] | None = None

    def select(self, rows: Int[Tensor, " kept"]) -> State:
        """Keep these rows."""
        return State(self.hidden[rows], None if self.cell is None else self.cell[rows])


def layer(cell: str, d_input: int, d_hidden: int) -> nn.RNNBase:
    """Make a layer that reads a whole sequence; raises ``ValueError`` for an unknown cell."""
    layer_of_kind, _ = _kind(cell)
    made = layer_of_kind(d_input, d_hidden, batch_first=True)
    if isinstance(made, nn.LSTM):
        _open_forget_gate(made)
    return made


def single(cell: str, d_input: int, d_hidden: int) -> nn.RNNCellBase:
    """Make a cell that is called once a step; raises ``ValueError`` for an unknown cell."""
    _, cell_of_kind = _kind(cell)
    made = cell_of_kind(d_input, d_hidden)
    if isinstance(made, nn.LSTMCell):
        _open_forget_gate(made)
    return made


def starting_map(cell: str, d_hidden: int) -> nn.Linear:
    """Make the map from what was read to the decoder's first state; an LSTM's has a second half for ``c_0``."""
    return nn.Linear(d_hidden, (2 if cell == "lstm" else 1) * d_hidden)


def starting_state(mapped: Float[Tensor, "batch wide"], d_hidden: int) -> State:
    """Make the first state out of a starting map's output."""
    return State(*torch.tanh(mapped).split(d_hidden, -1))


def run(
    layer: nn.RNNBase, inputs: Float[Tensor, "batch token input"], state: State
) -> tuple[Float[Tensor, "batch token unit"], State]:
    """Read a sequence from ``state`` on: the hidden state after every token, and all of the last one."""
    hidden = state.hidden[None].contiguous()
    if state.cell is None:
        outputs, last = layer(inputs, hidden)
        return outputs, State(last[0])
    outputs, (last, cell) = layer(inputs, (hidden, state.cell[None].contiguous()))
    return outputs, State(last[0], cell[0])


def step(cell: nn.RNNCellBase, inputs: Float[Tensor, "batch input"], state: State) -> State:
    """Take in one token."""
    if state.cell is None:
        return State(cell(inputs, state.hidden))
    return State(*cell(inputs, (state.hidden, state.cell)))


def states(
    cell: nn.RNNBase | nn.RNNCellBase,
    inputs: Float[Tensor, "batch token input"],
    hidden: Float[Tensor, "batch token unit"],
    prefix: str,
    start: State | None = None,
) -> tuple[States, ...]:
    """Name the hidden states, and recompute from them the gates of all steps at once.

    Args:
        cell: the layer or cell that ran, in one direction.
        inputs: what it read at every step.
        hidden: the state after every step.
        prefix: what the kinds start with: ``encoder``, ``decoder``.
        start: the state before the first step; zero if not given.

    Returns:
        ``hidden``, then ``gate-i``, ``gate-f``, ``gate-o``, ``gate-g`` and ``cell`` of an LSTM, or ``gate-r``,
        ``gate-z`` and ``gate-n`` of a GRU.
    """
    w_x, w_h, b_x, b_h = cell.parameters()
    zero = torch.zeros_like(hidden[:, 0])
    before = torch.cat([(zero if start is None else start.hidden)[:, None], hidden[:, :-1]], 1)
    of_input, of_hidden = nn.functional.linear(inputs, w_x, b_x), nn.functional.linear(before, w_h, b_h)
    parts = {"hidden": hidden}
    if isinstance(cell, nn.LSTM | nn.LSTMCell):
        first = zero if start is None or start.cell is None else start.cell
        parts |= lstm_gates(of_input, of_hidden, first)
    elif isinstance(cell, nn.GRU | nn.GRUCell):
        parts |= gru_gates(of_input, of_hidden)
    return tuple(States(f"{prefix}-{part}", 0, values) for part, values in parts.items())


def lstm_gates(
    of_input: Float[Tensor, "batch token four_units"],
    of_hidden: Float[Tensor, "batch token four_units"],
    cell: Float[Tensor, "batch unit"],
) -> dict[str, Float[Tensor, "batch token unit"]]:
    """Compute all gates from both products, and from the gates, step by step from ``cell`` on, the cell states."""
    i, f, g, o = (of_input + of_hidden).chunk(4, -1)
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    c = []
    for stays, enters in zip(f.unbind(1), (i * g).unbind(1), strict=True):
        cell = stays * cell + enters
        c.append(cell)
    return {"gate-i": i, "gate-f": f, "gate-o": o, "gate-g": g, "cell": torch.stack(c, 1)}


def gru_gates(
    of_input: Float[Tensor, "batch token three_units"], of_hidden: Float[Tensor, "batch token three_units"]
) -> dict[str, Float[Tensor, "batch token unit"]]:
    """Compute all gates from both products."""
    x_r, x_z, x_n = of_input.chunk(3, -1)
    h_r, h_z, h_n = of_hidden.chunk(3, -1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    return {"gate-r": r, "gate-z": z, "gate-n": torch.tanh(x_n + r * h_n)}


def _kind(cell: str) -> tuple[type[nn.RNN | nn.LSTM | nn.GRU], type[nn.RNNCell | nn.LSTMCell | nn.GRUCell]]:
    if cell not in KINDS:
        raise ValueError(f"unknown cell {cell!r}; expected one of {', '.join(KINDS)}")
    return KINDS[cell]


def _open_forget_gate(lstm: nn.LSTM | nn.LSTMCell) -> None:
    """Let an untrained LSTM keep its cell state (Jozefowicz et al. 2015); the rows are those of i, f, g and o."""
    _, _, _, bias = lstm.parameters()
    nn.init.ones_(bias[lstm.hidden_size : 2 * lstm.hidden_size])
