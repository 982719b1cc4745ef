"""Bahdanau attention: the alignment of one sentence, and the output growing token by token."""

import streamlit as st

from dashboard import controls, figures, story
from dashboard.components.matrix import matrix

story.opening("attention", "Attention")
st.markdown(
    "An encoder-decoder squeezes a sentence into one vector and writes from that. Bahdanau, Cho and Bengio (2015) let "
    "the decoder **look back** instead: before every French token it compares its own state with the state of every "
    "English token, turns the comparisons into weights that sum to 1, and reads the mixture."
)

traces = controls.run_or_explain("gru-bahdanau")
if traces is None:
    st.stop()
(trace,) = traces
(alignment,) = trace.attention_of("alignment")


def step_by_step(step: int) -> None:
    """Draw the alignment up to the chosen step, what is written by then, and what could have come next."""
    picture, choice = st.columns([3, 2], gap="large")
    with picture:
        matrix([figures.attention(alignment, 0, model=trace.model)], key="alignment", rows=step + 1, current_row=step)
    with choice:
        controls.written_so_far(trace, step)
        controls.candidates(trace, step)


controls.stepper(step_by_step, trace.target_tokens, label="Output step: drag or play to see the translation grow")

st.subheader("How a row is made", anchor=False)
energy, weight, context = st.columns(3)
energy.latex(r"e_{ij} = v^\top \tanh(W_a\, s_{i-1} + U_a\, h_j)")
weight.latex(r"a_{ij} = \mathrm{softmax}_j(e_{ij})")
context.latex(r"c_i = \sum_j a_{ij}\, h_j")
st.markdown(
    "- $s_{i-1}$ is the decoder's state **before** it writes token $i$; $h_j$ is the encoder's state at English token "
    "$j$, read in both directions.\n"
    "- The energy $e_{ij}$ says how well the two fit; the softmax turns a row of energies into weights; the context "
    "$c_i$ is the weighted sum that the decoder reads when it writes token $i$.\n"
    "- A row belongs to the token that is *written* there; point at a cell to see which token was *read* then.\n"
    "- A weight says where the decoder looked, not why it chose a word: attention is not an explanation."
)
story.closing("attention")
