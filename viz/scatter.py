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

SIDES = ("middle right", "middle left")


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
    points: Sequence[Point], *, x_axis: str, y_axis: str, height: int = 460, theme: ThemeName = "light"
) -> go.Figure:
    """Draw points with their names; of two that are neighbours in height, one is named on the right, one on the left.

    Args:
        points: at least one.
        x_axis: name of the horizontal axis.
        y_axis: name of the vertical axis.
        height: in pixels.
        theme: whose colours to use.

    Raises:
        ValueError: nothing to draw.
    """
    import plotly.graph_objects as go

    if not points:
        raise ValueError("scatter: expected at least one point, got 0")
    look = colours_of(theme)
    side = {point: SIDES[rank % 2] for rank, point in enumerate(sorted(points, key=lambda point: point.y))}
    figure = go.Figure()
    for number, group in enumerate(dict.fromkeys(point.group for point in points)):
        members = [point for point in points if point.group == group]
        # plotly reads names as markup
        names = [escape(shown(point.name), quote=False) for point in members]
        figure.add_scatter(
            x=np.array([point.x for point in members], np.float32),
            y=np.array([point.y for point in members], np.float32),
            text=names, textposition=[side[point] for point in members], textfont={"color": look.text, "size": 12},
            mode="markers+text", name=escape(shown(group), quote=False), cliponaxis=False,
            marker={"color": look.categorical[number % len(look.categorical)], "size": 10},
            hovertemplate="%{text}: %{y:.4~g} at %{x:.4~g}<extra></extra>",
        )  # fmt: skip
    # fonts by name: what only inherits its colour is painted over by the theme that Streamlit lays on a chart
    axis = {
        "gridcolor": look.line, "linecolor": look.line, "zeroline": False, "automargin": True,
        "tickfont": {"color": look.text},
    }  # fmt: skip
    x_title, y_title = (
        {"text": escape(shown(words), quote=False), "font": {"color": look.muted}} for words in (x_axis, y_axis)
    )
    spread = max(point.x for point in points) - min(point.x for point in points)
    # Names need room on both sides of the outermost points.
    room = 0.35 * spread or 0.5 * abs(points[0].x) or 1.0
    ends = (min(point.x for point in points) - room, max(point.x for point in points) + room)
    figure.update_layout(
        paper_bgcolor=look.surface, plot_bgcolor=look.surface, font={"color": look.text}, height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        showlegend=len(figure.data) > 1,
        xaxis=axis | {"title": x_title, "range": ends},
        yaxis=axis | {"title": y_title},
    )  # fmt: skip
    return figure
