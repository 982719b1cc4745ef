"""The timeline's markup: every stop in its order, links to pages that exist and to no others, well-formed drawings."""

import re
from xml.etree import ElementTree

import pytest

from viz.palette import THEMES, contrast
from viz.timeline import HEIGHT, STOPS, WIDTH, Stop, colours, drawing, timeline

PAGES = {"encoder-decoder": "Encoder-decoder", "transformer": "Transformer", "positions": "Where & <when>"}
CSS_SHAPES = {"path", "circle", "rect", "text"}


def tree(pages: dict[str, str]) -> ElementTree.Element:
    return ElementTree.fromstring(timeline(pages))


def test_stops_stand_in_the_order_of_their_years() -> None:
    years = [stop.year for stop in STOPS]
    assert years == sorted(years)
    assert (years[0], years[-1], len(years)) == (1990, 2020, 8)
    assert [item.findtext("p[@class='year']") for item in tree({})] == [str(year) for year in years]


def test_every_stop_says_what_it_brought_and_who_published_it() -> None:
    for item, stop in zip(tree({}), STOPS, strict=True):
        words = " ".join(item.itertext())
        assert stop.name in words
        assert stop.brought in words
        assert f"{stop.paper} {stop.year}" in words


def test_pages_that_exist_are_links_and_no_others() -> None:
    items = tree(PAGES)
    links = {link.get("href"): link.text for link in items.iter("a")}
    assert links == PAGES
    linked = [stop.name for item, stop in zip(items, STOPS, strict=True) if "linked" in item.attrib["class"].split()]
    assert linked == ["Encoder-decoder", "Transformer"]
    assert not list(tree({}).iter("a"))


def test_a_title_is_text() -> None:
    assert "Where &amp; &lt;when&gt;" in timeline(PAGES)


def test_an_unknown_page_is_refused() -> None:
    with pytest.raises(ValueError, match="zoo"):
        timeline({"zoo": "Zoo"})


def test_the_line_is_broken_where_years_are_missing() -> None:
    items = tree({})
    paused = [stop.year for item, stop in zip(items, STOPS, strict=True) if "paused" in item.attrib["class"].split()]
    assert paused == [2014]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_drawing_is_small_and_within_its_frame(stop: Stop) -> None:
    picture = ElementTree.fromstring(drawing(stop))
    assert picture.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    assert picture.get("aria-hidden") == "true"
    shapes = list(picture)
    assert 5 < len(shapes) < 90
    assert {shape.tag for shape in shapes} <= CSS_SHAPES
    for shape in shapes:
        x, y = (shape.get(name) or shape.get(f"c{name}") for name in "xy")
        if shape.tag == "path":
            x, y = re.findall(r"-?[\d.]+", shape.attrib["d"])[:2]
        assert x is not None
        assert y is not None
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT


def test_drawings_differ() -> None:
    assert len({drawing(stop) for stop in STOPS}) == len(STOPS)


@pytest.mark.parametrize("name", THEMES)
def test_words_can_be_read_in_both_themes(name: str) -> None:
    of = colours(name)  # type: ignore[arg-type]
    for words in ("--ink", "--soft", "--primary"):
        for ground in ("--paper", "--panel"):
            assert contrast(of[words], of[ground]) >= 4.5


def test_no_colour_is_written_into_the_markup() -> None:
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb\(", timeline(PAGES))
