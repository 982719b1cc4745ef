"""Positional encoding: what order is to attention, the sinusoids that this sentence gets, and what they say."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import positions
from viz.numbers import number, rough

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer

SHIFT = 10
TASK = "translation en-fr"
SINUSOIDAL = "**Sinusoidal** (Vaswani et al. 2017): waves that nobody learnt, added to the embeddings."
KINDS = {
    "learned": "**Learned** (Gehring et al. 2017; Devlin et al. 2019): a vector for every position, learnt like a "
    "word's and added to the embeddings. After the last one there is none.",
    "rotary": "**Rotary** (Su et al. 2021): nothing is added; queries and keys are turned, each pair of their numbers "
    "by an angle that grows with the position, so that a score knows how far apart two tokens are, not where.",
}

story.opening("positions", "Positions")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "Attention adds up what the tokens (words, or pieces of them) offer, and a sum knows no order: in whatever order "
    "the tokens stand, each gathers the same mixture. But *the dog saw the cat* is not *the cat saw the dog*."
)

(ours,) = registry.finished(task=TASK, family="attention", positions="sinusoidal", parent=None)
traces = controls.run_or_explain(ours.name)
if traces is None:
    st.stop()
(trace,) = traces
model = runs.load(trace.model)
network = cast("Transformer", model.network)
d_model, tokens, ids = network.config.d_model, trace.source_tokens, model.read(trace.text).ids
added = positions.summands(network, ids)

st.subheader(story.SEE, anchor=False)
st.markdown(
    "So the Transformer adds to each token's vector another that depends on its position alone (Vaswani et al. 2017, "
    f"section 3.5): {d_model // 2} waves of different lengths, each as a sine and a cosine. That makes d_model = "
    f"{d_model} numbers, called units, as many as every vector in this model has. Nothing of it is learnt: every "
    "model of this width has the same ones."
)
matrix([figures.positional_encoding(added.positions, tokens, model=trace.model)], key="sinusoids")

st.subheader(story.STEP, anchor=False)


def formula(pos: int) -> None:
    """Work out one value of this sentence, and draw the wave that it lies on."""
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
        charts.waves(pos, sine.unit, len(tokens), d_model, theme=controls.theme()),
        key=f"waves-{controls.theme()}",
        config={"displayModeBar": False},
        alt=f"Unit {sine.unit} and three others against position",
    )
    st.caption(
        "Dots are the positions of this sentence. Where the dotted line crosses the waves stand the values of one "
        "row of the figure at the top, that of the chosen position."
    )


controls.stepper(formula, tokens, key="pos", label="Position (pos): drag or play to move along the sentence")

st.markdown("**What they are added to.**")
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

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "**“Without positions, order is lost.”** The words of your sentence in another order, read by the same network as "
    "it is, and with nothing added to its embeddings."
)
seed = int(st.number_input("Order, by number", 1, 99, 1, key="order", bind="query-params"))
mixed_up = positions.shuffled(trace.text, seed)
again = controls.run_or_explain(trace.model, text=mixed_up)
if again is not None:
    (reordered,) = again
    controls.prediction(
        "The words change places. Does this Transformer, which has positions, write the same sentence?",
        ("Yes", "No"),
        0 if reordered.output == trace.output else 1,
        key="same",
        why="What it wrote for both orders stands below.",
    )
    unordered = registry.finished(task=TASK, positions="none")
    blind = [runs.run(known.name, text) for known in unordered for text in (trace.text, mixed_up)]
    for column, read in zip(st.columns(2 + len(blind)), (trace, reordered, *blind), strict=True):
        with column:
            st.text(read.text)
            controls.translation(read)
    place = st.container()
    found = measure.measured(positions.moved_when_shuffled, (trace.model,), trace.text, seed, key="shuffled").value
    with place:
        with st.container(horizontal=True):
            st.metric("A token's vector moves, with positions", f"{found.with_positions:.0%}", width="content")
            st.metric("Without", rough(found.without), width="content")
        st.markdown(
            "Of its own length, on the mean over tokens, behind the encoder's last layer. "
            + (
                "Without positions it moves by nothing but rounding: **order is lost**."
                if found.order_is_lost
                else "Without positions it moves too: **order is not lost**."
            )
            + (
                ""
                if not blind
                else " The model that was trained without positions writes the same for both orders: "
                "**it cannot tell them apart**."
                if blind[0].output == blind[1].output
                else " The model that was trained without positions does not write the same for both orders."
            )
        )
        if unordered:
            ordered, blindly = (runs.card(name)["scores"]["test"] for name in (trace.model, unordered[0].name))
            st.caption(
                f"On {ordered['count']:,} test sentences it reaches {number(blindly['metrics']['chrf'], 1)} chrF, the "
                f"model with positions {number(ordered['metrics']['chrf'], 1)}: which words there are tells much, and "
                "its decoder, which sees only what it has written, can still learn the order of French."
            )

st.markdown("**“The waves tell distance.”**")
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
        charts.products_by_distance(products, d_model, theme=controls.theme()),
        key=f"distance-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Dot product of two positions against their distance",
    )

st.markdown("**“So the model does not care where in the text a phrase stands.”** A common misreading.")
compared = (ours, *(known for kind in KINDS for known in registry.finished(task=TASK, parent=None, positions=kind)[:1]))
readable = controls.run_or_explain(*(known.name for known in compared))
if readable is not None:
    place = st.container()
    names = tuple(known.name for known in compared)
    found_ways = measure.measured(positions.ways, names, trace.text, SHIFT, key="ways").value
    with place:
        st.markdown(
            "The sinusoids do not make the model **translation-invariant**. Only their dot products are: the model "
            "adds the vectors to embeddings and projects the sums, which mixes words with places. Measured: with this "
            f"sentence moved {SHIFT} positions on, the vectors of the encoder's last layer move by "
            f"**{found_ways[0].moved:.0%}** of their length; it would be 0 if the place did not matter."
        )
        # The sinusoids' own picture stands above; it is drawn again only beside another.
        shown = zip(compared, found_ways, strict=True) if len(compared) > 1 else ()
        for column, (known, way) in zip(st.columns(len(compared)), shown, strict=False):
            with column:
                matrix([figures.position_likeness(way, model=known.name, kind=known.positions)], key=known.positions)
                moved = f"{way.moved:.0%}" if not positions.is_indifferent(way.moved) else rough(way.moved)
                st.metric(f"Moved {SHIFT} positions on, its vectors move", moved)
                st.markdown(KINDS[known.positions] if known is not ours else SINUSOIDAL)

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "A sentence longer than any in training has positions that no weight has ever met. And in training the decoder is "
    "given the whole translation with its order: nothing yet keeps it from **looking ahead**."
)
story.closing("positions")
