"""Every term that the pages use, in plain words, and the papers that they cite; both can be searched."""

from collections.abc import Iterable

import streamlit as st

from dashboard import glossary, story

LISTED = {chapter.url: chapter for chapter in story.listed()}
TERMS, PAPERS = "Terms", "Papers"


def links(pages: Iterable[str]) -> None:
    """Draw links to those of these pages that can be shown."""
    for url in pages:
        if url in LISTED:
            st.page_link(LISTED[url].file, label=LISTED[url].title, icon=":material/arrow_forward:", width="content")


story.opening("glossary", "Glossary")
st.markdown("The terms of all pages in plain words, each with the page that shows it; and the papers, oldest first.")
with st.container(horizontal=True, vertical_alignment="bottom"):
    shown = st.segmented_control("Show", (TERMS, PAPERS), default=TERMS, key="show", bind="query-params", required=True)
    asked = st.text_input(
        "Search", "", key="search", bind="query-params", max_chars=60, placeholder="A term, an author, a year …"
    )
terms, papers = glossary.find_terms(asked), glossary.find_papers(asked)
counts = {TERMS: (len(terms), len(glossary.TERMS)), PAPERS: (len(papers), len(glossary.PAPERS))}
st.caption(" · ".join(f"{name}: {count} of {total}" for name, (count, total) in counts.items()))
if not counts[str(shown)][0]:
    other = PAPERS if shown == TERMS else TERMS
    st.info(
        f"Nothing under {shown} has these letters."
        + (f" Under {other} something has." if counts[other][0] else " Try fewer of them."),
        icon=":material/search_off:",
    )
for term in terms if shown == TERMS else ():
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{term.name}**: {term.meaning}", width="content")
        links([term.page])
for paper in papers if shown == PAPERS else ():
    st.markdown(
        f"{paper.year} · **{paper.authors}**, [{paper.title}]({paper.address}). Here: {paper.matters}."
        + (f" Models: {', '.join(f'`{name}`' for name in paper.models)}." if paper.models else "")
    )
    with st.container(horizontal=True, gap="small"):
        links(paper.pages)
story.closing("glossary")
