"""Masks: the future struck out of a decoder's scores, padding struck out of a batch, and what leaks without."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import masks
from viz.numbers import number, percent, rough

if TYPE_CHECKING:
    from pretrained.translation import Translator

story.opening("masks", "Masks")

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "In training, the whole French sentence is given at once, and every token is to be predicted from those before it. "
    "But attention looks everywhere: a token could simply **read its own answer**. And sentences that are computed "
    "together in a batch differ in length: what fills up the short ones must not be read as words."
)

(ours,) = registry.finished(task="translation en-fr", family="attention", positions="sinusoidal", parent=None)
traces = controls.run_or_explain(ours.name)
if traces is None:
    st.stop()
(trace,) = traces
decoder, steps = trace.attention_of("decoder-self"), len(trace.target_tokens)
model = cast("Translator", runs.load(ours.name))
longer = next(
    (one for one in controls.EXAMPLES[::-1] if len(model.cut(one).ids) > len(trace.source_tokens)),
    f"{trace.text} {controls.EXAMPLES[1]}",
)


@st.fragment
def one_head() -> None:
    """Draw one head of one layer from scores to weights, then one row of it after the other."""
    st.subheader(story.SEE, anchor=False)
    controls.translation(trace)
    st.markdown(
        "A **causal mask** sets the scores of all later tokens to −∞ before the **softmax**, which turns each row of "
        "scores into weights that sum to 1. Since $e^{-\\infty} = 0$, a later token gets exactly 0, and the others "
        "share the whole row (Vaswani et al. 2017, *Attention is all you need*, section 3.2.3). A row belongs to the "
        "French token that is *written* there; its columns are what the decoder has *read*: `<s>`, the start sign, "
        "and the tokens written before."
    )
    layer, head = controls.head_of_layer(len(decoder), decoder[0].n_heads)
    panels = figures.masking(decoder[layer], head, model=trace.model)
    matrix(panels, key="panels", columns=3)
    st.caption("A weight says where this head looked, not why a word was written: other heads and layers decide too.")

    st.subheader(story.STEP, anchor=False)

    def step_by_step(step: int) -> None:
        """Draw one row from scores to weights, and work out its softmax."""
        row = masks.worked(decoder[layer], head, step)
        left, right = st.columns([2, 3], gap="large")
        with left:
            with st.container(border=True, gap="xsmall"):
                st.caption(f"Row {step} has read {row.visible} tokens and writes")
                st.text(trace.target_tokens[step])
            st.latex(
                rf"""\begin{{aligned}}
                a_{{{step},{row.key}}} &= \frac{{\exp(s_{{{step},{row.key}}})}}
                {{\sum_{{j \le {step}}} \exp(s_{{{step},j}})}} \\[4pt]
                &= \exp({row.score:.2f}) \,/\, {row.total:.4g} \\[4pt]
                &= {row.exponential:.4g} \,/\, {row.total:.4g} = {row.weight:.3f}
                \end{{aligned}}\;"""
            )
            with st.container(horizontal=True):
                st.metric("Visible", row.visible, width="content")
                st.metric("Struck out", row.struck, width="content")
                st.metric("Their weight", f"{row.hidden:g}", width="content")
            st.caption(f"Worked out for key {row.key}, which this row looks at most.")
        with right:
            matrix([figures.row_of(panel, step) for panel in panels[1:]], key="row", columns=1)

    controls.stepper(
        step_by_step,
        trace.target_tokens,
        label="Output step: play to see the mask give way, row by row",
        first=len(trace.target_tokens) // 2,
    )

    st.markdown(
        "**The padding mask.** A batch is one block of numbers, so its sentences must be equally long. Short ones are "
        "filled up with `<pad>`, and a second mask strikes out those columns, in every row of every layer."
    )
    words, picture = st.columns([2, 3], gap="large")
    with picture:
        place = st.container()
        found = measure.measured(masks.padded, (ours.name,), trace.text, longer, key="padded").value
        with place:
            matrix([figures.padding(found, layer, head, trace.source_tokens, model=ours.name)], key="padding")
    with words:
        st.caption("Your sentence stands in a batch with this one:")
        st.text(longer)
        with st.container(horizontal=True):
            st.metric("Tokens", found.length, width="content")
            st.metric("Padding", found.width - found.length, width="content")
            st.metric("Largest weight on it", f"{found.on_padding:g}", width="content")
        st.markdown(
            "Does the longer neighbour change anything? What the encoder makes of your sentence differs from what it "
            f"makes of it alone by at most **{rough(found.moved)}**, "
            + ("which is rounding" if found.moved < masks.EQUAL else "which is more than rounding")
            + ", and the translation is "
            + ("**the same**. " if found.same_output else "**another one**. ")
            + f"With no mask on the padding it differs by up to {number(found.moved_plain, 2)}."
        )


one_head()

st.subheader(story.MEASURE, anchor=False)
guess = st.container()
words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    leak = measure.measured(masks.leak, (ours.name,), trace.text, key="leak").value
    with place:
        st.plotly_chart(
            charts.over_tokens(
                {"with the mask": leak.masked, "without it": leak.plain},
                trace.target_tokens,
                y_axis="probability of the next token",
                theme=controls.theme(),
            ),
            key=f"probabilities-{controls.theme()}",
            config={"displayModeBar": False},
            alt="Probability of each token of the translation, with the mask and without",
        )
        if steps > 1:
            st.plotly_chart(
                charts.over_tokens(
                    {"with the mask": leak.moved_masked, "without it": leak.moved_plain},
                    trace.target_tokens[: len(leak.moved_plain)],
                    y_axis="share of probability that moves",
                    theme=controls.theme(),
                ),
                key=f"moved-{controls.theme()}",
                config={"displayModeBar": False},
                alt="How far each row moves when the token that belongs there is swapped in what is read next",
            )
with words:
    st.markdown(
        "**“Without the mask the answer leaks.”** The decoder is given the translation that it wrote itself, all at "
        "once as in training, with the mask and without: same weights, same tokens. The weights were trained **with** "
        "the mask and have never seen a future, so they need not know what to do with it."
    )
    with st.container(horizontal=True):
        st.metric("A token's probability, masked", percent(leak.probability[0]), width="content")
        st.metric("Not masked", percent(leak.probability[1]), width="content")
    st.markdown(
        "With the answer before its eyes the model finds it **likelier**."
        if leak.rises
        else "With the answer before its eyes the model finds it **less likely**: it was trained to do without the "
        "future, not to copy it."
    )
    st.markdown(
        "A probability that falls is no proof that nothing leaks. A leak means that a row **depends on its own "
        "answer**. So swap that one token in what is read, for the model's second choice, and see how much of the "
        "row's probability moves to other tokens: 0 if the row cannot see it, 1 if all of it moves."
    )
    if steps > 1:
        with st.container(horizontal=True):
            st.metric("Moves most, masked", f"{float(leak.moved_masked.max()):g}", width="content")
            st.metric("Not masked", percent(float(leak.moved_plain.max())), width="content")
        st.markdown(
            (
                "With the mask nothing moves. "
                if leak.masked_is_tight
                else "**Something moves although the mask is there.** "
            )
            + (
                f"Without it {leak.leaking} of {len(leak.moved_plain)} rows move: **the answer leaks**. A model "
                "trained so could be right by copying and learn no French; the mask leaves it nothing to copy."
                if leak.leaking
                else "Without it nothing moves either: **no leak on this sentence**."
            )
        )
    else:
        st.markdown("Only one token was written here, so that there is no later one to leak.")
with guess:
    controls.prediction(
        "The mask is taken away and the model may see its own answer. How likely does it find it then?",
        ("Likelier than with the mask", "Less likely"),
        0 if leak.rises else 1,
        key=f"guess-{trace.text}",
        why=f"{percent(leak.probability[0])} a token with the mask, {percent(leak.probability[1])} without (geometric "
        "mean).",
    )


layer, head = leak.most_ahead
st.markdown(
    f"**Where the weights go.** Layer {layer}, head {head}, which looks ahead most when it may: "
    f"{percent(float(leak.future.max()))} of its weights go to later tokens; over all heads it is "
    f"{percent(float(leak.future.mean()))}."
)
matrix(figures.unmasked(leak, decoder[layer], head, model=ours.name), key="ahead", columns=2)

st.subheader(story.HURTS, anchor=False)
st.markdown(
    f"The mask makes **training** parallel: all {steps} rows of this translation are computed in one pass, and each "
    "sees only what it may. **Writing** is not: the next token is not known before it is written, so the model ran "
    f"{steps} times for your sentence, one token after the other. All parts are now on the table; the Transformer puts "
    "them together."
)
story.closing("masks")
