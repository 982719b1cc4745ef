"""The one description of a matrix figure: drawn live by the canvas component, taken away by the exporters."""

from __future__ import annotations

import unicodedata
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from viz.numbers import number
from viz.palette import Theme, ThemeName

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROW_SUM_TOLERANCE = 1e-4
"""A row of weights is said to sum to 1 when it does within this."""
RANGE_TOLERANCE = 1e-3
"""Weights may leave 0..1 by this much (products of float32 rows do)."""
LONGEST_TEXT = 24
"""A description for a screen reader lists every row up to this many, and a sample of evenly spaced rows beyond."""
SIGNS = {"\n": "⏎", "\r": "⏎", "\t": "⇥", " ": "␣", "\u00a0": "␣"}


class Scale(StrEnum):
    """How values become colours."""

    WEIGHTS = "weights"
    """0..1, sequential, always the same: two figures compare."""
    DIVERGING = "diverging"
    """-limit..limit around a neutral 0: states, gates, positions, differences."""
    SCORES = "scores"
    """As `DIVERGING`, for what goes into a softmax: masked cells may hold -inf."""


def shown(token: str) -> str:
    """A token as it is drawn: literal, but white space, the empty token and control characters get a visible sign."""
    if not token:
        return "∅"
    if not token.strip():
        return "".join(SIGNS.get(c, "␣") for c in token)
    token = token.translate({ord(c): sign for c, sign in SIGNS.items() if c in "\n\r\t"})
    # XML cannot hold control characters at all, and a lone surrogate cannot be encoded
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in token)


