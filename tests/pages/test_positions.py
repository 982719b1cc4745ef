"""The positions page: no weights in its figures, this sentence's numbers in its formula."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runs
from pretrained import registry
from pretrained.analysis import positions
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of

PAGE = "positions"
TRANSLATORS: dict[str, Any] = {"task": "translation en-fr", "parent": None}
OTHERS = [kind for kind in ("learned", "rotary") if registry.finished(**TRANSLATORS, positions=kind)]
MATRICES = 2 + (1 + len(OTHERS) if OTHERS else 0)
FIGURES = {f"bidi_component {number}" for number in range(MATRICES)} | {"plotly_chart 0", "plotly_chart 1"}
TEXT = "I am happy."


def formula(at: AppTest) -> str:
    return str(at.latex[0].value)


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def network() -> Any:
    return runs.load("transformer").network


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert figures_of(at).keys() == (FIGURES if readable else set())
    assert bool(at.info) != readable, "an unreadable text is explained"


def test_a_longer_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "I am happy and you are not."))
    assert one.keys() == other.keys() == FIGURES
    assert [name for name in one if one[name] == other[name]] == []


def test_weights_do_not_change_the_figures_but_do_change_what_is_measured(visit: Visit, random_weights) -> None:
    figures, measured = [], []
    for seed in (1, 2):
        random_weights(seed)
        at = visit(PAGE, text=TEXT)
        figures.append([figures_of(at)[name] for name in ("bidi_component 0", "bidi_component 1", "plotly_chart 0")])
        measured.append((metrics(at), [text.value for text in at.markdown if "Measured:" in text.value]))
    assert figures[0] == figures[1]
    assert measured[0][0] != measured[1][0]
    assert measured[0][0]["Position's vector"] == measured[1][0]["Position's vector"]
    assert len(measured[0][1]) == 1
    assert measured[0][1] != measured[1][1]


def test_the_formula_has_this_sentences_numbers_and_the_models_value(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, pos=2, wave=9)
    d_model = network().config.d_model
    used = float(network().positions(3)[2, 18])
    assert f"PE(2, 18) &= \\sin\\left(\\frac{{2}}{{10000^{{18 / {d_model}}}}}\\right)" in formula(at)
    assert f"{used:.4f}" in formula(at)
    shown = metrics(at)
    assert shown["By the formula"] == shown["Used by the model"] == f"{used:.4f}".replace("-", "−")
    assert runs.run("transformer", TEXT).source_tokens[2] in [text.value for text in at.text]


@pytest.mark.parametrize("pos", [0, 1, 4])
@pytest.mark.parametrize("wave", [0, 6, 95])
def test_formula_and_model_agree_wherever_a_reader_looks(visit: Visit, pos: int, wave: int) -> None:
    shown = metrics(visit(PAGE, text=TEXT, pos=pos, wave=wave))
    assert shown["By the formula"] == shown["Used by the model"]


def test_position_and_wave_change_the_waves(visit: Visit) -> None:
    waves = {
        figures_of(visit(PAGE, text=TEXT, pos=pos, wave=wave))["plotly_chart 0"] for pos in (0, 2) for wave in (1, 9)
    }
    assert len(waves) == 4


def test_every_pair_lies_on_the_curve(visit: Visit) -> None:
    chart = visit(PAGE, text=TEXT).get("plotly_chart")[1]
    line, pairs = json.loads(chart.proto.spec)["data"]
    assert (line["mode"], pairs["mode"]) == ("lines", "markers")
    n = len(runs.run("transformer", TEXT).source_tokens)
    x, y = (np.frombuffer(base64.b64decode(pairs[axis]["bdata"]), "<f4") for axis in "xy")
    assert len(x) == n * (n + 1) / 2
    assert y[x == 0] == pytest.approx(network().config.d_model / 2)
    for distance in range(n):
        assert np.ptp(y[x == distance]) < 1e-3


def test_a_shuffled_sentence_is_read_as_well(visit: Visit) -> None:
    for seed in (1, 2):
        at = visit(PAGE, text=TEXT, order=seed)
        other = positions.shuffled(TEXT, seed)
        shown = [text.value for text in at.text]
        assert other in shown
        assert runs.run("transformer", other).output in shown
        found = positions.moved_when_shuffled(runs.load("transformer"), TEXT, seed)
        assert metrics(at)["A token's vector moves, with positions"] == f"{found.with_positions:.0%}"
    assert "**order is lost**" in " ".join(text.value for text in at.markdown)


def test_learned_and_rotary_positions_stand_beside_the_sinusoids(visit: Visit, finish) -> None:
    finish("transformer", "conv-seq2seq", "transformer-rotary")
    at = visit(PAGE, text=TEXT)
    assert not at.exception
    moved = [metric.value for metric in at.metric if "its vectors move" in metric.label]
    assert [value.endswith("%") for value in moved] == [True, True, False], "turning knows distances alone"
    models = [runs.load(name) for name in ("transformer", "conv-seq2seq", "transformer-rotary")]
    for kind, way in zip(("sinusoidal", "learned", "rotary"), positions.ways(*models, TEXT, 10), strict=True):
        _, cells = drawn(at, kind)
        np.testing.assert_allclose(cells[0].astype(float), way.likeness.ravel(), atol=1e-5)


def test_an_impossible_link_is_forgotten(visit: Visit) -> None:
    whole = figures_of(visit(PAGE, text=TEXT))
    for wrong in ({"pos": 99}, {"pos": -1}, {"pos": "abc"}, {"wave": 96}, {"wave": "x"}, {"order": 1000}):
        at = visit(PAGE, text=TEXT, **wrong)
        assert not at.exception
        assert figures_of(at) == whole, wrong


def test_what_was_typed_is_never_markdown(visit: Visit) -> None:
    at = visit(PAGE, text="Zebra **bold** ![x](https://example.org/x.png)", pos=1)
    kinds = (at.markdown, at.caption, at.header, at.subheader, at.latex)
    words = [element.value for kind in kinds for element in kind]
    assert [word for word in words if "Zebra" in word or "example.org" in word] == []


@pytest.mark.parametrize("knows", [True, False])
def test_a_model_without_positions_writes_one_sentence_for_all_orders(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, knows: bool
) -> None:
    (unordered,) = registry.finished(task="translation en-fr", positions="none")
    ordinary, run = registry.entry("transformer"), runs.run
    if knows:  # a model that can tell orders apart stands in its place
        monkeypatch.setattr(
            runs, "run", lambda name, *given: run(ordinary.name if name == unordered.name else name, *given)
        )
    at = visit(PAGE, text="The cat drank the milk because it was hungry.")
    words = " ".join(str(one.value) for one in (*at.markdown, *at.caption))
    assert ("it cannot tell them apart" in words) != knows
    assert ("does not write the same for both orders" in words) == knows
    scores = (known.card()["scores"]["test"]["metrics"]["chrf"] for known in (unordered, ordinary))
    assert [f"{score:.1f}" in words for score in scores] == [True, True]
