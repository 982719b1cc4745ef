"""A matrix as a file: SVG, HTML, CSV and a plotly figure, all from the float32 source."""

from __future__ import annotations

import csv
import html as markup
import io
import json
import math
import textwrap
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.matrix import Matrix, Scale, shown
from viz.numbers import number
from viz.palette import ThemeName, colour_at, ink_on, theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

MARGIN = 20
LABEL_SIZE = 12
LONGEST_LABEL = 18
"""Characters of a token on an axis; the rest is an ellipsis."""
SPREADSHEET_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
FAMILY = "system-ui, 'Source Sans', 'Segoe UI', Helvetica, Arial, 'Noto Sans', sans-serif"


def clipped(token: str) -> str:
    """A token's label on an axis."""
    label = shown(token)
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def estimated_width(text: str, size: float) -> float:
    """Pixels that a text takes where no font can be measured."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.58 for c in text) * size


@dataclass(frozen=True)
class Sheet:
    """Where everything stands on an exported figure, in pixels."""

    cell: int
    left: int
    top: int
    width: int
    height: int
    slanted: bool
    every: int
    reading: tuple[str, ...]
    proof: tuple[str, ...]

    @classmethod
    def of(cls, matrix: Matrix, measure: Callable[[str, float], float]) -> Sheet:
        """Lay a matrix out, with texts measured by `measure(text, size)`."""
        rows, columns = matrix.weights.shape
        most = max(rows, columns)
        cell = max(2, min(44, (600 if most <= 16 else 900) // most)) if most > 64 else max(14, min(44, 600 // most))
        widest_key = max(measure(clipped(t), LABEL_SIZE) for t in matrix.key_tokens)
        widest_query = max(measure(clipped(t), LABEL_SIZE) for t in matrix.query_tokens)
        slanted = widest_key > cell - 4
        reach = math.ceil(widest_key * math.sqrt(0.5)) + 8 if slanted else LABEL_SIZE + 4
        left = MARGIN + 18 + math.ceil(widest_query) + 8
        width = max(left + columns * cell + (reach if slanted else 0) + MARGIN, 420)
        letters = int((width - 2 * MARGIN) / (0.52 * 13))
        reading = tuple(textwrap.wrap(shown(matrix.reading), letters))
        proof = tuple(textwrap.wrap(shown(matrix.proof()), int((width - 2 * MARGIN) / (0.55 * 11))))
        top = MARGIN + 24 + 18 * len(reading) + 24 + reach
        height = top + rows * cell + 26 + 40 + 16 * len(proof) + 8
        return cls(cell, left, top, width, height, slanted, max(1, math.ceil(13 / cell)), reading, proof)

    def label_line(self, position: int) -> float:
        """The middle of a row or column, from the first cell's edge."""
        return (position + 0.5) * self.cell


def legend_ends(matrix: Matrix) -> tuple[str, str, str]:
    """The three numbers under a legend."""
    if matrix.scale is Scale.WEIGHTS:
        return "0", "", "1"
    bound = number(matrix.bound, 2)
    return f"−{bound}", "0", bound


def numbered(matrix: Matrix, sheet: Sheet, query: int, key: int) -> bool:
    """Whether a cell is large enough for its number, and its number worth the ink."""
    return sheet.cell >= 34 and abs(float(matrix.weights[query, key])) >= 0.005


def _escape(text: str) -> str:
    return markup.escape(text, quote=True)


