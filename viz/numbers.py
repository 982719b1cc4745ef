"""How numbers are written for people."""

from __future__ import annotations

import math

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, decimals: int = 3) -> str:
    """A value for people: fixed decimals, a true minus sign, and never `0.000` for what is not 0."""
    if not math.isfinite(value):
        return "−∞" if value < 0 else "∞" if value > 0 else "?"
    if value != 0 and abs(value) < 0.5 * 10**-decimals:
        least = f"{10**-decimals:.{decimals}f}"
        return f"<{least}" if value > 0 else f"−<{least}"
    return f"{value:.{decimals}f}".replace("-", "−")


def percent(probability: float) -> str:
    """A probability for people: `41.6%`, and never `0.0%` for what is not 0 or `100.0%` for what is not 1."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


def rough(value: float, digits: int = 1) -> str:
    """A size for people by its first digits, however large or small: `0.0042`, `1,200`, `3·10⁻⁷`, and `0` for 0."""
    if value == 0 or not math.isfinite(value):
        return number(value, 0)
    digit, e = f"{value:.{digits - 1}e}".split("e")
    exponent = int(e)
    if -4 < exponent < 6:
        said = f"{float(f'{digit}e{e}'):,.{max(0, digits - 1 - exponent)}f}"
    else:
        said = f"{digit}·10{str(exponent).translate(SUPERSCRIPT)}"
    return said.replace("-", "−")
