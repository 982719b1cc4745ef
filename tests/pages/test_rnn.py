"""The page of the plain recurrent network: its numbers are the model's, its verdicts follow them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from dashboard import runs
from pretrained.analysis import gradients, recurrent
from tests.pages.conftest import ODD_TEXTS, Visit, curve, figures_of, size_of

PAGE, MODEL, TEXT = "rnn", "rnn-seq2seq", "I am happy."
FIGURES = {"bidi_component 0", "plotly_chart 0", "plotly_chart 1", "plotly_chart 2"}
VANISHING, EXPLODING, FORGETTING = range(3)
MANY = "the cat and " * 20


@pytest.fixture(autouse=True)
def _model(finish) -> None:
    finish(MODEL)


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


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


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "The old dog sleeps."))
    assert one.keys() == other.keys() == FIGURES
    assert [name for name in one if one[name] == other[name]] == []


def test_other_weights_change_every_figure(visit: Visit, finish) -> None:
    one = figures_of(visit(PAGE, text=TEXT))
    finish(MODEL, seed=2)
    other = figures_of(visit(PAGE, text=TEXT))
    assert [name for name in one if one[name] == other[name]] == []


@pytest.mark.parametrize(("step", "unit"), [(0, 0), (2, 17)])
def test_a_step_is_this_units(visit: Visit, step: int, unit: int) -> None:
    at = visit(PAGE, text=TEXT, step=step, unit=unit)
    trace = runs.run(MODEL, TEXT)
    used = trace.states_of("encoder-hidden")[0].values[: step + 1, unit]
    shown = metrics(at)
    assert shown["By the formula"] == shown["In the model"] == f"{used[-1]:.4f}".replace("-", "−")
    assert size_of(shown["Difference"]) < 1e-6
    assert f"h_{{{step},\\,{unit}}}" in at.latex[1].value
    assert f"= {used[-1]:.4f}" in at.latex[1].value
    table = at.dataframe[0].value
    assert table["token"].tolist() == list(trace.source_tokens[: step + 1])
    assert table["t"].tolist() == list(range(step + 1))
    np.testing.assert_allclose(table["h, tanh of the sum"], used, atol=1e-6)
    summands = table[["W x, this token", "U h, what was read", "b"]].sum(axis=1)
    np.testing.assert_allclose(np.tanh(summands), used, atol=1e-6)
    x, h, b = table.iloc[-1][["W x, this token", "U h, what was read", "b"]]
    assert f"\\tanh({x:.4f} {h:+.4f} {b:+.4f})" in at.latex[1].value
    assert trace.source_tokens[step] in [one.value for one in at.text]


def test_the_ledger_of_a_long_sentence_ends_at_the_step(visit: Visit) -> None:
    table = visit(PAGE, text=MANY, step=40).dataframe[0].value
    assert table["t"].tolist() == list(range(29, 41))
    used = runs.run(MODEL, MANY.strip()).states_of("encoder-hidden")[0].values[29:41, 0]
    np.testing.assert_allclose(table["h, tanh of the sum"], used, atol=1e-6)


def test_curves_are_measured_on_the_trained_encoder(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, scale=3)
    model = runs.load(MODEL)
    layer, inputs = model.network.encoder, model.network.embedding(torch.tensor(model.read(TEXT).ids))
    trained, scaled = (gradients.jacobian_norms(layer, inputs, scale=scale) for scale in (1.0, 3.0))
    np.testing.assert_allclose(curve(at, VANISHING), trained, rtol=1e-4)
    np.testing.assert_allclose(curve(at, EXPLODING, 0), trained, rtol=1e-4)
    np.testing.assert_allclose(curve(at, EXPLODING, 1), scaled, rtol=1e-4)
    moved = gradients.moved_by_a_word(layer, inputs, torch.zeros(inputs.shape[1]))
    np.testing.assert_allclose(curve(at, FORGETTING), moved, rtol=1e-4)
    radius = gradients.spectral_radius(layer)
    assert (metrics(at)["Spectral radius of U"], metrics(at)["Times 3"]) == (f"{radius:.2f}", f"{3 * radius:.2f}")


@pytest.mark.parametrize(
    ("first", "verdict"), [(0.09, "vanishes"), (1.0, "neither vanishes nor explodes"), (30.0, "explodes")]
)
def test_verdicts_follow_the_numbers(visit: Visit, monkeypatch: pytest.MonkeyPatch, first: float, verdict: str) -> None:
    n_tokens = len(runs.run(MODEL, TEXT).source_tokens)

    def measured(*_: object) -> NDArray[np.float32]:
        return np.linspace(first, 1, n_tokens, dtype=np.float32)

    monkeypatch.setattr(recurrent, "gradient_norms", measured)
    monkeypatch.setattr(recurrent, "moved_by_a_blank", measured)
    at = visit(PAGE, text=TEXT)
    assert words(at).count(f"the gradient **{verdict}**") == 2
    assert ("this network **forgets**" in words(at)) == (first < 1)


def test_the_answer_is_the_models(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT)
    moved = curve(at, FORGETTING)
    least = int(moved.argmin())
    at.radio[0].set_value("One in between").run()
    expected = "The first" if least == 0 else "The last, the end sign" if least == len(moved) - 1 else "One in between"
    assert f"**{expected}**. Blanking the token at position {least} moves" in words(at)


def test_an_impossible_link_is_forgotten(visit: Visit) -> None:
    whole = figures_of(visit(PAGE, text=TEXT))
    for wrong in ({"unit": 9999}, {"unit": "x"}, {"step": 99}, {"scale": 99}, {"scale": "x"}):
        at = visit(PAGE, text=TEXT, **wrong)
        assert not at.exception
        assert figures_of(at) == whole, wrong
