"""What a trained recurrent encoder does with one sentence: its steps as arithmetic, its gradients, what it forgets.

The equations are those of ``architectures.cells``. Ledgers are worked out here once more from the layer's weights, in
double precision and one token after the other, so that they can stand beside what torch made of the same sentence.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from pretrained.analysis import gradients
from pretrained.shapes import Float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pretrained.model import Model

Values = Float[np.ndarray, "token unit"]
Fate = Literal["vanishes", "holds", "explodes"]
Pace = Literal["equally fast", "faster", "slower"]
CHANGE = 10.0
"""A gradient holds while its norm at the first token is within this factor of that at the last."""
AS_FAST = 0.1
"""A share of a speed: what is closer counts as equally fast."""
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
TIMED_SECONDS, FEWEST_PASSES = 0.2, 5


@dataclass(frozen=True, eq=False)
class ElmanLedger:
    """Every step of an Elman layer, ``h_t = tanh(W x_t + U h_{t-1} + b)``.

    Attributes:
        of_input: ``W x_t``.
        of_state: ``U h_{t-1}``.
        bias: ``b``, the sum of torch's two.
        hidden: ``h_t``.
        model: the ``h_t`` that torch computed, in single precision.
    """

    of_input: Values
    of_state: Values
    bias: Float[np.ndarray, " unit"]
    hidden: Values
    model: Values


@dataclass(frozen=True, eq=False)
class LstmLedger:
    """Every step of an LSTM layer, ``c_t = f * c_{t-1} + i * g`` and ``h_t = o * tanh(c_t)``.

    Attributes:
        i: the input gate; f, o and g likewise.
        before: ``c_{t-1}``.
        cell: ``c_t``.
        hidden: ``h_t``.
        model: the ``h_t`` that torch computed, in single precision.
    """

    i: Values
    f: Values
    o: Values
    g: Values
    before: Values
    cell: Values
    hidden: Values
    model: Values


@dataclass(frozen=True, eq=False)
class GruLedger:
    """Every step of a GRU layer, ``h_t = (1 - z) * n + z * h_{t-1}``.

    Attributes:
        r: the reset gate; z and n likewise.
        before: ``h_{t-1}``.
        hidden: ``h_t``.
        model: the ``h_t`` that torch computed, in single precision.
    """

    r: Values
    z: Values
    n: Values
    before: Values
    hidden: Values
    model: Values


def encoder(reader: Model) -> nn.RNNBase:
    """Give the layer that reads."""
    layer: nn.RNNBase = reader.network.encoder
    return layer


def embedded(reader: Model, text: str) -> Float[Tensor, "token input"]:
    """Give what the layer reads: an embedding for every piece of a text; raises ``TextError``."""
    vectors: Tensor = reader.network.embedding(torch.tensor(reader.read(text).ids))
    return vectors.detach()


def elman_ledger(layer: nn.RNNBase, inputs: Float[Tensor, "token input"]) -> ElmanLedger:
    """Work out an Elman layer; raises ``ValueError`` for one of another kind."""
    w, u, b_x, b_h = _weights(layer, nn.RNN)
    of_input, h = inputs.double().numpy() @ w.T, np.zeros(layer.hidden_size)
    of_state, hidden = [], []
    for x in of_input:
        of_state.append(u @ h)
        h = np.tanh(x + of_state[-1] + b_x + b_h)
        hidden.append(h)
    return ElmanLedger(of_input, np.array(of_state), b_x + b_h, np.array(hidden), _of_torch(layer, inputs))


def lstm_ledger(layer: nn.RNNBase, inputs: Float[Tensor, "token input"]) -> LstmLedger:
    """Work out an LSTM layer; raises ``ValueError`` for one of another kind."""
    w, u, b_x, b_h = _weights(layer, nn.LSTM)
    h = c = np.zeros(layer.hidden_size)
    steps = []
    for x, used in zip(inputs.double().numpy() @ w.T + b_x + b_h, _of_torch(layer, inputs), strict=True):
        i, f, g, o = np.split(x + u @ h, 4)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        before, c = c, f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, o, g, before, c, h, used))
    return LstmLedger(*(np.array(part) for part in zip(*steps, strict=True)))


def gru_ledger(layer: nn.RNNBase, inputs: Float[Tensor, "token input"]) -> GruLedger:
    """Work out a GRU layer; raises ``ValueError`` for one of another kind."""
    w, u, b_x, b_h = _weights(layer, nn.GRU)
    h = np.zeros(layer.hidden_size)
    steps = []
    for x, used in zip(inputs.double().numpy() @ w.T + b_x, _of_torch(layer, inputs), strict=True):
        (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(x, 3), np.split(u @ h + b_h, 3)
        r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        before, h = h, (1 - z) * n + z * h
        steps.append((r, z, n, before, h, used))
    return GruLedger(*(np.array(part) for part in zip(*steps, strict=True)))


def gradient_norms(reader: Model, text: str, scale: float = 1.0) -> NDArray[np.float32]:
    """Measure ``d h_T / d x_t`` for every token of a text, as ``gradients.jacobian_norms`` does.

    Args:
        reader: a model with a recurrent encoder, or a Transformer's, which has no recurrent matrix to scale.
        text: what it reads.
        scale: multiplies the recurrent matrix first.

    Returns:
        ``[token]``, above 0 and finite: what single precision cannot hold stands at its smallest or largest number.
    """
    if isinstance(reader.network.encoder, nn.RNNBase):
        return _held(gradients.jacobian_norms(encoder(reader), embedded(reader, text), scale=scale))
    return _held(gradients.attention_jacobian_norms(reader.network, torch.tensor(reader.read(text).ids)))


def relative_gradient_norms(*given: Model | str) -> tuple[NDArray[np.float32], ...]:
    """Measure several encoders on one text, each norm as a share of that at the last token.

    Args:
        given: the models, and then the text.
    """
    *readers, text = given
    found = [gradient_norms(cast("Model", reader), str(text)) for reader in readers]
    return tuple(_held(norms.astype(np.float64) / norms[-1]) for norms in found)


def radius(reader: Model) -> float:
    """Measure the spectral radius of an Elman encoder's recurrent matrix."""
    return gradients.spectral_radius(encoder(reader))


