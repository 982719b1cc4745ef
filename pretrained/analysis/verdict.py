"""What a measurement says of a claim: each rule stands beside its measurement, and speaks in these words."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["holds", "in part", "does not hold"]


def judged(*so: bool) -> Verdict:
    """Judge a claim by all that it says: it holds if all of it is so, in part if some of it is, and else not."""
    return "holds" if all(so) else "in part" if any(so) else "does not hold"
