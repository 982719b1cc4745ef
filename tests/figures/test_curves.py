"""Curves: the numbers given are the numbers drawn, names are literal, colours are the palette's."""

import base64
import json
import re
from typing import Any

import numpy as np
import pytest

from viz.curves import Curve, curves
from viz.palette import THEMES, ThemeName, theme

X = np.arange(4, dtype=np.float32)


def wave(name: str = "unit 0", **options: Any) -> Curve:
    return Curve(name, X, np.sin(X), **options)


def spec(*drawn: Curve, **options: Any) -> dict[str, Any]:
    figure = curves(drawn or (wave(),), **({"x_axis": "position", "y_axis": "value"} | options))
    found: dict[str, Any] = json.loads(figure.to_json())
    return found


def values(trace: dict[str, Any], axis: str) -> list[float]:
    found: list[float] = np.frombuffer(base64.b64decode(trace[axis]["bdata"]), trace[axis]["dtype"]).tolist()
    return found


def test_the_numbers_given_are_drawn() -> None:
    (trace,) = spec()["data"]
    assert values(trace, "x") == X.tolist()
    assert values(trace, "y") == np.sin(X).tolist()
    assert trace["x"]["dtype"] == trace["y"]["dtype"] == "f4"


def test_two_curves_of_one_name_stay_two() -> None:
    assert len(spec(wave(), wave())["data"]) == 2


def test_a_name_is_literal() -> None:
    (trace,) = spec(wave("<b>cat</b> & 'co'\n"))["data"]
    assert trace["name"] == "&lt;b&gt;cat&lt;/b&gt; &amp; 'co'⏎"
    assert "<b>" not in trace["hovertemplate"]
    assert spec(x_axis="<b>x</b>")["layout"]["xaxis"]["title"]["text"] == "&lt;b&gt;x&lt;/b&gt;"


def test_dots_have_no_line_and_may_share_a_colour() -> None:
    line, dots = spec(wave(), wave("pairs", dots=True, line=False, colour=0))["data"]
    assert (line["mode"], dots["mode"]) == ("lines", "markers")
    assert dots["marker"]["color"] == line["line"]["color"]


def test_a_legend_only_where_there_is_a_choice() -> None:
    assert spec()["layout"]["showlegend"] is False
    assert spec(wave(), wave())["layout"]["showlegend"] is True
    drawn = spec(wave(), wave(legend=False))
    assert drawn["layout"]["showlegend"] is False
    assert [trace["showlegend"] for trace in drawn["data"]] == [True, False]


def test_the_mark_stands_where_it_was_asked_for() -> None:
    assert "shapes" not in spec()["layout"]
    (line,) = spec(marked=2)["layout"]["shapes"]
    assert line["x0"] == line["x1"] == 2
    assert spec(marked=0)["layout"]["shapes"][0]["x0"] == 0


def test_the_vertical_axis_may_be_fixed() -> None:
    assert spec(y_range=(-1, 1))["layout"]["yaxis"]["range"] == [-1, 1]
    assert spec()["layout"]["yaxis"].get("range") is None


@pytest.mark.parametrize("name", THEMES)
def test_colours_are_the_palette(name: ThemeName) -> None:
    colours = theme(name)
    drawn = spec(*[wave()] * 9, marked=1, theme=name)
    own = json.dumps({"data": drawn["data"], "layout": drawn["layout"] | {"template": None}})
    known = {colours.surface, colours.text, colours.muted, colours.line, *colours.categorical}
    assert set(re.findall(r"#[0-9a-fA-F]{6}", own)) == known
    # the ninth starts again
    assert drawn["data"][8]["line"]["color"] == colours.categorical[0]
    assert [one["line"]["dash"] for one in drawn["data"]] == ["solid"] * 8 + ["dash"], "a second round is told apart"


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, X[:2], r"expected as many y as x, at least one, got \(2,\) and \(4,\)"),
        (X[:0], X[:0], "at least one"),
        (X, np.full(4, np.nan), "expected finite values"),
    ],
)
def test_wrong_points_are_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Curve("wave", x, y)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one, got 0"):
        curves([], x_axis="x", y_axis="y")


def test_a_logarithmic_axis_takes_powers_and_nothing_below_them() -> None:
    small = Curve("norm", X, np.array([1e-30, 1e-20, 1e-3, 10.0]))
    drawn = spec(small, log_y=True)
    axis = drawn["layout"]["yaxis"]
    assert (axis["type"], axis["dtick"]) == ("log", 6)
    assert values(drawn["data"][0], "y") == pytest.approx([1e-30, 1e-20, 1e-3, 10.0])
    assert "%{y:.3~g}" in drawn["data"][0]["hovertemplate"]
    # a range within one power keeps the labels between powers
    assert "dtick" not in spec(Curve("norm", X, X + 1), log_y=True)["layout"]["yaxis"]
    assert "type" not in spec(small)["layout"]["yaxis"]
    with pytest.raises(ValueError, match=r"wave: expected values above 0 on a logarithmic axis, got 0"):
        spec(Curve("wave", X, X), log_y=True)


def test_tokens_stand_below_their_positions() -> None:
    axis = spec(x_labels=("the", "<b>cat</b>", "the", "</s>"))["layout"]["xaxis"]
    assert axis["tickvals"] == [0, 1, 2, 3]
    assert axis["ticktext"] == ["the", "&lt;b&gt;cat&lt;/b&gt;", "the", "&lt;/s&gt;"]
    assert "ticktext" not in spec()["layout"]["xaxis"]


def test_of_many_tokens_every_other_is_named() -> None:
    axis = spec(x_labels=tuple(map(str, range(64))))["layout"]["xaxis"]
    assert axis["tickvals"] == list(range(0, 64, 2))
    assert axis["ticktext"][:2] == ["0", "2"]
