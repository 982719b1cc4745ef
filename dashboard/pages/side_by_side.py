"""One sentence through all models: four pictures under one cursor, every translator in turn, and a second sentence."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import cards, controls, figures, heads, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import scoring
from viz.numbers import number

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer

TASK = "translation en-fr"

story.opening("side-by-side", "Side by side")

traces = controls.run_or_explain(*(known.name for known in story.milestones()))
if traces is None:
    st.stop()
_, bahdanau, transformer = traces
(alignment,) = bahdanau.attention_of("alignment")
encoder, decoder = (transformer.attention_of(kind) for kind in ("encoder-self", "decoder-self"))
network = cast("Transformer", runs.load(transformer.model).network)
positions = network.positions(len(transformer.source_tokens)).numpy()

st.markdown("Every page had its model and its idea. What does each of them make of **your** sentence?")
for column, trace in zip(st.columns(len(traces)), traces, strict=True):
    with column:
        controls.translation(trace)


@st.fragment
def pictures() -> None:
    """Draw the four, and every head of the encoder below them; a click on a small one brings it up."""
    grid = figures.all_heads(encoder, model=transformer.model)
    layer, head = heads.choose({"heads": grid}, len(encoder), encoder[0].n_heads)
    matrix(
        [
            figures.attention(alignment, 0, model=bahdanau.model, title="Bahdanau alignment"),
            figures.attention(encoder[layer], head, model=transformer.model, title="Multi-head self-attention"),
            figures.attention(decoder[layer], head, model=transformer.model, title="The causal mask at work"),
            figures.positional_encoding(positions, transformer.source_tokens, model=transformer.model, units=32),
        ],
        key="four",
        columns=4,
    )
    st.caption("Every head of the Transformer's encoder on this sentence, as layer.head: click one to see it above.")
    heads.grid("heads", grid, layer * encoder[0].n_heads + head)
    st.caption(
        "A weight says how much of a token's vector was mixed in, not why a word was chosen: attention is where a "
        "model looked, not an explanation of its output."
    )


pictures()

st.subheader(story.STEP, anchor=False)
st.markdown("The whole story on one sentence, in the order of the papers: what each model wrote, and where it looked.")
names = tuple(known.name for known in sorted(registry.finished(task=TASK), key=lambda known: known.year))


def one_model(step: int) -> None:
    """Show one model's output, and its look at the source or the vector that stands for it."""
    known = registry.entry(names[step])
    trace = runs.run(known.name, transformer.text)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(f"**{known.year}.** It {known.summary}.")
        controls.translation(trace)
        st.caption(known.paper)
    with picture:
        matrix([figures.source_in_view(trace, cards.looks_from(known.name))], key="story")


controls.stepper(one_model, names, key="model", label="Model: drag or play to go through the years", first=0)

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "**“Looking back beats one vector.”** Nobody has translated your sentence for us, so one model is the judge: the "
    "one with the best chrF on conversation that was not trained on. It says how likely it finds each output. Its own "
    "is favoured: it was written to be likely."
)
judge = cards.best_translator()
other = st.text_input(
    "A second sentence, to compare",
    key="other",
    bind="query-params",
    max_chars=controls.LONGEST_TEXT,
    placeholder="Type another English sentence and press Enter",
)
texts = (transformer.text, other) if other.strip() else (transformer.text,)


def compare(text: str, place: int) -> None:
    """Show every translator's output and what the judge finds of it, then all looks at the source on one scale."""
    read = controls.run_or_explain(*names, text=text)
    if read is None:
        return
    above, below = st.container(), st.container()
    outputs = tuple(trace.output for trace in read)
    found = measure.measured(scoring.log_probabilities, (judge,), text, *outputs, key=f"judge-{place}").value
    looking = [trace for trace in read if figures.looks_at_source(trace)]
    with above:
        st.text(text)
        if place == 0:
            controls.prediction(
                f"The judge is {judge}. Does any model write what it finds likelier than its own output?",
                ("Yes", "No"),
                0 if max(found) > found[names.index(judge)] else 1,
                key="likelier",
                why=f"Its own output has a log-probability of {found[names.index(judge)]:.2f}, the likeliest of all "
                f"{max(found):.2f}. A model that writes token by token, always the likeliest next one, need not end "
                "with the likeliest sentence.",
            )
        st.dataframe(cards.side_by_side(read, found), hide_index=True, key=f"table-{place}", height="content")
        backward = [value for trace, value in zip(read, found, strict=True) if trace in looking]
        blind = [value for trace, value in zip(read, found, strict=True) if trace not in looking]
        ahead = scoring.lead(backward, blind)
        st.markdown(
            f"Mean log-probability of what the {len(backward)} models write that look back at the source, less that "
            f"of the {len(blind)} that write from one vector: **{number(ahead, 2)}**. "
            + (
                "On this sentence looking back **is ahead**."
                if ahead > 0
                else "On this sentence it makes **no difference**."
                if ahead == 0
                else "On this sentence looking back is **not ahead**."
            )
        )
    with below:
        matrix(
            [figures.source_in_view(trace, cards.looks_from(trace.model)) for trace in looking],
            key=f"looks-{place}",
            link=f"looks-{place}",
            columns=4 // len(texts),
        )


for place, (column, text) in enumerate(zip(st.columns(len(texts), gap="large"), texts, strict=True)):
    with column:
        compare(text, place)

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "One sentence is an anecdote: a model that wins here may lose on the next. What holds on thousands of sentences "
    "stands in the Zoo, and what became of the textbooks' claims on the page of claims."
)
story.closing("side-by-side")
