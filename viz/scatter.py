"""Named points over two numbers: many models, one measure against another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from viz.matrix import shown
from viz.palette import ThemeName
from viz.palette import theme as colours_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAME = 15  # height of a line of names, in pixels
AROUND = 110  # pixels of a figure's height that legend, ticks and titles take


@dataclass(frozen=True)
class Point:
    """One named point.

    Args:
        name: written beside it.
        group: points of a group share a colour and a line of the legend.
        x: its place to the right.
        y: its place upwards.

    Raises:
        ValueError: a place that is not finite.
    """

    name: str
    group: str
    x: float
    y: float

    def __post_init__(self) -> None:
        """Check the place."""
        if not (math.isfinite(self.x) and math.isfinite(self.y)):
            raise ValueError(f"{self.name}: expected finite x and y, got {self.x} and {self.y}")


def scatter(
    points: Sequence[Point], *, x_axis: str, y_axis: str, height: int | None = None, theme: ThemeName = "light"
) -> go.Figure:
    """Draw points with their names, each on a line to its point and towards the middle.

    Each name has a height of its own, so that none lies on another however narrow the figure.

    Args:
        points: at least one.
        x_axis: name of the horizontal axis.
        y_axis: name of the vertical axis.
        height: in pixels; without it, by the number of points.
        theme: whose colours to use.

    Raises:
        ValueError: nothing to draw.
    """
    import plotly.graph_objects as go

    if not points:
        raise ValueError("scatter: expected at least one point, got 0")
    height = height or max(460, AROUND + 26 * len(points))
    look = colours_of(theme)
    clouds, names_of_points = [], []
    for number, group in enumerate(dict.fromkeys(point.group for point in points)):
        members = [point for point in points if point.group == group]
        # plotly reads names as markup
        names = [escape(shown(point.name), quote=False) for point in members]
        clouds.append(go.Scatter(
            x=np.array([point.x for point in members], np.float32),
            y=np.array([point.y for point in members], np.float32),
            text=names, mode="markers", name=escape(shown(group), quote=False), cliponaxis=False,
            marker={"color": look.categorical[number % len(look.categorical)], "size": 10},
            hovertemplate="%{text}: %{y:.4~g} at %{x:.4~g}<extra></extra>",
        ))  # fmt: skip
    # fonts by name: what only inherits its colour is painted over by the theme that Streamlit lays on a chart
    axis = {
        "gridcolor": look.line, "linecolor": look.line, "zeroline": False, "automargin": True,
        "tickfont": {"color": look.text},
    }  # fmt: skip
    x_title, y_title = (
        {"text": escape(shown(words), quote=False), "font": {"color": look.muted}} for words in (x_axis, y_axis)
    )
    spread = max(point.x for point in points) - min(point.x for point in points)
    room = 0.1 * spread or 0.5 * abs(points[0].x) or 1.0
    ends = (min(point.x for point in points) - room, max(point.x for point in points) + room)
    lowest, highest = min(point.y for point in points), max(point.y for point in points)
    above = 0.15 * (highest - lowest) or 0.5 * abs(highest) or 1.0
    pixels = (height - AROUND) / (highest - lowest + 2 * above)  # of one unit
    ranked = sorted(points, key=lambda point: point.y)
    middle = (min(point.x for point in points) + max(point.x for point in points)) / 2
    top = (highest + above) * pixels - NAME / 2
    for point, level in zip(ranked, apart([point.y * pixels for point in ranked], NAME, top), strict=True):
        left = point.x > middle
        names_of_points.append({
            "x": point.x, "y": point.y, "ax": -18 if left else 18, "ay": point.y * pixels - level,
            "text": escape(shown(point.name), quote=False), "xanchor": "right" if left else "left",
            "font": {"color": look.text, "size": 12}, "borderpad": 0, "arrowhead": 0, "arrowwidth": 1,
            "arrowcolor": look.muted, "standoff": 6,
        })  # fmt: skip
    # All at once: plotly takes many times as long for the same in updates.
    return go.Figure(clouds, {
        "paper_bgcolor": look.surface, "plot_bgcolor": look.surface, "font": {"color": look.text}, "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "showlegend": len(clouds) > 1,
        "xaxis": axis | {"title": x_title, "range": ends},
        "yaxis": axis | {"title": y_title, "range": (lowest - above, highest + above)},
        "annotations": names_of_points,
    })  # fmt: skip


def apart(levels: Sequence[float], least: float, top: float = math.inf) -> list[float]:
    """Move ascending levels apart by ``least``, no further than that takes (least squares), and none above ``top``."""
    # What has to move together is pooled at its mean, as in isotonic regression.
    pools: list[list[float]] = []
    for rank, level in enumerate(levels):
        pools.append([level - rank * least])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    moved = [float(np.mean(pool)) for pool in pools for _ in pool]
    lowered = top - (len(levels) - 1) * least
    return [min(level, lowered) + rank * least for rank, level in enumerate(moved)]
