"""Visits to the app without a browser: pages through the front door, and what every figure on them was given."""

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from dashboard import runs, story
from pretrained import ENTRIES, entry, hub, loading, tokenization
from pretrained.compression import Compressor
from pretrained.model import Model
from pretrained.registry import Entry
from pretrained.tokenization import Tokenizer
from pretrained.training import language
from pretrained.translation import Translator
from tests.models import tiny

FRONT_DOOR = Path(__file__).parents[2] / "streamlit_app.py"
FIGURES = ("bidi_component", "plotly_chart", "vega_lite_chart", "arrow_vega_lite_chart")
LONG_TEXT = "the cat and " * 40

# Texts that must never end in a traceback, and whether the models can read them.
ODD_TEXTS = {
    "Hello": True,
    "": False,
    "   ": False,
    LONG_TEXT: False,
    "🙂🙂": False,
    "你好，世界": False,
    "مرحبا بالعالم": False,
    "\x07\x00": False,
    "<b>I am happy</b> </s> <script>alert(1)</script>": True,
    "![picture](https://example.org/x.png) **bold** $x$": True,
    "I am happy 🙂": True,
}

Visit = Callable[..., AppTest]


@pytest.fixture
def visit() -> Visit:
    """Open a page by its file's name: ``visit("attention", text="I am happy.", step=2)``."""

    def open_page(page: str, **parameters: object) -> AppTest:
        at = AppTest.from_file(FRONT_DOOR, default_timeout=60)
        for name, value in parameters.items():
            at.query_params[name] = str(value)
        at.run()
        if page != "start":
            at.switch_page(f"dashboard/pages/{page}.py").run()
        return at

    return open_page


def matrices_of(at: AppTest) -> list[Any]:
    """Give the components that draw arrays, in their order; one that is given words only is a menu."""
    return [component for component in at.get("bidi_component") if not component.proto.json]


def drawn(at: AppTest, key: str) -> tuple[dict[str, Any], list[NDArray[np.generic]]]:
    """What the matrix component of this key was sent: its description and its cells."""
    (component,) = [one for one in at.get("bidi_component") if one.proto.id.endswith(f"-{key}")]
    blob: bytes = component.proto.bytes
    (length,) = struct.unpack_from("<I", blob)
    meta = json.loads(blob[4 : 4 + length])
    cells = [np.frombuffer(blob, one["type"], one["length"], 4 + length + one["start"]) for one in meta["arrays"]]
    return meta, cells


def curve(at: AppTest, figure: int, line: int = 0) -> NDArray[np.float32]:
    """Give the heights of one line of a chart, its dots left out."""
    drawn = json.loads(at.get("plotly_chart")[figure].proto.spec)["data"]
    y = [one["y"] for one in drawn if "lines" in one["mode"]][line]
    return np.frombuffer(base64.b64decode(y["bdata"]), "<f4")


def said(at: AppTest, words: str) -> str:
    """The one paragraph with these words."""
    (found,) = [one.value for one in at.markdown if words in one.value]
    return str(found)


def size_of(written: str) -> float:
    """Read what ``viz.numbers.rough`` wrote."""
    digit, _, exponent = written.partition("·10")
    return float(digit) * 10.0 ** int(exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)


def figures_of(at: AppTest) -> dict[str, str]:
    """Give a digest of what each figure on a page was given, by kind and order."""
    found = {}
    for kind in FIGURES:
        for number, element in enumerate(matrices_of(at) if kind == "bidi_component" else at.get(kind)):
            found[f"{kind} {number}"] = hashlib.sha256(element.proto.SerializeToString()).hexdigest()
    return found