def moved_by_a_blank(reader: Model, text: str) -> NDArray[np.float32]:
    """Measure ``gradients.moved_by_a_word`` with zeros in the place of each token, so that ``W x_t`` is nothing."""
    inputs = embedded(reader, text)
    return gradients.moved_by_a_word(encoder(reader), inputs, torch.zeros_like(inputs[0]))


def reading_speeds(*given: Model | str) -> tuple[float, ...]:
    """Measure how many tokens of a text each encoder's layer reads in a second, by the median of many passes.

    The layers take turns, so that other work on the machine falls on all of them.

    Args:
        given: the models, and then the text.
    """
    *readers, text = given
    read = [(encoder(cast("Model", one)), embedded(cast("Model", one), str(text))[None]) for one in readers]
    seconds: list[list[float]] = []
    started = time.perf_counter()
    with torch.inference_mode():
        for layer, inputs in read:
            layer(inputs)  # the first pass pays for torch's own start
        while len(seconds) < FEWEST_PASSES or time.perf_counter() - started < TIMED_SECONDS:
            seconds.append([_seconds(layer, inputs) for layer, inputs in read])
    return tuple(read[0][1].shape[1] / statistics.median(passes) for passes in zip(*seconds, strict=True))


def n_parameters(layer: nn.RNNBase) -> int:
    """Count a layer's numbers."""
    return sum(parameter.numel() for parameter in layer.parameters())


def factor_a_step(norms: Float[np.ndarray, " token"]) -> float:
    """Tell by how much a gradient is multiplied at each step back, on the geometric mean; 1 for a single token."""
    steps = max(1, len(norms) - 1)
    return float((float(norms[0]) / float(norms[-1])) ** (1 / steps))


def steps_to_a_tenth(norms: Float[np.ndarray, " token"]) -> float:
    """Tell after how many steps at this pace a tenth of the gradient is left; infinity if it does not shrink."""
    factor = factor_a_step(norms)
    return math.log(0.1) / math.log(factor) if factor < 1 else math.inf


def fate(norms: Float[np.ndarray, " token"]) -> Fate:
    """Tell what became of a gradient on its way from the last token back to the first; see ``CHANGE``."""
    share = float(norms[0]) / float(norms[-1])
    return "vanishes" if share < 1 / CHANGE else "explodes" if share > CHANGE else "holds"


def by_distance(norms: Float[np.ndarray, " token"]) -> float:
    """Give ``factor_a_step`` without the last token, which in a Transformer keeps itself past every block."""
    return factor_a_step(norms[:-1])


def falls_least(norms: Sequence[Float[np.ndarray, " token"]]) -> bool:
    """Tell whether of several gradients the last one's falls least, or as little as any, with distance."""
    *others, last = [by_distance(one) for one in norms]
    return all(last >= factor for factor in others)


def pace(speeds: tuple[float, float]) -> Pace:
    """Tell how fast the second of two is beside the first."""
    faster = speeds[1] / speeds[0] - 1
    return "equally fast" if abs(faster) <= AS_FAST else "faster" if faster > 0 else "slower"


def halves(values: Float[np.ndarray, " token"]) -> tuple[float, float]:
    """Give the means over the earlier and the later half of at least two tokens; a middle one is of the later."""
    middle = len(values) // 2
    return float(values[:middle].mean()), float(values[middle:].mean())


def forgets(moved: Float[np.ndarray, " token"]) -> bool:
    """Tell whether the later half of a text moves the last state more than the earlier half."""
    earlier, later = halves(moved)
    return later > earlier


def _weights(layer: nn.RNNBase, kind: type[nn.RNNBase]) -> list[NDArray[np.float64]]:
    if not isinstance(layer, kind):
        raise ValueError(f"expected a layer of kind {kind.__name__}, got {type(layer).__name__}")
    return [parameter.detach().double().numpy() for parameter in layer.parameters()]


@torch.inference_mode()
def _of_torch(layer: nn.RNNBase, inputs: Float[Tensor, "token input"]) -> Values:
    made: NDArray[np.float32] = layer(inputs[None])[0][0].numpy()
    return made


def _held(values: NDArray[np.floating]) -> NDArray[np.float32]:
    held: NDArray[np.float32] = np.clip(np.nan_to_num(values, nan=LARGEST), SMALLEST, LARGEST).astype(np.float32)
    return held


def _seconds(layer: nn.RNNBase, inputs: Float[Tensor, "batch token input"]) -> float:
    started = time.perf_counter()
    layer(inputs)
    return time.perf_counter() - started


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))
