"""Imports run one way: streamlit_app -> dashboard -> {viz, pretrained}. This walks the syntax trees and proves it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# What each room of the product may import of the other rooms, and the libraries that it must not know.
ARROWS = {
    "streamlit_app": {"dashboard"},
    "dashboard": {"viz", "pretrained"},
    "viz": set(),
    "pretrained": set(),
}
STRANGERS = {
    "streamlit_app": set(),
    "dashboard": set(),
    "viz": {"streamlit", "torch"},
    "pretrained": {"streamlit", "plotly", "altair"},
}
# Rooms outside the product: they may look at everything, and nothing of the product may look at them.
OUTSIDE = {"tests", "bench", "deploy", "examples"}
NOT_OURS = {"build", "checkpoints", "data"}

TRAINING = "pretrained.training"
TRAINERS = (TRAINING, "pretrained.__main__")


class Import(NamedTuple):
    line: int
    module: str


def python_files(root: Path) -> list[Path]:
    """Every Python file below ``root``, relative to it, without hidden and git-ignored folders."""
    files = (path.relative_to(root) for path in sorted(root.rglob("*.py")))
    return [path for path in files if path.parts[0] not in NOT_OURS and not any(p.startswith(".") for p in path.parts)]


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def absolute(name: str, level: int, package: str) -> str:
    """Resolve ``level`` leading dots of an import written inside ``package``."""
    if level == 0:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *filter(None, [name])])


def literal_prefix(node: ast.expr) -> str:
    """The text that a string expression surely starts with: all of a literal, the head of an f-string."""
    if isinstance(node, ast.JoinedStr):
        return literal_prefix(node.values[0]) if node.values else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def imports_of(source: str, package: str) -> Iterator[Import]:
    """Every module that a file of ``package`` imports, by statement or by name, wherever in the file."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                origin = absolute(module or "", level, package)
                # `from a import b` may name the module a.b.
                yield from (Import(node.lineno, f"{origin}.{alias.name}") for alias in names)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[first, *_]) if called in {
                "import_module",
                "__import__",
            }:
                name = literal_prefix(first)
                bare = name.lstrip(".")
                if name:
                    yield Import(node.lineno, absolute(bare, len(name) - len(bare), package).rstrip("."))


def violations(root: Path) -> list[str]:
    """Every import below ``root`` that runs against the direction, as ``file:line: imports module``."""
    files = python_files(root)
    rooms = {path.parts[0].removesuffix(".py") for path in files}
    found = [f"{room}: a room without a rule" for room in sorted(rooms - set(ARROWS) - OUTSIDE)]
    for path in files:
        module = ".".join(path.with_suffix("").parts)
        package = module.rpartition(".")[0]  # also for an __init__.py
        room = path.parts[0].removesuffix(".py")
        if room not in ARROWS:
            continue
        for line, imported in imports_of((root / path).read_text(encoding="utf-8"), package):
            top = imported.partition(".")[0]
            forbidden = top in (rooms | set(ARROWS) | OUTSIDE) - ARROWS[room] - {room} or top in STRANGERS[room]
            if within(imported, TRAINING) and not any(within(module, trainer) for trainer in TRAINERS):
                forbidden = True
            if forbidden:
                found.append(f"{path}:{line}: imports {imported}")
    return found


def test_imports_run_one_way() -> None:
    assert violations(ROOT) == []


def test_the_walk_reaches_the_product() -> None:
    rooms = {path.parts[0].removesuffix(".py") for path in python_files(ROOT)}
    assert rooms >= set(ARROWS)


def plant(root: Path, path: str, source: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "source", "imported"),
    [
        ("viz/heatmap.py", "import streamlit as st", "streamlit"),
        ("viz/heatmap.py", "import torch.nn.functional as F", "torch.nn.functional"),
        ("viz/heatmap.py", "from pretrained.trace import Trace", "pretrained.trace.Trace"),
        ("viz/heatmap.py", "from ..pretrained import trace", "pretrained.trace"),
        ("viz/heatmap.py", "def draw():\n    from dashboard import controls", "dashboard.controls"),
        ("viz/heatmap.py", "if TYPE_CHECKING:\n    import torch", "torch"),
        ("pretrained/hub.py", "import plotly.graph_objects as go", "plotly.graph_objects"),
        ("pretrained/hub.py", "import altair", "altair"),
        ("pretrained/hub.py", "import streamlit", "streamlit"),
        ("pretrained/hub.py", "from viz import palette", "viz.palette"),
        ("pretrained/hub.py", "import dashboard.runs", "dashboard.runs"),
        ("pretrained/registry.py", "from pretrained import training", "pretrained.training"),
        ("pretrained/registry.py", "from . import training", "pretrained.training"),
        ("pretrained/__init__.py", "from .training.loop import train", "pretrained.training.loop.train"),
        ("pretrained/analysis/cost.py", "from ..training.loop import step", "pretrained.training.loop.step"),
        ("dashboard/runs.py", "from pretrained.training import loop", "pretrained.training.loop"),
        ("dashboard/pages/rnn.py", "import streamlit_app", "streamlit_app"),
        ("dashboard/pages/rnn.py", "from tests import pages", "tests.pages"),
        ("streamlit_app.py", "import pretrained.training", "pretrained.training"),
        ("streamlit_app.py", "import viz", "viz"),
        ("streamlit_app.py", "import importlib\nimportlib.import_module('pretrained.hub')", "pretrained.hub"),
        ("dashboard/runs.py", "import_module(f'pretrained.training.{name}')", "pretrained.training"),
        ("pretrained/registry.py", "import_module('.training', 'pretrained')", "pretrained.training"),
        ("viz/heatmap.py", "__import__('torch')", "torch"),
    ],
)
def test_a_forbidden_import_is_caught(tmp_path: Path, path: str, source: str, imported: str) -> None:
    plant(tmp_path, path, source)
    line = 1 + source.count("\n")
    assert [text for text in violations(tmp_path) if "importlib" not in text] == [f"{path}:{line}: imports {imported}"]


def test_a_new_room_needs_a_rule(tmp_path: Path) -> None:
    plant(tmp_path, "helpers/text.py", "import streamlit")
    assert violations(tmp_path) == ["helpers: a room without a rule"]


def test_lawful_imports_pass(tmp_path: Path) -> None:
    plant(tmp_path, "streamlit_app.py", "import streamlit as st\nfrom dashboard import controls")
    plant(tmp_path, "dashboard/pages/rnn.py", "import streamlit\nimport viz.heatmap\nfrom pretrained import registry")
    plant(tmp_path, "dashboard/runs.py", "import pretrained\nimport pretrained.training_cost")
    plant(tmp_path, "viz/heatmap.py", "import numpy, plotly, altair\nfrom . import palette")
    plant(tmp_path, "pretrained/hub.py", "import torch\nfrom .trace import Trace\nimport_module(name)")
    plant(tmp_path, "pretrained/__main__.py", "from .training import loop\nfrom pretrained.training import data")
    plant(tmp_path, "pretrained/training/loop.py", "from . import data\nfrom .. import trace")
    plant(tmp_path, "tests/pages/test_rnn.py", "import streamlit, pretrained.training, viz")
    plant(tmp_path, "data/anything.py", "import streamlit_app")
    plant(tmp_path, ".venv/lib/anything.py", "import dashboard")
    assert violations(tmp_path) == []
