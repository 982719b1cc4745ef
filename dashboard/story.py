"""The story as chapters in their order: what stands above and below the page of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.components.chapters import chapters
from pretrained import registry
from viz import timeline

if TYPE_CHECKING:
    from pretrained.registry import Entry

PAGES = Path(__file__).parent / "pages"
TRANSLATION = "translation en-fr"


@dataclass(frozen=True)
class Chapter:
    """One page of the story.

    Attributes:
        url: its address, and with underscores the name of its file.
        title: what it is called in menus.
        needs: facts of finished models, as ``registry.finished`` takes them: one of each, or there is nothing to show.
    """

    url: str
    title: str
    needs: tuple[Mapping[str, object], ...] = field(default=(), hash=False)

    @property
    def file(self) -> str:
        """Its script, as Streamlit wants it named."""
        return f"dashboard/pages/{self.url.replace('-', '_')}.py"

    @property
    def exists(self) -> bool:
        """Whether its page has been written and its models trained."""
        return (PAGES / Path(self.file).name).is_file() and all(registry.finished(**facts) for facts in self.needs)


PARTS = {
    "Recurrence": (
        Chapter("rnn", "RNN", ({"task": TRANSLATION, "cell": "rnn", "attention": ()},)),
        Chapter("lstm-gru", "LSTM and GRU", ({"task": TRANSLATION, "cell": "lstm", "attention": ()},)),
        Chapter("encoder-decoder", "Encoder-decoder"),
        Chapter("attention", "Attention"),
        Chapter("convolution", "Convolution", ({"task": TRANSLATION, "family": "convolutional"},)),
    ),
    "Transformer": (
        Chapter("self-attention", "Self-attention"),
        Chapter("multi-head", "Multi-head"),
        Chapter("positions", "Positions"),
        Chapter("masks", "Masks"),
        Chapter("transformer", "Transformer"),
    ),
    "Since then": (
        Chapter("gpt-bert", "GPT and BERT", ({"task": "language model en"}, {"task": "masked language model en"})),
        Chapter("efficient", "Efficient attention", ({"task": TRANSLATION, "parent": "transformer"},)),
        Chapter("applications", "Applications"),
    ),
    "Compare": (
        Chapter("side-by-side", "Side by side"),
        Chapter("claims", "Claims"),
        Chapter("zoo", "Zoo"),
        Chapter("glossary", "Glossary"),
        Chapter("explorer", "Explorer"),
    ),
}


def listed() -> tuple[Chapter, ...]:
    """List the chapters that can be shown, in their order."""
    return tuple(chapter for part in PARTS.values() for chapter in part if chapter.exists)


CHAPTERS = listed()
ON_THE_TIMELINE = tuple(chapter for chapter in CHAPTERS if any(chapter.url in stop.pages for stop in timeline.STOPS))
"""Chapters that belong to one of the architectures on the start page's line."""
PROBLEM, SEE, STEP, MEASURE, HURTS = (
    "The problem",
    "See it",
    "Step through it",
    "Measure the claim",
    "What still hurts",
)
"""The five sections of every chapter."""


def milestones() -> tuple[Entry, ...]:
    """Choose three translators for the whole story: without attention, with it, and of attention alone."""
    facts = (
        {"cell": "gru", "attention": ()},
        {"cell": "gru", "attention": ("alignment",)},
        {"positions": "sinusoidal"},
    )
    return tuple(known for chosen in facts for known in registry.finished(task=TRANSLATION, parent=None, **chosen)[:1])


def opening(url: str, title: str) -> None:
    """Draw the line of chapters with this one marked, and its title; arrow keys turn pages."""
    asked = chapters({chapter.url: chapter.title for chapter in CHAPTERS}, url, key="chapters")
    if asked is not None:
        go_to(asked)
    st.header(title, anchor=False)


def closing(url: str) -> None:
    """Draw links to the chapters before and after."""
    index = [chapter.url for chapter in CHAPTERS].index(url)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        if index:
            before = CHAPTERS[index - 1]
            st.page_link(before.file, label=f"Previous: {before.title}", icon=":material/arrow_back:")
        if index + 1 < len(CHAPTERS):
            after = CHAPTERS[index + 1]
            st.page_link(after.file, label=f"Next: {after.title}", icon=":material/arrow_forward:")


def go_to(url: str) -> None:
    """Open a chapter; raises ``StopIteration`` if there is none of that address."""
    # With no parameters given Streamlit would try to clear those bound to the sentence, and raise.
    st.switch_page(next(chapter.file for chapter in CHAPTERS if chapter.url == url), query_params={})
