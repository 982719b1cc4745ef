"""The scales: even steps, readable text, colours that colour-blind readers tell apart, one truth with the settings."""

import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from viz.palette import THEMES, ThemeName, colour_at, config_lists, contrast, ink_on, luminance, rgb, theme

CONFIG = Path(__file__).parents[2] / ".streamlit" / "config.toml"
# Machado, Oliveira and Fernandes (2009), severity 1
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    v = np.array(rgb(colour)) / 255
    return np.asarray(np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4))


def oklab(light: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson, 2020) of linear light."""
    to_cone = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
    to_cone += [[0.0883024619, 0.2817188376, 0.6299787005]]
    to_lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099]]
    to_lab += [[0.0259040371, 0.7827717662, -0.8086757660]]
    return np.asarray(np.array(to_lab) @ np.cbrt(np.clip(np.array(to_cone) @ light, 0, None)))


@pytest.mark.parametrize("name", THEMES)
def test_settings_hold_the_palette(name: ThemeName) -> None:
    settings = tomllib.loads(CONFIG.read_text("utf-8"))["theme"][name]
    for option, colours in config_lists(name).items():
        assert tuple(settings[option]) == colours, option
    assert len(settings["chartSequentialColors"]) == 10
    assert len(settings["chartDivergingColors"]) == 10
    look = theme(name)
    assert settings["backgroundColor"] == look.surface
    assert settings["secondaryBackgroundColor"] == look.panel
    assert settings["textColor"] == look.text
    assert settings["primaryColor"] == look.primary


@pytest.mark.parametrize("name", THEMES)
def test_equal_steps_of_weight_are_equal_steps_of_lightness(name: ThemeName) -> None:
    lightness = [oklab(linear(c))[0] for c in theme(name).sequential]
    steps = np.diff(lightness)
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).max() / np.abs(steps).min() < 1.15


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("kind", BLINDNESS)
def test_a_colour_blind_reader_sees_every_step(name: ThemeName, kind: str) -> None:
    matrix = np.array(BLINDNESS[kind])
    for stops in (theme(name).sequential, theme(name).diverging):
        seen = [oklab(np.clip(matrix @ linear(c), 0, 1)) for c in stops]
        assert min(float(np.linalg.norm(b - a)) for a, b in pairwise(seen)) > 0.05
        # the two ends of a diverging scale are the pair that must never be confused
        assert float(np.linalg.norm(seen[-1] - seen[0])) > 0.1


@pytest.mark.parametrize("name", THEMES)
def test_text_is_readable(name: ThemeName) -> None:
    look = theme(name)
    for ink in (look.text, look.muted, look.primary):
        assert contrast(ink, look.surface) >= 4.5
        assert contrast(ink, look.panel) >= 4.5
    # a label under the cursor is text too
    assert contrast(look.accent, look.surface) >= 4.5
    for stops in (look.sequential, look.diverging):
        for step in range(256):
            colour = colour_at(stops, step / 255)
            assert contrast(ink_on(colour), colour) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_masked_is_not_zero(name: ThemeName) -> None:
    look = theme(name)
    for zero in (look.sequential[0], look.diverging[5]):
        assert float(np.linalg.norm(oklab(linear(look.masked)) - oklab(linear(zero)))) > 0.07


def test_colour_at_runs_from_end_to_end() -> None:
    stops = ("#000000", "#ffffff")
    assert [colour_at(stops, f) for f in (-1, 0, 0.5, 1, 2)] == ["#000000", "#000000", "#808080", "#ffffff", "#ffffff"]
    assert luminance("#ffffff") == pytest.approx(1)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="'sepia'"):
        theme("sepia")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="#rrggbb"):
        rgb("red")
