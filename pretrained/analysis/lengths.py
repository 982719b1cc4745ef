"""Scores of a model against the length of what it translated, from its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Part:
    """The sentences of a test whose lengths lie in one range.

    Attributes:
        name: of the range: ``6-10``, or ``31+``, which has no end.
        low: fewest source words.
        high: most source words, or none.
        chrf: 0 to 100.
    """

    name: str
    low: int
    high: int | None
    chrf: float


def by_length(card: Mapping[str, Any]) -> tuple[Part, ...]:
    """List a card's ranges of the test, shortest first; a range over several others is left out."""
    parts = []
    for name, scored in card["scores"]["test"]["by_length"].items():
        low, _, high = name.rstrip("+").partition("-")
        parts.append(Part(name, int(low), int(high) if high else None, float(scored["chrf"])))
    found: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.low, part.high or float("inf"))):
        if not found or (found[-1].high is not None and part.low > found[-1].high):
            found.append(part)
    return tuple(found)


@dataclass(frozen=True)
class Lead:
    """By how many points of chrF one model is ahead of another, range by range.

    Attributes:
        names: of the ranges that both cards have, shortest first.
        points: one a range.
    """

    names: tuple[str, ...]
    points: tuple[float, ...]

    @property
    def grows(self) -> bool:
        """Whether the lead is larger on the longest sentences than on the shortest."""
        return self.points[-1] > self.points[0]

    @property
    def largest(self) -> int:
        """Index of the range where it is largest."""
        return self.points.index(max(self.points))


def lead(ahead: tuple[Part, ...], behind: tuple[Part, ...]) -> Lead:
    """Compare two models range by range; raises ``ValueError`` if they share no range."""
    other = {part.name: part.chrf for part in behind}
    shared = [part for part in ahead if part.name in other]
    if not shared:
        raise ValueError(f"expected ranges in common, got {[p.name for p in ahead]} and {[p.name for p in behind]}")
    return Lead(tuple(part.name for part in shared), tuple(part.chrf - other[part.name] for part in shared))