@pytest.fixture
def random_weights(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Put models of random weights in the place of the shipped ones: ``random_weights(seed)``."""

    def put(seed: int) -> None:
        models = {}
        for known in filter(lambda known: known.finished and known.task.startswith("translation"), ENTRIES):
            torch.manual_seed(seed)
            network = loading.build(known).eval()
            models[known.name] = Translator(entry(known.name), network, tokenization.load("enfr"), 0.0)
        st.cache_resource.clear()
        monkeypatch.setattr(runs, "load", models.__getitem__)

    yield put
    st.cache_resource.clear()


@pytest.fixture
def finish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Let these translators alone be finished, with random weights: ``finish("rnn-seq2seq", seed=2, card={...})``."""
    shipped = runs.load

    def put(*names: str, seed: int = 1, card: dict[str, Any] | None = None) -> None:
        models = {}
        for name in names:
            torch.manual_seed(seed)
            models[name] = Translator(entry(name), loading.build(entry(name)).eval(), tokenization.load("enfr"), 0.0)
        st.cache_resource.clear()
        st.cache_data.clear()
        monkeypatch.setattr(runs, "load", lambda name: models[name] if name in models else shipped(name))
        monkeypatch.setattr(Entry, "finished", property(lambda known: known.name in models))
        monkeypatch.setattr(story, "CHAPTERS", story.listed())
        if card is not None:
            monkeypatch.setattr(Entry, "card", lambda _: card)

    yield put
    st.cache_resource.clear()
    st.cache_data.clear()


BABI = (
    "Mary John Sandra went moved travelled back to the kitchen garden office bedroom hallway. Where is in got milk "
    "there? Wolves are afraid of mice sheep cats Jessica a Emily. What"
)
"""Every word that the stories of the applications page have."""
# What their real cards hold of what pages show.
OTHER_CARDS: dict[str, dict[str, Any]] = {
    "compress-transformer": {
        "scores": {
            "test": {
                "count": 1000,
                "metrics": {"f1": 0.7, "exact_match": 0.1, "kept": 0.4, "baseline": 0.5, "chance": 0.3},
                "lead": {"best": {"words": 9, "f1": 0.5}},
            }
        }
    },
    "babi-transformer": {
        "parameters": 262_000,
        "scores": {
            "test": {
                "count": 40,
                "metrics": {"accuracy": 0.75},
                "by_tag": {"1": {"count": 30, "accuracy": 0.9}, "15": {"count": 10, "accuracy": 0.3}},
            }
        },
        "guesses": {"1": {"chance": 0.2, "baseline": 0.4}, "15": {"chance": 0.6, "baseline": 0.8}},
        "supporting_facts": {"layer": 1, "head": 0, "by_tag": {"1": {"share": 0.6, "chance": 0.25}}},
    },
    "gpt-mini": {
        "parameters": 3_800_000,
        "scores": {
            "test": {
                "metrics": {"perplexity": 70.0, "pieces": 1000, "kneser_ney_2": 190.0, "kneser_ney_3": 150.0},
            }
        },
    },
}


def _other(name: str, seed: int, folder: Path) -> Model:
    """Make a small model of another task, with random weights."""
    known = entry(name)
    if name == "gpt-mini":
        torch.manual_seed(seed)
        network = hub.build(known, {"d_model": 16, "n_layers": 2, "n_heads": 2})
        language.write_folder(network, tokenization.FOLDER / "en.json", folder / name)
        made = hub.load(folder / name)
        made.entry = known
        return made
    if name == "babi-transformer":
        tokenization.train_words(iter([BABI]), path=folder / "babi.json")
        tokenizer = Tokenizer(folder / "babi.json")
        return Translator(known, tiny.network(known, seed=seed, d_vocab=len(tokenizer)), tokenizer, 0.0)
    tokenizer = tokenization.load("compress")
    network = tiny.network(known, seed=seed, d_vocab=len(tokenizer))
    network.to_score.weight *= 20  # words are kept and dropped
    return Compressor(known, network, tokenizer, 0.0)


@pytest.fixture
def other_tasks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Of the other tasks, let these be finished: ``other_tasks("gpt-mini", seed=2)``; the rest is as shipped."""
    load, card = runs.load, runs.card
    shipped = {known.name for known in ENTRIES if known.finished}

    def put(*names: str, seed: int = 1) -> None:
        models = {name: _other(name, seed, tmp_path / str(seed)) for name in names}
        st.cache_resource.clear()
        monkeypatch.setattr(runs, "load", lambda name: models[name] if name in models else load(name))
        monkeypatch.setattr(runs, "card", lambda name: OTHER_CARDS[name] if name in models else card(name))
        monkeypatch.setattr(
            Entry,
            "finished",
            property(lambda known: known.name in models or known.name in shipped - OTHER_CARDS.keys()),
        )

    yield put
    st.cache_resource.clear()
