"""The whole Transformer on one sentence: three kinds of attention, the stream they add to, and its claims measured."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import cards, charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import cost, recurrent, residual

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer
    from pretrained.translation import Translator

TASK = "translation en-fr"

story.opening("transformer", "Transformer")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "Self-attention in many heads, positions and a mask are parts. What do they make together, and does it keep its "
    "promises: parallel work, short paths, fast learning?"
)

(ours,) = registry.finished(task=TASK, family="attention", positions="sinusoidal", parent=None)
traces = controls.run_or_explain(ours.name)
if traces is None:
    st.stop()
(trace,) = traces
model = cast("Translator", runs.load(trace.model))
config = cast("Transformer", model.network).config
encoder, decoder, cross = (trace.attention_of(kind) for kind in ("encoder-self", "decoder-self", "cross"))
st.subheader(story.SEE, anchor=False)
st.markdown(
    "Vaswani et al. 2017, *Attention is all you need*: an **encoder** reads the English, all tokens (words or pieces "
    f"of them) at once, a **decoder** writes the French; {config.n_layers} layers each. Attention has three places. In "
    "the first every token sees every token; in the second the future is masked; in the third the decoder's queries "
    "meet the encoder's vectors. Nothing else is handed on: every decoder layer projects its own keys and values from "
    "these."
)


@st.fragment
def three_places() -> None:
    """Draw one head of each kind, and the output, up to one step."""
    layer, head = controls.head_of_layer(config.n_layers, config.n_heads)

    def at_step(step: int) -> None:
        """Draw the three up to one step, and what could have been written there."""
        english, french, both = st.columns(3, gap="medium")
        with english:
            matrix([figures.attention(encoder[layer], head, model=trace.model)], key="encoder")
        for column, attended in ((french, decoder), (both, cross)):
            with column:
                drawn = figures.attention(attended[layer], head, model=trace.model)
                matrix([drawn], key=attended[0].kind, rows=step + 1, current_row=step)
        written, choice = st.columns([2, 3], gap="large")
        with written:
            controls.written_so_far(trace, step)
            st.caption(
                "A weight says how much of a token's value was mixed in, not what that value holds; other heads, "
                "feed-forward blocks and the path past every block decide too. Attention is not an explanation."
            )
        with choice:
            controls.candidates(trace, step)

    controls.stepper(at_step, trace.target_tokens, label="Output step: drag or play to see the translation grow")


three_places()

st.subheader(story.STEP, anchor=False)
st.markdown(
    f"A token is a vector of d_model = {config.d_model} numbers. No block replaces it: each **adds** to it, so that "
    "the vector flows through all layers as one **residual stream** (He et al. 2016 for the idea). A feed-forward "
    "block is a small network that every token goes through by itself. Below, the vector from which one French token "
    "is written, block by block; and what would be written if the rest were left out (nostalgebraist 2020, *the logit "
    "lens*)."
)
encoding, decoding = residual.streams(model, trace.text)
controls.prediction(
    "In the encoder, which block adds most to the vector of your first token?",
    encoding.blocks[1:],
    encoding.blocks.index(encoding.strongest(0)) - 1,
    key="strongest",
    why=f"It adds a vector of length {encoding.added[1:, 0].max():.1f}; the embedding's was "
    f"{encoding.lengths[0, 0]:.1f} long, and at the end the stream's is {encoding.lengths[-1, 0]:.1f}.",
)


def block_by_block(block: int) -> None:
    """Draw the decoder's stream at one output token, and what it says behind one block."""
    position = controls.step_slider(trace.target_tokens, key="position", label="Output token")
    stream, early = st.columns(2, gap="large")
    with stream:
        st.caption(f"Length of the vector behind {decoding.blocks[block]}, and of what each block adds")
        st.plotly_chart(
            charts.stream(decoding, position, block, theme=controls.theme()),
            key=f"stream-{controls.theme()}",
            config={"displayModeBar": False},
            alt=f"Length of the decoder's vector at output token {position}, and of what each block adds",
        )
    with early:
        st.caption(f"What would be written behind {decoding.blocks[block]}; what is written in the end stands here:")
        st.text(trace.target_tokens[position])
        best = residual.read_early(model, decoding, block, position)
        controls.bars(best, key="early", alt=f"Ten likeliest tokens behind {decoding.blocks[block]}")


controls.stepper(block_by_block, decoding.blocks, key="block", label="Block: drag or play to pass through the decoder")

st.subheader(story.MEASURE, anchor=False)
recurrent_model = registry.finished(task=TASK, cell="gru", attention=())[0].name
pair = (recurrent_model, ours.name)

