"""Positional encoding: the sinusoids that this sentence gets, worked out by hand, and what they say of distance."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import controls, figures, runs, story
from dashboard.components.matrix import matrix
from pretrained.analysis import positions
from viz.matrix import number

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer

SHIFT = 10

story.opening("positions", "Positions")

traces = controls.run_or_explain("transformer")
if traces is None:
    st.stop()
trace = traces[0]
model = runs.load(trace.model)
network = cast("Transformer", model.network)
d_model, tokens, ids = network.config.d_model, trace.source_tokens, model.read(trace.text).ids
added = positions.summands(network, ids)

st.markdown(
    "Attention adds up what the tokens (words, or pieces of them) offer, and a sum knows no order: shuffle the "
    "tokens, and each gathers the same mixture. So the Transformer adds to each token a vector that depends on its "
    f"position alone: {d_model // 2} waves of different lengths, each as a sine and a cosine. That makes d_model = "
    f"{d_model} numbers, called units, as many as every vector in this model has. Nothing of it is learnt: every "
    "model of this width has the same ones."
)
matrix([figures.positional_encoding(added.positions, tokens, model=trace.model)], key="sinusoids")


@st.fragment
def formula() -> None:
    """Work out one value of this sentence, and draw the wave that it lies on."""
    st.subheader("The formula, with this sentence's numbers", anchor=False)
    with st.container(horizontal=True):
        pos = controls.step_slider(tokens, key="pos", label="Position (pos)")
        i = st.slider("Wave (i)", 0, d_model // 2 - 1, 6, key="wave", bind="query-params")
    sine, cosine = (positions.worked(pos, unit, d_model) for unit in (2 * i, 2 * i + 1))
    used_sine, used_cosine = (float(added.positions[pos, one.unit]) for one in (sine, cosine))
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with left:
        # The space at its end keeps KaTeX's box from being two pixels too narrow, which would make it scroll.
        st.latex(
            rf"""\begin{{aligned}}
            PE(pos, 2i) &= \sin\left(\frac{{pos}}{{10000^{{2i / d_{{model}}}}}}\right) \\[6pt]
            PE({pos}, {sine.unit}) &= \sin\left(\frac{{{pos}}}{{10000^{{{sine.unit} / {d_model}}}}}\right) \\[6pt]
            &= \sin({pos} / {sine.divisor:.4f}) \\[3pt]
            &= \sin({sine.angle:.4f}) = {sine.value:.4f}
            \end{{aligned}}\;"""
        )
    with right:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"The token at position {pos}; positions count from 0")
            st.text(tokens[pos])
        one, other = st.columns(2)
        one.metric("By the formula", number(sine.value, 4))
        other.metric("Used by the model", number(used_sine, 4))
        st.caption(
            f"Unit {cosine.unit}, that is 2i + 1, is the cosine of the same angle: {number(cosine.value, 4)} by the "
            f"formula, {number(used_cosine, 4)} in the model."
        )
    st.plotly_chart(
        figures.waves(pos, sine.unit, len(tokens), d_model, theme=controls.theme()),
        key=f"waves-{controls.theme()}",
        config={"displayModeBar": False},
        alt=f"Unit {sine.unit} and three others against position",
    )
    st.caption(
        "Dots are the positions of this sentence. Where the dotted line crosses the waves stand the values of one "
        "row of the figure at the top, that of the chosen position."
    )


formula()

st.subheader("What the waves say of distance", anchor=False)
products = positions.dot_products(added.positions)
left, right = st.columns([3, 2], gap="medium")
with left:
    matrix([figures.position_products(products, tokens, model=trace.model)], key="products")
with right:
    st.markdown(
        "Multiply two positions' vectors unit by unit and add up: their **dot product**. Since sin a sin b + cos a "
        "cos b = cos(a − b), it is a sum of cosines of their distance: the same wherever the pair stands, and "
        f"d_model / 2 = {d_model / 2:g} for a position with itself."
    )
    st.plotly_chart(
        figures.products_by_distance(products, d_model, theme=controls.theme()),
        key=f"distance-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Dot product of two positions against their distance",
    )

st.subheader("What the model adds them to", anchor=False)
st.latex(r"x_{pos} = \sqrt{d_{model}} \cdot E_{token} + PE(pos)")
st.markdown(
    "The embedding E is the vector that the model has learnt for a token. Beside a position's vector it would be "
    "short; multiplied by √d_model it is not. Lengths (the root of the sum of squares), measured on this sentence:"
)
words, places = added.lengths
one, other, third = st.columns(3)
one.metric("Embedding, mean", number(float(words.mean()) / d_model**0.5, 2))
other.metric(f"Times √{d_model}, mean", number(float(words.mean()), 2))
other.caption(f"from {words.min():.2f} to {words.max():.2f}")
third.metric("Position's vector", number(float(places.mean()), 2))
third.caption(f"√(d_model / 2) = {(d_model / 2) ** 0.5:.2f} at every position")
moved = number(positions.change_when_shifted(network, ids, SHIFT))
st.markdown(
    "The sinusoids do not make the model **translation-invariant**, that is, blind to where in the text a phrase "
    "stands. Only the dot products above are. The model adds the vectors to embeddings and projects the sums to "
    f"queries and keys, which mixes words with places. Measured: with this sentence moved {SHIFT} positions on, a "
    f"weight of the encoder's layer 0 changes by up to {moved}; it would be 0 if the place did not matter."
)
story.closing("positions")
