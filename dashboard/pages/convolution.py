"""Convolution: a translation by windows, how far they reach layer by layer, and the paths between distant words."""

from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import reach
from viz.numbers import number, rough

if TYPE_CHECKING:
    from pretrained.architectures.conv_seq2seq import ConvSeq2Seq

TASK = "translation en-fr"
CLOSE, SPREAD = "neighbours", "spread out"

story.opening("convolution", "Convolution")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "Attention opened the bottleneck: the decoder sees every row. But the rows are still made one after another, each "
    "from the one before it, however many processors stand idle."
)

traces = controls.run_or_explain(registry.finished(task=TASK, family="convolutional")[0].name)
if traces is None:
    st.stop()
(trace,) = traces
network = cast("ConvSeq2Seq", runs.load(trace.model).network)
tokens, config = trace.source_tokens, network.config
last, n_layers, kernel = len(tokens) - 1, config.n_layers, config.kernel
ids = runs.load(trace.model).cut(trace.text).ids

st.subheader(story.SEE, anchor=False)
st.markdown(
    f"Gehring et al. 2017, *Convolutional sequence to sequence learning*: an encoder of {n_layers} layers, each of "
    f"which makes a token's new vector from a **window** of {kernel}: the token itself and its neighbours. No token "
    f"waits for another: all {len(tokens)} of your sentence go through a layer at once, {n_layers} times, where a "
    f"recurrent network takes {len(tokens)} steps. The decoder looks back by attention, in each of its {n_layers} "
    "layers:"
)


@st.fragment
def looking_back() -> None:
    """Draw where one layer of the decoder looked, beside what was written."""
    layer = controls.layer_picker(n_layers, label="Layer of the decoder")
    picture, output = st.columns([3, 2], gap="large")
    with picture:
        matrix([figures.attention(trace.attention_of("cross")[layer], 0, model=trace.model)], key="cross")
    # In a box of its own height the card does not stretch down to the picture's foot.
    with output.container(height="content"):
        controls.translation(trace)
        st.caption("A weight says where a layer looked, not why a word was chosen: attention is not an explanation.")


looking_back()

st.subheader(story.STEP, anchor=False)
st.markdown(
    "One layer sees only next-door neighbours. But these have seen theirs, so with every layer a vector reaches "
    "further. The picture is **measured**: the gradient of the chosen token's vector (of its length) by every token's "
    "embedding tells how much it depends on it. Where that is exactly 0, no path leads from there to here. Beside it "
    f"stands how a layer makes one of the {config.d_model} numbers, or **units**, of the vector."
)
until = int(reach.path_lengths(reach.reach(network, ids, last, reach.plain(network)))[0])
controls.prediction(
    f"Your sentence has {len(tokens)} tokens. After how many layers does the vector of the last, `</s>`, depend on the "
    "first?",
    (*(str(layer + 1) for layer in range(n_layers)), f"not even after {n_layers}"),
    n_layers if until == reach.NEVER else until - 1,
    key="far",
    why=f"A window of {kernel} takes a vector {kernel // 2} further to each side a layer, and they are {last} apart.",
)
# A place of a longer sentence may have been left behind.
if int(st.session_state.get("token", 0)) > last:
    del st.session_state["token"]
