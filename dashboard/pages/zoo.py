"""All models in one table, charts of what their training measured, and one of them watched while it learns."""

import streamlit as st

from dashboard import cards, controls, figures, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry

SIZE, TIME, LENGTH, LEARNING, ALIGNING, RECALL = (
    "Score and size",
    "Score and training time",
    "Score and sentence length",
    "Learning curves",
    "Alignment error",
    "Recall and distance",
)

story.opening("zoo", "Zoo")
st.markdown(
    "Every model that Lookback has, and how it did. The translation models were trained on the same pairs, with the "
    "same pieces and schedule (those without gates at a lower learning rate, since one diverges at the others'), for "
    "the same number of target tokens, and are of about one size: what differs is the architecture. All figures on "
    "this page are read from what was measured when the models were trained, or come from a model that runs now."
)

st.subheader("All models", anchor=False)
rows = cards.table()
dull = {"captions": None, "aer": None, "finished": True}
hidden = [column for column, value in dull.items() if all(row[column] is value for row in rows)]
st.dataframe(
    [{name: value for name, value in row.items() if name not in hidden} for row in rows],
    hide_index=True,
    key="models",
    placeholder="",
    column_config={
        "model": st.column_config.TextColumn("Model", pinned=True, width=170),
        "year": st.column_config.NumberColumn("Year", format="%d", help="of the paper that it comes from"),
        "family": "Family",
        "task": "Task",
        "parameters": st.column_config.NumberColumn("Parameters, M", format="%.2f"),
        "megabytes": st.column_config.NumberColumn("MB", format="%.2f", help="half precision"),
        "tokens": st.column_config.NumberColumn("Target tokens, M", format="%.1f", help="pieces predicted in training"),
        "minutes": st.column_config.NumberColumn("Minutes", format="%.0f", help="of one processor core, for training"),
        "measure": st.column_config.TextColumn("Measure", help="of its task, on text that it was not trained on"),
        "score": st.column_config.NumberColumn("Score", format="%.3g"),
        "conversation": st.column_config.NumberColumn("Conversation, chrF", format="%.1f"),
        "novel": st.column_config.NumberColumn(
            "Novel, chrF", format="%.1f", help="conversation without what is one word away from a training sentence"
        ),
        "captions": st.column_config.NumberColumn("Captions, BLEU", format="%.1f", help="Multi30k, test 2016"),
        "aer": st.column_config.NumberColumn(
            "AER", format="%.3f", help="alignment error rate against links that people made; 0 is best"
        ),
        "finished": st.column_config.CheckboxColumn("Finished", help="trained to the end, and good enough to show"),
        "summary": "What it does",
        "paper": "Paper",
    },
)
st.caption(
    "A click on a column's head sorts by it. chrF compares a translation with a person's by pieces of words, 0 to 100 "
    "(Popović 2015). One target token is one piece that a model had to predict in training."
)


def several(names: list[str]) -> list[str]:
    """Let the reader choose models; the first few at first."""
    return st.pills("Models", names, selection_mode="multi", default=names[:6], key="chosen")


@st.fragment
def charts() -> None:
    """Draw the chart that the reader chose."""
    st.subheader("Compared", anchor=False)
    available = [SIZE, TIME, LENGTH, LEARNING]
    errors, recall = cards.alignment_errors(theme=controls.theme()), cards.recall_by_distance(theme=controls.theme())
    available += [name for name, drawn in ((ALIGNING, errors), (RECALL, recall)) if drawn]
    chart = st.segmented_control(
        "Chart", available, default=SIZE, key="chart", bind="query-params", required=True, label_visibility="collapsed"
    )
    plot = None
    if chart in (SIZE, TIME):
        plot = cards.scores_against("Parameters" if chart == SIZE else "Training time", theme=controls.theme())
        words = "Finished translation models; a point that is further up translates better."
    elif chart == LENGTH:
        chosen = several(cards.translators())
        words = "Translations of test sentences by the number of their words."
        plot = cards.scores_by_length(chosen, theme=controls.theme()) if chosen else None
    elif chart == LEARNING:
        chosen = several(cards.learners())
        words = (
            "How well each model predicts sentences that it is not trained on, after so many tokens: lower is better. "
            "Further left at the same height is more data-efficient."
        )
        plot = cards.learning_curves(chosen, theme=controls.theme()) if chosen else None
    elif chart == ALIGNING and errors:
        st.vega_lite_chart(spec=errors, key="alignment-errors", alt="Alignment error rate by model", width="stretch")
        words = (
            "Each target word is linked to the source word that was looked at most where it is written, or where it is "
            "read as the next is written (Chen et al. 2020): of every model, by the layer, head and one of the two "
            "that err least on other sentences. The rate says how far these links are from those that people made "
            "(Och and Ney 2003; 224 sentence pairs of the Canadian parliament). The diagonal links words by position "
            "alone; IBM model 1 counts which words occur together in the pairs that the models learnt from (Brown et "
            "al. 1993)."
        )
    else:
        plot, words = (
            recall,
            "Facts, a letter and a digit each, then a question about a letter: how often its last digit is recalled.",
        )
    if plot is not None:
        st.plotly_chart(
            plot, key=f"chart-{chart}-{controls.theme()}", config={"displayModeBar": False}, alt=f"{chart}: {words}"
        )
    st.caption(words)


charts()

(reader,) = registry.finished(task="dates")
told = runs.card(reader.name)["checkpoints"]
st.subheader("Watch one learn", anchor=False)
st.markdown(
    f"`{reader.name}` {reader.summary}. It was kept at {len(told)} moments of its training, the first before any of "
    "it; each of them runs here on your date. Which comes first: looking in the right places, or being right?"
)
typed = st.text_input(
    "A date, as you would write it", "Thursday, the 5th of July 2001", key="date", bind="query-params", max_chars=60
)


def learning(checkpoint: int) -> None:
    """Run one checkpoint on the reader's date."""
    from pretrained.model import TextError

    try:
        trace = runs.run(reader.name, typed, checkpoint=checkpoint)
    except TextError as error:
        st.info("The model cannot read this date. Your text stays.", icon=":material/edit:")
        st.text(f"{error}.")
        return
    one = told[checkpoint]
    picture, words = st.columns([3, 2], gap="large")
    with picture:
        matrix([figures.date_alignment(trace)], key="date-alignment")
    with words:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"Checkpoint {checkpoint}, after {one['target_tokens']:,} target tokens, reads your date as")
            st.text(trace.output or "(nothing)")
        right, sharp = st.columns(2)
        right.metric("Right on the test", f"{one['exact_match']:.1%}")
        sharp.metric("Largest weight, mean", f"{one['row_maximum']:.2f}")
        st.plotly_chart(
            cards.learning_of_dates(told, checkpoint, theme=controls.theme()),
            key=f"date-learning-{controls.theme()}",
            config={"displayModeBar": False},
            alt="Share of right answers and mean largest weight at each checkpoint",
        )


controls.stepper(
    learning,
    tuple(str(one["target_tokens"]) for one in told),
    key="checkpoint",
    label="Checkpoint: drag or play to watch it learn",
)
story.closing("zoo")
