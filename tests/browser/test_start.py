"""The start page in a real browser: its picture links to pages, and the sentence travels along."""

import re

import pytest
from playwright.sync_api import expect

from dashboard import story
from viz import timeline

TEXT = "I am happy."


@pytest.fixture
def start(page, app, wait_for_run):
    page.goto(f"{app}/?text={TEXT}")
    wait_for_run(page)
    return page


def expect_arrival(page) -> None:
    expect(page).to_have_url(re.compile(r"/positions\?text=I(\+|%20)am(\+|%20)happy\.$"))
    expect(page.get_by_label(re.compile("^An English sentence"))).to_have_value(TEXT)
    assert page.evaluate("window.beforeTheClick") is True, "the app was loaded anew"


@pytest.mark.parametrize("hand", ["mouse", "keyboard"])
def test_a_link_turns_the_page_and_keeps_the_sentence(start, wait_for_run, hand) -> None:
    start.evaluate("window.beforeTheClick = true")
    link = start.get_by_role("link", name="Positions").and_(start.locator("[data-page]"))
    if hand == "mouse":
        link.click()
    else:
        link.focus()
        start.keyboard.press("Enter")
    expect(start).to_have_url(re.compile("/positions"))
    wait_for_run(start)
    expect_arrival(start)


def test_the_whole_frame_of_a_stop_opens_its_page(start) -> None:
    stop = start.locator(".linked", has=start.locator("[data-page=attention]"))
    stop.locator(".brought").first.click(force=True)
    expect(start).to_have_url(re.compile(r"/attention\?text="))


def test_a_new_tab_takes_the_sentence_along(start) -> None:
    link = start.locator("[data-page=attention]")
    link.hover()
    link.dispatch_event("pointerdown")
    assert re.search(r"/attention\?text=I(\+|%20)am(\+|%20)happy\.$", link.evaluate("link => link.href"))


def test_stops_without_a_page_are_no_links(start) -> None:
    stops = start.locator(".stop")
    expect(stops).to_have_count(8)
    written = {chapter.url for chapter in story.CHAPTERS}
    without = [stop for stop in timeline.STOPS if not written & {*stop.pages}]
    expect(start.locator(".stop:not(.linked)")).to_have_count(len(without))
    expect(start.locator(".stop:not(.linked) a")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1440])
def test_the_line_fits_and_follows_the_theme(new_page, app, wait_for_run, width, theme) -> None:
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    page.goto(app)
    wait_for_run(page)
    expect(page.locator(".timeline")).to_have_attribute("data-theme", theme)
    cards = page.locator(".card")
    across = cards.evaluate_all("cards => new Set(cards.map(card => card.getBoundingClientRect().x)).size")
    assert across == {390: 1, 800: 4, 1440: 8}[width]
    cut = page.locator(".timeline p").evaluate_all("all => all.filter(p => p.scrollWidth > p.clientWidth + 1).length")
    assert cut == 0
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth")