with st.container(horizontal=True, vertical_alignment="bottom"):
    token = int(st.slider("Token, counted from 0", 0, last, last // 2, key="token", bind="query-params"))
    unit = int(st.slider("Unit of its vector", 0, config.d_model - 1, 0, key="unit", bind="query-params"))
    windows = st.segmented_control(
        "Windows of", (CLOSE, SPREAD), default=CLOSE, key="windows", bind="query-params", required=True
    )
dilations = reach.doubling(network) if windows == SPREAD else reach.plain(network)
dependence = reach.reach(network, ids, token, dilations)
if windows == SPREAD:
    st.caption(
        f"Dilation: the tokens of a window stand {', '.join(str(gap) for gap in dilations)} apart, layer by layer (Yu "
        "and Koltun 2016). **These are this model's weights, spread out; it was not trained so**, hence what they "
        "reach is shown, and no translation."
    )


def layer_by_layer(depth: int) -> None:
    """Draw what has reached the token after so many layers, and one number of the last of these by the formula."""
    picture, numbers = st.columns([3, 2], gap="large")
    seen = np.flatnonzero(dependence[depth])
    with picture:
        matrix(
            [figures.reached(dependence, tokens, model=trace.model)], key="reached", rows=depth + 1, current_row=depth
        )
    with numbers:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"Token {token}")
            st.text(tokens[token])
            st.markdown(
                f"After {depth} {'layer' if depth == 1 else 'layers'} it depends on **{len(seen)} of {len(tokens)}** "
                f"tokens, from {seen[0]} to {seen[-1]}."
            )
        if depth and windows == CLOSE:
            formula(depth - 1)


def formula(layer: int) -> None:
    """Work out one unit of one layer with this sentence's numbers, beside the model's own value."""
    one = reach.gated(network, ids, layer, token, unit)
    st.latex(
        rf"""\begin{{aligned}}
        A &= {charts.signed_sum(one.values)} = {one.a:.2f} \\
        B &= {charts.signed_sum(one.gates)} = {one.b:.2f} \\
        v &= A \cdot \sigma(B) = {one.a:.2f} \cdot {one.gate:.3f} = {one.a * one.gate:.2f} \\
        z' &= (v + z) \sqrt{{0.5}} = ({one.a * one.gate:.2f} {one.before:+.2f}) \sqrt{{0.5}}
        \end{{aligned}}\;"""
    )
    worked, used = st.columns(2)
    worked.metric("z′ by the formula", number(one.after, 4))
    used.metric("z′ in the model", number(one.used, 4))
    st.caption(f"Layer {layer}, unit {unit}; the difference is {rough(abs(one.after - one.used))}.")


controls.stepper(
    layer_by_layer,
    ("embedding", *(f"layer {layer}" for layer in range(n_layers))),
    key="depth",
    label="Layers passed: drag or play to see the window grow",
)
if windows == CLOSE:
    st.caption(
        "The formula is a **gated linear unit** (section 3.2 of the paper): two sums over the window, A and B, each "
        f"with one part from each of its {kernel} tokens (0 beyond an end of the sentence) and a bias. The sigmoid "
        "σ(B), between 0 and 1, is a gate: the share of A that gets through. z is the unit's value before this layer, "
        "z′ after it; √0.5 keeps sums from growing."
    )

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "The claim (Gehring et al. 2017, introduction): windows of k tokens bring n tokens together in about n / k layers, "
    "where a recurrent network takes n steps; so the path between two distant words is shorter. Measured in three "
    "encoders that were really trained, from the last token of your sentence to each before it: the fewest layers, or "
    "recurrent steps, with which there is a gradient at all. The fourth curve spreads this model's windows out, "
    f"{', '.join(str(gap) for gap in reach.doubling(network))} apart, for which it was not trained."
)
recurrent = registry.finished(task=TASK, family="recurrent", attention=())[-1]
transformer = registry.finished(task=TASK, family="attention", positions="sinusoidal", parent=None)[0]
found = measure.measured(reach.paths, (trace.model, recurrent.name, transformer.name), trace.text, key="paths").value
st.plotly_chart(
    charts.path_lengths(found, theme=controls.theme()),
    key=f"paths-{controls.theme()}",
    config={"displayModeBar": False},
    alt=f"Layers or steps between two tokens against their distance, 0 to {last}, in four encoders",
)
far, wide = reach.farthest(found.convolutional), reach.farthest(found.spread)
gaps, gathered, deep = reach.gaps(found.spread), int(found.gathered[-1]), found.layers_to_gather
end_to_end = f"{found.convolutional[last]}" if far == last else f"has no path ({n_layers} layers reach {far} tokens)"
st.markdown(
    f"- **From end to end, {last} tokens**: recurrent {found.recurrent[last]}, Transformer {found.attention[last]}, "
    f"convolution {end_to_end}.\n"
    f"- **At {far}**, the farthest that it reaches here: recurrent {found.recurrent[far]}, convolution "
    f"{found.convolutional[far]}. "
    + (
        "Shorter, as claimed.\n"
        if found.is_shorter
        else "**Not shorter**: what is gained is that all tokens go through a layer at once.\n"
    )
    + f"- **To bring {gathered} tokens together**: recurrent {found.recurrent[gathered - 1]}, convolution {deep} (in "
    "the vector in the middle, since windows look both ways). "
    + ("Here the claim holds.\n" if found.gathers_sooner else "Here the claim does not hold.\n")
    + f"- **Spread out**, the convolution's {n_layers} layers reach "
    + ("from end to end" if wide == last else f"{wide} tokens")
    + (", none left out on the way." if not gaps else f", {gaps} left out on the way.")
)
st.subheader(story.HURTS, anchor=False)
st.markdown(
    "Distance still costs layers: to connect words far apart, an encoder of windows must be deep, or its windows so "
    "spread that each layer skips what lies between. And how a token reaches another is fixed by their places, "
    "whatever the words are. **What if every token looked at every token at once?**"
)
story.closing("convolution")
