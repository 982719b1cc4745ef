"""The tree as it is drawn: a place of its own for every token, lines to parents by probability, tokens as text."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from viz import tree
from viz.export import estimated_width
from viz.palette import THEMES, contrast
from viz.tree import Node

NODES = (
    Node(0, 0, None, "le", 0.8),
    Node(0, 1, None, "le", 0.15),
    Node(0, 2, None, "<b>&x</b>", 0.05, kept=False),
    Node(1, 0, 1, "a very long token indeed", 1.0),
    Node(1, 1, 0, "</s>", 0.25, name="no. 1"),
    Node(1, 2, 0, "\x07", 0.0, kept=False),
)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(**options: object) -> ElementTree.Element:
    return ElementTree.fromstring(tree.tree(NODES, label="Tree", **options))  # type: ignore[arg-type]


def tokens(picture: ElementTree.Element) -> list[ElementTree.Element]:
    """Those of the nodes; the first is the start."""
    return [text for text in picture.iter(f"{SVG}text") if text.get("class") == "token"]


def lines(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return list(picture.iter(f"{SVG}path"))


def ends(line: ElementTree.Element) -> tuple[tuple[float, float], tuple[float, float]]:
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", line.attrib["d"])]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def test_a_token_is_text_and_a_repeated_one_has_its_own_place() -> None:
    found = tokens(drawn())
    assert [text.text for text in found] == ["<s>", "le", "le", "<b>&x</b>", "a very long…", "</s>", "�"]
    assert len({(text.get("x"), text.get("y")) for text in found[1:]}) == len(NODES)
    assert not list(drawn().iter(f"{SVG}b"))


def test_columns_are_steps_and_rows_are_ranks() -> None:
    places = [(float(text.attrib["x"]), float(text.attrib["y"])) for text in tokens(drawn())[1:]]
    assert len({x for x, _ in places[:3]}) == len({x for x, _ in places[3:]}) == 1
    assert places[0][0] < places[3][0]
    assert [y for _, y in places[:3]] == [y for _, y in places[3:]] == sorted(y for _, y in places[:3])


def test_a_line_leads_from_the_parent_and_is_as_thick_as_the_token_is_likely() -> None:
    found = lines(drawn())
    heights = {index: ends(found[index])[1][1] for index in range(len(NODES))}
    for index, node in enumerate(NODES):
        start, end = ends(found[index])
        assert start[0] < end[0]
        assert start[1] == heights[node.parent or 0]
        expected = tree.THIN + (tree.THICK - tree.THIN) * node.probability
        assert float(found[index].attrib["stroke-width"]) == pytest.approx(expected, abs=0.01)
    assert [line.get("class") for line in found] == ["kept", "kept", "pruned", "kept", "kept", "pruned"]


def test_the_chosen_path_lies_on_top_and_ends_are_framed() -> None:
    picture = drawn(chosen={0, 4})
    assert [line.get("class") for line in lines(picture)][-2:] == ["chosen", "chosen"]
    framed = [group for group in picture.iter(f"{SVG}g") if group.find(f"{SVG}rect") is not None]
    assert [group.get("class") for group in framed] == ["chosen ended"]
    assert "no. 1" in "".join(framed[0].itertext())


def test_everything_stands_within_the_picture() -> None:
    picture = drawn()
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for text in picture.iter(f"{SVG}text"):
        assert 0 < float(text.attrib["y"]) < height
        right = float(text.attrib["x"]) + estimated_width(text.text or "", tree.SIZE)
        assert right <= width
    # no column's words reach into the next
    xs = sorted({float(text.attrib["x"]) for text in tokens(picture)})
    assert xs[2] - xs[1] >= estimated_width("<b>&x</b>", tree.SIZE) + tree.GAP


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((), "at least one, got 0"),
        ((NODES[0], replace(NODES[3], parent=None)), "a parent at step 0, got None"),
        ((replace(NODES[0], parent=1), NODES[1]), r"nodes\[0\]: expected a parent"),
        ((NODES[0], replace(NODES[1], rank=0)), "step 0, rank 0 already"),
        ((replace(NODES[0], probability=1.5),), "a probability 0..1, got 1.5"),
    ],
)
def test_what_is_no_tree_is_refused(wrong: tuple[Node, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tree.tree(wrong, label="Tree")


@pytest.mark.parametrize("name", THEMES)
def test_words_can_be_read(name: str) -> None:
    of = tree.colours(name)  # type: ignore[arg-type]
    assert all(contrast(of[ink], of["--paper"]) >= 4.5 for ink in ("--ink", "--soft"))
    used = set(re.findall(r"var\((--[a-z]+)\)", _css()))
    assert used <= set(of)


def _css() -> str:
    from dashboard.components.tree import FOLDER

    return (FOLDER / "tree.css").read_text("utf-8")
