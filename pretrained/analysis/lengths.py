"""Scores of a model against the length of what it translated, from its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Scored:
    """A translation model's score on test sentences of one range of lengths.

    Attributes:
        low, high: source words, both ends included; no ``high`` where the range has no end.
        count: how many sentences.
        chrf: 0 to 100.
    """

    low: int
    high: int | None
    count: int
    chrf: float

    @property
    def name(self) -> str:
        """The range, for a reader: ``6–10``, or ``31+``."""
        return f"{self.low}–{self.high}" if self.high else f"{self.low}+"


def by_length(card: Mapping[str, Any]) -> tuple[Scored, ...]:
    """Read a model's scores from its card, shortest sentences first; of ranges within each other the narrower ones."""
    found = []
    for name, part in card["scores"]["test"]["by_length"].items():
        low, _, high = name.rstrip("+").partition("-")
        found.append(Scored(int(low), int(high) if high else None, part["count"], part["chrf"]))
    return tuple(
        sorted(
            (one for one in found if not any(other != one and _within(other, one) for other in found)),
            key=lambda one: one.low,
        )
    )


def range_of(ranges: Sequence[Scored], words: int) -> int | None:
    """Tell in which of the ranges a sentence of so many words lies, counted from 0; none where it is in no range."""
    return next(
        (place for place, one in enumerate(ranges) if one.low <= words <= (one.high or words)),
        None,
    )


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


def lead(ahead: tuple[Scored, ...], behind: tuple[Scored, ...]) -> Lead:
    """Compare two models range by range; raises ``ValueError`` if they share no range."""
    other = {part.name: part.chrf for part in behind}
    shared = [part for part in ahead if part.name in other]
    if not shared:
        raise ValueError(f"expected ranges in common, got {[p.name for p in ahead]} and {[p.name for p in behind]}")
    return Lead(tuple(part.name for part in shared), tuple(part.chrf - other[part.name] for part in shared))


def _within(inner: Scored, outer: Scored) -> bool:
    """Whether all of a range lies in another."""
    return outer.low <= inner.low and (outer.high is None or (inner.high is not None and inner.high <= outer.high))
