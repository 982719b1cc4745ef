"""Every colour of the product, in light and in dark.

The scales were sampled from straight lines of OKLab lightness, so equal steps of weight look like equal steps: from
the surface to deep indigo in light, from the surface to pale mint in dark. Blue against orange is the pair that every
common colour blindness keeps apart; the accent is an orange that no sequential scale contains, so a cursor is never
lost in its cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

ThemeName = Literal["light", "dark"]
INK_SWITCH: Final = 0.179
"""The luminance on which black and white are equally readable (4.6 to 1)."""
THEMES: Final[tuple[ThemeName, ...]] = ("light", "dark")


@dataclass(frozen=True)
class Theme:
    """The colours of one theme, as `#rrggbb`.

    `sequential` runs from 0 to 1 (10 stops), `diverging` from -limit to +limit (11 stops, the middle one is 0),
    `categorical` names lines and bars that have no order.
    """

    surface: str
    panel: str
    text: str
    muted: str
    line: str
    primary: str
    accent: str
    masked: str
    masked_hatch: str
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]
    categorical: tuple[str, ...]


LIGHT: Final = Theme(
    surface="#ffffff",
    panel="#f2f5f8",
    text="#0c141d",
    muted="#55606d",
    line="#c9d1d9",
    primary="#0b6a8f",
    accent="#c2410c",
    masked="#dedddb",
    masked_hatch="#b3b1ad",
    sequential=(
        "#eef9fb", "#c2e4eb", "#98cede", "#70b6d2", "#4c9dc6", "#2d83b7", "#1669a6", "#0d4e92", "#0e357a", "#0f1d5f",
    ),
    diverging=(
        "#023c78", "#255ea3", "#5784bc", "#87a9d5", "#bacfea", "#f3f5f8",
        "#e8c4b8", "#cf9784", "#b46c52", "#97401f", "#6b2101",
    ),
    categorical=("#0b6a8f", "#d9480f", "#5b8c2a", "#7b4fb0", "#b5850b", "#c2386b", "#2a9d9d", "#55606d"),
)  # fmt: skip

DARK: Final = Theme(
    surface="#0f1520",
    panel="#18202d",
    text="#e8edf3",
    muted="#a3afbd",
    line="#3a4656",
    primary="#4fb8d8",
    accent="#ff9d4d",
    masked="#3b3c40",
    masked_hatch="#5d5f66",
    sequential=(
        "#111a35", "#112f58", "#024777", "#03618b", "#007da1", "#0599b4", "#17b7c6", "#61d0d0", "#9ae7dc", "#cffcee",
    ),
    diverging=(
        "#9ddafe", "#5eb4e4", "#498cb1", "#366681", "#264252", "#1b2025",
        "#503828", "#7e553a", "#ad754e", "#de9765", "#ffc299",
    ),
    categorical=("#4fb8d8", "#ff9d4d", "#9ccc65", "#b79cf0", "#e6c34a", "#f07ba5", "#5fd3c4", "#a3afbd"),
)  # fmt: skip


def theme(name: ThemeName) -> Theme:
    """The colours of `name`.

    Raises:
        ValueError: `name` is neither `light` nor `dark`.
    """
    if name not in THEMES:
        raise ValueError(f"theme must be one of {', '.join(THEMES)}, got {name!r}")
    return LIGHT if name == "light" else DARK


def config_lists(name: ThemeName) -> dict[str, tuple[str, ...]]:
    """The colour lists that `.streamlit/config.toml` must hold for this theme, by option name.

    Streamlit wants exactly ten sequential and ten diverging colours: the latter leave out their neutral middle.
    """
    colours = theme(name)
    middle = len(colours.diverging) // 2
    return {
        "chartSequentialColors": colours.sequential,
        "chartDivergingColors": colours.diverging[:middle] + colours.diverging[middle + 1 :],
        "chartCategoricalColors": colours.categorical,
    }


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers 0..255."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"a colour is #rrggbb, got {colour!r}")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(maxsize=4096)
def _colour_at(stops: tuple[str, ...], step: int, steps: int) -> str:
    position = step / steps * (len(stops) - 1)
    low = min(int(position), len(stops) - 2)
    share = position - low
    pairs = zip(rgb(stops[low]), rgb(stops[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def colour_at(stops: Sequence[str], fraction: float) -> str:
    """The colour `fraction` (0..1, clipped) of the way along `stops`, in 256 steps as on the canvas."""
    return _colour_at(tuple(stops), round(min(1.0, max(0.0, fraction)) * 255), 255)


def luminance(colour: str) -> float:
    """Relative luminance 0..1 (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio 1..21 of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(background: str) -> str:
    """Black or white, whichever is easier to read on `background`."""
    return "#000000" if luminance(background) > INK_SWITCH else "#ffffff"
