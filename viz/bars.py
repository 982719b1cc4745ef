"""Small bar charts of shares: how likely each of a few tokens was, how often each of a few models was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from viz.matrix import shown
from viz.numbers import percent
from viz.palette import ThemeName
from viz.palette import theme as colours_of

BAR = 24
"""Pixels that one bar and the gap below it take."""
FOOT = 52
"""Pixels below the bars, for the axis: a chart that fits its place takes them from its height."""
TOLERANCE = 1e-3
"""Probabilities may leave 0..1 by this much, as products of float32 do."""


def candidate_bars(
    tokens: Sequence[str],
    probabilities: Sequence[float],
    *,
    chosen: int | None = 0,
    quantity: str = "probability",
    theme: ThemeName = "light",
) -> dict[str, Any]:
    """Draw one bar a token, in the order given, on a fixed scale of 0 to 100%, as a Vega-Lite specification.

    Args:
        tokens: what could have come next; the same token may come twice and keeps two bars.
        probabilities: one a token, 0..1.
        chosen: the position of the token that was taken, drawn in the strong colour; None for no such token.
        quantity: what the shares are, in words of our own.
        theme: whose colours to use.

    Raises:
        ValueError: no tokens, lengths that differ, probabilities outside 0..1, or a chosen position that is not there.
    """
    if not tokens or len(tokens) != len(probabilities):
        raise ValueError(f"probabilities: expected one for each of {len(tokens)} tokens, got {len(probabilities)}")
    for position, probability in enumerate(probabilities):
        if not -TOLERANCE <= probability <= 1 + TOLERANCE:
            raise ValueError(f"probabilities[{position}]: expected 0..1, got {probability}")
    if chosen is not None and not 0 <= chosen < len(tokens):
        raise ValueError(f"chosen: expected 0..{len(tokens) - 1}, got {chosen}")
    rows = [
        {
            "rank": rank,
            "token": shown(token),
            "probability": float(probability),
            "said": percent(float(probability)),
            "chosen": rank == chosen,
        }
        for rank, (token, probability) in enumerate(zip(tokens, probabilities, strict=True))
    ]
    # Nothing but the data differs from step to step: the browser then moves its bars instead of making them anew.
    empty = _empty_bars(len(rows), quantity, theme)
    return {**empty, "datasets": dict.fromkeys(empty["datasets"], rows)}


@cache
def _empty_bars(count: int, quantity: str, theme: ThemeName) -> dict[str, Any]:
    """Describe the chart but for its tokens and numbers, once: altair checks every part of it, which takes 50 ms."""
    import altair

    colours = colours_of(theme)
    # A bar stands at its position and the token is text beside it, so a repeated token does not merge two bars.
    y = altair.Y("rank:O", title=None, axis=None)
    x = altair.X(
        "probability:Q",
        title=quantity,
        scale=altair.Scale(domain=[0, 1], clamp=True),
        axis=altair.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=True),
    )
    base = altair.Chart(altair.InlineData(values=[{"rank": rank} for rank in range(count)])).encode(
        y=y,
        tooltip=[
            altair.Tooltip("token:N", title="token"),
            altair.Tooltip("probability:Q", title=quantity, format=".6f"),
        ],
    )
    bars = base.mark_bar(height=altair.RelativeBandSize(0.72), cornerRadiusEnd=2).encode(
        x=x,
        color=altair.condition("datum.chosen", altair.value(colours.primary), altair.value(colours.muted)),
    )
    # Past the middle a number stands inside its bar's end, where there is room for it.
    inside = "datum.probability > 0.5"
    numbers = [
        base.transform_filter(f"!({inside})").mark_text(align="left", dx=4, color=colours.text),
        base.transform_filter(inside).mark_text(align="right", dx=-6, color=colours.surface),
    ]
    # the browser cuts what is wider than its limit, and the tooltip has all of it
    labels = base.mark_text(align="right", dx=-8, fontSize=13, limit=160, color=colours.text).encode(
        x=altair.value(0), text="token:N"
    )
    chart = altair.layer(bars, labels, *(text.encode(x=x, text="said:N") for text in numbers))
    drawn = (
        chart.properties(height=BAR * count + FOOT, background=colours.surface)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=colours.text, titleColor=colours.muted, gridColor=colours.line, domainColor=colours.line,
            tickColor=colours.line, titleFontWeight="normal",
        )
    )  # fmt: skip
    spec: dict[str, Any] = drawn.to_dict()
    return spec
