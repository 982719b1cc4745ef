"""The least that a rerun can be: one input, shown again."""

import streamlit as st

st.text(st.text_input("text"))
