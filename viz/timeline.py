"""The story as a picture: eight architectures on a line, each with a small drawing of its wiring.

The drawings are schemes, not measurements. Words are the product's own; a reader's text never comes here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from viz.palette import ThemeName, theme

WIDTH, HEIGHT = 132, 76
"""The size of a drawing, in its own units."""


@dataclass(frozen=True)
class Stop:
    """One architecture on the line.

    Args:
        year: when it was published.
        name: what it is called.
        brought: what it brought, in one sentence.
        paper: who published it.
        pages: names of the pages that show it, as in the address; those that are not there yet are left out.
        draw: makes its drawing.
    """

    year: int
    name: str
    brought: str
    paper: str
    pages: tuple[str, ...]
    draw: Callable[[], str]


def _path(points: str, kind: str) -> str:
    return f'<path class="{kind}" d="{points}"/>'


def _line(x0: float, y0: float, x1: float, y1: float, kind: str = "wire") -> str:
    return _path(f"M{x0:g} {y0:g}L{x1:g} {y1:g}", kind)


def _arrow(x0: float, y: float, x1: float, kind: str = "wire") -> str:
    return _path(f"M{x0:g} {y:g}H{x1:g}m-4 -3l4 3l-4 3", kind)


def _token(x: float, y: float, kind: str = "token") -> str:
    return f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="3.5"/>'


def _state(x: float, y: float, kind: str = "state", size: float = 14) -> str:
    return f'<rect class="{kind}" x="{x - size / 2:g}" y="{y - size / 2:g}" width="{size:g}" height="{size:g}" rx="3"/>'


def _chain(xs: tuple[float, ...], y: float, size: float = 14) -> str:
    arrows = "".join(_arrow(a + size / 2, y, b - size / 2 - 1) for a, b in itertools.pairwise(xs))
    return arrows + "".join(_state(x, y, size=size) for x in xs)


def _recurrent() -> str:
    xs = (18.0, 50.0, 82.0, 114.0)
    return "".join(_line(x, 34, x, 60) + _token(x, 62) for x in xs) + _chain(xs, 30)


def _gated() -> str:
    xs = (18.0, 50.0, 82.0, 114.0)
    gates = "".join(f'{_line(x, 12, x, 36)}<circle class="gate" cx="{x:g}" cy="12" r="4.5"/>' for x in xs)
    gates += "".join(_line(x - 2, 12, x + 2, 12) for x in xs)
    tokens = "".join(_line(x, 44, x, 64) + _token(x, 66) for x in xs)
    return _arrow(4, 12, 130, "strong") + gates + tokens + _chain(xs, 40)


def _encoder_decoder() -> str:
    read, written, size = (7.0, 28.0, 49.0), (83.0, 104.0, 125.0), 11
    vector = "".join(f'<rect class="lit" x="61" y="{y}" width="10" height="7"/>' for y in range(16, 58, 9))
    tokens = "".join(_line(x, 44, x, 62) + _token(x, 64) for x in read)
    tokens += "".join(_line(x, 32, x, 14) + _token(x, 12) for x in written)
    passed = _line(54, 38, 61, 38) + _line(71, 38, 78, 38)
    return tokens + _chain(read, 38, size) + _chain(written, 38, size) + passed + vector


def _attention() -> str:
    read, written = (12.0, 48.0, 84.0, 120.0), (30.0, 66.0, 102.0)
    looks = "".join(_line(66, 22, x, 51, "strong" if x == 84 else "look") for x in read)
    return _chain(read, 58) + looks + _chain(written, 15) + _state(66, 15, "lit")


def _convolution() -> str:
    tokens, middle = (12.0, 39.0, 66.0, 93.0, 120.0), (39.0, 66.0, 93.0)
    wires = "".join(_line(x, 60, up, 44, "look") for up in middle for x in tokens if abs(x - up) < 28)
    wires += "".join(_line(x, 32, 66, 18, "look") for x in middle)
    return (
        wires + "".join(_token(x, 64) for x in tokens) + "".join(_state(x, 38) for x in middle) + _state(66, 12, "lit")
    )


def _transformer() -> str:
    xs = (12.0, 39.0, 66.0, 93.0, 120.0)
    faint = "".join(_line(a, 22, b, 54, "faint") for a in xs for b in xs if a != 93)
    looks = "".join(_line(93, 22, b, 54, "look") for b in xs)
    return faint + looks + "".join(_state(x, 60) + _state(x, 15, "lit" if x == 93 else "state") for x in xs)


def _grid(left: float, top: float, size: int, cell: float, seen: Callable[[int, int], bool]) -> str:
    side = f'width="{cell - 1.5:g}" height="{cell - 1.5:g}"'
    return "".join(
        f'<rect class="{"state" if seen(row, column) else "empty"}" x="{left + column * cell:g}" '
        f'y="{top + row * cell:g}" {side}/>'
        for row in range(size)
        for column in range(size)
    )


def _halves() -> str:
    words = (("GPT", 32.0), ("BERT", 100.0))
    names = "".join(f'<text x="{x:g}" y="74">{name}</text>' for name, x in words)
    return _grid(7, 7, 5, 10.5, lambda row, column: column <= row) + _grid(75, 7, 5, 10.5, lambda *_: True) + names


def _sparse() -> str:
    return _grid(31, 4, 8, 9, lambda row, column: abs(row - column) <= 1 or 0 in (row, column))


STOPS = (
    Stop(
        1990,
        "RNN",
        "A recurrent network reads one token after another and carries a memory along: its hidden state.",
        "Elman",
        ("rnn",),
        _recurrent,
    ),
    Stop(
        1997,
        "LSTM",
        "Gates decide what enters the memory, what stays and what is shown, so it lasts longer.",
        "Hochreiter and Schmidhuber",
        ("lstm-gru",),
        _gated,
    ),
    Stop(
        2014,
        "Encoder-decoder",
        "One network reads a sentence into a single vector, another writes a new sentence from it.",
        "Cho et al.; Sutskever et al.",
        ("encoder-decoder",),
        _encoder_decoder,
    ),
    Stop(
        2015,
        "Attention",
        "Before every word that it writes, the decoder looks back at all that was read.",
        "Bahdanau, Cho and Bengio",
        ("attention",),
        _attention,
    ),
    Stop(
        2017,
        "Convolutions",
        "Small windows slide over all positions at once; each layer sees a little further.",
        "Gehring et al.",
        ("convolution",),
        _convolution,
    ),
    Stop(
        2017,
        "Transformer",
        "No recurrence at all: every token looks at every token, and is told its position.",
        "Vaswani et al.",
        ("transformer", "self-attention", "multi-head", "positions", "masks"),
        _transformer,
    ),
    Stop(
        2018,
        "GPT and BERT",
        "Half a Transformer each, trained on plain text: GPT looks left only, BERT both ways.",
        "Radford et al.; Devlin et al.",
        ("gpt-bert",),
        _halves,
    ),
    Stop(
        2020,
        "Efficient attention",
        "Every token looks at a few others only, so that long texts become affordable.",
        "Beltagy et al.; Zaheer et al.",
        ("efficient",),
        _sparse,
    ),
)
LONG_PAUSE = 10
"""Years without a stop after which the line is broken: distances on it are not years."""


def colours(name: ThemeName) -> dict[str, str]:
    """What the drawings and words of the timeline are coloured with, by CSS variable."""
    of = theme(name)
    return {
        "--ink": of.text,
        "--soft": of.muted,
        "--rule": of.line,
        "--panel": of.panel,
        "--paper": of.surface,
        "--primary": of.primary,
        "--accent": of.accent,
    }


def drawing(stop: Stop) -> str:
    """One architecture's wiring, as an inline SVG whose colours are CSS variables."""
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">{stop.draw()}</svg>'


