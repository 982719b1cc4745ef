"""Compression: the sentence in the bar, with words left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from dashboard.tasks import sections
from pretrained.analysis import keeping
from viz.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pretrained.analysis.keeping import Decision
    from pretrained.compression import Compressor
    from pretrained.registry import Entry
    from pretrained.trace import Trace

FACTS = {"task": "compression"}


def draw(model: Entry) -> None:
    """Draw the sentence in the bar, and what is left of it."""
    traces = controls.run_or_explain(model.name)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    compressor = cast("Compressor", runs.load(model.name))
    decided = keeping.decisions(compressor, trace.text)
    words = tuple(trace.text[one.start : one.end] for one in decided)
    _see(trace, words, [one.keep for one in decided])
    _step(trace, words, decided)
    _measure(trace, words, card["scores"]["test"])


def _see(trace: Trace, words: tuple[str, ...], keep: Sequence[float]) -> None:
    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "**In**: a sentence. **Out**: the same sentence, shorter. No word is written: an encoder reads all words at "
        "once, and **keeps or drops each** (Filippova et al. 2015). It was trained on the first sentences of news."
    )
    ranked = sorted(range(len(words)), key=keep.__getitem__)
    asked = sorted({ranked[0], *ranked[-2:]})
    said, picture = st.columns([3, 2], gap="large")
    with said:
        st.caption("Words of your sentence, with their numbers, counted from 0; signs count as words:")
        st.text("   ".join(f"{place} {words[place]}" for place in asked))
        if len(asked) > 1:
            controls.prediction(
                "Which of them is it least likely to keep?",
                [f"Word {place}" for place in asked],
                asked.index(ranked[0]),
                key=f"drops-{trace.text}",
                why=f"It keeps it with {percent(keep[ranked[0]])}, the least of all {len(words)}; the one it is surest "
                f"to keep has {percent(keep[ranked[-1]])}.",
            )
        for title, text in (("Your sentence", trace.text), ("What is left of it", trace.output)):
            with st.container(border=True, gap="xsmall"):
                st.caption(title)
                st.text(text or "(nothing)")
        with st.container(horizontal=True):
            st.metric("Words", f"{len(words)} → {len(trace.target_tokens)}", width="content")
            st.metric("Characters", f"{len(trace.text)} → {len(trace.output)}", width="content")
    with picture:
        matrix([figures.keep_or_drop(keep, words, model=trace.model)], key="kept")


def _step(trace: Trace, words: tuple[str, ...], decided: tuple[Decision, ...]) -> None:
    st.subheader(story.STEP, anchor=False)
    st.markdown(
        "Each word gets one score x. Keeping has score x and dropping has score 0: the softmax of these two is the "
        "**sigmoid**, 1 / (1 + e⁻ˣ). Above one half the word stays."
    )

    def word_by_word(step: int) -> None:
        one = decided[step]
        numbers, result = st.columns(2, gap="large")
        with numbers:
            with st.container(border=True, gap="xsmall"):
                st.caption(f"Word {step}")
                st.text(words[step])
            st.latex(
                rf"""\begin{{aligned}}
                p_{{{step}}} &= \frac{{e^x}}{{e^x + e^0}} = \frac{{1}}{{1 + e^{{-x}}}},\quad x = {one.score:.2f} \\[4pt]
                &= \frac{{1}}{{1 + {math.exp(-one.score):.3g}}} = {charts.power(one.keep)}
                \end{{aligned}}\;"""
            )
        with result:
            sections.scores(("Keep", percent(one.keep)), ("Drop", percent(1 - one.keep)))
            with st.container(border=True, gap="xsmall"):
                st.caption(f"It {'stays' if one.kept else 'is dropped'}. Left after word {step}:")
                st.text(keeping.left(trace.text, decided[: step + 1]) or "(nothing)")

    controls.stepper(word_by_word, words, key="word", label="Word: drag or play to decide on the next")


def _measure(trace: Trace, words: tuple[str, ...], test: Mapping[str, Any]) -> None:
    st.subheader(story.MEASURE, anchor=False)
    sections.scores(
        ("This model, F1", percent(test["metrics"]["f1"])),
        (f"Baseline: the first {test['lead']['best']['words']} words", percent(test["metrics"]["baseline"])),
        ("Chance: words by lot", percent(test["metrics"]["chance"])),
    )
    st.caption(
        f"On {test['count']:,} test sentences, after training. F1 is the harmonic mean of two shares: how many of the "
        "kept words the reference keeps too, and how many of the reference's were kept. The reference was made by "
        "rule, with the article's headline (Filippova and Altun 2013). By lot means as many words as should stay. The "
        f"model keeps {percent(test['metrics']['kept'])} of all words; {percent(test['metrics']['exact_match'])} of "
        "its compressions are right to the last word."
    )
    st.markdown(
        "**“Words are judged together.”** Each word is decided by itself, but after looking at all others. So does a "
        "decision change if **another** word is left out of your sentence? Each is left out in turn."
    )
    place = st.container()
    changed = measure.measured(keeping.flips, (trace.model,), trace.text, key="flips").value
    with place:
        if changed.any():
            st.plotly_chart(
                charts.over_tokens(
                    {"other decisions that change": changed},
                    words,
                    x_axis="word left out",
                    y_axis="other decisions that change",
                    theme=controls.theme(),
                ),
                key=f"flips-{controls.theme()}",
                config={"displayModeBar": False},
                alt="How many decisions about other words change when each word is left out",
            )
        st.markdown(
            f"Leaving out one word changes a decision about another for {int((changed > 0).sum())} of {len(words)} "
            "words: "
            + ("**the claim holds here.**" if changed.any() else "**the claim does not show on this sentence.**")
        )
