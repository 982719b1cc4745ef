"""Reading, the one vector, writing: an encoder-decoder on the sentence in the bar, and what the vector loses."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import bottleneck, lengths, writing
from viz.numbers import percent

if TYPE_CHECKING:
    from pretrained.translation import Translator

story.opening("encoder-decoder", "Encoder-decoder")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "A network of the last page has one state for every **token** (a word or a piece of one) that it reads, in the "
    "order of reading. A translation is often longer or shorter than its source, and its words come in another order."
)

models = registry.finished(task="translation en-fr", attention=())
traces = controls.run_or_explain(*(model.name for model in models))
if traces is None:
    st.stop()
cells = [str(model.cell) for model in models]

st.subheader(story.SEE, anchor=False)
st.markdown(
    "Two networks share the work (Cho et al. 2014; Sutskever, Vinyals and Le 2014): an **encoder** reads the English "
    "sentence to its end, then a **decoder** writes the French one. All that passes between them is one vector, a list "
    "of numbers that is equally long for every sentence."
)
cell = st.segmented_control(
    "Both networks made of cells of this kind",
    cells,
    default="gru" if "gru" in cells else cells[-1],
    key="network",
    bind="query-params",
    required=True,
    format_func=str.upper,
)
trace = traces[cells.index(str(cell))]
(read,), (context,), (written,) = (trace.states_of(kind) for kind in ("encoder-hidden", "context", "decoder-hidden"))
tokens, units = read.values.shape
more = len(trace.target_tokens) - tokens
controls.prediction(
    f"In English your sentence has {tokens} tokens; the last, `</s>`, marks its end. How many will the model write?",
    ("Fewer", f"{tokens} as well", "More"),
    1 + (more > 0) - (more < 0),
    key="length",
    why=f"It wrote {len(trace.target_tokens)}, `</s>` included. No rule ties the two: it writes when it has read all.",
)
st.markdown(
    f"**Reading.** The encoder takes one token at a time and carries a **hidden state** along, {units} numbers between "
    "−1 and 1 (each called a **unit**) that stand for all it has read so far."
)
matrix(
    [
        figures.states(
            read,
            model=trace.model,
            title="The encoder's hidden states",
            reading="Each row is the state after reading that token, made from the token and what was read before it.",
        )
    ],
    key="read",
)
st.markdown(
    "**One vector.** Only the last row goes on: one more layer turns it into the **context vector** c, and the rows "
    "above it are never used again. A longer sentence makes more rows, but never a longer vector."
)
with st.container(horizontal=True):
    st.metric("Tokens read", tokens, width="content")
    st.metric("Numbers in all rows", f"{read.values.size:,}", width="content")
    st.metric("Numbers passed on", context.values.size, width="content")
matrix([figures.context(context, model=trace.model)], key="context")
st.markdown(
    "**Writing.** From this vector alone the decoder wrote the sentence; models of other cells stand beside it."
)
for column, one in zip(st.columns(len(traces)), traces, strict=True):
    with column:
        controls.translation(one)

st.subheader(story.STEP, anchor=False)
st.markdown(
    "The decoder is recurrent too. At every step it takes its own state s, the token y that it wrote last, and c, and "
    "gives a probability to every token that it knows; the likeliest is written. The probability P of all that is "
    "written is the product of its tokens' (Sutskever et al. 2014). `</s>` is one of the tokens: **the model itself "
    "decides when to stop**."
)
st.latex(
    r"""\begin{aligned}
    s_t &= \mathrm{cell}\left([y_{t-1};\, c],\; s_{t-1}\right) \\[3pt]
    P_t &= P_{t-1} \cdot p(y_t \mid s_t, y_{t-1}, c)
    \end{aligned}\;"""
)
model = cast("Translator", runs.load(trace.model))
ends, so_far = writing.end_probabilities(model, trace.text), writing.probability_so_far(trace)


def step_by_step(step: int) -> None:
    """Draw the decoder's states up to the chosen step, what is written by then, and what could have come next."""
    output, choice = st.columns(2, gap="large")
    with output:
        controls.written_so_far(trace, step)
        before, now = so_far[step - 1] if step else 1.0, trace.candidates[step][0].probability
        st.latex(rf"P_{{{step}}} = {charts.power(before)} \cdot {charts.power(now)} = {charts.power(so_far[step])}")
        st.caption(f"Here `</s>` has {percent(ends[step])}. The curve has it at every step:")
        st.plotly_chart(
            charts.ending(ends, step, theme=controls.theme()),
            key=f"ending-{controls.theme()}",
            config={"displayModeBar": False},
            alt=f"Probability of the end at each of {len(ends)} steps; at step {step} it is {percent(ends[step])}",
        )
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