st.markdown(
    "**“It works in parallel.”** A recurrent network takes a step a token, each after the last; attention does all "
    "tokens at once, but compares all pairs. What that is worth depends on the machine: here, on this one, with "
    "sentences of random tokens."
)
speeds = measure.measured_on_request(
    cost.speeds, pair, key="speeds", label="Time reading and training (about 20 s)", what="random tokens"
)
if speeds is not None:
    found = speeds.value
    for column, training, title in zip(
        st.columns(2, gap="medium"),
        (False, True),
        ("Reading: the encoder, one sentence", "A training step"),
        strict=True,
    ):
        with column:
            st.caption(f"{title}: tokens a second, more is better")
            st.plotly_chart(
                charts.speeds(found, pair, training=training, theme=controls.theme()),
                key=f"speeds-{training}-{controls.theme()}",
                config={"displayModeBar": False},
                alt=f"{title}: tokens a second against length, of both models",
            )
    gains, faster, verdict = found.gains, found.faster(found.training), found.at_every_length(found.training)
    st.markdown(
        f"With all {found.cores} cores the recurrent encoder reads at best {gains[0]:.1f} times as fast as with one, "
        f"the Transformer's {gains[1]:.1f} times. A training step of the Transformer is "
        + (
            "faster at every length. **The claim holds on this machine.**"
            if verdict == "holds"
            else f"faster at {', '.join(map(str, faster))} tokens, and slower elsewhere. **The claim holds in part.**"
            if verdict == "in part"
            else "slower at every length. **The claim does not hold on this machine**: a processor with few cores has "
            "little to run in parallel. It was made for graphics processors with thousands."
        )
    )

st.markdown(
    "**“Its gradient path is direct.”** In the encoder any token reaches any other in one layer, where a recurrent "
    "network takes as many steps as they are apart. Measured on your sentence: how much the last token's vector "
    "changes with what is read at each token, as shares of the last."
)
readers = tuple(known.name for known in registry.finished(task=TASK, family="recurrent", attention=()))
words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    shares = measure.measured(recurrent.relative_gradient_norms, (*readers, ours.name), trace.text, key="paths").value
    norms = dict(zip((*readers, ours.name), shares, strict=True))
    place.plotly_chart(
        charts.over_tokens(
            norms, trace.source_tokens, y_axis="norm, as a share of the last", log_y=True, theme=controls.theme()
        ),
        key=f"paths-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Gradient of the last vector by every token, in each encoder",
    )
with words:
    for name, values in norms.items():
        st.metric(name, f"{recurrent.by_distance(values):.2f} a token back", width="content")
    st.markdown(
        "The factor leaves the last token out, which in a Transformer keeps itself past every block. "
        + (
            "The Transformer's gradient falls least with distance: **the claim holds here**."
            if recurrent.falls_least(shares)
            else "The Transformer's gradient does not fall least with distance: a short path is no promise of a strong "
            "one, and gates hold a sentence of this length too. **The claim is not supported here.**"
        )
    )

parts = cards.ablations()
if parts:
    st.markdown(
        "**“Residuals and normalisation make it trainable.”** The same model trained without one of them, a part of "
        "the way; measured in training."
    )
    st.plotly_chart(
        cards.learning_curves([ours.name, *parts], theme=controls.theme()),
        key=f"ablations-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Learning curves with and without residual connections and normalisation",
    )
    reached = cards.without_parts(ours.name)
    st.markdown(
        f"After {cards.seen(parts[0]) / 1e6:.1f} million target tokens: "
        + ", ".join(f"{name} {loss:.2f}" for name, loss in reached.items())
        + " nats a token. "
        + ("**The claim holds.**" if cards.needs_all(ours.name, reached) else "**The claim is not supported.**")
    )

names = cards.from_nothing()
st.markdown(
    "**“It learns from less.”** All translators here saw the same pairs under the same schedule; measured in training "
    "is how well each predicts sentences that it is not trained on."
)
goal, until = cards.until_as_good_as_the_last(names)
fastest = cards.fastest(until)
learning, soonest = st.columns([3, 2], gap="large")
with learning:
    st.plotly_chart(
        cards.learning_curves(names, theme=controls.theme()),
        key=f"efficiency-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Learning curves of all translators",
    )
with soonest:
    st.table(
        [
            {"Model": name, f"Target tokens until {goal:.2f} nats": f"{tokens / 1e6:.1f} M"}
            for name, tokens in sorted(until.items(), key=lambda one: one[1])
        ],
        hide_index=True,
    )
st.markdown(
    f"{goal:.2f} nats a token is where the one that learnt least ended; between two measurements a curve is taken to "
    f"be straight. The soonest to be as good was {fastest}: "
    + ("**the claim holds here.**" if fastest == ours.name else "**the claim is not supported here.**")
)

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "All pairs are compared: twice the text is four times the scores. And while it is **trained** in parallel, it "
    "still **writes** one token after the other. What if one half of it were enough, and it read not pairs of "
    "sentences but any text?"
)
story.closing("transformer")
