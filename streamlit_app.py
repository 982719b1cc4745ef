"""The front door: the list of pages, the sentence that they share, and the page that was asked for."""

from pathlib import Path

import streamlit as st

from dashboard import controls

HERE = Path(__file__).parent / "dashboard"

st.set_page_config(page_icon=HERE / "icon.png", layout="wide")
st.html(HERE / "style.css")

chosen = st.navigation(
    [
        st.Page("dashboard/pages/start.py", title="Start", default=True),
        st.Page("dashboard/pages/encoder_decoder.py", title="Encoder-decoder", url_path="encoder-decoder"),
        st.Page("dashboard/pages/attention.py", title="Attention", url_path="attention"),
        st.Page("dashboard/pages/positions.py", title="Positions", url_path="positions"),
        st.Page("dashboard/pages/transformer.py", title="Transformer", url_path="transformer"),
        st.Page("dashboard/pages/side_by_side.py", title="Side by side", url_path="side-by-side"),
    ],
    position="top",
)
controls.sentence_bar()
chosen.run()