def _labels(name: str, tokens: tuple[str, ...], expected: int, shape: tuple[int, ...]) -> tuple[str, ...]:
    tokens = tuple(tokens)
    if len(tokens) != expected:
        raise ValueError(f"{name}: expected {expected}, as weights have shape {shape}, got {len(tokens)}")
    for position, token in enumerate(tokens):
        if not isinstance(token, str):
            raise ValueError(f"{name}[{position}]: expected str, got {type(token).__name__}")
    return tokens


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix `[query, key]` with the tokens that label it, and all that its picture needs.

    Args:
        weights: `[query, key]`, any float type; kept as a read-only float32 copy. 0..1 on `Scale.WEIGHTS`.
        query_tokens: row labels, one a query.
        key_tokens: column labels, one a key.
        title: what the figure is.
        reading: one sentence that says how to read it.
        scale: how values become colours.
        limit: end of a diverging scale; the largest visible magnitude where None.
        consumed_tokens: the piece that the decoder read in each row, for the hover.
        may_attend: `[query, key]` bool, False is masked and drawn so.
        source: `gru-bahdanau, layer 0, head 2`, for the proof line.
        short: the title in a grid of small figures; `title` where empty.
        query_axis: name of the rows.
        key_axis: name of the columns.
        query_id: figures on a page whose axes have the same id share a cursor; where empty, the tokens are the id.
        key_id: as `query_id`, for the columns.

    Raises:
        ValueError: lengths, shapes or types that do not fit, values that are not finite, weights outside 0..1.
    """

    weights: NDArray[np.float32]
    query_tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    _: KW_ONLY
    title: str
    reading: str
    scale: Scale = Scale.WEIGHTS
    limit: float | None = None
    consumed_tokens: tuple[str, ...] | None = None
    may_attend: NDArray[np.bool_] | None = None
    source: str = ""
    short: str = ""
    query_axis: str = "query"
    key_axis: str = "key"
    query_id: str = ""
    key_id: str = ""

    def __post_init__(self) -> None:
        given = np.asarray(self.weights)
        if given.dtype.kind != "f":
            raise ValueError(f"weights: expected a float array, got dtype {given.dtype}")
        if given.ndim != 2 or 0 in given.shape:
            raise ValueError(f"weights: expected shape [query, key] without empty axes, got {given.shape}")
        weights = np.array(given, dtype=np.float32, order="C")
        weights.flags.writeable = False
        put = object.__setattr__  # the class is frozen; this is its constructor
        rows, columns = weights.shape
        put(self, "weights", weights)
        put(self, "scale", Scale(self.scale))
        put(self, "query_tokens", _labels("query_tokens", self.query_tokens, rows, weights.shape))
        put(self, "key_tokens", _labels("key_tokens", self.key_tokens, columns, weights.shape))
        if self.consumed_tokens is not None:
            put(self, "consumed_tokens", _labels("consumed_tokens", self.consumed_tokens, rows, weights.shape))
        if self.may_attend is not None:
            mask = np.array(self.may_attend)
            if mask.dtype != np.bool_:
                raise ValueError(f"may_attend: expected dtype bool, got {mask.dtype}")
            if mask.shape != weights.shape:
                raise ValueError(f"may_attend: expected shape {weights.shape}, as weights, got {mask.shape}")
            mask.flags.writeable = False
            put(self, "may_attend", mask)
        self._check_values()

    def _check_values(self) -> None:
        # scores are -inf where a mask struck them out, and only there
        checked = self._visible() if self.scale is Scale.SCORES else self.weights
        wrong = int(np.count_nonzero(~np.isfinite(checked))) or int(np.count_nonzero(np.isnan(self.weights)))
        if wrong:
            raise ValueError(f"weights: {wrong} of {self.weights.size} values are not finite ({self.title})")
        if self.scale is Scale.WEIGHTS:
            if self.limit is not None:
                raise ValueError(f"limit: expected None on a scale of weights, which is 0..1, got {self.limit}")
            low, high = float(self.weights.min()), float(self.weights.max())
            if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
                raise ValueError(f"weights: expected 0..1, got {low:.4g}..{high:.4g}; other values need another scale")
        elif self.limit is not None and not (np.isfinite(self.limit) and self.limit > 0):
            raise ValueError(f"limit: expected a finite number above 0, got {self.limit}")

    def _visible(self) -> NDArray[np.float32]:
        """The values that no mask hides, flat."""
        return self.weights.ravel() if self.may_attend is None else self.weights[self.may_attend]

    @property
    def bound(self) -> float:
        """The value of the scale's last colour: 1, or the limit of a diverging scale."""
        if self.scale is Scale.WEIGHTS:
            return 1.0
        if self.limit is not None:
            return float(self.limit)
        visible = self._visible()
        return float(np.abs(visible).max()) if visible.size and np.abs(visible).max() > 0 else 1.0

    def fractions(self) -> NDArray[np.float32]:
        """Where every value lies on its colour scale, `[query, key]`, 0..1."""
        if self.scale is Scale.WEIGHTS:
            return np.clip(self.weights, 0, 1)
        return np.clip((self.weights / np.float32(self.bound) + 1) / 2, 0, 1).astype(np.float32)

    def stops(self, theme: Theme) -> tuple[str, ...]:
        """The colours of this matrix's scale in `theme`, low to high."""
        return theme.sequential if self.scale is Scale.WEIGHTS else theme.diverging

    def masked(self, query: int, key: int) -> bool:
        """Whether a mask hides this cell."""
        return self.may_attend is not None and not bool(self.may_attend[query, key])

    def proof(self) -> str:
        """One line that the numbers themselves vouch for, computed from the float32 source."""
        parts = [self._sums() if self.scale is Scale.WEIGHTS else self._range()]
        if self.may_attend is not None and self.scale is Scale.WEIGHTS:
            hidden = self.weights[~self.may_attend]
            most = float(np.abs(hidden).max()) if hidden.size else 0.0
            parts.append("masked cells 0" if most == 0 else f"masked cells up to {most:.2g}")
        if self.source:
            parts.append(f"from {self.source}")
        return " · ".join(parts)

    def _sums(self) -> str:
        sums = self.weights.sum(axis=1, dtype=np.float64)
        if np.abs(sums - 1).max() <= ROW_SUM_TOLERANCE:
            return "rows sum to 1"
        low, high = float(sums.min()), float(sums.max())
        # two decimals, unless they would hide that a row misses 1
        for decimals in (2, 4, 6):
            one, other = f"{low:.{decimals}f}", f"{high:.{decimals}f}"
            if float(one) != 1 or float(other) != 1:
                break
        return f"rows sum to {one}" if one == other else f"rows sum to {one}–{other}"

    def _range(self) -> str:
        visible = self._visible()
        if not visible.size:
            return "every cell is masked"
        return f"values {number(float(visible.min()), 2)} to {number(float(visible.max()), 2)}"

    def strongest(self, query: int) -> int | None:
        """The key with the largest magnitude in a row that no mask hides; None where the whole row is masked."""
        row = np.abs(self.weights[query].astype(np.float64))
        if self.may_attend is not None:
            if not self.may_attend[query].any():
                return None
            row = np.where(self.may_attend[query], row, -1.0)
        return int(row.argmax())

    def text(self, rows: int | None = None) -> str:
        """The figure in words, for readers who do not see it: of each row the strongest key and its value.

        Args:
            rows: only the first `rows` rows, as where a step slider draws no more.
        """
        count = len(self.query_tokens) if rows is None else max(0, min(rows, len(self.query_tokens)))
        chosen = range(count)
        start = f"{count} rows ({self.query_axis}), {len(self.key_tokens)} columns ({self.key_axis})."
        if count > LONGEST_TEXT:
            chosen = range(0, count, -(-count // LONGEST_TEXT))
            start += f" {len(chosen)} of the rows:"
        lines = [start]
        verb = "most to" if self.scale is Scale.WEIGHTS else "largest at"
        for query in chosen:
            key = self.strongest(query)
            name = f"{shown(self.query_tokens[query])} ({query})"
            if key is None:
                lines.append(f"{name}: masked.")
            else:
                value = number(float(self.weights[query, key]))
                lines.append(f"{name}: {verb} {shown(self.key_tokens[key])} ({key}), {value}.")
        return " ".join(lines)

    def plotly(self, theme: ThemeName = "light") -> go.Figure:
        """A zoomable plotly heatmap."""
        from viz.export import plotly_figure

        return plotly_figure(self, theme)

    def svg(self, theme: ThemeName = "light") -> str:
        """A vector picture: one rectangle a cell."""
        from viz.export import svg

        return svg(self, theme)

    def png(self, theme: ThemeName = "light", pixel_ratio: int = 2) -> bytes:
        """A bitmap with labels, title, legend and proof line."""
        from viz.raster import png

        return png(self, theme, pixel_ratio)

    def html(self, theme: ThemeName = "light") -> str:
        """One small file that needs nothing else: the vector picture, its values on hover, and the text."""
        from viz.export import html

        return html(self, theme)

    def csv(self) -> str:
        """Exact float32 values with the tokens on both axes, safe to open in a spreadsheet."""
        from viz.export import csv_text

        return csv_text(self)
