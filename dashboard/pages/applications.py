"""The same machine at other tasks: translation, compression, questions, continuation and dates, one at a time."""

import streamlit as st

from dashboard import story
from dashboard.tasks import compression, continuation, dates, questions, translation
from pretrained import registry

TASKS = {
    "Translation": translation,
    "Compression": compression,
    "Questions": questions,
    "Continuation": continuation,
    "Dates": dates,
}

story.opening("applications", "Applications")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "Most pages so far translated. But many tasks have the same shape: **a sequence goes in, another comes out**, of "
    "another length and in another order. Is it the same machine that does them? Its parts stay; data, words and what "
    "is read off at the end change."
)
models = {name: found[0] for name, task in TASKS.items() if (found := registry.finished(**task.FACTS))}
chosen = st.segmented_control(
    "Task", list(models), default=next(iter(models)), key="task", bind="query-params", required=True
)
name = str(chosen or next(iter(models)))
TASKS[name].draw(models[name])

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "These models are small, each has a **closed vocabulary** and can do **one task**: the one that answers questions "
    "cannot translate, and has never seen a word outside of its stories. Large language models do many tasks with one "
    "set of weights, some from a few examples in the text (Brown et al. 2020); speech needs sound. Both are outside of "
    "this app. What is left is to compare: one sentence, several models, **side by side**."
)
story.closing("applications")
