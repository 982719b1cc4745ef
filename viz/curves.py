"""Curves over a number: waves, measures against distance or step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from viz.export import clipped
from viz.matrix import shown
from viz.palette import ThemeName
from viz.palette import theme as colours_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_LABELS = 32
"""More tokens than this below an axis would lie over each other."""
MOST_POWERS = 6
"""Labels on a logarithmic axis."""
DASHES = ("solid", "dash", "dot")
"""Of more curves than colours, each round has another."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One line, one cloud of dots, or a line through dots.

    Args:
        name: what it is, for legend and hover.
        x: `[point]`.
        y: `[point]`.
        dots: draw the points themselves.
        line: draw a line from point to point.
        colour: curves of the same number share a colour, as a line and the dots on it do; its place in the list where
            None.
        legend: whether the legend names it.

    Raises:
        ValueError: no points, x and y of different lengths, or values that are not finite.
    """

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    dots: bool = False
    line: bool = True
    colour: int | None = None
    legend: bool = True

    def __post_init__(self) -> None:
        """Check the points."""
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)
        if x.ndim != 1 or x.shape != y.shape or not x.size:
            raise ValueError(f"{self.name}: expected as many y as x, at least one, got {y.shape} and {x.shape}")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError(f"{self.name}: expected finite values")


def curves(
    drawn: Sequence[Curve],
    *,
    x_axis: str,
    y_axis: str,
    marked: float | None = None,
    y_range: tuple[float, float] | None = None,
    log_y: bool = False,
    x_labels: Sequence[str] = (),
    height: int = 320,
    theme: ThemeName = "light",
) -> go.Figure:
    """Draw curves over one pair of axes.

    Args:
        drawn: at least one.
        x_axis: name of the horizontal axis.
        y_axis: name of the vertical axis.
        marked: where a vertical line stands, as at a chosen step.
        y_range: fixed ends of the vertical axis; those of the values where None.
        log_y: a step of the vertical axis multiplies; equal shares are equally far apart then.
        x_labels: tokens that stand at 0, 1, 2 and so on, in the place of numbers; of many, every second or third.
        height: in pixels.
        theme: whose colours to use.

    Raises:
        ValueError: nothing to draw, or a value that a logarithmic axis does not have.
    """
    import plotly.graph_objects as go

    if not drawn:
        raise ValueError("curves: expected at least one, got 0")
    y_scale = _powers_of_ten(drawn) if log_y else {}
    look = colours_of(theme)
    lines = []
    for place, curve in enumerate(drawn):
        again, colour = divmod(place if curve.colour is None else curve.colour, len(look.categorical))
        ink = look.categorical[colour]
        # plotly reads names as markup
        name = escape(shown(curve.name), quote=False)
        lines.append(go.Scatter(
            x=np.asarray(curve.x, np.float32), y=np.asarray(curve.y, np.float32), name=name,
            mode="+".join(["lines"] * curve.line + ["markers"] * curve.dots),
            showlegend=curve.legend, marker={"color": ink, "size": 7},
            line={"color": ink, "width": 2, "dash": DASHES[again % len(DASHES)]},
            hovertemplate=f"%{{y:{'.3~g' if log_y else '.3f'}}} at %{{x:.4~g}}<extra>{name}</extra>",
        ))  # fmt: skip
    # fonts by name: what only inherits its colour is painted over by the theme that Streamlit lays on a chart
    axis = {
        "gridcolor": look.line, "linecolor": look.line, "zeroline": False, "automargin": True,
        "tickfont": {"color": look.text},
    }  # fmt: skip
    x_title, y_title = (
        {"text": escape(shown(words), quote=False), "font": {"color": look.muted}} for words in (x_axis, y_axis)
    )
    across = {
        "type": "line", "x0": marked, "x1": marked, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain",
        "line": {"color": look.text, "width": 1.5, "dash": "dot"},
    }  # fmt: skip
    # All at once: plotly takes many times as long for the same in updates.
    return go.Figure(lines, {
        "paper_bgcolor": look.surface, "plot_bgcolor": look.surface, "font": {"color": look.text}, "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": sum(curve.legend for curve in drawn) > 1,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "xaxis": axis | {"title": x_title} | _at_tokens(x_labels),
        "yaxis": axis | {"title": y_title, "range": y_range} | y_scale,
        "shapes": [] if marked is None else [across],
    })  # fmt: skip


def _at_tokens(labels: Sequence[str]) -> dict[str, object]:
    """Describe an axis with tokens in the place of numbers."""
    places = range(0, len(labels), -(-len(labels) // MOST_LABELS) or 1)
    names = [escape(clipped(labels[place]), quote=False) for place in places]
    return {"tickvals": list(places), "ticktext": names, "tickangle": -45} if labels else {}


def _powers_of_ten(drawn: Sequence[Curve]) -> dict[str, object]:
    """Describe a logarithmic axis, with labels at powers of ten alone where the curves reach over a few of them."""
    for curve in drawn:
        if np.min(curve.y) <= 0:
            raise ValueError(f"{curve.name}: expected values above 0 on a logarithmic axis, got {np.min(curve.y)}")
    powers = [np.log10(np.asarray(curve.y, np.float64)) for curve in drawn]
    span = max(one.max() for one in powers) - min(one.min() for one in powers)
    axis = {"type": "log", "exponentformat": "power"}
    return axis | ({"dtick": int(np.ceil(span / MOST_POWERS))} if span > 1.5 else {})
