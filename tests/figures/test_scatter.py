"""What a scatter of named points holds."""

import numpy as np
import pytest

from viz.palette import LIGHT
from viz.scatter import Point, scatter

POINTS = [
    Point("rnn", "recurrent", 1.0, 10.0),
    Point("<b>gru</b>", "recurrent", 2.0, 30.0),
    Point("transformer", "attention", 3.0, 20.0),
    Point("transformer", "attention", 3.0, 40.0),
]


def test_every_point_stands_where_it_belongs_with_its_name() -> None:
    recurrent, attention = scatter(POINTS, x_axis="size", y_axis="score").data
    np.testing.assert_array_equal(recurrent.x, [1, 2])
    np.testing.assert_array_equal(recurrent.y, [10, 30])
    assert recurrent.text == ("rnn", "&lt;b&gt;gru&lt;/b&gt;")
    assert (recurrent.name, attention.name) == ("recurrent", "attention")
    # The same name twice stays two points.
    np.testing.assert_array_equal(attention.y, [20, 40])
    assert attention.text == ("transformer", "transformer")
    assert (recurrent.marker.color, attention.marker.color) == LIGHT.categorical[:2]
    assert np.asarray(recurrent.x).dtype == np.float32


def test_neighbours_in_height_are_named_on_different_sides() -> None:
    figure = scatter(POINTS, x_axis="size", y_axis="score")
    sides = {y: side for group in figure.data for y, side in zip(group.y, group.textposition, strict=True)}
    assert [sides[y] for y in (10, 20, 30, 40)] == ["middle right", "middle left", "middle right", "middle left"]


def test_names_have_room_beside_the_outermost_points() -> None:
    low, high = scatter(POINTS, x_axis="size", y_axis="score").layout.xaxis.range
    assert low < 1 - 0.5
    assert high > 3 + 0.5
    low, high = scatter(POINTS[:1], x_axis="size", y_axis="score").layout.xaxis.range
    assert low < 1 < high


def test_axes_are_named_and_markup_in_their_names_is_text() -> None:
    layout = scatter(POINTS, x_axis="a <i>size</i>", y_axis="score").layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("a &lt;i&gt;size&lt;/i&gt;", "score")


def test_a_group_alone_needs_no_legend() -> None:
    assert not scatter(POINTS[:2], x_axis="size", y_axis="score").layout.showlegend
    assert scatter(POINTS, x_axis="size", y_axis="score").layout.showlegend


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one point, got 0"):
        scatter([], x_axis="size", y_axis="score")
    with pytest.raises(ValueError, match="rnn: expected finite x and y, got nan and 1"):
        Point("rnn", "recurrent", float("nan"), 1.0)