def timeline(pages: Mapping[str, str]) -> str:
    """The whole line as an ordered list in HTML.

    Args:
        pages: the pages that exist, address to title; a stop whose page is here becomes a link to it.

    Raises:
        ValueError: a page that no stop shows.
    """
    known = {page for stop in STOPS for page in stop.pages}
    if not pages.keys() <= known:
        raise ValueError(f"pages: expected some of {', '.join(sorted(known))}, got {', '.join(sorted(pages))}")
    years = (STOPS[0].year, *(stop.year for stop in STOPS))
    items = "".join(_item(stop, stop.year - before, pages) for stop, before in zip(STOPS, years, strict=False))
    return f'<ol aria-label="Architectures in the order of their publication">{items}</ol>'


def _item(stop: Stop, pause: int, pages: Mapping[str, str]) -> str:
    """One stop, `pause` years after the one before."""
    first, *others = [_link(page, pages[page]) for page in stop.pages if page in pages] or [escape(stop.name)]
    kinds = {"stop": True, "linked": first.startswith("<a"), "paused": pause > LONG_PAUSE}
    more = f'<p class="more">{" ".join(others)}</p>' if others else ""
    return (
        f'<li class="{" ".join(kind for kind, true in kinds.items() if true)}"><p class="year">{stop.year}</p>'
        f'<div class="card">{drawing(stop)}<div class="words"><p class="name">{first}</p>'
        f'<p class="brought">{escape(stop.brought)}</p><p class="paper">{escape(stop.paper)} {stop.year}</p>{more}'
        "</div></div></li>"
    )


def _link(page: str, title: str) -> str:
    """A link to a page, called by the page's title: most stops are named like their first page."""
    return f'<a href="{escape(page)}" data-page="{escape(page)}">{escape(title)}</a>'
