"""Reading, the one vector, writing: a recurrent encoder-decoder on the sentence in the bar."""

import streamlit as st

from dashboard import controls, figures, story
from dashboard.components.matrix import matrix

story.opening("encoder-decoder", "Encoder-decoder")
st.markdown(
    "Two networks share the work (Cho et al. 2014; Sutskever, Vinyals and Le 2014): an **encoder** reads the English "
    "sentence, a **decoder** writes the French one. All that passes between them is one vector, a list of numbers that "
    "is equally long for every sentence."
)

traces = controls.run_or_explain("gru-seq2seq")
if traces is None:
    st.stop()
(trace,) = traces
(read,), (context,), (written,) = (trace.states_of(kind) for kind in ("encoder-hidden", "context", "decoder-hidden"))
tokens, units = read.values.shape

st.subheader("1 · Reading", anchor=False)
st.markdown(
    "The encoder is **recurrent**: it reads one token (a word or a piece of one) at a time and carries a **hidden "
    f"state** along, {units} numbers between −1 and 1 that stand for all it has read so far. Each of these numbers is "
    "called a **unit**; all are drawn, in an order without a meaning (on a narrow screen the picture scrolls). The "
    "last token, `</s>`, marks the end of the sentence."
)
matrix(
    [
        figures.states(
            read,
            model=trace.model,
            title="The encoder's hidden states",
            reading="Each row is the state after reading that token, made from the token and the row above it alone.",
        )
    ],
    key="read",
)

st.subheader("2 · One vector", anchor=False)
st.markdown(
    "Only the last row goes on: one more layer turns it into the **context vector**, and the rows above it are never "
    "used again. A longer sentence makes more rows, but never a longer vector."
)
with st.container(horizontal=True):
    st.metric("Tokens read", tokens, width="content")
    st.metric("Numbers in all rows", f"{read.values.size:,}", width="content")
    st.metric("Numbers passed on", context.values.size, width="content")
matrix([figures.context(context, model=trace.model)], key="context")

st.subheader("3 · Writing", anchor=False)
st.markdown(
    "The decoder is recurrent too. At every step it takes its own state, the token that it wrote last and the context "
    "vector, and gives a probability to every token that it knows; the likeliest one is written."
)


@st.fragment
def writing() -> None:
    """Draw the decoder's states up to the chosen step, what is written by then, and what could have come next."""
    output, choice = st.columns([2, 3], gap="large")
    with output:
        step = controls.step_slider(trace.target_tokens, label="Output step: drag to write token by token")
        controls.written_so_far(trace, step)
    with choice:
        controls.candidates(trace, step)
    matrix(
        [
            figures.states(
                written,
                model=trace.model,
                title="The decoder's hidden states",
                reading="Each row is the state from which the token beside it was written.",
            )
        ],
        key="written",
        rows=step + 1,
        current_row=step,
    )


writing()

st.subheader("Inside one step: the gates", anchor=False)
st.markdown(
    "The first recurrent networks (Elman 1990) have no gates: every state is made anew. This model's are **gated "
    "recurrent units** (GRU, Cho et al. 2014) with two gates, **reset** (r) and **update** (z). Unit by unit, the new "
    "state is mixed from a candidate n and the old state: new = (1 − z) · n + z · old."
)


@st.fragment
def gates() -> None:
    """Draw the gates of the side that the reader chose."""
    side = st.segmented_control("Show the gates of the", ("encoder", "decoder"), key="gates", bind="query-params")
    if side is None:
        return
    st.caption("r and z lie between 0 and 1, so they use one half of the scale only.")
    matrix(figures.gates(trace, side), key="gate-values", columns=1)


gates()

st.subheader("What still hurts", anchor=False)
st.markdown(
    f"Names, order, who did what: all must fit into the same {context.values.size} numbers, whether the sentence has "
    "three words or thirty. Translations by such models get worse as sentences grow (Cho, van Merriënboer, Bahdanau "
    "and Bengio 2014, *On the properties of neural machine translation*). The way out is to keep the rows."
)
story.closing("encoder-decoder")
