"""What a scatter of named points holds."""

import numpy as np
import pytest

from viz.palette import LIGHT
from viz.scatter import AROUND, NAME, Point, apart, scatter

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


def test_names_stand_towards_the_middle() -> None:
    named = scatter(POINTS, x_axis="size", y_axis="score").layout.annotations
    assert {one.y: one.xanchor for one in named} == {10: "left", 20: "right", 30: "left", 40: "right"}
    assert {one.y: one.ax > 0 for one in named} == {10: True, 20: False, 30: True, 40: False}
    assert {one.y: one.text for one in named}[30] == "&lt;b&gt;gru&lt;/b&gt;"
    np.testing.assert_allclose([one.ay for one in named], 0, atol=1e-9)


def test_names_that_would_lie_on_each_other_move_apart() -> None:
    crowd = [Point(f"model {number}", "attention", 3 + number % 2, 50 + number / 10) for number in range(8)]
    figure = scatter([*crowd, Point("far below", "attention", 3.7, 20.0)], x_axis="size", y_axis="score")
    low, high = figure.layout.yaxis.range
    pixels = (figure.layout.height - AROUND) / (high - low)
    assert min(np.diff([one.y * pixels - one.ay for one in figure.layout.annotations])) > NAME - 1e-6
    assert {one.text: one.ay for one in figure.layout.annotations}["far below"] == pytest.approx(0)


def test_names_of_a_crowd_stay_within_the_figure() -> None:
    crowd = [Point(f"model {number}", "attention", 3 + number % 2, 53 + number / 5) for number in range(14)]
    figure = scatter([*crowd, Point("far below", "attention", 3.7, 24.0)], x_axis="size", y_axis="score")
    low, high = figure.layout.yaxis.range
    pixels = (figure.layout.height - AROUND) / (high - low)
    assert max(one.y * pixels - one.ay for one in figure.layout.annotations) < high * pixels
    assert scatter(POINTS, x_axis="size", y_axis="score", height=300).layout.height == 300


def test_levels_move_no_further_than_they_have_to() -> None:
    assert apart([0.0, 10.0, 30.0], 5) == [0, 10, 30]
    np.testing.assert_allclose(apart([0.0, 1.0, 2.0, 40.0], 5), [-4, 1, 6, 40])
    np.testing.assert_allclose(apart([3.0, 3.0], 2), [2, 4])
    assert apart([0.0, 10.0, 12.0], 5, top=13) == [0, 8, 13]
    assert apart([], 5) == []


def test_outermost_points_are_not_at_the_edge() -> None:
    low, high = scatter(POINTS, x_axis="size", y_axis="score").layout.xaxis.range
    assert low < 1 - 0.1
    assert high > 3 + 0.1
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
