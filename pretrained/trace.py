"""What a run returns: every number that a picture may be drawn from, with the tokens that label its axes.

Everything is frozen and belongs to the caller; arrays are float32 and read-only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ATTENTION_KINDS = ("alignment", "encoder-self", "decoder-self", "cross")


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """One layer's attention.

    Attributes:
        kind: one of ``ATTENTION_KINDS``.
        layer: counted from 0.
        weights: ``[head, query, key]`` after softmax, before dropout.
        query_tokens: labels of the rows. In a decoder a row is the piece *predicted* there.
        key_tokens: labels of the columns.
        consumed_tokens: in a decoder, the piece *read* at each row.
        scores: ``[head, query, key]`` before mask and softmax.
        may_attend: ``[query, key]``, True where a query may see a key.

    Raises:
        ValueError: shapes that do not fit each other or the tokens.
    """

    kind: str
    layer: int
    weights: NDArray[np.float32]
    query_tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    consumed_tokens: tuple[str, ...] | None = None
    scores: NDArray[np.float32] | None = None
    may_attend: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Check kind, shapes and token counts."""
        where = f"{self.kind} attention of layer {self.layer}"
        if self.kind not in ATTENTION_KINDS:
            raise ValueError(f"{where}: expected a kind out of {ATTENTION_KINDS}")
        expected = (len(self.query_tokens), len(self.key_tokens))
        _expect(f"{where}, weights", self.weights.shape[1:], expected)
        if self.scores is not None:
            _expect(f"{where}, scores", self.scores.shape, self.weights.shape)
        if self.may_attend is not None:
            _expect(f"{where}, may_attend", self.may_attend.shape, expected)
        if self.consumed_tokens is not None:
            _expect(f"{where}, consumed_tokens", (len(self.consumed_tokens),), expected[:1])
        _freeze(self.weights, self.scores, self.may_attend)

    @property
    def n_heads(self) -> int:
        """How many heads this layer has."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False)
class StateMap:
    """One layer's states or gates over time.

    Attributes:
        kind: ``encoder-hidden``, ``encoder-reverse-hidden``, ``context``, ``decoder-hidden``, ``...-cell``,
            ``...-gate-r`` and so on.
        layer: counted from 0.
        values: ``[token, unit]``.
        tokens: labels of the rows: in an encoder the piece read, in a decoder the piece predicted; a ``context`` vector
            has one row, the last piece read.

    Raises:
        ValueError: values that are no matrix, or a number of tokens that is not the number of rows.
    """

    kind: str
    layer: int
    values: NDArray[np.float32]
    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check shape and number of tokens."""
        expected = (len(self.tokens), *self.values.shape[-1:])
        _expect(f"{self.kind} of layer {self.layer}, values", self.values.shape, expected)
        _freeze(self.values)


@dataclass(frozen=True)
class Candidate:
    """A piece that could have come next.

    Attributes:
        token: its label.
        probability: what the model gives it.
        sampled: what it was drawn with, after temperature, top-k and top-p; none where nothing is ever drawn.
        written: whether it is the one that was drawn.
    """

    token: str
    probability: float
    sampled: float | None = None
    written: bool = False


@dataclass(frozen=True, eq=False)
class Trace:
    """All that one model did with one text.

    Attributes:
        model: its name in the registry.
        text: as given.
        source_tokens: labels of the pieces read, an encoder-decoder's with ``</s>`` at the end.
        target_tokens: labels of the pieces written, ``</s>`` at the end unless the length limit cut it off; of a
            compression the words kept.
        output: the text that the target's pieces spell.
        source_spans: ``(start, end)`` of every source piece in ``text``, in characters.
        target_spans: the same for ``output``.
        attention: one map a kind and layer.
        states: one map a kind and layer.
        candidates: for every output step the ten likeliest pieces, best first, and the one written if it is another.
            A compression has ``keep`` and ``drop`` for every source token but ``</s>`` instead, the likelier one first.
        log_probability: of the whole output under the model, in nats.
        milliseconds: ``load``, ``encode``, ``decode``, ``trace``, as measured for this run.
        unknown: characters of the text that the model has never seen, in their order.
        cache_bytes: after every output step, the size of the keys and values that are kept for the next one; empty
            where none are counted.
    """

    model: str
    text: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    output: str
    source_spans: tuple[tuple[int, int], ...]
    target_spans: tuple[tuple[int, int], ...]
    attention: tuple[AttentionMap, ...]
    states: tuple[StateMap, ...]
    candidates: tuple[tuple[Candidate, ...], ...]
    log_probability: float
    milliseconds: Mapping[str, float]
    unknown: tuple[str, ...] = field(default=())
    cache_bytes: tuple[int, ...] = field(default=())

    def attention_of(self, kind: str) -> tuple[AttentionMap, ...]:
        """Give the maps of one kind, by layer; empty if the model has none."""
        return tuple(attended for attended in self.attention if attended.kind == kind)

    def states_of(self, kind: str) -> tuple[StateMap, ...]:
        """Give the states of one kind, by layer; empty if the model has none."""
        return tuple(states for states in self.states if states.kind == kind)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Name all arrays ``kind.layer``, as the NPZ file of the command line holds them."""
        attention = {f"{attended.kind}.{attended.layer}": attended.weights for attended in self.attention}
        return attention | {f"{states.kind}.{states.layer}": states.values for states in self.states}


def _expect(what: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if tuple(shape) != tuple(expected):
        raise ValueError(f"{what}: expected shape {tuple(expected)}, got {tuple(shape)}")


def _freeze(*arrays: NDArray[np.generic] | None) -> None:
    for array in arrays:
        if array is not None:
            array.flags.writeable = False
