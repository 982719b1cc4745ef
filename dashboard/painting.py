"""Painting a row of attention: a cell clicked in the map and the sliders beside it are one choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from dashboard.components.matrix import Pin, pin_of

if TYPE_CHECKING:
    from viz.matrix import Matrix

MAP, ROW, TOKEN, SHARE = "paint-map", "paint-row", "paint-token", "paint-share"
"""How the map's key begins, and the sliders' keys, which are their names in the URL too."""


class Painted(NamedTuple):
    """What the reader wants: a row, a token, and the share of the row that it gets, 0..1."""

    row: int
    token: int
    share: float


def choose(drawn: Matrix, *, row: int, token: int) -> Painted:
    """Draw the sliders; below them, mount a ``matrix`` under ``map_key()`` whose first one is this map.

    Args:
        drawn: the map as it is unpainted.
        row: what is painted before the reader chooses.
        token: likewise.
    """
    clicked = _clicked(drawn)
    if clicked != st.session_state.get(f"{MAP}-seen"):
        st.session_state[f"{MAP}-seen"] = clicked
        if clicked is not None:
            st.session_state[ROW], st.session_state[TOKEN] = clicked.query, clicked.key
    rows, keys = drawn.weights.shape
    one, other, third = st.columns(3)
    with one:
        row = _place("French token, by its step", rows, row, ROW)
    with other:
        token = _place("English token, by its place", keys, token, TOKEN)
    with third:
        share = st.slider("Its share of the row", 0, 100, 100, step=5, key=SHARE, bind="query-params", format="%d%%")
    if clicked is not None and (clicked.query, clicked.key) != (row, token):
        # The sliders have moved on: only a map mounted anew forgets the cell that it outlines.
        st.session_state[f"{MAP}-mount"] = st.session_state.get(f"{MAP}-mount", 0) + 1
        st.session_state[f"{MAP}-seen"] = None
    return Painted(row, token, int(share) / 100)


def map_key() -> str:
    """Give the map's widget key."""
    return f"{MAP}-{st.session_state.get(f'{MAP}-mount', 0)}"


def _clicked(drawn: Matrix) -> Pin | None:
    stored = st.session_state.get(map_key())
    return pin_of(stored.get("pin"), [drawn]) if isinstance(stored, Mapping) else None


def _place(label: str, count: int, default: int, key: str) -> int:
    if count == 1:
        return 0
    # A place of a longer sentence may have been left behind.
    if int(st.session_state.get(key, 0)) >= count:
        del st.session_state[key]
    return int(st.slider(label, 0, count - 1, default, key=key, bind="query-params"))
