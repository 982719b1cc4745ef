"""The glossary: every term has its page, every model its paper, and the search finds what is there."""

import re

import pytest

from dashboard import glossary, story
from pretrained.registry import ENTRIES
from tests.pages.conftest import Visit

PAGE = "glossary"
URLS = {chapter.url for part in story.PARTS.values() for chapter in part}


def test_terms_are_sorted_and_each_stands_once() -> None:
    names = [term.name for term in glossary.TERMS]
    assert names == sorted(names, key=str.casefold)
    assert len({name.casefold() for name in names}) == len(names) >= 60


def test_papers_are_sorted_by_year_and_have_addresses_of_their_own() -> None:
    order = [(paper.year, paper.authors.casefold()) for paper in glossary.PAPERS]
    assert order == sorted(order)
    addresses = [paper.address for paper in glossary.PAPERS]
    assert len(set(addresses)) == len(addresses)
    known = r"https://(arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.\d{4,5}/\S+|aclanthology\.org/[A-Z]\d\d-\d{4}/)"
    assert [one for one in addresses if not re.fullmatch(known, one)] == [
        "https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf"
    ]


def test_every_page_that_is_named_exists_in_the_story() -> None:
    named = {term.page for term in glossary.TERMS} | {page for paper in glossary.PAPERS for page in paper.pages}
    assert named <= URLS
    assert all(paper.pages for paper in glossary.PAPERS)
    unnamed = {"side-by-side", "claims", "glossary", "explorer"}  # these bring no term of their own
    assert {term.page for term in glossary.TERMS} == URLS - unnamed


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_paper_of_every_model_is_there(entry) -> None:
    found = re.match(r"(\w+)[^\d]*(\d{4})", entry.paper)
    assert found is not None
    cited = [paper for paper in glossary.PAPERS if entry.name in paper.models]
    assert (found[1], int(found[2])) in {(paper.first_author, paper.year) for paper in cited}


def test_the_search_finds_whatever_the_case_and_where_it_stands() -> None:
    assert [term.name for term in glossary.find_terms(" SPECTRAL ")] == ["spectral radius"]
    assert "softmax" in {term.name for term in glossary.find_terms("divided by their sum")}
    assert [paper.title for paper in glossary.find_papers("vaswani")] == ["Attention is all you need"]
    assert {paper.year for paper in glossary.find_papers("1997")} == {1997}
    assert [paper.authors for paper in glossary.find_papers("gpt-mini")] == ["Radford et al."]
    assert glossary.find_terms("  ") == glossary.TERMS
    assert glossary.find_papers("") == glossary.PAPERS


@pytest.mark.parametrize(("search", "term"), [("", "ablation"), ("Forget", "forget gate")])
def test_terms_stand_on_the_page_with_links_to_listed_pages_alone(visit: Visit, search: str, term: str) -> None:
    at = visit(PAGE, search=search)
    assert not at.exception
    found = glossary.find_terms(search)
    shown = [one.value for one in at.markdown if one.value.startswith("**")]
    assert shown == [f"**{one.name}**: {one.meaning}" for one in found]
    assert any(one.startswith(f"**{term}**") for one in shown)
    listed = {chapter.url: chapter.title for chapter in story.listed()}
    labels = [link.proto.label for link in at.get("page_link") if not re.match("Previous|Next", link.proto.label)]
    assert labels == [listed[one.page] for one in found if one.page in listed]


def test_papers_link_to_where_they_can_be_read(visit: Visit) -> None:
    at = visit(PAGE, show="Papers", search="bahdanau")
    shown = " ".join(one.value for one in at.markdown)
    assert "[Neural machine translation by jointly learning to align and translate]" in shown
    assert "(https://arxiv.org/abs/1409.0473)" in shown
    assert "`gru-bahdanau`" in shown


@pytest.mark.parametrize("search", ["zzz", "<b>![x](https://example.org/x.png)</b>", "$x$", "🙂"])
def test_a_search_that_finds_nothing_says_so(visit: Visit, search: str) -> None:
    at = visit(PAGE, search=search)
    assert not at.exception
    (info,) = at.info
    assert "Nothing under Terms" in info.value
    assert not any(search in one.value for one in (*at.markdown, *at.caption, *at.info))


def test_a_search_that_finds_only_papers_says_where(visit: Visit) -> None:
    (info,) = visit(PAGE, search="Hochreiter").info
    assert "Under Papers something has" in info.value