def svg(matrix: Matrix, name: ThemeName = "light") -> str:
    """A vector picture: exactly one `<rect class="c">` a cell, tokens as text, the legend and the proof line."""
    sheet, colours = Sheet.of(matrix, estimated_width), theme(name)
    stops, fractions = matrix.stops(colours), matrix.fractions()
    rows, columns = matrix.weights.shape
    cell, left, top = sheet.cell, sheet.left, sheet.top
    out: list[str] = []

    def text(x: float, y: float, words: str, size: int, fill: str, extra: str = "") -> None:
        out.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{extra}>{_escape(words)}</text>')

    out.append(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {sheet.width} {sheet.height}" '
        f'width="{sheet.width}" height="{sheet.height}" font-family="{_escape(FAMILY)}">'
    )
    words = f"{shown(matrix.reading)} {matrix.text()}"
    out.append(f"<title>{_escape(shown(matrix.title))}</title><desc>{_escape(words)}</desc>")
    out.append(
        '<defs><linearGradient id="scale">'
        + "".join(f'<stop offset="{i / (len(stops) - 1):.3f}" stop-color="{c}"/>' for i, c in enumerate(stops))
        + '</linearGradient><pattern id="masked" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><path d="M0 0h6v6h-6z" fill="{colours.masked}"/>'
        f'<path d="M0 0v6" stroke="{colours.masked_hatch}" stroke-width="2"/></pattern></defs>'
    )
    out.append(f'<path d="M0 0h{sheet.width}v{sheet.height}h-{sheet.width}z" fill="{colours.surface}"/>')
    text(MARGIN, MARGIN + 14, shown(matrix.title), 17, colours.text, ' font-weight="600"')
    for line, words in enumerate(sheet.reading):
        text(MARGIN, MARGIN + 36 + 18 * line, words, 13, colours.muted)
    middle = left + columns * cell / 2
    names_y = MARGIN + 24 + 18 * len(sheet.reading) + 14
    text(middle, names_y, shown(matrix.key_axis), 11, colours.muted, ' text-anchor="middle"')
    side = top + rows * cell / 2
    turned = f' text-anchor="middle" transform="rotate(-90 {MARGIN + 8} {side:g})"'
    text(MARGIN + 8, side, shown(matrix.query_axis), 11, colours.muted, turned)
    for position in range(0, columns, sheet.every):
        x = left + sheet.label_line(position)
        extra = f' transform="rotate(-45 {x:g} {top - 6})"' if sheet.slanted else ' text-anchor="middle"'
        text(x, top - 6, clipped(matrix.key_tokens[position]), LABEL_SIZE, colours.text, extra)
    for position in range(0, rows, sheet.every):
        y = top + sheet.label_line(position) + LABEL_SIZE * 0.35
        text(left - 8, y, clipped(matrix.query_tokens[position]), LABEL_SIZE, colours.text, ' text-anchor="end"')
    out.append('<g shape-rendering="crispEdges">')
    numbers = []
    for query in range(rows):
        for key in range(columns):
            hidden = matrix.masked(query, key)
            fill = "url(#masked)" if hidden else colour_at(stops, float(fractions[query, key]))
            x, y = left + key * cell, top + query * cell
            out.append(f'<rect class="c" x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{fill}"/>')
            if not hidden and numbered(matrix, sheet, query, key):
                numbers.append(
                    (x + cell / 2, y + cell / 2 + 4, number(float(matrix.weights[query, key]), 2), ink_on(fill))
                )
    out.append("</g>")
    for x, y, words, ink in numbers:
        text(x, y, words, 11, ink, ' text-anchor="middle"')
    frame = f"M{left} {top}h{columns * cell}v{rows * cell}h-{columns * cell}z"
    out.append(f'<path d="{frame}" fill="none" stroke="{colours.line}"/>')
    foot = top + rows * cell + 26
    out.append(f'<path d="M{MARGIN} {foot}h160v10h-160z" fill="url(#scale)" stroke="{colours.line}"/>')
    for x, words, anchor in zip((0, 80, 160), legend_ends(matrix), ("start", "middle", "end"), strict=True):
        text(MARGIN + x, foot + 23, words, 11, colours.muted, f' text-anchor="{anchor}"')
    if matrix.may_attend is not None:
        out.append(f'<path d="M{MARGIN + 180} {foot}h16v10h-16z" fill="url(#masked)" stroke="{colours.line}"/>')
        text(MARGIN + 202, foot + 9, "masked", 11, colours.muted)
    for line, words in enumerate(sheet.proof):
        text(MARGIN, foot + 43 + 16 * line, words, 11, colours.muted)
    out.append("</svg>")
    return "\n".join(out)


# shows a cell's value where the pointer is; everything is set as text, never as markup
_HOVER = """
const m = JSON.parse(document.getElementById("matrix").textContent), out = document.querySelector("output");
const bytes = Uint8Array.from(atob(m.weights), c => c.charCodeAt(0)), w = new Float32Array(bytes.buffer);
const picture = document.querySelector("svg");
picture.addEventListener("mousemove", e => {
  const at = new DOMPoint(e.clientX, e.clientY).matrixTransform(picture.getScreenCTM().inverse());
  const k = Math.floor((at.x - m.left) / m.cell), q = Math.floor((at.y - m.top) / m.cell);
  if (q < 0 || k < 0 || q >= m.rows.length || k >= m.columns.length) return;
  const i = q * m.columns.length + k;
  const value = m.masked && m.masked[i] === "1" ? "masked" : w[i].toFixed(3);
  out.textContent = `${value} \\u00b7 ${m.rows[q]} (${q}) \\u2192 ${m.columns[k]} (${k})`;
});
"""


