"""The timeline of architectures as a part of the page: its pictures link to pages, and the sentence travels along.

An ``<a>`` in ``st.html`` would load the whole app again and lose what the reader did; a row of ``st.page_link`` could
not hold the drawings. So the links are real ones (a new tab, the keyboard and a screen reader know what to do with
them), a plain click comes back as the page's name, and the caller switches to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from viz import timeline as picture
from viz.palette import THEMES

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

FOLDER: Final = Path(__file__).parent


def timeline(pages: Mapping[str, str], *, key: str) -> str | None:
    """Draw the line and return the page that the reader just asked for.

    Args:
        pages: the pages that exist, address to title.
        key: the widget key, unique on the page.
    """
    data = {"markup": picture.timeline(pages), "themes": {name: picture.colours(name) for name in THEMES}}
    result = _component()(key=key, data=data, on_page_change=_ignore)
    return asked_for(result.get("page"), pages)


def asked_for(sent: object, pages: Mapping[str, str]) -> str | None:
    """The page that a browser sent, if there is one of that name."""
    return sent if isinstance(sent, str) and sent in pages else None


@cache
def _component() -> ComponentRenderer:
    # inline from the files: packaged assets would need a distribution named like this package
    return st.components.v2.component(
        "lookback-timeline",
        js=(FOLDER / "timeline.js").read_text("utf-8"),
        css=(FOLDER / "timeline.css").read_text("utf-8"),
    )


def _ignore() -> None:
    """Declares the trigger `page`; it is read from the result."""
