"""What may be changed in a run: a row of attention painted, a head switched off, a token masked or swapped.

An intervention is a value that is handed down with every call. Nothing is kept on a model and nothing is hooked into
it, so that one reader's change never reaches another's run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pretrained.trace import ATTENTION_KINDS

# What each action has to be given, and nothing else; a layer and a head are 0 unless given.
ACTIONS = {
    "paint": {"kind", "position", "weights"},
    "switch-off": {"kind"},
    "mask": {"position"},
    "swap": {"position", "token"},
}
TOLERANCE = 1e-4  # within which a painted row has to sum to 1, as float32 rows do


@dataclass(frozen=True)
class Intervention:
    """One change to what a model does by itself.

    Attributes:
        action: ``paint`` gives a row of attention these weights; ``switch-off`` lets a head hand over nothing; ``mask``
            hides a source token; ``swap`` reads another token in its place.
        kind: of the attention, one of ``ATTENTION_KINDS``.
        layer: of the attention, counted from 0.
        head: likewise.
        position: the row that is painted (a decoder's is its output step), or the source token; counted from 0.
        weights: one for every key, summing to 1.
        token: what is read instead.

    Raises:
        ValueError: an unknown action or kind, parts that the action does not take, numbers out of their range.
    """

    action: str
    kind: str | None = None
    layer: int = 0
    head: int = 0
    position: int | None = None
    weights: tuple[float, ...] | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        """Check that everything is there and in its range."""
        if self.action not in ACTIONS:
            raise ValueError(f"expected an action out of {', '.join(ACTIONS)}, got {self.action!r}")
        given = {name for name in ("kind", "position", "weights", "token") if getattr(self, name) is not None}
        if given != ACTIONS[self.action]:
            needed = ", ".join(sorted(ACTIONS[self.action]))
            raise ValueError(f"{self.action}: expected {needed}, got {', '.join(sorted(given)) or 'nothing'}")
        if self.kind not in (None, *ATTENTION_KINDS):
            raise ValueError(f"{self.action}: expected a kind out of {', '.join(ATTENTION_KINDS)}, got {self.kind!r}")
        for name in ("layer", "head", "position"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{self.action}: expected a {name} of at least 0, got {getattr(self, name)}")
        if self.weights is not None and not (min(self.weights, default=-1) >= 0 and self._sums_to_1(self.weights)):
            raise ValueError(f"{self.action}: expected weights of at least 0 that sum to 1, got {self.weights}")

    @staticmethod
    def _sums_to_1(weights: tuple[float, ...]) -> bool:
        return math.isclose(math.fsum(weights), 1, rel_tol=0, abs_tol=TOLERANCE)
