"""One sentence through all models: the outputs above, the four pictures of attention below, one cursor over them."""

import streamlit as st

from dashboard import controls, figures, runs
from dashboard.components.matrix import matrix

st.header("Side by side", anchor=False)

names = ("gru-seq2seq", "gru-bahdanau", "transformer")
traces = controls.run_or_explain(*names)
if traces is None:
    st.stop()
_, bahdanau, transformer = traces
encoder = transformer.attention_of("encoder-self")
decoder = transformer.attention_of("decoder-self")
positions = runs.load(transformer.model).network.positions(len(transformer.source_tokens)).numpy()

for column, trace in zip(st.columns(len(traces)), traces, strict=True):
    with column:
        controls.translation(trace)


@st.fragment
def pictures() -> None:
    """Draw the four, and every head of the encoder below them; a click on a small one brings it up."""
    layer, head = controls.head_of_layer(len(encoder), encoder[0].n_heads)
    matrix(
        [
            figures.attention(bahdanau.attention_of("alignment")[0], 0, model=bahdanau.model, title="Bahdanau alignment"),
            figures.attention(encoder[layer], head, model=transformer.model, title="Multi-head self-attention"),
            figures.attention(decoder[layer], head, model=transformer.model, title="The causal mask at work"),
            figures.positional_encoding(positions, transformer.source_tokens, model=transformer.model, units=32),
        ],
        key="four",
        columns=4,
    )
    st.caption("All heads of the Transformer's encoder on this sentence: layer.head.")
    matrix(figures.all_heads(encoder, model=transformer.model), key="heads", size="small")
    st.caption(
        "A weight says how much of a token's vector was mixed in, not why a word was chosen: attention is where a model "
        "looked, not an explanation of its output."
    )


pictures()
