"""The plain recurrent network: its states, one step as arithmetic, and gradients that vanish, explode and forget."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import recurrent
from viz.numbers import number, percent, rough

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FATES = {
    "vanishes": "the gradient **vanishes**",
    "holds": "the gradient **neither vanishes nor explodes**",
    "explodes": "the gradient **explodes**",
}
MANY = 10_000  # tokens: longer than any text that a reader gives
LISTED = 12  # steps in the ledger: those up to the one that is shown

story.opening("rnn", "RNN")

traces = controls.run_or_explain(registry.finished(task="translation en-fr", cell="rnn", attention=())[0].name)
if traces is None:
    st.stop()
trace = traces[0]
(read,) = trace.states_of("encoder-hidden")
tokens, units = trace.source_tokens, read.values.shape[1]
last = len(tokens) - 1

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "A network has a fixed number of inputs, and a sentence has any number of words. Their order matters as well: "
    "*the dog saw the cat* has the words of *the cat saw the dog*, and another meaning."
)

st.subheader(story.SEE, anchor=False)
st.markdown(
    "A **recurrent neural network** (RNN; Elman 1990, *Finding structure in time*) takes one token (a word or a piece "
    "of one) at a time, in order. What it has read so far is in its **hidden state**: "
    f"{units} numbers between −1 and 1, called **units**. This network reads English for a translator; the token "
    "`</s>` ends every sentence."
)
matrix(
    [
        figures.states(
            read,
            model=trace.model,
            title="The hidden states",
            reading="Each row is the state after reading that token, made from the token and the row above it alone.",
        )
    ],
    key="states",
)

st.subheader(story.STEP, anchor=False)
inputs = recurrent.embedded(runs.load(trace.model), trace.text)
ledger = recurrent.elman_ledger(recurrent.encoder(runs.load(trace.model)), inputs)
st.latex(r"h_t = \tanh(W x_t + U h_{t-1} + b)\;")
st.markdown(
    f"$x_t$ is the token's **embedding**, a vector of {inputs.shape[1]} numbers learnt for it; $h_{{t-1}}$ is the "
    "state before it, zeros before the first token. $W$, $U$ and $b$ are learnt too, and are the same at every token: "
    "so one network reads sentences of any length. The function tanh squeezes any number into −1 to 1."
)


def one_step(step: int) -> None:
    """Work out one unit of one state, and list its values up to there."""
    unit = st.slider("Unit", 0, units - 1, 0, key="unit", bind="query-params")
    x, h, b = ledger.of_input[step, unit], ledger.of_state[step, unit], ledger.bias[unit]
    made, used = ledger.hidden[step, unit], ledger.model[step, unit]
    left, right = st.columns([2, 3], gap="medium")
    with left:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"The token at position {step}; positions count from 0")
            st.text(tokens[step])
        st.latex(
            rf"""\begin{{aligned}}
            h_{{{step},\,{unit}}} &= \tanh({x:.4f} {h:+.4f} {b:+.4f}) \\[3pt]
            &= \tanh({x + h + b:.4f}) = {made:.4f}
            \end{{aligned}}\;"""
        )
        with st.container(horizontal=True):
            st.metric("By the formula", number(made, 4), width="content")
            st.metric("In the model", number(used, 4), width="content")
            st.metric("Difference", rough(abs(made - used)), width="content")
        st.caption("Ours is worked out in double precision, the model's in single: the difference is rounding.")
    listed = slice(max(0, step + 1 - LISTED), step + 1)
    columns = {
        "W x, this token": ledger.of_input[listed, unit],
        "U h, what was read": ledger.of_state[listed, unit],
        "b": [ledger.bias[unit]] * len(tokens[listed]),
        "h, tanh of the sum": ledger.hidden[listed, unit],
    }
    right.dataframe(
        {"t": range(len(tokens))[listed], "token": tokens[listed], **columns},
        key="ledger",
        hide_index=True,
        height="content",
        column_config=dict.fromkeys(columns, st.column_config.NumberColumn(format="%.4f")),
    )


controls.stepper(one_step, tokens, label="Token: drag or play to read on")


def over_tokens(curves: "dict[str, NDArray[np.float32]]", y_axis: str, key: str) -> None:
    """Draw what was measured at every token: shares on a straight axis, norms on a logarithmic one."""
    st.plotly_chart(
        charts.over_tokens(curves, tokens, y_axis=y_axis, log_y="norm" in y_axis, theme=controls.theme()),
        key=f"{key}-{controls.theme()}",
        config={"displayModeBar": False},
        alt=f"{y_axis}, at every token of the sentence",
    )


st.subheader(story.MEASURE, anchor=False)
guess = st.container()
words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    norms = measure.measured(recurrent.gradient_norms, (trace.model,), trace.text, key="vanishing").value
    with place:
        over_tokens({"as trained": norms}, "norm of the gradient", "vanishing")
with words:
    st.markdown(
        "**Vanishing.** A network learns from gradients: how much the result would change with each number. On their "
        "way back from the last token to the first they are said to shrink at every step, so that far words teach it "
        "little (Bengio, Simard and Frasconi 1994). Drawn is how much the last state changes with each token's "
        "embedding, $\\lVert \\partial h_T / \\partial x_t \\rVert$: the root of the sum of all squared derivatives."
    )
    with st.container(horizontal=True):
        st.metric("Last token", rough(norms[-1], 2), width="content")
        st.metric("First token", rough(norms[0], 2), width="content")
        st.metric("Factor a step back", f"{recurrent.factor_a_step(norms):.2f}", width="content")
    left = recurrent.steps_to_a_tenth(norms)
    st.markdown(
        f"From the last token of this sentence to the first {FATES[recurrent.fate(norms)]}. "
        + (f"At this factor a tenth would be left after {left:,.0f} tokens." if left < MANY else "It hardly shrinks.")
        + ("" if recurrent.fate(norms) == "vanishes" else " Training found such a $U$: halve it below, and look again.")
    )
    st.caption("The rule: below a tenth of the last token's norm a gradient vanishes, above ten times it explodes.")


@st.fragment
def exploding() -> None:
    """Draw the gradient again with the recurrent matrix multiplied by what the reader chose."""
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "**Exploding.** Each step back multiplies the gradient by $U$ and by the slope of tanh, which is at most "
            "1. How far $U$ stretches in the long run is its **spectral radius**, the size of its largest eigenvalue. "
            "Without tanh, gradients must vanish below 1, and only above 1 can they explode (Pascanu, Mikolov and "
            "Bengio 2013)."
        )
        scale = st.slider("Multiply U by", 0.25, 4.0, 2.0, 0.25, key="scale", bind="query-params")
    with picture:
        place = st.container()
        scaled = measure.measured(recurrent.gradient_norms, (trace.model,), trace.text, scale, key="exploding").value
        with place:
            over_tokens({"as trained": norms, f"U times {scale:g}": scaled}, "norm of the gradient", "exploding")
    with words:
        place = st.container()
        radius = measure.measured(recurrent.radius, (trace.model,), key="radius", what="U as trained").value
    with place:
        with st.container(horizontal=True):
            st.metric("Spectral radius of U", f"{radius:.2f}", width="content")
            st.metric(f"Times {scale:g}", f"{scale * radius:.2f}", width="content")
            st.metric("Factor a step back", f"{recurrent.factor_a_step(scaled):.2f}", width="content")
        st.markdown(f"With U times {scale:g}, from the last token to the first {FATES[recurrent.fate(scaled)]}.")


exploding()

words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    moved = measure.measured(recurrent.moved_by_a_blank, (trace.model,), trace.text, key="forgetting").value
    with place:
        over_tokens({"moved": moved}, "the last state moves by", "forgetting")
earlier, later = recurrent.halves(moved)
with words:
    st.markdown(
        "**Forgetting.** Blank one token: put zeros in the place of its embedding, as if nothing had been read there. "
        "Read the sentence again, and see how far the last state has moved, as a share of its own length."
    )
    with st.container(horizontal=True):
        st.metric("Earlier half, mean", percent(earlier), width="content")
        st.metric("Later half, mean", percent(later), width="content")
    st.markdown(
        "The later half moves it more: this network **forgets** what it read first."
        if recurrent.forgets(moved)
        else "The later half does not move it more: this network has **not** forgotten what it read first."
    )
with guess:
    least = int(moved.argmin())
    controls.prediction(
        "One token of your sentence is blanked. Which one would the last state miss least?",
        ("The first", "One in between", "The last, the end sign"),
        0 if least == 0 else 2 if least == last else 1,
        key="guess",
        why=f"Blanking the token at position {least} moves the last state by {percent(moved[least])}, the least of "
        f"all; the one at position {int(moved.argmax())} by {percent(moved.max())}, the most.",
    )

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "What a word does to the last state is multiplied once a step, so distance decides what is kept, and nothing in "
    "the network can choose to keep a unit as it is. Some summaries give a plain RNN input and output gates; it has "
    "none. Those belong to the network that was made against this very trouble, the LSTM. And whatever the state, "
    "tokens must be read one after the other."
)
story.closing("rnn")
