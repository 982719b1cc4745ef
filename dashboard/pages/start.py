"""What Lookback is, the story as a line of pictures, and three translations of the sentence in the bar."""

import streamlit as st

from dashboard import controls, story
from dashboard.components.timeline import timeline

st.header("Lookback: see what a translation model looks at", anchor=False)
st.markdown(
    "Type an English sentence above. Small models, really trained, translate it to French here, on this machine and "
    "without a network; every number and every picture on the pages comes from a model that ran on your sentence. "
    "Together they tell how such models learned to look back: from networks that read word by word, through attention, "
    "to the Transformer."
)
asked = timeline({chapter.url: chapter.title for chapter in story.ON_THE_TIMELINE}, key="timeline")
if asked is not None:
    story.go_to(asked)
st.caption(
    "Framed stops open a page; the line is not to scale. A token is a word or a piece of one. The eight small drawings "
    "are schemes; everything else in Lookback is computed."
)

# Torch is imported below this line and not before: what stands above is on the screen by then.
st.subheader("Your sentence, by three models", anchor=False)
with st.spinner("Starting the models …"):
    chosen = story.milestones()
    traces = controls.run_or_explain(*(known.name for known in chosen))
if traces is not None:
    stops = ("Encoder-decoder", "Attention", "Transformer")
    for column, known, stop, trace in zip(st.columns(len(traces)), chosen, stops, traces, strict=True):
        with column:
            st.markdown(f"{known.year} · **{stop}**")
            controls.translation(trace)
    st.page_link(
        "dashboard/pages/side_by_side.py",
        label="See what they looked at, side by side",
        icon=":material/view_column:",
    )

st.subheader("Or try one of these", anchor=False)
with st.container(horizontal=True, gap="small"):
    controls.examples("start")
