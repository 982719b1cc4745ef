"""Translation: the sentence in the bar, in French."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import cards, controls, figures, runs, story
from dashboard.components.matrix import matrix
from dashboard.tasks import sections
from pretrained import registry
from pretrained.analysis import left_out
from pretrained.analysis.alignment import READ
from viz.numbers import number

if TYPE_CHECKING:
    from pretrained.registry import Entry

FACTS = {"task": story.TRANSLATION, "family": "attention", "positions": "sinusoidal", "parent": None}
MOST_WORDS = 24  # that are left out in turn: each costs the model a reading of the sentence


def draw(model: Entry) -> None:
    """Draw the sentence in the bar, and its French."""
    traces = controls.run_or_explain(model.name)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    place = cards.looks_from(model.name)
    drawn = figures.source_attention(trace, place)
    st.subheader(story.SEE, anchor=False)
    controls.translation(trace)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "**In**: an English sentence. **Out**: a French one, as long as the model finds right. Drawn is what "
            "agrees best, of all heads of the decoder, with links that people made between words"
            + (
                ": a head that looks up the token it has just **read**, not the one it is about to write "
                "(Chen et al. 2020)."
                if place.row == READ
                else "."
            )
        )
        sections.which_is_looked_at(trace, drawn, done=place.row, row="French token", key="English token")
        st.markdown(sections.NO_EXPLANATION)
    with picture:
        matrix([drawn], key="translation")
    st.subheader(story.STEP, anchor=False)
    sections.token_by_token(trace, drawn)
    st.subheader(story.MEASURE, anchor=False)
    (baseline,) = registry.finished(task=story.TRANSLATION, cell="gru", attention=())
    ours, other = (runs.card(one.name)["scores"]["test"]["metrics"]["chrf"] for one in (model, baseline))
    sections.scores(("This model, chrF", number(ours, 1)), ("Baseline: one vector, no attention", number(other, 1)))
    st.caption(
        f"On {card['scores']['test']['count']:,} test sentences, after training. chrF, 0 to 100, compares letters and "
        "runs of letters with a person's translation (Popović 2015). A chance line was not measured: words by lot "
        "share few runs with anything."
    )
    sections.what_matters(trace, left_out.words(trace.text)[:MOST_WORDS], place.layer, place.head, "word")
    st.caption(f"Of a long sentence, its first {MOST_WORDS} words are left out in turn; *looked at* is what is drawn.")
