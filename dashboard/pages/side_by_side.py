"""One sentence through all models: the outputs above, the four pictures of attention below, one cursor over them."""

import streamlit as st

from dashboard import controls, figures, runs
from dashboard.components.matrix import matrix

st.header("Side by side", anchor=False)

names = ("gru-seq2seq", "gru-bahdanau", "transformer")
traces = controls.run_or_explain(*names)
if traces is None:
    st.stop()
seq2seq, bahdanau, transformer = traces

for column, trace in zip(st.columns(3), traces, strict=True):
    with column:
        controls.translation(trace)

encoder = transformer.attention_of("encoder-self")
decoder = transformer.attention_of("decoder-self")
with st.container(horizontal=True):
    layer = controls.layer_picker(len(encoder))
    head = controls.head_picker(encoder[0].n_heads)

positions = runs.load("transformer").network.positions(len(transformer.source_tokens)).numpy()
matrix(
    [
        figures.attention(bahdanau.attention_of("alignment")[0], 0, model=bahdanau.model, title="Bahdanau alignment"),
        figures.attention(encoder[layer], head, model=transformer.model, title="Multi-head self-attention"),
        figures.attention(decoder[layer], head, model=transformer.model, title="Causal mask at work"),
        figures.positional_encoding(positions, transformer.source_tokens, model=transformer.model),
    ],
    key="four",
    columns=4,
)
matrix(figures.all_heads(encoder, model=transformer.model), key="heads", size="small")
