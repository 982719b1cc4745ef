"""One sentence through all models: the outputs above, the four pictures of attention below, one cursor over them."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import controls, figures, heads, runs, story
from dashboard.components.matrix import matrix

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer

story.opening("side-by-side", "Side by side")

traces = controls.run_or_explain("gru-seq2seq", "gru-bahdanau", "transformer")
if traces is None:
    st.stop()
_, bahdanau, transformer = traces
(alignment,) = bahdanau.attention_of("alignment")
encoder, decoder = (transformer.attention_of(kind) for kind in ("encoder-self", "decoder-self"))
network = cast("Transformer", runs.load(transformer.model).network)
positions = network.positions(len(transformer.source_tokens)).numpy()

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
story.closing("side-by-side")
