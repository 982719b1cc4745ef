"""The tree of a beam search: what was considered at every step, what was kept of it, and what it grew from."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from viz.export import estimated_width
from viz.matrix import shown
from viz.numbers import percent
from viz.palette import ThemeName, theme

ROW, HEAD, PAD, GAP = 40, 26, 10, 34
"""Pixels of a row, of the line of step numbers, around the picture, and from a column to the next."""
LONGEST = 12
"""Characters of a token; the rest is an ellipsis."""
SIZE = 13
LEAST = 40
"""Width of a column whose tokens are all short."""
THIN, THICK = 0.75, 5.0
"""Width of a line for probability 0 and 1."""


@dataclass(frozen=True)
class Node:
    """A token that could have come next.

    Args:
        step: its column, counted from 0.
        rank: its row, counted from 0.
        parent: index of the node that it extends; None for the start.
        token: what it adds.
        probability: of the token given what stands before it, 0..1.
        kept: False where it was pruned.
        name: what stands beside the end of an output, such as its place among all; empty for any other node.
    """

    step: int
    rank: int
    parent: int | None
    token: str
    probability: float
    kept: bool = True
    name: str = ""


def colours(name: ThemeName) -> dict[str, str]:
    """What a tree is coloured with, by CSS variable."""
    of = theme(name)
    return {
        "--ink": of.text,
        "--soft": of.muted,
        "--rule": of.line,
        "--paper": of.surface,
        "--primary": of.primary,
        "--accent": of.accent,
    }


def tree(nodes: Sequence[Node], *, chosen: Collection[int] = (), label: str) -> str:
    """Draw a tree from left to right as an SVG whose colours are CSS variables.

    Args:
        nodes: parents stand before their children.
        chosen: indices of the nodes of one path, drawn in the strong colour.
        label: what it is, for who does not see it; words of our own.

    Raises:
        ValueError: no nodes, a parent that is not in the column before, two nodes in one place, or a probability
            outside 0..1.
    """
    _check(nodes)
    steps = 1 + max(node.step for node in nodes)
    rows = 1 + max(node.rank for node in nodes)
    widths = [max(LEAST, *(_box(node) for node in nodes if node.step == step)) for step in range(steps)]
    lefts = list(itertools.accumulate((width + GAP for width in widths), initial=PAD + LEAST + GAP))
    width, height = lefts[-1] - GAP + PAD, HEAD + rows * ROW + PAD
    heads = "".join(f'<text class="step" x="{left:g}" y="16">{step}</text>' for step, left in enumerate(lefts[:-1]))
    lines, marks = [], []
    # last, so that it lies on top of all other lines
    for index in sorted(range(len(nodes)), key=lambda index: index in chosen):
        node = nodes[index]
        kind = "chosen" if index in chosen else "kept" if node.kept else "pruned"
        x, y = lefts[node.step], _middle(node.rank)
        if node.parent is None:
            from_x, from_y = float(PAD + LEAST), _middle(0)
        else:
            parent = nodes[node.parent]
            from_x, from_y = lefts[parent.step] + _box(parent), _middle(parent.rank)
        stroke = THIN + (THICK - THIN) * min(1.0, node.probability)
        lines.append(_line(from_x + 2, from_y, x - 4, y, lefts[node.step] - GAP + 2, kind, stroke))
        marks.append(_mark(node, x, y, kind))
    start = f'<g class="chosen"><text class="token" x="{PAD}" y="{_middle(0) + 4:g}">&lt;s&gt;</text></g>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}">{heads}{"".join(lines)}{start}{"".join(marks)}</svg>'
    )


def _check(nodes: Sequence[Node]) -> None:
    if not nodes:
        raise ValueError("nodes: expected at least one, got 0")
    places = set()
    for index, node in enumerate(nodes):
        before = -1 if node.parent is None else nodes[node.parent].step if 0 <= node.parent < index else None
        if before != node.step - 1:
            raise ValueError(f"nodes[{index}]: expected a parent at step {node.step - 1}, got {node.parent}")
        if not 0 <= node.probability <= 1 + 1e-3:
            raise ValueError(f"nodes[{index}]: expected a probability 0..1, got {node.probability}")
        if (node.step, node.rank) in places:
            raise ValueError(f"nodes[{index}]: there is one at step {node.step}, rank {node.rank} already")
        places.add((node.step, node.rank))


def _token(node: Node) -> str:
    label = shown(node.token)
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def _box(node: Node) -> float:
    """Width of a node's words."""
    # The chosen path is bold, and wider by about a pixel a letter.
    return max(estimated_width(_token(node), SIZE + 2), estimated_width(_below(node), SIZE - 2))


def _below(node: Node) -> str:
    return f"{percent(min(1.0, node.probability))}{f' · {node.name}' if node.name else ''}"


def _middle(rank: int) -> float:
    return HEAD + rank * ROW + ROW / 2


def _line(x0: float, y0: float, x1: float, y1: float, bend: float, kind: str, stroke: float) -> str:
    """A line that runs level to where the column before ends, then bends to its own row."""
    middle = (bend + x1) / 2
    path = f"M{x0:g} {y0:g}H{bend:g}C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}"
    return f'<path class="{kind}" d="{path}" stroke-width="{stroke:.2f}"/>'


def _mark(node: Node, x: float, y: float, kind: str) -> str:
    classes = f"{kind} ended" if node.name else kind
    frame = f'<rect x="{x - 3:g}" y="{y - 15:g}" width="{_box(node) + 6:g}" height="31" rx="4"/>' if node.name else ""
    said = f"{shown(node.token)}, {percent(min(1.0, node.probability))}{'' if node.kept else ', pruned'}"
    return (
        f'<g class="{classes}"><title>{escape(said)}</title>{frame}'
        f'<text class="token" x="{x:g}" y="{y - 1:g}">{escape(_token(node))}</text>'
        f'<text class="share" x="{x:g}" y="{y + 12:g}">{escape(_below(node))}</text></g>'
    )
