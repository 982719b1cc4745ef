"""Questions: a story and a question of the reader's own, and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts, controls, figures, runs, story
from dashboard.components.matrix import matrix
from dashboard.tasks import sections
from pretrained.analysis import facts, left_out
from pretrained.model import TextError
from viz.numbers import percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pretrained.registry import Entry
    from pretrained.trace import Trace

FACTS = {"task": "question answering en"}
STORIES = {
    "One fact": "Mary went to the kitchen. John moved to the garden. Sandra travelled to the office. Where is Mary?",
    "Two facts": "John got the milk there. Mary moved to the office. John went to the garden. Where is the milk?",
    "Yes or no": "John moved to the bedroom. Mary went to the hallway. John went back to the kitchen. "
    "Is John in the bedroom?",
    "Deduction": "Wolves are afraid of mice. Sheep are afraid of wolves. Cats are afraid of sheep. "
    "Mice are afraid of cats. Jessica is a sheep. Emily is a cat. What is Jessica afraid of?",
}
SUPPORTING = {"One fact": {0}, "Two facts": {0, 2}, "Yes or no": {2}, "Deduction": {1, 4}}
"""Lines that the answer follows from, counted from 0."""
STORY = "story"


@dataclass(frozen=True)
class Answered:
    """A story with its question, and what the model answered.

    Attributes:
        told: what was asked.
        trace: what the model did.
        card: what was measured when it was trained.
        facts: lines that the answer follows from, where they are known.
    """

    told: facts.Told
    trace: Trace
    card: dict[str, Any]
    facts: set[int] | None

    @property
    def head(self) -> tuple[int, int]:
        """Layer and head that looked most at the supporting facts of other stories."""
        chosen = self.card["supporting_facts"]
        return chosen["layer"], chosen["head"]

    @property
    def even(self) -> float:
        """Share of the attention that every line would get from an even look."""
        return 1 / len(self.told.lines)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the attention of every head on every line, ``[layer, head, line]``."""
        return left_out.shares(self.trace, self.told.spans)


def draw(model: Entry) -> None:
    """Draw a story, a question about it, and the answer."""
    with st.container(horizontal=True, gap="small"):
        for name, example in STORIES.items():
            st.button(name, key=f"tell-{name}", on_click=st.session_state.__setitem__, args=(STORY, example))
    typed = st.text_area(
        "A story, then a question", STORIES["One fact"], key=STORY, bind="query-params", max_chars=2000, height=90
    )
    try:
        told = facts.told(typed)
    except TextError as error:
        controls.explain(error, "where it is")
        return
    traces = controls.run_or_explain(model.name, text=told.text)
    if traces is None:
        return
    known = next((SUPPORTING[name] for name, example in STORIES.items() if example == typed), None)
    answered = Answered(told, traces[0], runs.card(model.name), known)
    _see(answered)
    _step(answered)
    _measure(answered)


def _see(answered: Answered) -> None:
    told, trace, (layer, head) = answered.told, answered.trace, answered.head
    shares, even = answered.shares, answered.even
    chosen = shares[layer, head]
    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "**In**: a story and a question about it (bAbI; Weston et al. 2015). **Out**: the answer. The model knows some "
        "170 words, those of such stories. Nobody tells it which lines matter."
    )
    asked = sorted(sorted(range(len(told.lines)), key=lambda line: -chosen[line])[:3])
    table, picture = st.columns([3, 2], gap="large")
    with table:
        if len(asked) > 1:
            controls.prediction(
                f"Which line does head {layer}.{head} look at most while it answers?",
                [f"Line {line}" for line in asked],
                asked.index(int(chosen.argmax())),
                key=f"line-{trace.text}",
                why=f"It gets {percent(float(chosen.max()))} of the attention; an even look would give every line "
                f"{percent(even)}.",
            )
        with st.container(border=True, gap="xsmall"):
            st.caption(f"{trace.model} · {answered.card['parameters'] / 1e6:.2f} M parameters")
            st.text(told.question)
            st.text(trace.output or "(nothing)")
        known = answered.facts
        marks = {} if known is None else {"fact": [line in known for line in range(len(told.lines))]}
        st.dataframe(
            {
                "line": range(len(told.lines)),
                "told": told.lines,
                "share": (100 * chosen).tolist(),
                "lit": [float(one) > even for one in chosen],
                **marks,
            },
            key="lines",
            hide_index=True,
            column_config={
                "line": st.column_config.NumberColumn("Line", width=40),
                "told": "The story",
                "share": sections.share_column("Looked at"),
                "lit": st.column_config.CheckboxColumn("Lit", width=40),
                "fact": st.column_config.CheckboxColumn("Fact", width=40),
            },
        )
        st.caption(
            f"Layer {layer}, head {head}, the one that looked most at the supporting facts of other stories. Lit: more "
            f"than an even look, {percent(even)}. What is missing to 100% is on the question and the end sign."
            + ("" if known is None else " Fact: the answer follows from these lines; the model was not told.")
        )
        st.markdown(sections.NO_EXPLANATION)
    with picture:
        matrix(
            [figures.line_shares(shares, model=trace.model)], key="heads", current_row=layer * shares.shape[1] + head
        )


def _step(answered: Answered) -> None:
    told, model, (layer, head) = answered.told, answered.trace.model, answered.head
    st.subheader(story.STEP, anchor=False)
    st.markdown(
        "The story is told line by line, and after each line the same question is asked again. The model cannot say "
        "*I do not know*: before it has read the fact, it has to guess."
    )

    def line_by_line(line: int) -> None:
        so_far = told.until(line)
        now = runs.run(model, so_far.text)
        found = left_out.shares(now, so_far.spans)[layer, head]
        most = int(found.argmax())
        parts = left_out.weights(now, so_far.spans[most], layer, head)
        words, choice = st.columns(2, gap="large")
        with words:
            with st.container(border=True, gap="xsmall"):
                st.caption(f"Told up to line {line}, then the question")
                st.text("\n".join((*so_far.lines, so_far.question)))
                st.text(f"→ {now.output or '(nothing)'}")
            st.caption(f"Head {layer}.{head} looks most at line {most}: the weights of its tokens, added up.")
            st.latex(
                rf"""\begin{{aligned}}
                s_{{{most}}} &= {charts.long_sum(parts.tolist())} \\
                &= {found[most]:.2f}
                \end{{aligned}}\;"""
            )
        with choice:
            st.caption("The ten likeliest answers, or first words of answers")
            controls.bars(now.candidates[0], key="answers", alt=f"The ten likeliest answers after line {line}")

    controls.stepper(line_by_line, told.lines, key="told", label="Lines told: drag or play to tell the story")


def _measure(answered: Answered) -> None:
    card, (layer, head) = answered.card, answered.head
    st.subheader(story.MEASURE, anchor=False)
    mean = facts.means(card)
    sections.scores(
        ("Right answers", percent(mean.accuracy)),
        ("Baseline: the commonest answer", percent(mean.baseline)),
        ("Chance: any answer of the task", percent(mean.chance)),
    )
    st.caption(
        f"On the {card['scores']['test']['count']:,} questions of the official test, after training; the mean over its "
        "tasks, each weighted by its questions."
    )
    sections.what_matters(answered.trace, answered.told.spans, layer, head, "line")
    if st.toggle("Show the score of every task", key="tasks", bind="query-params"):
        st.table(charts.story_table(card), hide_index=True)
        st.caption(
            f"Looks at facts: the share of head {layer}.{head} on the lines that the answer follows from, while the "
            "right answer is written; beside it, what an even look at all tokens of the story would give."
        )
