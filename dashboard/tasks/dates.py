"""Dates: as people write them, as year, month and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import controls, figures, runs, story
from dashboard.components.matrix import matrix
from dashboard.tasks import sections
from pretrained.analysis import left_out
from viz.numbers import percent

if TYPE_CHECKING:
    from pretrained.registry import Entry

FACTS = {"task": "dates"}


def draw(model: Entry) -> None:
    """Draw a date as people write it, and as year, month and day."""
    typed = st.text_input(
        "A date, as you would write it", "Thursday, the 5th of July 2001", key="date", bind="query-params", max_chars=60
    )
    traces = controls.run_or_explain(model.name, text=typed)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    drawn = figures.date_alignment(trace)
    st.subheader(story.SEE, anchor=False)
    controls.translation(trace)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "**In**: a date, read character by character. **Out**: year, month and day in ten characters. The "
            "encoder-decoder with attention of 2015 (Bahdanau et al.), made small."
        )
        sections.which_is_looked_at(trace, drawn, row="character", key="Character")
        st.markdown(sections.NO_EXPLANATION)
    with picture:
        matrix([drawn], key="dates")
    st.subheader(story.STEP, anchor=False)
    sections.token_by_token(trace, drawn)
    st.subheader(story.MEASURE, anchor=False)
    test = card["scores"]["test"]
    sections.scores(
        ("Right to the last character", percent(test["metrics"]["exact_match"])),
        ("Baseline: a few rules", percent(test["metrics"]["baseline"])),
        ("Chance: naming any day", percent(test["metrics"]["chance"])),
    )
    st.caption(
        f"On {test['count']:,} made-up dates of days that the training never saw, after training. The rules read the "
        "digits, and the first three letters of a month."
    )
    sections.what_matters(trace, left_out.words(trace.text), 0, 0, "word or number")