def html(matrix: Matrix, name: ThemeName = "light") -> str:
    """A standalone page: no network, no library; the picture, its values on hover, and the figure in words."""
    sheet, colours = Sheet.of(matrix, estimated_width), theme(name)
    data = {
        "weights": b64encode(matrix.weights.astype("<f4").tobytes()).decode(),
        "rows": [shown(t) for t in matrix.query_tokens],
        "columns": [shown(t) for t in matrix.key_tokens],
        "masked": matrix.may_attend is not None and "".join("10"[v] for v in matrix.may_attend.ravel().tolist()),
        "left": sheet.left,
        "top": sheet.top,
        "cell": sheet.cell,
    }
    # a `</script>` inside a token must not end the script
    packed = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    style = (
        f"body{{margin:24px;background:{colours.surface};color:{colours.text};font:14px {FAMILY}}}"
        f"svg{{max-width:100%;height:auto}}output{{display:block;min-height:1.5em;font-variant-numeric:tabular-nums}}"
        f"p{{max-width:70ch;color:{colours.muted}}}"
    )
    return "\n".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{_escape(shown(matrix.title))}</title><style>{style}</style>",
            svg(matrix, name),
            "<output>Point at a cell to read its value.</output>",
            f"<details><summary>In words</summary><p>{_escape(matrix.text())}</p></details>",
            f'<script type="application/json" id="matrix">{packed}</script><script>{_HOVER}</script></html>',
        )
    )


def _cell_safe(token: str) -> str:
    """A token that no spreadsheet takes for a formula."""
    return f"'{token}" if token.startswith(SPREADSHEET_STARTS) else token


def csv_text(matrix: Matrix) -> str:
    """Rows of exact values: every number is the shortest decimal that reads back as the same float32."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    corner = f"{matrix.query_axis} \\ {matrix.key_axis}"
    writer.writerow([_cell_safe(corner), *map(_cell_safe, matrix.key_tokens)])
    for token, row in zip(matrix.query_tokens, matrix.weights, strict=True):
        writer.writerow([_cell_safe(token), *(str(value) for value in row)])
    return out.getvalue()


def plotly_figure(matrix: Matrix, name: ThemeName = "light") -> go.Figure:
    """A `go.Heatmap` on integer axes: tokens are tick labels, so a repeated token keeps its own row."""
    import plotly.graph_objects as go

    colours = theme(name)
    stops = matrix.stops(colours)
    rows, columns = matrix.weights.shape
    # plotly reads labels as markup; quotes it would show as entities
    queries = [markup.escape(clipped(t), quote=False) for t in matrix.query_tokens]
    keys = [markup.escape(clipped(t), quote=False) for t in matrix.key_tokens]
    hover = [
        [
            f"{markup.escape(shown(q), quote=False)} ({i}) → {markup.escape(shown(k), quote=False)} ({j})"
            for j, k in enumerate(matrix.key_tokens)
        ]
        for i, q in enumerate(matrix.query_tokens)
    ]
    weights: Any = matrix.weights
    if matrix.may_attend is not None:
        weights = np.where(matrix.may_attend, weights, np.float32(np.nan))
    x, y = np.arange(columns, dtype=np.int32), np.arange(rows, dtype=np.int32)
    figure = go.Figure(
        go.Heatmap(
            z=weights, x=x, y=y, zmin=0.0 if matrix.scale is Scale.WEIGHTS else -matrix.bound, zmax=matrix.bound,
            colorscale=[[i / (len(stops) - 1), c] for i, c in enumerate(stops)],
            customdata=hover, hovertemplate="%{customdata}<br>%{z:.3f}<extra></extra>", hoverongaps=False,
            colorbar={"thickness": 10, "outlinewidth": 0},
        )
    )  # fmt: skip
    if matrix.may_attend is not None:
        hidden = np.where(matrix.may_attend, np.float32(np.nan), np.float32(0))
        figure.add_heatmap(
            z=hidden, x=x, y=y, colorscale=[[0, colours.masked], [1, colours.masked]], showscale=False,
            customdata=hover, hovertemplate="%{customdata}<br>masked<extra></extra>", hoverongaps=False,
        )  # fmt: skip
    escaped = {"title": shown(matrix.title), "x": shown(matrix.key_axis), "y": shown(matrix.query_axis)}
    escaped = {part: markup.escape(words, quote=False) for part, words in escaped.items()}
    figure.update_layout(
        title={"text": escaped["title"], "x": 0, "xref": "paper", "yref": "container", "automargin": True},
        paper_bgcolor=colours.surface, plot_bgcolor=colours.surface, font={"color": colours.text},
        xaxis={
            "title": {"text": escaped["x"]}, "tickmode": "array", "tickvals": x.tolist(), "ticktext": keys,
            "side": "top", "tickangle": -45 if max(map(len, keys)) > 4 else 0, "automargin": True, "showgrid": False,
            "zeroline": False, "constrain": "domain",
        },
        yaxis={
            "title": {"text": escaped["y"]}, "tickmode": "array", "tickvals": y.tolist(), "ticktext": queries,
            "autorange": "reversed", "automargin": True,
            "showgrid": False, "zeroline": False, "scaleanchor": "x", "constrain": "domain",
        },
    )  # fmt: skip
    return figure
