"""The canvas that draws every live matrix of the product, and its typed Python face.

One mount draws one or many matrices. Weights travel as bytes in one blob, never as JSON lists; hovering costs no server
trip; a pinned cell comes back as its position and is read again from the float32 source here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import streamlit as st

from viz.matrix import Matrix, Scale, shown
from viz.numbers import number
from viz.palette import THEMES, theme

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

FOLDER: Final = Path(__file__).parent
SCRIPTS: Final = ("base.js", "figure.js", "matrix.js")
"""One module, joined in this order: an inline component cannot import a file beside it."""
EXACT_CELLS: Final = 64 * 64
"""A matrix of at most so many cells travels as float32; a larger one as one byte a cell."""
EXACT_BYTES: Final = 64 * EXACT_CELLS * 4
"""A mount whose float32 values would take more than this sends bytes too: a grid of every head stays small."""
Size = Literal["normal", "small"]


@dataclass(frozen=True)
class Pin:
    """A cell that the reader chose: which matrix of the mount, which cell, and its exact float32 value."""

    matrix: int
    query: int
    key: int
    value: float


def matrix(
    matrices: Sequence[Matrix],
    *,
    key: str,
    columns: int | None = None,
    link: str = "page",
    size: Size = "normal",
    rows: int | None = None,
    current_row: int | None = None,
) -> Pin | None:
    """Draw matrices side by side, or as a grid of small ones, and return the cell that the reader pinned.

    Args:
        matrices: what to draw, at least one.
        key: the widget key, unique on the page.
        columns: how many stand in a line where the page is wide enough; all of them (normal) or as many as fit (small)
            where None.
        link: matrices of a page with the same link share a cursor on axes with the same id, in other mounts too.
        size: `small` draws a grid without tokens; clicking one pins it.
        rows: draw only so many rows, as a step slider does; all of them where None.
        current_row: the row to point at.

    Raises:
        ValueError: no matrices, or numbers outside their ranges.
    """
    drawn = tuple(matrices)
    # the state of the run before this one: a pin that was just set is already in it
    before = pin_of(_state(key), drawn, rows)
    data = payload(drawn, columns=columns, link=link, size=size, rows=rows, current_row=current_row, pin=before)
    result = _component()(key=key, data=data, on_pin_change=_ignore)
    return pin_of(result.get("pin"), drawn, rows)


@cache
def _component() -> ComponentRenderer:
    # inline from the files: packaged assets would need a distribution named like this package
    return st.components.v2.component(
        "lookback-matrix",
        js="".join((FOLDER / name).read_text("utf-8") for name in SCRIPTS),
        css=(FOLDER / "matrix.css").read_text("utf-8"),
    )


def _ignore() -> None:
    """Declares the state `pin`; the pin is read from the result."""


def _state(key: str) -> object:
    stored = st.session_state.get(key)
    return stored.get("pin") if isinstance(stored, Mapping) else None


def identity(drawn: Matrix) -> str:
    """A fingerprint of what a pin points into: a pin of other tokens is dropped, one of another layer is kept."""
    return _digest(drawn.query_tokens, drawn.key_tokens)


def _digest(*axes: tuple[str, ...]) -> str:
    return blake2b(json.dumps(axes).encode(), digest_size=8).hexdigest()


def pin_of(state: object, matrices: Sequence[Matrix], rows: int | None = None) -> Pin | None:
    """The pin that a browser sent, checked, with the value of the float32 source; None for anything that does not fit.

    Args:
        state: what came from the browser, not to be trusted.
        matrices: the matrices of the mount.
        rows: how many rows are drawn; all where None.
    """
    if not isinstance(state, Mapping):
        return None
    place = [state.get(part) for part in ("matrix", "query", "key")]
    # bool is an int to Python, not to a reader
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in place):
        return None
    index, query, key = (int(n) for n in place if isinstance(n, int))
    if index >= len(matrices) or state.get("id") != identity(matrices[index]):
        return None
    weights = matrices[index].weights
    if query >= (weights.shape[0] if rows is None else min(rows, weights.shape[0])) or key >= weights.shape[1]:
        return None
    return Pin(index, query, key, float(weights[query, key]))


def payload(
    matrices: Sequence[Matrix],
    *,
    columns: int | None = None,
    link: str = "page",
    size: Size = "normal",
    rows: int | None = None,
    current_row: int | None = None,
    pin: Pin | None = None,
) -> bytes:
    """Everything that a mount draws, as one blob (see `pack`).

    A pure function of its arguments, which are those of `matrix`; `pin` adds the exact value of a cell that travels as
    a byte.

    Raises:
        ValueError: no matrices, small ones on different scales, or numbers outside their ranges.
    """
    if not matrices:
        raise ValueError("matrices: expected at least one, got 0")
    if columns is not None and columns < 1:
        raise ValueError(f"columns: expected at least 1, got {columns}")
    if rows is not None and rows < 0:
        raise ValueError(f"rows: expected 0 or more, got {rows}")
    if size not in ("normal", "small"):
        raise ValueError(f"size: expected normal or small, got {size!r}")
    scales = {m.scale for m in matrices}
    if size == "small" and len(scales) > 1:
        raise ValueError(f"small matrices share one scale, got {len(scales)}: {', '.join(sorted(scales))}")
    exact = sum(m.weights.nbytes for m in matrices) <= EXACT_BYTES
    # one legend stands over a grid, so its colours must mean the same everywhere
    bound = max(m.bound for m in matrices) if size == "small" else None
    axes: dict[tuple[str, ...], int] = {}
    cells: list[np.ndarray[Any, Any]] = []
    described = []
    for index, one in enumerate(matrices):
        limit = one.bound if bound is None else bound
        about = _describe(one, axes, size, rows, limit)
        values = one.weights if exact and one.weights.size <= EXACT_CELLS else _as_bytes(one, limit)
        about["cells"] = len(cells)
        cells.append(values)
        # a mask that hides nothing needs neither bits nor a legend
        if one.may_attend is not None and not one.may_attend.all():
            about["mask"] = len(cells)
            cells.append(np.packbits(one.may_attend, bitorder="little"))
        if pin is not None and pin.matrix == index and values.dtype == np.uint8:
            about["exact"] = {"query": pin.query, "key": pin.key, "value": number(pin.value, 6)}
        described.append(about)
    meta = {
        "matrices": described,
        "axes": [[shown(token) for token in axis] for axis in axes],
        "themes": {name: asdict(theme(name)) for name in THEMES},
        "columns": columns,
        "link": link,
        "size": size,
        "rows": rows,
        "currentRow": current_row,
    }
    return pack(meta, cells)


def _describe(
    one: Matrix, axes: dict[tuple[str, ...], int], size: Size, rows: int | None, limit: float
) -> dict[str, Any]:
    """What the canvas is told of one matrix, its cells aside; `axes` collects every list of tokens once."""

    def axis(tokens: tuple[str, ...]) -> int:
        return axes.setdefault(tokens, len(axes))

    return {
        "title": shown(one.title),
        "short": shown(one.short or one.title),
        "reading": shown(one.reading),
        "proof": shown(one.proof()),
        # the words of many small figures would outweigh their cells
        "text": one.text(rows) if size == "normal" else "",
        "queryAxis": shown(one.query_axis),
        "keyAxis": shown(one.key_axis),
        "queryId": one.query_id or _digest(one.query_tokens),
        "keyId": one.key_id or _digest(one.key_tokens),
        "query": axis(one.query_tokens),
        "key": axis(one.key_tokens),
        "consumed": None if one.consumed_tokens is None else axis(one.consumed_tokens),
        "diverging": one.scale is not Scale.WEIGHTS,
        "limit": limit,
        "ends": ["0", "1"] if one.scale is Scale.WEIGHTS else [f"−{number(limit, 2)}", number(limit, 2)],
        "mask": None,
        "exact": None,
        "id": identity(one),
    }


def _as_bytes(one: Matrix, limit: float) -> np.ndarray[Any, Any]:
    """One byte a cell: 0..255 for weights, 0..254 with 127 as zero on a diverging scale."""
    if one.scale is Scale.WEIGHTS:
        weights: np.ndarray[Any, Any] = np.rint(np.clip(one.weights, 0, 1) * 255).astype(np.uint8)
        return weights
    cells: np.ndarray[Any, Any] = np.rint((np.clip(one.weights / np.float32(limit), -1, 1) + 1) * 127).astype(np.uint8)
    return cells


def pack(meta: dict[str, Any], cells: Sequence[np.ndarray[Any, Any]]) -> bytes:
    """Meta and arrays in one blob: the length of a JSON header (uint32, little-endian), the header, the arrays.

    The header lists type, start and length of every array under `arrays`; every part starts at a multiple of 4.
    A blob and not a dictionary, because Streamlit sends a dictionary that holds bytes as its Python repr.

    Raises:
        ValueError: an array that is neither float32 nor uint8, or a number in `meta` that JSON does not have.
    """
    places, start, parts = [], 0, []
    for array in cells:
        if array.dtype not in (np.float32, np.uint8):
            raise ValueError(f"cells: expected float32 or uint8, got {array.dtype}")
        body = np.ascontiguousarray(array).tobytes() if array.dtype == np.uint8 else array.astype("<f4").tobytes()
        assert len(body) == array.size * array.itemsize
        places.append({"type": array.dtype.name, "start": start, "length": array.size})
        parts.append(body + b"\0" * (-len(body) % 4))
        start += len(parts[-1])
    # a NaN in the JSON would take the whole component down in the browser
    header = json.dumps({**meta, "arrays": places}, allow_nan=False, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 4)
    return struct.pack("<I", len(header)) + header + b"".join(parts)
