"""The line of chapters above a page: where the reader is, a way to every other one, and the arrow keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

FOLDER: Final = Path(__file__).parent


def chapters(pages: Mapping[str, str], here: str, *, key: str) -> str | None:
    """Draw the line and return the page that the reader just asked for, by a click or an arrow key.

    Args:
        pages: address to title, in order.
        here: the address of this page.
        key: the widget key.

    Raises:
        ValueError: ``here`` is no page.
    """
    if here not in pages:
        raise ValueError(f"here: expected one of {', '.join(pages)}, got {here!r}")
    data = {"here": here, "pages": [{"page": page, "title": title} for page, title in pages.items()]}
    sent = _component()(key=key, data=data, on_page_change=_ignore).get("page")
    return sent if isinstance(sent, str) and sent in pages and sent != here else None


@cache
def _component() -> ComponentRenderer:
    # inline from the files: packaged assets would need a distribution named like this package
    return st.components.v2.component(
        "lookback-chapters",
        js=(FOLDER / "chapters.js").read_text("utf-8"),
        css=(FOLDER / "chapters.css").read_text("utf-8"),
    )


def _ignore() -> None:
    """Declares the trigger `page`; it is read from the result."""
