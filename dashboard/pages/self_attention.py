"""Self-attention: one head's queries, keys and values, operation by operation; why it divides; where "it" looks."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import rows, self_attention
from viz.numbers import number, percent, rough

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer

OPERATIONS = self_attention.OPERATIONS
TOLERANCE = 0.1  # a measured variance that is off by less is taken to be what was said
NOTES = {
    "queries": "$x_i$ is the token's vector as it comes into this layer: in layer 0 its embedding with its position "
    "added, later what the layer before made. LN, **layer normalisation**, first gives it mean 0 and variance 1, then "
    "scales it as learnt.",
    "keys": "Every token has a key, made in the same way with another matrix. Queries and keys have the same units, so "
    "they can be compared.",
    "products": "The **dot product**: unit by unit, query times key, added up. Three parts are written out.",
    "scores": "Long vectors give large products. Dividing by the root of their length takes that back: see below.",
    "weights": "exp makes every score positive, and dividing by their sum makes them 1 together.",
    "weighted": "Each token's value, multiplied by its weight. Tokens with a weight near 0 hand over almost nothing.",
    "output": "This is the head's whole answer for token $i$; of its unit 0 the largest parts are written out. The "
    "answers of all heads are then joined and projected back.",
}

story.opening("self-attention", "Self-attention")

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "A convolution fixes by place who meets whom: a window sees its neighbours, and far words need many layers. A "
    "recurrent network takes one step a token, so far words are far in time, and no two steps run at once."
)

(ours,) = registry.finished(task="translation en-fr", family="attention", positions="sinusoidal", parent=None)
traces = controls.run_or_explain(ours.name)
if traces is None:
    st.stop()
(trace,) = traces
model = runs.load(ours.name)
network = cast("Transformer", model.network)
config, ids, tokens = network.config, model.read(trace.text).ids, trace.source_tokens
encoder, d_head, last = trace.attention_of("encoder-self"), config.d_head, len(tokens) - 1
pointing = self_attention.pointing(model, trace.text)


def token_slider(label: str, default: int, key: str) -> int:
    """Choose a token by its place."""
    # A place of a longer sentence may have been left behind.
    if int(st.session_state.get(key, 0)) > last:
        del st.session_state[key]
    return int(st.slider(label, 0, last, default, key=key, bind="query-params"))


@st.fragment
def one_head() -> None:
    """Draw one head of one layer, and work out what it does for one token."""
    st.subheader(story.SEE, anchor=False)
    layer, head = controls.head_of_layer(len(encoder), encoder[0].n_heads)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "**Self-attention** lets every token (a word or a piece of one) look at every token of its own sentence "
            "directly and all at once. What decides is what they hold, not how far apart they stand (Vaswani et al. "
            f"2017, *Attention is all you need*). This Transformer's encoder has {config.n_layers} layers that do so, "
            f"each {config.n_heads} times over: the **heads**."
        )
        asked = rows.question(encoder[layer].weights[head])
        st.caption(f"Token {asked.row}, counted from 0, and the three that it looks at most:")
        st.text(f"{tokens[asked.row]}  →  " + "   ".join(f"{key} {tokens[key]}" for key in asked.keys))
        controls.prediction(
            f"Which of them gets the largest weight from token {asked.row} in this head?",
            [f"Token {key}" for key in asked.keys],
            asked.answer,
            key=f"looks-{trace.text}-{layer}-{head}",
            why=f"It gets {percent(float(encoder[layer].weights[head, asked.row].max()))}. Of all rows, this one looks "
            "furthest away from itself.",
        )
        st.markdown(
            "A weight says how much of a token's value is mixed in. It does not say what that value holds, nor what "
            "the rest of the network makes of it: **a weight is not an explanation**."
        )
    with picture:
        matrix([figures.attention(encoder[layer], head, model=trace.model)], key="encoder")

    st.subheader(story.STEP, anchor=False)
    st.latex(r"\mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d_{head}}}\right) V\;")
    st.markdown(
        f"Choose a token $i$ that looks, and a token $j$ that it looks at. This head makes three vectors of d_head = "
        f"{config.d_model} / {config.n_heads} = {d_head} numbers from every token, with matrices learnt in training: a "
        "**query** (Q: what it looks for), a **key** (K: what it is found by), and a **value** (V: what it hands over)."
    )
    one, other = st.columns(2)
    with one:
        query = token_slider("Token i, which looks", pointing.pronoun if pointing else last // 2, "query")
    with other:
        key = token_slider("Token j, which is looked at", 1, "key")
    made = self_attention.by_formula(network, ids, layer, head)
    used = self_attention.in_model(network, ids, layer, head)

    def step_by_step(step: int) -> None:
        """Draw one operation below the one before it, with its formula in numbers."""
        left, right = st.columns([2, 3], gap="large")
        with left:
            with st.container(border=True, gap="xsmall"):
                st.caption(f"Token i = {query} looks at token j = {key}")
                st.text(f"{tokens[query]}  →  {tokens[key]}")
            st.latex(charts.head_formula(made, OPERATIONS[step], query, key))
            st.markdown(NOTES[OPERATIONS[step]])
            st.caption(
                "Worked out here from the weights in double precision; the model's own numbers differ by at most "
                f"{rough(made.difference(used, OPERATIONS[step], query))}, which is rounding."
            )
        with right:
            matrix(
                [
                    figures.operation(made, name, query, tokens, model=f"{trace.model}, layer {layer}, head {head}")
                    for name in OPERATIONS[max(0, step - 1) : step + 1]
                ],
                key="operation",
                columns=1,
            )

    controls.stepper(
        step_by_step,
        OPERATIONS,
        key="operation-step",
        label="Operation: drag or play to see the head at work",
    )


one_head()

st.subheader(story.MEASURE, anchor=False)
words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    scaling = measure.measured(self_attention.scaling, (ours.name,), trace.text, key="scaling").value
    with place:
        st.plotly_chart(
            charts.slopes(scaling, x_axis="layer.head", theme=controls.theme()),
            key=f"slopes-{controls.theme()}",
            config={"displayModeBar": False},
            alt="Slope of the softmax in every head, with the division and without",
        )
with words:
    divided, plain, heads = scaling.divided, scaling.plain, len(scaling.names)
    st.markdown(
        "**“Divide by √d_head, or the softmax gets stuck.”** Large scores make one weight nearly 1 and the others "
        "nearly 0; there the softmax hardly moves with its scores, and what does not move does not learn (section "
        "3.2.1). Drawn is its **slope**, the size of the derivative of a row of weights by its scores, mean over all "
        "rows of a head. The model was trained with the division; without it is a what-if."
    )
    with st.container(horizontal=True):
        st.metric("Slope, divided", number(float(divided.slope.mean()), 2), width="content")
        st.metric("Not divided", number(float(plain.slope.mean()), 2), width="content")
    with st.container(horizontal=True):
        st.metric("Tokens looked at, in effect", number(float(divided.looked_at.mean()), 1), width="content")
        st.metric("Not divided", number(float(plain.looked_at.mean()), 1), width="content")
    st.markdown(
        f"Without the division the slope is smaller in **{scaling.flatter} of {heads} heads**, and "
        f"{percent(float(plain.decided.mean()))} of the rows give one token over {self_attention.DECIDED:.0%} (with "
        f"it {percent(float(divided.decided.mean()))}): "
        + (
            "the claim holds on this sentence."
            if scaling.flatter > heads / 2
            else "the claim does not hold on this sentence."
        )
    )
with_it, without_it = scaling.at_products
st.caption(
    "In effect: the exponential of a row's entropy, which is n where n tokens share it evenly. One reserve: on the way "
    f"to q · k itself the division costs its own factor, √{d_head} = {d_head**0.5:.2f}: there the mean slope is "
    f"{number(with_it)} with it and {number(without_it)} without. That factor is the same in every "
    "row, so training can make up for it; a row that is stuck, it cannot."
)

words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    drawn = measure.measured(
        self_attention.random_products, (), len(tokens), key="random", what=f"random rows of {len(tokens)} tokens"
    ).value
    with place:
        st.plotly_chart(
            charts.slopes(drawn, x_axis="d_head", theme=controls.theme()),
            key=f"random-{controls.theme()}",
            config={"displayModeBar": False},
            alt="Slope of the softmax of random products against the width of their vectors",
        )
with words:
    st.markdown(
        "**Why the root of d_head?** The paper's argument (footnote 4): take vectors of independent random numbers "
        "with mean 0 and variance 1. Each of d_head parts of a dot product then has variance 1, so their sum has "
        "variance d_head; divided by √d_head it is 1 again, whatever the width."
    )
    st.table(charts.random_table(drawn), hide_index=True)
    st.markdown(
        f"Measured, the variance is off d_head by at most {percent(drawn.off_by)}: "
        + ("**the argument holds.** " if drawn.off_by < TOLERANCE else "**the argument does not hold.** ")
        + f"Decided are rows that give one token over {self_attention.DECIDED:.0%}."
    )

st.markdown("**“It finds its noun.”** The showpiece of self-attention: from *it* to what *it* stands for.")
words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    found = measure.measured(self_attention.referents, (ours.name,), key="referents", what="two fixed sentences").value
    with place:
        matrix([figures.referents(found, self_attention.READINGS, model=ours.name)], key="referents")
with words:
    st.markdown(
        "Two sentences with the same words but for the last. What was too tired is the *animal*, what was too wide is "
        "the *street*. A head that followed the meaning would look more at the first noun in one and at the second in "
        "the other; a head that goes by place looks at the same one in both. French has to choose: *il* for the animal "
        "(*l'animal*), *elle* for the street (*la rue*)."
    )
    for (ending, _, _), output in zip(self_attention.READINGS, found.outputs, strict=True):
        with st.container(border=True, gap="xsmall"):
            st.caption(self_attention.SENTENCE.format(ending))
            st.text(output)
    both = len(found.in_both)
    st.markdown(
        f"More on the right noun: {found.right[0]} of {heads} heads in the first sentence, {found.right[1]} in the "
        f"second, **{both} in both**. "
        + (
            "**No head follows the meaning here.** "
            if found.follow_the_meaning == "does not hold"
            else "One pair of sentences is no proof. "
        )
        + f"The French pronoun is right in {found.right_pronouns} of 2."
    )
if pointing is None:
    st.caption("Your sentence has none of *it, he, she, they*: with one, every head's row from it stands here.")
    st.button(
        "Put the tired animal into the bar",
        on_click=st.session_state.__setitem__,
        args=(controls.TEXT, self_attention.SENTENCE.format(self_attention.READINGS[0][0])),
        icon=":material/format_quote:",
        key="animal",
    )
else:
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.caption(f"In your own sentence, from token {pointing.pronoun}:")
        st.text(tokens[pointing.pronoun])
        st.markdown(
            "Which token is right here, you know; the model was never told. Its heads had to learn whatever helps to "
            "translate."
        )
    with picture:
        matrix([figures.from_pronoun(pointing, tokens, model=ours.name)], key="pronoun")

st.subheader(story.HURTS, anchor=False)
st.markdown(
    f"One head gives each token **one mixture**. A verb may need its subject and its object, each for another reason; "
    "a single row of weights that sum to 1 can only blur them together. So the Transformer looks with several heads "
    f"at once, here {config.n_heads} in each layer."
)
story.closing("self-attention")
