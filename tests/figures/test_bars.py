"""Bars of candidates: one bar a position, tokens as literal labels, one scale for every step."""

import json
import re
from typing import Any

import pytest

from viz.bars import candidate_bars
from viz.palette import THEMES, ThemeName, contrast, theme

TOKENS = ("le", "le", "<b>x</b>", '"; alert(1)', " ")
PROBABILITIES = (0.5, 0.25, 0.1, 0.01, 0.0001)


def spec(**options: Any) -> dict[str, Any]:
    drawn: dict[str, Any] = candidate_bars(TOKENS, PROBABILITIES, **options)
    return drawn


def rows(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = drawn["datasets"].values()
    return list(found)


def test_a_repeated_token_keeps_its_own_bar() -> None:
    drawn = spec()
    assert [row["rank"] for row in rows(drawn)] == [0, 1, 2, 3, 4]
    assert [row["probability"] for row in rows(drawn)] == list(PROBABILITIES)
    assert all(layer["encoding"]["y"]["field"] == "rank" for layer in drawn["layer"])


def test_labels_are_data_and_never_part_of_an_expression() -> None:
    drawn = spec()
    assert [row["token"] for row in rows(drawn)] == ["le", "le", "<b>x</b>", '"; alert(1)', "␣"]
    assert drawn["layer"][1]["encoding"]["text"]["field"] == "token"
    del drawn["datasets"]
    assert "alert" not in json.dumps(drawn)


def test_only_the_data_differs_from_step_to_step() -> None:
    one, other = spec(), candidate_bars(TOKENS[::-1], PROBABILITIES)
    assert one.pop("datasets") != other.pop("datasets")
    assert one == other


def test_the_scale_is_the_same_at_every_step() -> None:
    scaled = [layer["encoding"]["x"] for layer in spec()["layer"] if "field" in layer["encoding"]["x"]]
    assert [x["scale"]["domain"] for x in scaled] == [[0, 1]] * 3


def test_the_chosen_bar_stands_out() -> None:
    assert [row["chosen"] for row in rows(spec())] == [True, False, False, False, False]
    assert [row["chosen"] for row in rows(spec(chosen=2))] == [False, False, True, False, False]
    assert not any(row["chosen"] for row in rows(spec(chosen=None)))
    colour = spec()["layer"][0]["encoding"]["color"]
    assert colour["condition"] == {"test": "datum.chosen", "value": theme("light").primary}


@pytest.mark.parametrize("name", THEMES)
def test_colours_are_the_palette_and_numbers_are_readable(name: ThemeName) -> None:
    colours = theme(name)
    found = set(re.findall(r"#[0-9a-fA-F]{6}", json.dumps(spec(theme=name))))
    assert found == {colours.primary, colours.muted, colours.text, colours.surface, colours.line}
    assert contrast(colours.surface, colours.primary) >= 4.5
    assert contrast(colours.surface, colours.muted) >= 4.5


@pytest.mark.parametrize(
    ("tokens", "probabilities", "options", "message"),
    [
        ([], [], {}, "each of 0 tokens, got 0"),
        (["a", "b"], [0.5], {}, "each of 2 tokens, got 1"),
        (["a"], [1.5], {}, r"probabilities\[0\]: expected 0..1, got 1.5"),
        (["a"], [float("nan")], {}, "got nan"),
        (["a"], [1.0], {"chosen": 1}, r"chosen: expected 0..0, got 1"),
        (["a"], [1.0], {"chosen": -1}, "got -1"),
    ],
)
def test_wrong_input_is_refused(tokens: Any, probabilities: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        candidate_bars(tokens, probabilities, **options)
