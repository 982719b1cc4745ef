"""What every encoder-decoder takes and gives: the tensors of a pass, named.

An architecture has four methods. ``encode`` reads a source; ``start`` and ``step`` write one token at a time from what
was read (a state goes in, a new state comes out); ``forward`` does both over a whole target at once, for training; and
``record`` names everything that a finished run did. Nothing is kept on the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from pretrained.shapes import Bool, Float, Int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.intervention import Intervention


@dataclass(frozen=True)
class Attended:
    """One layer's attention, for a batch.

    Attributes:
        kind: ``alignment``, ``encoder-self``, ``decoder-self`` or ``cross``.
        weights: after softmax, before dropout.
        scores: before mask and softmax, where the architecture has them.
        may_attend: True where a query may see a key.
        keys: names of the keys, where they are not tokens.
    """

    kind: str
    layer: int
    weights: Float[Tensor, "batch head query key"]
    scores: Float[Tensor, "batch head query key"] | None = None
    may_attend: Bool[Tensor, "batch query key"] | None = None
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True)
class States:
    """One layer's states or gates, for a batch; ``kind`` as in ``pretrained.trace.StateMap``."""

    kind: str
    layer: int
    values: Float[Tensor, "batch token unit"]


@dataclass(frozen=True)
class Output:
    """A teacher-forced pass: a distribution at every target position, and the attention that led to it."""

    logits: Float[Tensor, "batch target vocab"]
    attention: tuple[Attended, ...] = ()


@dataclass(frozen=True)
class Step:
    """One decoded position.

    Attributes:
        logits: scores of every piece as the next one.
        state: what the next step needs; the architecture's own type.
        weights: one ``[batch, head, key]`` a layer that looks at the source, none where nothing does.
    """

    logits: Float[Tensor, "batch vocab"]
    state: Any
    weights: tuple[Float[Tensor, "batch head key"], ...] = ()


@dataclass(frozen=True)
class Record:
    """All that a run did: attention with its scores, states and gates."""

    attention: tuple[Attended, ...]
    states: tuple[States, ...]


def paint(
    weights: Float[Tensor, "batch query key"], interventions: Sequence[Intervention]
) -> Float[Tensor, "batch query key"]:
    """Put painted rows in the place of those that a model made; all of ``interventions`` paint this attention."""
    for one in interventions:
        if one.weights is not None and one.position is not None:
            # A step has a single row, whatever its number.
            row = one.position if weights.shape[1] > 1 else 0
            weights[:, row] = weights.new_tensor(one.weights)
    return weights


def switched_off(interventions: Sequence[Intervention], kind: str, layer: int) -> tuple[int, ...]:
    """Name the heads of one layer's attention that are switched off."""
    return tuple(one.head for one in interventions if (one.action, one.kind, one.layer) == ("switch-off", kind, layer))


class EncoderDecoder(Protocol):
    """The shape of a translation architecture."""

    def encode(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> Any:
        """Read a source; ``source_mask`` is True at real tokens, ``None`` means all are."""

    def start(self, encoding: Any) -> Any:
        """Make the state before the first step."""

    def step(
        self, token: Int[Tensor, " batch"], state: Any, encoding: Any, interventions: Sequence[Intervention] = ()
    ) -> Step:
        """Read the previous token, score the next; ``interventions`` are those in force at this very step.

        A network that knows no interventions is never given any, and need not take the argument.
        """

    def select(self, state: Any, rows: Int[Tensor, " kept"]) -> Any:
        """Keep these rows of a state or an encoding (finished sentences leave, beams are re-ordered)."""

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Output:
        """Score every position of a known target."""

    def record(
        self,
        encoding: Any,
        target: Int[Tensor, "batch target"],
        states: Sequence[Any],
        interventions: Sequence[Intervention] = (),
    ) -> Record:
        """Name all that decoding ``target`` did; ``states`` holds the state before every step and after the last.

        ``interventions`` are all those of the run, as ``step`` got them one by one.
        """
