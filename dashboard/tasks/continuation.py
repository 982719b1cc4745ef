"""Continuation: the sentence in the bar, and what might follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, controls, measure, runs, story
from dashboard.tasks import sections
from pretrained.analysis import surprise, writing
from viz.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pretrained.registry import Entry
    from pretrained.trace import Trace

FACTS = {"task": "language model en"}


def draw(model: Entry) -> None:
    """Draw the sentence in the bar, and its continuation."""
    traces = controls.run_or_explain(model.name)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    likely = [best[0].probability for best in trace.candidates]
    _see(trace, likely, card["parameters"])
    _step(trace, likely)
    _measure(trace, card["scores"]["test"]["metrics"], int(model.sizes["d_vocab"]))


def _see(trace: Trace, likely: Sequence[float], parameters: int) -> None:
    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "**In**: any English text. **Out**: what might follow it. There is no encoder: text and continuation are one "
        "sequence, of which every token sees those before it (Radford et al. 2019). Here the likeliest token is always "
        "taken; that tends to repeat itself, and tokens can be drawn by lot instead (Holtzman et al. 2020)."
    )
    with st.container(border=True, gap="xsmall"):
        st.caption(f"{trace.model} · {parameters / 1e6:.1f} M parameters · your text, then its own")
        st.text(trace.text)
        st.text(trace.output or "(nothing)")
    sure = int(sum(one > 1 / 2 for one in likely))
    controls.prediction(
        f"It wrote {len(likely)} tokens. How many of them did it hold likelier than all others together?",
        ("Fewer than half", "Half or more"),
        int(2 * sure >= len(likely)),
        key=f"sure-{trace.text}",
        why=f"{sure} of {len(likely)} had a probability above one half.",
    )


def _step(trace: Trace, likely: Sequence[float]) -> None:
    st.subheader(story.STEP, anchor=False)
    so_far = writing.probability_so_far(trace)
    st.markdown(
        "A score for every token that it knows goes through a **softmax**, which makes them probabilities p. One is "
        "written, read again with all before it, and the next is asked for. P is the product of all so far."
    )

    def at_step(step: int) -> None:
        curve, choice = st.columns([3, 2], gap="large")
        with curve:
            controls.written_so_far(trace, step)
            before, now = so_far[step - 1] if step else 1.0, likely[step]
            st.latex(
                rf"P_{{{step}}} = {charts.power(before)} \cdot {charts.power(now)} = {charts.power(so_far[step])}\;"
            )
            st.plotly_chart(
                charts.probabilities(likely, trace.target_tokens, step, theme=controls.theme()),
                key=f"probabilities-{controls.theme()}",
                config={"displayModeBar": False},
                alt=f"Probability of each of {len(likely)} tokens written; at step {step} it is {percent(now)}",
            )
        with choice:
            controls.candidates(trace, step)

    controls.stepper(at_step, trace.target_tokens, label="Output step: drag or play to see the text grow")


def _measure(trace: Trace, metrics: Mapping[str, Any], vocabulary: int) -> None:
    st.subheader(story.MEASURE, anchor=False)
    sections.scores(
        ("This model, perplexity", f"{metrics['perplexity']:,.1f}"),
        ("Baseline: counted pairs of tokens", f"{metrics['kneser_ney_2']:,.1f}"),
        ("Counted triples", f"{metrics['kneser_ney_3']:,.1f}"),
        ("Chance: all tokens alike", f"{vocabulary:,}"),
    )
    st.caption(
        f"On {metrics['pieces']:,} tokens of text that it was not trained on, after training; less is better. "
        "**Perplexity**: as unsure as if it had to choose among so many tokens that are all equally likely. The "
        "baselines count which token followed which (Kneser and Ney 1995)."
    )
    st.markdown(
        "**“It has learnt order, not only words.”** Then your sentence should surprise it less than the same words "
        "shuffled. Measured as perplexity, over every token but the first."
    )
    place = st.container()
    found = measure.measured(surprise.surprise, (trace.model,), trace.text, key="surprise").value
    with place:
        if found is None:
            st.info("One word has no order. Type a longer text.")
            return
        sections.scores(
            ("Your sentence", f"{found.as_written:,.1f}"),
            ("Shuffled", f"{found.shuffled:,.1f}"),
            ("Chance", f"{vocabulary:,}"),
        )
        st.markdown(
            f"Shuffled, it is {found.shuffled / found.as_written:.1f} times as surprising: "
            + (
                "**the claim holds here.**"
                if found.shuffled > found.as_written
                else "**the claim does not hold on this sentence.**"
            )
        )
        st.caption(f"The geometric mean over up to {surprise.ORDERS} other orders.")
