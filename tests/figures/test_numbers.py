"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from viz.numbers import number, percent, rough


def test_numbers_for_people() -> None:
    assert [number(v) for v in (0.0, 1.0, 0.4567, 0.0004, -0.25, -1e-9)] == [
        "0.000", "1.000", "0.457", "<0.001", "−0.250", "−<0.001",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.0, "0.0%"), (0.0001, "<0.1%"), (0.4163, "41.6%"), (0.99999, ">99.9%"), (1.0, "100.0%")],
)
def test_small_and_large_probabilities_stay_honest(probability: float, said: str) -> None:
    assert percent(probability) == said


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (9.4e-6, 1, "9·10⁻⁶"), (9.7e-8, 1, "1·10⁻⁷"), (-3e-7, 1, "−3·10⁻⁷"), (1.24e-12, 2, "1.2·10⁻¹²"), (0.0, 1, "0"),
        (0.00042, 1, "4·10⁻⁴"), (0.0042, 2, "0.0042"), (0.964, 2, "0.96"), (0.996, 2, "1.0"), (14.4, 2, "14"),
        (8.8, 2, "8.8"), (1234.0, 2, "1,200"), (-1234.0, 2, "−1,200"), (2e9, 2, "2.0·10⁹"),
        (math.inf, 2, "∞"), (math.nan, 1, "?"),
    ],
)  # fmt: skip
def test_a_size_is_said_by_its_first_digits(value: float, digits: int, said: str) -> None:
    assert rough(value, digits) == said
