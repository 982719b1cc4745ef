"""The start page: painted before torch is there, one picture that links to pages, three translations that are run."""

import json
import subprocess
import sys
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runs, story
from dashboard.components.timeline import asked_for
from tests.pages.conftest import FRONT_DOOR, ODD_TEXTS, Visit

ROOT = FRONT_DOOR.parent
MODELS = ("gru-seq2seq", "gru-bahdanau", "transformer")

# Runs the app in a fresh interpreter up to the place where the models are asked for; says what was imported by then.
PROBE = """
import sys
from streamlit.testing.v1 import AppTest
streamlits_own = set(sys.modules)  # it imports plotly by itself
from dashboard import controls
imported = []
def stop_here(*names):
    imported.append(sorted(set(sys.modules) - streamlits_own))
controls.run_or_explain = stop_here
page = AppTest.from_file(sys.argv[1], default_timeout=60).run()
assert not page.exception, page.exception
assert len(page.get("bidi_component")) == 1 and page.header and page.subheader
print("imported:", *imported[0])
"""


def picture(at: AppTest) -> dict[str, Any]:
    (component,) = at.get("bidi_component")
    data: dict[str, Any] = json.loads(component.proto.json)
    return data


def test_what_stands_above_the_models_needs_no_torch() -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROBE, FRONT_DOOR], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr
    imported = found.stdout.splitlines()[-1].split()
    assert "dashboard.components.timeline" in imported
    assert {"torch", "transformers", "plotly", "altair", "pretrained.translation"}.isdisjoint(imported)


def test_words_and_picture_come_before_the_models(visit: Visit) -> None:
    kinds = [child.type for child in visit("start").main.children.values()]
    assert kinds.index("header") < kinds.index("bidi_component") < kinds.index("subheader")
    translations = [i for i, child in visit("start").main.children.items() if len(getattr(child, "children", ())) == 3]
    assert translations
    assert kinds.index("subheader") < translations[0]


def test_every_page_has_its_place_in_the_story() -> None:
    pages = {f"dashboard/pages/{file.name}" for file in (ROOT / "dashboard/pages").glob("[a-z]*.py")}
    assert pages - {"dashboard/pages/start.py"} <= {chapter.file for part in story.PARTS.values() for chapter in part}
    addresses = [chapter.url for part in story.PARTS.values() for chapter in part]
    assert len(addresses) == len(set(addresses))


def test_the_picture_links_to_pages_and_has_both_themes(visit: Visit) -> None:
    data = picture(visit("start"))
    assert set(data["themes"]) == {"light", "dark"}
    for chapter in story.ON_THE_TIMELINE:
        address, title = chapter.url, chapter.title
        assert f'<a href="{address}" data-page="{address}">{title}</a>' in data["markup"]


def test_only_a_page_that_exists_is_believed() -> None:
    pages = {"attention": "Attention"}
    wrong: list[object] = [None, "zoo", "", ["attention"], 3, {}]
    assert asked_for("attention", pages) == "attention"
    assert [asked_for(sent, pages) for sent in wrong] == [None] * len(wrong)


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_the_story_stays(visit: Visit, text: str, readable: bool) -> None:
    at = visit("start", text=text)
    assert not at.exception
    assert bool(at.info) != readable, "an unreadable text is explained"
    assert bool(at.get("page_link")) == readable
    assert picture(at) == picture(visit("start"))
    for kind in ("markdown", "caption", "header", "subheader"):
        shown = [getattr(element, "value", "") for element in at.get(kind)]
        assert not text.strip() or not any(text in words for words in shown), "a reader's words are no markup"


def test_the_translations_are_those_of_the_models(visit: Visit) -> None:
    for text in ("I am happy.", "The dog that the cat saw is sleeping."):
        shown = [element.value for element in visit("start", text=text).text]
        assert [runs.run(name, text).output or "(nothing)" for name in MODELS] == shown


def test_other_weights_give_other_translations(visit: Visit, random_weights) -> None:
    shown = []
    for seed in (1, 2):
        random_weights(seed)
        shown.append([element.value for element in visit("start", text="I am happy.").text])
    assert len(shown[0]) == len(MODELS)
    assert all(one != other for one, other in zip(*shown, strict=True))
