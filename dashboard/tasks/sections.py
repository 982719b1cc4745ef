"""Parts of sections that several tasks have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import charts, controls, measure
from dashboard.components.matrix import matrix
from pretrained.analysis import left_out, rows, writing
from pretrained.analysis.alignment import READ, WRITTEN
from viz.numbers import percent

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

    from pretrained.analysis.left_out import LeftOut, Span
    from pretrained.trace import Trace
    from viz.matrix import Matrix

NO_EXPLANATION = (
    "A share says where a head looked, not why the model wrote what it wrote: other heads and layers decide too. "
    "**Attention is not an explanation**; whether it points at what matters is measured below."
)


def scores(*shown: tuple[str, str]) -> None:
    """Draw what was measured after training, the model's own first."""
    with st.container(horizontal=True):
        for label, value in shown:
            st.metric(label, value, width="content")


def share_column(name: str) -> ColumnConfig:
    """Describe a table's column of percentages: a bar from 0 to 100%, and the number."""
    return st.column_config.ProgressColumn(name, format="%.1f%%", min_value=0.0, max_value=100.0)


def token_by_token(trace: Trace, drawn: Matrix) -> None:
    """Step through an output: where each token looked, what it could have been, and the product so far."""
    so_far = writing.probability_so_far(trace)
    st.markdown(
        "A score for every token that it knows goes through a **softmax**, which makes them probabilities p; the "
        "likeliest is written, then the next is asked for. The probability P of all that is written is their product."
    )

    def at_step(step: int) -> None:
        picture, words = st.columns([3, 2], gap="large")
        with picture:
            matrix([drawn], key="grown", rows=step + 1, current_row=step)
        with words:
            controls.written_so_far(trace, step)
            before, now = so_far[step - 1] if step else 1.0, trace.candidates[step][0].probability
            st.latex(
                rf"P_{{{step}}} = {charts.power(before)} \cdot {charts.power(now)} = {charts.power(so_far[step])}\;"
            )
            controls.candidates(trace, step)

    controls.stepper(at_step, trace.target_tokens, label="Output step: drag or play to see it grow")


def which_is_looked_at(trace: Trace, drawn: Matrix, *, done: str = WRITTEN, row: str, key: str) -> None:
    """Ask for the token that the most distant row looks at; its own token is being ``written`` or ``read``."""
    first = int(done == READ)  # <s> is read, too, and is no token of the output
    weights, tokens = drawn.weights[first:], drawn.query_tokens[first:]
    asked = rows.question(weights)
    verb = "reads back" if done == READ else "writes"
    st.caption(f"Number {asked.row} of what it {verb}, counted from 0, and what it may look at, with numbers:")
    st.text(f"{tokens[asked.row]}  ←  " + "   ".join(f"{one} {drawn.key_tokens[one]}" for one in asked.keys))
    controls.prediction(
        f"Which of them is looked at most while {row} {asked.row} is {done}?",
        [f"{key} {one}" for one in asked.keys],
        asked.answer,
        key=f"looks-{trace.model}-{trace.text}",
        why=f"It gets {percent(float(weights[asked.row].max()))} of the row. Of all rows, this one looks "
        "furthest away from the same place.",
    )


def what_matters(trace: Trace, parts: tuple[Span, ...], layer: int, head: int | None, part: str) -> None:
    """Leave out each part of what was read, and say whether attention points at the one that matters."""
    st.markdown(
        f"**“Attention points at what matters.”** If so, the {part} looked at most should be missed most. Each {part} "
        "is left out in turn, and the model is asked how likely its own first output still is, and what it writes now "
        "(*comprehensiveness*, DeYoung et al. 2020)."
    )
    place = st.container()
    found: LeftOut | None = measure.measured(
        left_out.left_out, (trace.model,), trace.text, parts, layer, head, key="left-out", what="this text"
    ).value
    with place:
        if found is None:
            st.info(f"There is but one {part} to leave out, and no other to compare it with. Type a longer text.")
            return
        table, outputs = st.columns([3, 2], gap="large")
        with table:
            st.dataframe(
                charts.left_out_table(found, [trace.text[start:end] for start, end in parts]),
                key="left-out-table",
                hide_index=True,
                column_config={
                    "part": st.column_config.TextColumn(f"{part.capitalize()} left out", pinned=True),
                    "share": share_column("Looked at"),
                    "without": share_column("Probability then"),
                },
            )
        with outputs:
            for title, output in (
                (f"Whole: {percent(found.probability)} a token", found.output),
                (f"Without what is looked at most: {percent(found.without[found.most])}", found.without_most),
                (f"Without what is looked at least: {percent(found.without[found.least])}", found.without_least),
            ):
                with st.container(border=True, gap="xsmall"):
                    st.caption(title)
                    st.text(output or "(nothing)")
        st.markdown(
            (
                f"**The claim holds here**: no {part} is missed more than the one looked at most. "
                if found.points and found.matters == found.most
                else f"**The claim holds here in part**: what is looked at most is missed more than what is looked at "
                f"least, but another {part} is missed even more. "
                if found.points
                else "**The claim does not hold here**: what is looked at most is missed no more than what is looked "
                "at least. "
            )
            + "One text is no proof. The probability is the geometric mean over the tokens of the first output."
        )
