"""Grids of every head, kept in step with the layer and head pickers: a head clicked in a grid is their new choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import controls
from dashboard.components.matrix import matrix, pin_of

if TYPE_CHECKING:
    from viz.matrix import Matrix

LAYER, HEAD = "layer", "head"
"""The pickers' keys, which are their names in the URL too."""


def choose(grids: Mapping[str, Sequence[Matrix]], n_layers: int, n_heads: int) -> tuple[int, int]:
    """Draw the pickers and return layer and head; call `grid` below for each of the grids.

    Args:
        grids: the small matrices of every grid, layer by layer, by widget key.
        n_layers: how many layers there are.
        n_heads: how many heads each has.
    """
    for key, drawn in grids.items():
        clicked = _clicked(key)
        if clicked == st.session_state.get(f"{key}-seen"):
            continue
        st.session_state[f"{key}-seen"] = clicked
        pin = pin_of(clicked, drawn)
        if pin is not None:
            st.session_state[LAYER], st.session_state[HEAD] = divmod(pin.matrix, n_heads)
    layer, head = controls.head_of_layer(n_layers, n_heads)
    for key, drawn in grids.items():
        pin = pin_of(_clicked(key), drawn)
        if pin is not None and divmod(pin.matrix, n_heads) != (layer, head):
            # The pickers have moved on: only a grid mounted anew forgets the head that it outlines.
            st.session_state[f"{key}-mount"] = st.session_state.get(f"{key}-mount", 0) + 1
            st.session_state[f"{key}-seen"] = None
    return layer, head


def grid(key: str, drawn: Sequence[Matrix], chosen: int, *, columns: int | None = None) -> None:
    """Draw every head, small, in one line or as `columns` say; the chosen one, counted over all layers, is marked."""
    marked = [replace(one, short=f"{one.short} ●") if index == chosen else one for index, one in enumerate(drawn)]
    matrix(marked, key=_mounted(key), size="small", columns=columns or len(drawn))


def _mounted(key: str) -> str:
    return f"{key}-{st.session_state.get(f'{key}-mount', 0)}"


def _clicked(key: str) -> object:
    stored = st.session_state.get(_mounted(key))
    return stored.get("pin") if isinstance(stored, Mapping) else None
