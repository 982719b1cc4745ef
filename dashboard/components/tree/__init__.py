"""A tree of hypotheses as a part of the page: drawn in the reader's theme, scrolled sideways where it is wider."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from viz import tree as picture
from viz.palette import THEMES

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

FOLDER: Final = Path(__file__).parent


def tree(nodes: Sequence[picture.Node], *, key: str, chosen: Collection[int] = (), label: str) -> None:
    """Draw a tree; the arguments are those of ``viz.tree.tree``.

    Args:
        nodes: parents stand before their children.
        key: the widget key, unique on the page.
        chosen: indices of the nodes of one path.
        label: what it is, for who does not see it.
    """
    markup = picture.tree(nodes, chosen=chosen, label=label)
    _component()(key=key, data={"markup": markup, "themes": {name: picture.colours(name) for name in THEMES}})


@cache
def _component() -> ComponentRenderer:
    # inline from the files: packaged assets would need a distribution named like this package
    return st.components.v2.component(
        "lookback-tree",
        js=(FOLDER / "tree.js").read_text("utf-8"),
        css=(FOLDER / "tree.css").read_text("utf-8"),
    )
