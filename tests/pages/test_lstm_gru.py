"""The page of the gated cells: gates and ledgers are the models', whichever of the models there are."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from dashboard import runs
from pretrained import entry
from pretrained.analysis import recurrent
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of, size_of
from tests.pages.test_encoder_decoder import assert_drawn

PAGE, TEXT = "lstm_gru", "I am happy."
MODELS = {"RNN": "rnn-seq2seq", "LSTM": "lstm-seq2seq", "GRU": "gru-seq2seq"}
FIGURES = {"bidi_component 0", "plotly_chart 0"}
MANY = "the cat and " * 20
CARD = entry("gru-seq2seq").card()


@pytest.fixture(autouse=True)
def _models(finish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "TIMED_SECONDS", 0)
    finish(*MODELS.values(), card=CARD)


def lines(at: AppTest, chart: int = 0) -> dict[str, NDArray[np.float32]]:
    """Give the heights of every line of a chart, by name."""
    found = [one for one in json.loads(at.get("plotly_chart")[chart].proto.spec)["data"] if "lines" in one["mode"]]
    return {one["name"]: np.frombuffer(base64.b64decode(one["y"]["bdata"]), "<f4") for one in found}


def words(at: AppTest) -> str:
    return " ".join(str(one.value) for one in at.markdown)


@pytest.mark.parametrize(("text", "readable"), [*ODD_TEXTS.items(), (MANY, True)])
def test_no_text_ends_in_an_exception_and_none_is_markup(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert figures_of(at).keys() == (FIGURES if readable else set())
    assert bool(at.info) != readable, "an unreadable text is explained"
    for kind in ("markdown", "caption", "metric", "latex"):
        shown = [str(getattr(element, "value", "")) for element in at.get(kind)]
        assert not text.strip() or not any(text in one for one in shown)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_another_sentence_and_other_weights_change_every_figure(visit: Visit, finish, cell: str) -> None:
    one, other = (figures_of(visit(PAGE, text=text, cell=cell)) for text in (TEXT, "The old dog sleeps."))
    finish(*MODELS.values(), seed=2, card=CARD)
    reseeded = figures_of(visit(PAGE, text=TEXT, cell=cell))
    assert one.keys() == other.keys() == reseeded.keys() == FIGURES
    assert [name for name in one if one[name] in (other[name], reseeded[name])] == []


@pytest.mark.parametrize("side", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("cell", "parts"),
    [("LSTM", ["gate-i", "gate-f", "gate-o", "gate-g", "cell"]), ("GRU", ["gate-r", "gate-z", "gate-n"])],
)
def test_the_cells_are_the_models_gates(visit: Visit, cell: str, parts: list[str], side: str) -> None:
    meta, cells = drawn(visit(PAGE, text=TEXT, cell=cell, side=side), "gates")
    trace = runs.run(MODELS[cell], TEXT)
    assert [one["title"][0] for one in meta["matrices"]] == [part.removeprefix("gate-")[0] for part in parts]
    for values, part in zip(cells, parts, strict=True):
        (state,) = trace.states_of(f"{side}-{part}")
        # The cell state is on a scale of its own, as bytes it comes as a share of its end.
        end = np.abs(state.values).max() if part == "cell" and values.dtype != np.float32 else 1
        assert_drawn(values, state.values / end)


@pytest.mark.parametrize(
    ("cell", "summands", "total"),
    [("LSTM", ["f · c", "i · g"], "new c"), ("GRU", ["(1 − z) · n", "z · h"], "h")],
)
def test_the_ledger_balances_and_ends_where_the_model_does(
    visit: Visit, cell: str, summands: list[str], total: str
) -> None:
    step, unit = 2, 17
    at = visit(PAGE, text=TEXT, cell=cell, step=step, unit=unit)
    trace = runs.run(MODELS[cell], TEXT)
    used = trace.states_of("encoder-hidden")[0].values[: step + 1, unit]
    table = at.dataframe[0].value
    assert table["token"].tolist() == list(trace.source_tokens[: step + 1])
    assert table["t"].tolist() == list(range(step + 1))
    np.testing.assert_allclose(table["h"], used, atol=2e-6)
    np.testing.assert_allclose(table[summands].sum(axis=1), table[total], atol=1e-12)
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["By the formula"] == shown["In the model"] == f"{used[-1]:.4f}".replace("-", "−")
    assert size_of(shown["Difference"]) < 2e-6
    assert f"{{{step},\\,{unit}}}" in at.latex[1].value
    assert f"= {used[-1]:.4f}" in at.latex[1].value
    assert [name for name, value in table.iloc[-1][2:].items() if f"{value:.4f}" not in at.latex[1].value] == []


def test_three_cells_on_one_axis(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT)
    expected = recurrent.relative_gradient_norms(*map(runs.load, MODELS.values()), TEXT)
    assert list(lines(at)) == list(MODELS)
    for values, shares in zip(lines(at).values(), expected, strict=True):
        np.testing.assert_allclose(values, shares, rtol=1e-5)
    best = list(MODELS)[int(np.argmax([shares[0] for shares in expected]))]
    at.radio[0].set_value("RNN").run()
    assert f"**{best}**. The first token's share is" in words(at)


@pytest.mark.parametrize(
    ("speeds", "chrf", "verdicts"),
    [
        ((100.0, 150.0), (29.0, 29.9), ("1.50 times", "**faster**", "**about as good**")),
        ((100.0, 95.0), (29.0, 33.0), ("0.95 times", "**equally fast**", "33.0 against 29.0: **better**")),
        ((100.0, 50.0), (29.0, 27.0), ("0.50 times", "**slower**", "27.0 against 29.0: **worse**")),
    ],
)
def test_verdicts_follow_the_numbers(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, speeds: Any, chrf: Any, verdicts: tuple[str, ...]
) -> None:
    scored = dict(zip(("lstm-seq2seq", "gru-seq2seq"), chrf, strict=True))
    monkeypatch.setattr(recurrent, "reading_speeds", lambda *_: speeds)
    monkeypatch.setattr(
        runs, "card", lambda name: CARD | {"scores": {"test": {"metrics": {"chrf": scored.get(name, 0.0)}}}}
    )
    at = visit(PAGE, text=TEXT)
    assert [one for one in verdicts if one not in words(at)] == []
    table = at.dataframe[1].value.set_index("measured")
    assert table.loc["Score (chrF)"].tolist() == [f"{score:.1f}" for score in chrf]
    assert table.loc["Tokens it reads a second"].tolist() == [f"{speed:,.0f}" for speed in speeds]
    layers = [recurrent.encoder(runs.load(MODELS[cell])) for cell in ("LSTM", "GRU")]
    counted = [f"{sum(one.numel() for one in layer.parameters()):,}" for layer in layers]
    assert table.loc["Its parameters"].tolist() == counted


@pytest.mark.parametrize("there", [("LSTM",), ("RNN", "LSTM"), ("LSTM", "GRU")])
def test_the_page_draws_the_models_that_there_are(visit: Visit, finish, there: tuple[str, ...]) -> None:
    finish(*(MODELS[cell] for cell in there), card=CARD)
    at = visit(PAGE, text=TEXT)
    assert not at.exception
    assert tuple(lines(at)) == there
    assert len(at.radio) == (len(there) > 1), "of one cell there is nothing to predict"
    assert len(at.dataframe) == 1 + (set(there) >= {"LSTM", "GRU"})


def test_recall_is_drawn_once_it_is_measured(visit: Visit, finish) -> None:
    assert len(visit(PAGE, text=TEXT).get("plotly_chart")) == 1
    ranges = {"5-12": {"count": 9, "accuracy": 0.75}, "13-20": {"count": 9, "accuracy": 0.25}}
    scores = {"test": CARD["scores"]["test"] | {"by_distance": ranges}}
    finish(*MODELS.values(), "recall-rnn", "recall-gru", card=CARD | {"scores": scores})
    at = visit(PAGE, text=TEXT)
    assert not at.exception
    assert {name: values.tolist() for name, values in lines(at, 1).items()} == {
        "recall-rnn": [0.75, 0.25],
        "recall-gru": [0.75, 0.25],
    }
    places = json.loads(at.get("plotly_chart")[1].proto.spec)["data"][0]["x"]["bdata"]
    assert np.frombuffer(base64.b64decode(places), "<f4").tolist() == [8.5, 16.5]


def test_an_impossible_link_is_forgotten(visit: Visit) -> None:
    whole = figures_of(visit(PAGE, text=TEXT))
    for wrong in ({"unit": 9999}, {"cell": "x"}, {"side": "x"}, {"step": 99}):
        at = visit(PAGE, text=TEXT, **wrong)
        assert not at.exception
        assert figures_of(at) == whole, wrong
