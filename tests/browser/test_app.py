"""The whole product in a real Chromium, the way a reader meets it."""

import itertools
import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

import pretrained
from dashboard import story

Open = Callable[..., Page]
Wait = Callable[[Page], None]
PAGES = tuple(chapter.title for chapter in story.CHAPTERS)
PATHS = tuple(chapter.url for chapter in story.CHAPTERS)
WORDS_ALONE = ("claims", "glossary")  # pages without a figure
SENTENCE = "The girl is reading a book."
FIGURES = "canvas.cells, [data-testid=stPlotlyChart], [data-testid=stVegaLiteChart]"
UNREADABLE = {
    "empty": "   ",
    "too long": "the cat and " * 40,
    "emoji": "🙂🙂🙂",
    "chinese": "你好，世界",
    "right to left": "مرحبا بالعالم",
}


def sentence_bar(page: Page):
    return page.get_by_role("textbox").first


def type_sentence(page: Page, text: str) -> None:
    sentence_bar(page).fill(text)
    sentence_bar(page).press("Enter")


def wait_for_figures(page: Page, path: str) -> None:
    if path not in WORDS_ALONE:
        page.locator("[data-painted]").first.wait_for()


def text_in_the_url(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("text", [""])[0]


def output(model: str, text: str) -> str:
    return pretrained.load(model).run(text).output


def test_a_sentence_is_translated_and_travels_through_all_pages(app: str, page: Page, wait_for_run: Wait) -> None:
    page.goto(f"{app}/attention")
    wait_for_run(page)
    type_sentence(page, SENTENCE)
    written = output("gru-bahdanau", SENTENCE)
    expect(page.get_by_text(written, exact=True).first).to_be_visible()
    expect(page.locator("canvas.cells").first).to_be_visible()
    for title, path in zip(PAGES, PATHS, strict=True):
        page.get_by_role("navigation", name="Chapters").get_by_role("link", name=title, exact=True).click()
        expect(page).to_have_title(re.compile(title))
        wait_for_run(page)
        wait_for_figures(page, path)
        expect(sentence_bar(page)).to_have_value(SENTENCE)
        assert text_in_the_url(page) == SENTENCE


def test_arrow_keys_turn_pages_unless_something_has_the_focus(app: str, page: Page, wait_for_run: Wait) -> None:
    page.goto(f"{app}/{PATHS[0]}?text={quote(SENTENCE)}")
    for key, order in (("ArrowRight", PATHS), ("ArrowLeft", PATHS[::-1])):
        for here, path in itertools.pairwise(order):
            wait_for_run(page)
            wait_for_figures(page, here)
            page.keyboard.press(key)
            expect(page).to_have_url(re.compile(rf"/{path}\?"))
    expect(sentence_bar(page)).to_have_value(SENTENCE)
    wait_for_run(page)
    sentence_bar(page).click()
    page.keyboard.press("ArrowRight")
    wait_for_run(page)
    expect(page).to_have_url(re.compile(rf"/{PATHS[0]}\?"))


def test_a_link_reproduces_the_view(app: str, page: Page, new_page: Open, wait_for_run: Wait) -> None:
    page.goto(f"{app}/transformer?text={quote(SENTENCE)}&layer=1&head=2")
    wait_for_run(page)
    page.locator("[data-painted]").first.wait_for()
    expect(sentence_bar(page)).to_have_value(SENTENCE)
    expect(page.get_by_text("from transformer, layer 1, head 2").first).to_be_visible()
    copy = new_page()
    copy.goto(page.url)
    wait_for_run(copy)
    expect(copy.get_by_text("from transformer, layer 1, head 2").first).to_be_visible()


def test_side_by_side_shows_the_four_and_the_translations_without_scrolling(
    app: str, page: Page, wait_for_run: Wait
) -> None:
    page.goto(f"{app}/side-by-side?text={quote(SENTENCE)}")
    wait_for_run(page)
    page.locator("[data-painted]").first.wait_for()
    for model in ("gru-seq2seq", "gru-bahdanau", "transformer"):
        expect(page.get_by_text(output(model, SENTENCE), exact=True).first).to_be_in_viewport()
    four = page.locator("[data-painted]").first.locator("canvas.cells")
    expect(four).to_have_count(4)
    for number in range(4):
        expect(four.nth(number)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_the_cursor_is_one_over_all_figures(app: str, page: Page, wait_for_run: Wait) -> None:
    page.goto(f"{app}/side-by-side?text={quote(SENTENCE)}")
    wait_for_run(page)
    page.locator("[data-painted]").first.wait_for()
    four = page.locator("[data-painted]").first.locator("canvas.cells")
    before = [four.nth(number).evaluate("c => c.toDataURL()") for number in range(4)]
    box = four.nth(1).bounding_box()
    assert box is not None
    four.nth(1).hover(position={"x": box["width"] / 2, "y": box["height"] - 30})
    # Alignment, self-attention and positions share the English axis; the causal map is French on both.
    for number in (0, 1, 3):
        page.wait_for_function(
            "([c, before]) => c.toDataURL() !== before", arg=[four.nth(number).element_handle(), before[number]]
        )


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_explained_and_kept(app: str, page: Page, wait_for_run: Wait, text: str) -> None:
    page.goto(f"{app}/attention")
    wait_for_run(page)
    page.locator("[data-painted]").first.wait_for()
    type_sentence(page, text)
    expect(page.get_by_text("Your text stays in the bar.")).to_be_visible()
    expect(sentence_bar(page)).to_have_value(text)
    type_sentence(page, SENTENCE)
    expect(page.get_by_text(output("gru-bahdanau", SENTENCE), exact=True).first).to_be_visible()


def test_markup_is_text(app: str, page: Page, wait_for_run: Wait) -> None:
    text = "I love <b>you</b> ![x](https://example.org/x.png) </s> $x$"
    page.goto(f"{app}/side-by-side?text={quote(text)}")
    wait_for_run(page)
    page.locator("[data-painted]").first.wait_for()
    expect(sentence_bar(page)).to_have_value(text)
    assert page.locator("img[src*='example.org']").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_whole_story_is_walked_by_next(
    app: str, new_page: Open, wait_for_run: Wait, width: int, scheme: str
) -> None:
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{app}/{PATHS[0]}?text={quote(SENTENCE)}")
    for chapter, path in enumerate(PATHS):
        expect(page).to_have_url(re.compile(rf"/{path}\?"))
        wait_for_run(page)
        expect(page.locator("h2", has_text=PAGES[chapter]).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        unlabelled = page.locator(FIGURES).evaluate_all(
            "all => all.filter(one => !one.ariaLabel).map(one => one.outerHTML)"
        )
        assert unlabelled == [], path
        if path != PATHS[-1]:
            page.get_by_role("link", name=f"Next: {PAGES[chapter + 1]}").click()
    assert text_in_the_url(page) == SENTENCE


@pytest.mark.parametrize("width", [1440, 390])
def test_the_front_page_does_not_overflow(app: str, new_page: Open, wait_for_run: Wait, width: int) -> None:
    page = new_page(viewport={"width": width, "height": 900})
    page.goto(app)
    wait_for_run(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_example_is_one_click_away(app: str, page: Page, wait_for_run: Wait) -> None:
    page.goto(f"{app}/attention")
    wait_for_run(page)
    page.get_by_role("button", name="Examples").click()
    page.get_by_role("button", name="The agreement on the European Economic Area").click()
    expect(sentence_bar(page)).to_have_value("The agreement on the European Economic Area was signed in August 1992.")
