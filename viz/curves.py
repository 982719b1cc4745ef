"""Curves over a number: waves, measures against distance or step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from viz.matrix import shown
from viz.palette import ThemeName
from viz.palette import theme as colours_of

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Curve:
    """One line, or one cloud of dots.

    Args:
        name: what it is, for legend and hover.
        x: `[point]`.
        y: `[point]`.
        dots: draw the points themselves and no line between them.
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
    x_names: Sequence[str] | None = None,
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
        x_names: what stands at 0, 1, 2 ... of the horizontal axis, where its places are no numbers.
        height: in pixels.
        theme: whose colours to use.

    Raises:
        ValueError: nothing to draw.
    """
    import plotly.graph_objects as go

    if not drawn:
        raise ValueError("curves: expected at least one, got 0")
    look = colours_of(theme)
    figure = go.Figure()
    for place, curve in enumerate(drawn):
        colour = look.categorical[(place if curve.colour is None else curve.colour) % len(look.categorical)]
        # plotly reads names as markup
        name = escape(shown(curve.name), quote=False)
        figure.add_scatter(
            x=np.asarray(curve.x, np.float32), y=np.asarray(curve.y, np.float32), name=name,
            mode="markers" if curve.dots else "lines",
            showlegend=curve.legend, line={"color": colour, "width": 2}, marker={"color": colour, "size": 7},
            hovertemplate=f"%{{y:.3f}} at %{{{'x' if x_names else 'x:.4~g'}}}<extra>{name}</extra>",
        )  # fmt: skip
    if marked is not None:
        figure.add_vline(x=marked, line={"color": look.text, "width": 1.5, "dash": "dot"})
    # fonts by name: what only inherits its colour is painted over by the theme that Streamlit lays on a chart
    axis = {
        "gridcolor": look.line, "linecolor": look.line, "zeroline": False, "automargin": True,
        "tickfont": {"color": look.text},
    }  # fmt: skip
    x_title, y_title = (
        {"text": escape(shown(words), quote=False), "font": {"color": look.muted}} for words in (x_axis, y_axis)
    )
    names = {} if x_names is None else {
        "tickvals": list(range(len(x_names))), "ticktext": [escape(shown(name), quote=False) for name in x_names],
    }  # fmt: skip
    figure.update_layout(
        paper_bgcolor=look.surface, plot_bgcolor=look.surface, font={"color": look.text}, height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=sum(curve.legend for curve in drawn) > 1,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        xaxis=axis | names | {"title": x_title},
        yaxis=axis | {"title": y_title, "range": y_range},
    )  # fmt: skip
    return figure