controls.stepper(step_by_step, trace.target_tokens, label="Output step: drag or play to see the translation grow")

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "The claim (Cho, van Merriënboer, Bahdanau and Bengio 2014, *On the properties of neural machine translation*): "
    "one vector is a **bottleneck**, so long sentences suffer. The score below, **chrF**, tells from 0 to 100 how many "
    "short runs of letters a translation shares with one that a person made (Popović 2015)."
)
scored = {str(one.cell).upper(): lengths.by_length(runs.card(one.name)) for one in models}
ranges = scored[str(cell).upper()]
words = len(trace.text.split())
st.plotly_chart(
    charts.scores_by_length(scored, lengths.range_of(ranges, words), theme=controls.theme()),
    key=f"scores-{controls.theme()}",
    config={"displayModeBar": False},
    alt=f"chrF against sentence length: from {ranges[0].chrf} ({ranges[0].name} words) to {ranges[-1].chrf}",
)
st.caption(
    f"Not measured now but after training, on {sum(one.count for one in ranges):,} test sentences. The dotted line is "
    f"your sentence's length, {words} {'word' if words == 1 else 'words'}."
)
first, last = ranges[0], ranges[-1]
st.markdown(
    f"From {first.name} words to {last.name} the score of the {str(cell).upper()} "
    + (f"falls from {first.chrf:.0f} to {last.chrf:.0f}. " if last.chrf < first.chrf else "does not fall. ")
    + "That alone is no proof: the long test sentences come from parliament and the news, and are harder in other ways "
    "too. So here is a fairer test, **with your sentence and the model's own words for it**. The model reads your "
    f"sentence alone, then with one and more of the examples behind it, up to {controls.MOST_BEHIND}. Each time it is "
    "asked how likely the words are that it wrote at first. They are as right as before; only the vector has more to "
    "hold."
)
others = controls.behind(trace.text)
found = measure.measured(bottleneck.remembered, (trace.model,), trace.text, others, key="remembered").value
if len(found) > 1:
    alone, longest = found[0], found[-1]
    verdict = bottleneck.is_lost(found)
    curve, outputs = st.columns([3, 2], gap="large")
    with curve:
        st.plotly_chart(
            charts.remembered(found, theme=controls.theme()),
            key=f"remembered-{controls.theme()}",
            config={"displayModeBar": False},
            alt=f"A token's probability falls from {percent(alone.probability)} to {percent(longest.probability)}",
        )
        st.caption("A token's probability is the geometric mean over the tokens that it wrote for your sentence alone.")
    with outputs:
        for title, one in (("Your sentence alone", alone), (f"With {len(found) - 1} more behind it", longest)):
            with st.container(border=True, gap="xsmall"):
                st.caption(f"{title}: {one.tokens} tokens read")
                st.text(one.output or "(nothing)")
    st.markdown(
        f"**{percent(alone.probability)} a token alone, {percent(longest.probability)} with "
        f"{longest.tokens - alone.tokens} more tokens to hold**: "
        + (
            "less than half is left. The claim holds here."
            if verdict == "holds"
            else "a part is lost. The claim holds here, in part."
            if verdict == "in part"
            else "as good as nothing is lost. The claim is not supported here."
        )
        + " One reserve: in training it rarely read several sentences in one text, which may cost it something too."
    )
elif found:
    st.info("Your sentence leaves no room for another one: the model reads no more tokens than it has.")
else:
    st.info("The model wrote no word for this sentence, so there is none to find again.")

st.subheader(story.HURTS, anchor=False)
st.markdown(
    f"Names, order, who did what: all must fit into the same {context.values.size} numbers, whether the sentence has "
    f"three words or thirty. Yet the encoder made {tokens} rows for yours, and {tokens - 1} of them were thrown away. "
    "**The way out is to keep the rows.**"
)
story.closing("encoder-decoder")
