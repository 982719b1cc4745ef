"""Which tokens a token's vector can depend on, and through how many layers or steps: measured by gradients.

Gehring et al. 2017, "Convolutional sequence to sequence learning", section 1: windows of k tokens gather n tokens in
O(n / k) layers, where a recurrent network takes O(n) steps. Vaswani et al. 2017, "Attention is all you need", section 4
and table 1, compare the longest paths between two positions. Yu and Koltun 2016, "Multi-scale context aggregation by
dilated convolutions", spread windows out, layer by layer.

A gradient that is exactly 0 means that no path leads from one token to the other: nothing written there changes
anything here. A path of n layers, or of n recurrent steps, is one that is not there with n - 1 of them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from pretrained.analysis.residual import embedded
from pretrained.architectures import cells
from pretrained.shapes import Float, Int

if TYPE_CHECKING:
    from pretrained.architectures.conv_seq2seq import ConvSeq2Seq, GatedConvolution
    from pretrained.architectures.seq2seq import Seq2Seq
    from pretrained.architectures.transformer import Transformer
    from pretrained.translation import Translator

NEVER = -1


def convolved(
    network: ConvSeq2Seq, embedded: Float[Tensor, "token d_model"], dilations: Sequence[int]
) -> tuple[Float[Tensor, "token d_model"], ...]:
    """Run the encoder's blocks, their windows spread out or not.

    Args:
        network: whose weights are used as they are.
        embedded: ``e``, pieces and positions.
        dilations: for every block how far apart its window's tokens stand; 1 is how the model was trained.

    Returns:
        What the first block reads, then the output of every block.
    """
    z = network.encoder_in(embedded)
    found = [z]
    kernel = network.config.kernel
    for block, dilation in zip(_blocks(network), dilations, strict=True):
        margin = kernel // 2 * dilation
        read = nn.functional.pad(block.norm(z), (0, 0, margin, margin))
        windows = [read[first : first + len(z)] for first in range(0, kernel * dilation, dilation)]
        z = (nn.functional.glu(block.linear(torch.cat(windows, -1)), -1) + z) * math.sqrt(0.5)
        found.append(z)
    return tuple(found)


def reach(
    network: ConvSeq2Seq, ids: Sequence[int], token: int, dilations: Sequence[int]
) -> Float[np.ndarray, "layer source"]:
    """Measure on what the vector of one token depends: before the first block, and after each.

    Returns:
        Norms of the gradient of the vector's length by every token's embedding, each row as shares of its sum. Exactly
        0 where the token cannot have got there.
    """
    with torch.enable_grad():
        embedded = _embedded(network, ids).requires_grad_()
        found = _dependence(convolved(network, embedded, dilations), embedded, token)
    shares: Float[np.ndarray, "layer source"] = (found / found.sum(1, keepdims=True)).astype(np.float32)
    return shares


def path_lengths(dependence: Float[np.ndarray, "layer source"]) -> Int[np.ndarray, " source"]:
    """Tell after how many layers each token is first reached, 0 for the token itself; ``NEVER`` where it is not."""
    reached = dependence > 0
    return np.where(reached.any(0), reached.argmax(0), NEVER)


@dataclass(frozen=True, eq=False)
class Paths:
    """How long the paths to a sentence's last token are; ``NEVER`` where there is none.

    Attributes:
        recurrent: in steps, one after another.
        convolutional: in layers.
        spread: in layers, the same with windows spread out.
        attention: in layers.
        gathered: how many tokens the convolution's vector in the middle of the sentence depends on: before the first
            layer, and after each.
    """

    recurrent: Int[np.ndarray, " distance"]
    convolutional: Int[np.ndarray, " distance"]
    spread: Int[np.ndarray, " distance"]
    attention: Int[np.ndarray, " distance"]
    gathered: Int[np.ndarray, " layer"]

    @property
    def layers_to_gather(self) -> int:
        """After how many layers the vector in the middle depends on all tokens that it will ever depend on."""
        return int(np.argmax(self.gathered == self.gathered[-1]))

    @property
    def is_shorter(self) -> bool:
        """Whether the convolution's path to the farthest token that it reaches is shorter than the recurrent one."""
        far = farthest(self.convolutional)
        return bool(self.convolutional[far] < self.recurrent[far])

    @property
    def gathers_sooner(self) -> bool:
        """Whether the convolution brings as many tokens together as it can in fewer layers than recurrent steps."""
        return bool(self.layers_to_gather < self.recurrent[self.gathered[-1] - 1])


def farthest(lengths: Int[np.ndarray, " distance"]) -> int:
    """Tell how far the farthest token is that there is a path to."""
    return int(np.flatnonzero(lengths != NEVER)[-1])


def gaps(lengths: Int[np.ndarray, " distance"]) -> int:
    """Count the tokens before the farthest that there is no path to."""
    return int((lengths[: farthest(lengths)] == NEVER).sum())


