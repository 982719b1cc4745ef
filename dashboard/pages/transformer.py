"""The Transformer on one sentence: encoder, masked decoder, cross-attention, and the output step by step."""

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import controls, figures, heads, runs, story
from dashboard.components.matrix import matrix

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer

story.opening("transformer", "Transformer")

traces = controls.run_or_explain("transformer")
if traces is None:
    st.stop()
trace = traces[0]
config = cast("Transformer", runs.load(trace.model).network).config
encoder, decoder, cross = (trace.attention_of(kind) for kind in ("encoder-self", "decoder-self", "cross"))

controls.translation(trace)
st.markdown(
    "Vaswani et al. 2017, *Attention is all you need*: the sentence is not read step by step; every token (a word or "
    f"a piece of one) looks at every token at once. An encoder of {config.n_layers} layers reads English, a decoder "
    f"of {config.n_layers} layers writes French. Each token is a vector of d_model = {config.d_model} numbers, and "
    f"each layer looks at them with {config.n_heads} heads, each in d_head = {config.d_model} / {config.n_heads} = "
    f"{config.d_head} numbers of its own."
)


@st.fragment
def pictures() -> None:
    """Draw all three kinds of attention for one layer and head, and the output up to one step."""
    grids = {
        "encoder-heads": figures.all_heads(encoder, model=trace.model),
        "decoder-heads": figures.all_heads(decoder, model=trace.model),
        "cross-heads": figures.all_heads(cross, model=trace.model),
    }
    st.subheader("One head", anchor=False)
    st.markdown(
        "A head projects each token's vector to three shorter ones, with matrices learnt in training: a **query** "
        "(Q: what the token looks for), a **key** (K: what it is found by) and a **value** (V: what it hands over). "
        "Each query is multiplied with every key, which gives scores. The **softmax** turns a query's scores into "
        f"weights between 0 and 1 that sum to 1, and these mix the values. Dividing by √d_head = √{config.d_head} ≈ "
        f"{config.d_head**0.5:.2f} keeps the scores from growing with the length of the vectors. The heads' mixtures "
        "are joined and projected back to d_model numbers."
    )
    st.latex(r"\mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d_{head}}}\right) V")
    layer, head = heads.choose(grids, len(encoder), encoder[0].n_heads)
    chosen = layer * encoder[0].n_heads + head
    st.caption("The choice holds for all attention below. Layers and heads count from 0: 2.1 is layer 2, head 1.")

    st.subheader("The encoder reads", anchor=False)
    large, small = st.columns([3, 2], gap="medium")
    with large:
        matrix([figures.attention(encoder[layer], head, model=trace.model)], key="encoder")
    with small:
        st.caption("Every head of the encoder, a line for each layer: click one to see it large.")
        heads.grid("encoder-heads", grids["encoder-heads"], chosen, columns=encoder[0].n_heads)
    st.markdown(
        f"The encoder hands over one vector of {config.d_model} numbers for each token. Queries, keys and values are "
        "not among them: every decoder layer projects keys and values of its own from these vectors, and its queries "
        "from what has been written."
    )

    st.subheader("The decoder looks back at what it has written", anchor=False)
    st.markdown(
        "A **causal mask** hides the future. In training the whole French sentence is given and all rows are "
        "computed at once, so later tokens must be struck out. While the model writes they do not exist yet; the "
        "weights are the same."
    )
    matrix(figures.masking(decoder[layer], head, model=trace.model), key="decoder", columns=3)
    st.caption("Every head of the decoder's self-attention: click one to see it above.")
    heads.grid("decoder-heads", grids["decoder-heads"], chosen)

    st.subheader("The decoder looks at the English", anchor=False)
    st.markdown(
        "In **cross-attention** the queries come from the decoder, keys and values from the encoder's vectors. All "
        "of the English is known from the start, so nothing is masked."
    )
    step = controls.step_slider(trace.target_tokens)
    large, output = st.columns([3, 2], gap="medium")
    with large:
        matrix(
            [figures.attention(cross[layer], head, model=trace.model)],
            key="cross",
            rows=step + 1,
            current_row=step,
        )
    with output:
        controls.written_so_far(trace, step)
        controls.candidates(trace, step)
        st.caption("All layers and heads together decide.")
    st.caption("Every head of the cross-attention: click one to see it above.")
    heads.grid("cross-heads", grids["cross-heads"], chosen)


pictures()
st.subheader("What attention does not show", anchor=False)
st.markdown(
    "A weight says how much of a token's value was mixed in. It does not say what that value holds; and the other "
    "heads, the feed-forward layers, and the residual path that carries each vector past every attention decide too. "
    "Weights are not explanations. A head that gives nearly all to `</s>` or a full stop often has nothing to do "
    "there."
)
story.closing("transformer")
