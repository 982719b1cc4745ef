"""The front door: the list of pages, the sentence that they share, and the page that was asked for."""

from pathlib import Path

import streamlit as st

from dashboard import controls, story

HERE = Path(__file__).parent / "dashboard"

st.set_page_config(page_icon=HERE / "icon.png", layout="wide")
st.html(HERE / "style.css")

start = st.Page("dashboard/pages/start.py", title="Start", default=True)
parts = {
    name: [st.Page(chapter.file, title=chapter.title, url_path=chapter.url) for chapter in part if chapter.exists]
    for name, part in story.PARTS.items()
}
chosen = st.navigation({"": [start], **{name: pages for name, pages in parts.items() if pages}}, position="top")
controls.sentence_bar()
chosen.run()