def paths(convolutional: Translator, recurrent: Translator, transformer: Translator, text: str) -> Paths:
    """Measure the paths to a sentence's last token in three encoders.

    Raises:
        TextError: a text that a model cannot read.
    """
    ids = convolutional.read(text).ids
    last, convolution = len(ids) - 1, cast("ConvSeq2Seq", convolutional.network)
    close, wide = plain(convolution), doubling(convolution)
    middle = reach(convolution, ids, last // 2, close)
    return Paths(
        recurrent=recurrent_paths(cast("Seq2Seq", recurrent.network), recurrent.read(text).ids),
        convolutional=path_lengths(reach(convolution, ids, last, close))[::-1],
        spread=path_lengths(reach(convolution, ids, last, wide))[::-1],
        attention=attention_paths(cast("Transformer", transformer.network), transformer.read(text).ids),
        gathered=(middle > 0).sum(1),
    )


def plain(network: ConvSeq2Seq) -> tuple[int, ...]:
    """Windows of neighbours in every block, as the model was trained."""
    return (1,) * network.config.n_layers


def doubling(network: ConvSeq2Seq) -> tuple[int, ...]:
    """Windows spread out twice as far in every block as in the one before: 1, 2, 4, ..."""
    return tuple(2**layer for layer in range(network.config.n_layers))


def recurrent_paths(network: Seq2Seq, ids: Sequence[int]) -> Int[np.ndarray, " distance"]:
    """Count the steps between the last token and each before it: the fewest with which there is a gradient.

    With n steps, what was read up to n tokens before the last one is cut off.
    """
    # In float64 a gradient that has almost vanished on its way is still not 0.
    layer = copy.deepcopy(network.encoder).double()
    length = len(ids)
    last_ones = torch.ones(length, length, dtype=torch.double).tril().flip(1)
    with torch.enable_grad():
        copies = network.embedding(torch.tensor(list(ids))).double().expand(length, -1, -1).clone().requires_grad_()
        nothing = torch.zeros(length, layer.hidden_size, dtype=torch.double)
        state = cells.State(nothing, nothing if isinstance(layer, nn.LSTM) else None)
        for t in range(length):
            _, state = cells.run(layer, copies[:, t : t + 1], state)
            kept = last_ones[:, t, None]
            state = cells.State(state.hidden * kept, None if state.cell is None else state.cell * kept)
        (gradient,) = torch.autograd.grad(state.hidden.norm(dim=-1).sum(), copies)
    return path_lengths(gradient.norm(dim=-1).flip(1).numpy())


def attention_paths(network: Transformer, ids: Sequence[int]) -> Int[np.ndarray, " distance"]:
    """Count the layers between the last token and each before it."""
    with torch.enable_grad():
        inputs = embedded(network, torch.tensor([list(ids)]))[0].requires_grad_()
        x, mask = inputs[None], torch.ones(1, len(ids), dtype=torch.bool)
        layers = [x[0]]
        for block in network.encoder:
            x, _ = block(x, mask)
            layers.append(x[0])
        return path_lengths(_dependence(layers, inputs, -1))[::-1]


@dataclass(frozen=True)
class Gated:
    """One number of one block's output, step by step: ``v = A * sigmoid(B)``, ``z' = (v + z) * sqrt(0.5)``.

    Attributes:
        values: the parts of ``A``: what each token of the window gives, then the bias.
        gates: the same of ``B``.
        before: ``z``, what the block read at this token.
        used: ``z'`` as the model computed it.
    """

    values: tuple[float, ...]
    gates: tuple[float, ...]
    before: float
    used: float

    @property
    def a(self) -> float:
        """``A``, the value."""
        return sum(self.values)

    @property
    def b(self) -> float:
        """``B``, whose sigmoid is the gate."""
        return sum(self.gates)

    @property
    def gate(self) -> float:
        """The sigmoid of ``B``: the share of the value that gets through."""
        return 1 / (1 + math.exp(-self.b))

    @property
    def after(self) -> float:
        """``z'`` by the formula."""
        return (self.a * self.gate + self.before) * math.sqrt(0.5)


@torch.inference_mode()
def gated(network: ConvSeq2Seq, ids: Sequence[int], layer: int, token: int, unit: int) -> Gated:
    """Work out one unit of one block's output by the formula, in double precision, beside the model's own value."""
    block, kernel, d_model = _blocks(network)[layer], network.config.kernel, network.config.d_model
    outputs = network.encode(torch.tensor([list(ids)])).layers
    z = outputs[layer - 1].values[0] if layer else network.encoder_in(_embedded(network, ids))
    mean, deviation = z.double().mean(-1, keepdim=True), z.double().std(-1, correction=0, keepdim=True)
    normed = (z.double() - mean) / (deviation**2 + block.norm.eps).sqrt() * block.norm.weight + block.norm.bias
    margin = kernel // 2
    window = nn.functional.pad(normed, (0, 0, margin, margin))[token : token + kernel]

    def parts(row: int) -> tuple[float, ...]:
        weights = block.linear.weight[row].double().unflatten(0, (kernel, d_model))
        return (*(window * weights).sum(-1).tolist(), float(block.linear.bias[row]))

    return Gated(
        parts(unit), parts(d_model + unit), float(z[token, unit]), float(outputs[layer].values[0, token, unit])
    )


def _blocks(network: ConvSeq2Seq) -> list[GatedConvolution]:
    return [cast("GatedConvolution", block) for block in network.encoder]


def _embedded(network: ConvSeq2Seq, ids: Sequence[int]) -> Float[Tensor, "token d_model"]:
    """Embed pieces and positions as the encoder does."""
    pos = torch.arange(len(ids)).clamp(max=network.config.n_positions - 1)
    e: Tensor = network.embedding(torch.tensor(list(ids))) + network.source_positions(pos)
    return e * network.config.d_model**0.5


def _dependence(
    outputs: Sequence[Float[Tensor, "query unit"]], inputs: Float[Tensor, "token input"], query: int
) -> Float[np.ndarray, "output token"]:
    """Differentiate the length of one vector of every output by every input: the norms of the gradients."""
    gradients = [torch.autograd.grad(one[query].norm(), inputs, retain_graph=True)[0] for one in outputs]
    norms: Float[np.ndarray, "output token"] = torch.stack(gradients).norm(dim=-1).numpy()
    return norms
