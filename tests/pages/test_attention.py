"""The attention page and the one that compares: what is drawn is what the models did, painted and searched too."""

import json
import struct
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import cards, runs, story
from pretrained import registry
from pretrained.analysis import lengths, rows
from pretrained.beam import path_to
from pretrained.intervention import Intervention
from tests.pages.conftest import ODD_TEXTS, Visit, curve, figures_of
from viz.matrix import shown
from viz.numbers import number, percent

MODEL, TEXT = "gru-bahdanau", "I am happy."
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_lost(visit: Visit, text: str, readable: bool) -> None:
    at = visit("attention", text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    if text.strip():
        assert at.text_input(key="text").value == text


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (
        figures_of(visit("attention", text=text)) for text in ("I am happy.", "The old dog that the cat saw sleeps.")
    )
    assert one
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_other_weights_change_every_figure(visit: Visit, random_weights) -> None:
    given = []
    for seed in (1, 2):
        random_weights(seed)
        given.append(figures_of(visit("attention", text="I am happy.")))
    assert given[0]
    # Scores by length are those of the cards, whatever the weights.
    assert [name for name in given[0] if given[0][name] == given[1].get(name)] == ["plotly_chart 0"]


def test_the_step_is_in_the_link_and_an_impossible_one_is_forgotten(visit: Visit) -> None:
    whole, first = visit("attention", text="I am happy."), visit("attention", text="I am happy.", step=0)
    assert first.slider(key="step").value == 0
    assert figures_of(whole) != figures_of(first)
    for wrong in ("99", "-1", "abc"):
        at = visit("attention", text="I am happy.", step=wrong)
        assert not at.exception
        assert at.slider(key="step").value == at.slider(key="step").max


def words_of(at: AppTest) -> str:
    return " ".join(
        str(getattr(element, "value", ""))
        for kind in ("markdown", "caption", "metric", "text")
        for element in at.get(kind)
    )


def drawn(at: AppTest, key: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What the matrix component of this key was sent: its description and its cells."""
    (component,) = [one for one in at.get("bidi_component") if one.proto.id.endswith(f"-{key}")]
    blob: bytes = component.proto.bytes
    (length,) = struct.unpack_from("<I", blob)
    meta = json.loads(blob[4 : 4 + length])
    return meta, [np.frombuffer(blob, one["type"], one["length"], 4 + length + one["start"]) for one in meta["arrays"]]


def tree_of(at: AppTest) -> ElementTree.Element:
    (data,) = [json.loads(one.proto.json) for one in at.get("bidi_component") if "markup" in (one.proto.json or "")]
    return ElementTree.fromstring(data["markup"])


@pytest.mark.parametrize("choice", ["Paint a row", "Beam search"])
@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_whatever_is_tried_no_text_ends_in_an_exception(visit: Visit, choice: str, text: str, readable: bool) -> None:
    at = visit("attention", text=text, **{"try": choice})
    assert not at.exception
    assert bool(at.info) != readable
    for kind in ("markdown", "caption", "metric", "latex", "radio"):
        shown = [f"{getattr(one, 'label', '')} {getattr(one, 'value', '')}" for one in at.get(kind)]
        assert not text.strip() or text == "Hello" or not any(text in words for words in shown), "words are no markup"


def test_the_five_sections_stand_in_order(visit: Visit) -> None:
    at = visit("attention", text=TEXT)
    sections = [story.PROBLEM, story.SEE, story.STEP, story.MEASURE, story.HURTS]
    assert [header.value for header in at.subheader] == sections


def test_a_step_is_worked_out_with_its_own_numbers(visit: Visit, random_weights) -> None:
    random_weights(5)
    (alignment,) = runs.run(MODEL, TEXT).attention_of("alignment")
    for step in (0, 2):
        (formula,) = visit("attention", text=TEXT, step=step).latex
        made = rows.worked(alignment, step)
        for said in (f"e_{{{step},{made.key}}}", f"= {made.score:.3f}", f"= {made.weight:.3f}", "j} &= 1.0000"):
            assert said in formula.value


def test_the_answer_is_the_models(visit: Visit, random_weights) -> None:
    answers = set()
    for seed in (6, 7, 8):
        random_weights(seed)
        weights = runs.run(MODEL, TEXT).attention_of("alignment")[0].weights[0]
        asked = rows.question(weights)
        answers.add(asked.answer)
        at = visit("attention", text=TEXT)
        answer = f"English token {weights[asked.row].argmax()}"
        at.radio[0].set_value(answer).run()
        assert any(f"Right: **{answer}**" in one.value for one in at.markdown)
    assert len(answers) > 1


def test_what_is_painted_is_what_the_model_was_given(visit: Visit, random_weights) -> None:
    random_weights(7)
    place = {"paint-row": 1, "paint-token": 2, "paint-share": 60}
    at = visit("attention", text=TEXT, **place)
    (before,) = runs.run(MODEL, TEXT).attention_of("alignment")
    weights = rows.repainted(before.weights[0, 1], 2, 0.6)
    after = runs.run(MODEL, TEXT, (Intervention("paint", "alignment", position=1, weights=weights),))
    assert after.attention_of("alignment")[0].weights[0, 1, 2] == np.float32(0.6)
    assert f"log-probability {number(after.log_probability, 2)}" in words_of(at)
    assert after.output in [text.value for text in at.text]
    meta, cells = drawn(at, "paint-map-0")
    np.testing.assert_array_equal(cells[0], before.weights.ravel())
    np.testing.assert_array_equal(cells[1], after.attention_of("alignment")[0].weights.ravel())
    assert meta["currentRow"] == 1


def test_a_place_of_a_longer_sentence_is_forgotten(visit: Visit) -> None:
    at = visit("attention", text=TEXT, **{"paint-row": 3, "paint-token": 4})
    at.text_input(key="text").set_value("Go").run()
    assert not at.exception
    assert at.slider(key="paint-token").value <= at.slider(key="paint-token").max


def test_a_beam_is_drawn_with_all_its_nodes_and_the_chosen_path(visit: Visit) -> None:
    for width, rank in ((1, 1), (3, 2)):
        at = visit("attention", text=TEXT, width=width, hypothesis=rank, **{"try": "Beam search"})
        found = runs.beam(MODEL, TEXT, width, by_length=True)
        assert len(found.hypotheses) == width
        chosen = found.hypotheses[rank - 1]
        picture = tree_of(at)
        assert len(list(picture.iter(f"{SVG}path"))) == len(found.nodes)
        marked = [
            group.findtext(f"{SVG}title") for group in picture.iter(f"{SVG}g") if "chosen" in group.attrib["class"]
        ]
        nodes = [found.nodes[index] for index in path_to(found.nodes, chosen.node)]
        # The first is the start.
        assert marked[-len(nodes) :] == [f"{shown(node.token)}, {percent(node.probability)}" for node in nodes]
        _, cells = drawn(at, "hypothesis-map")
        np.testing.assert_array_equal(cells[1], chosen.attention[0].weights.ravel())
        (table,) = at.dataframe
        assert list(table.value["translation"]) == [runs.run(MODEL, TEXT).output, *(h.output for h in found.hypotheses)]


def test_two_sentences_have_two_trees(visit: Visit) -> None:
    one, other = (
        ElementTree.tostring(tree_of(visit("attention", text=text, **{"try": "Beam search"})))
        for text in (TEXT, "The old dog sleeps.")
    )
    assert one != other


@pytest.mark.parametrize("wrong", ["199", "-1", "abc"])
def test_impossible_addresses_are_forgotten(visit: Visit, wrong: str) -> None:
    for choice, names in (
        ("Paint a row", ("paint-row", "paint-token", "paint-share")),
        ("Beam search", ("width", "hypothesis", "by-length")),
    ):
        plain = visit("attention", text=TEXT, **{"try": choice})
        at = visit("attention", text=TEXT, **{"try": choice}, **dict.fromkeys(names, wrong))
        assert not at.exception
        assert figures_of(at) == figures_of(plain)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_another_cell_brings_its_own_models(visit: Visit, cell: str) -> None:
    looking, squeezing = f"{cell}-bahdanau", f"{cell}-seq2seq"
    at = visit("attention", text=TEXT, network=cell.upper())
    trace = runs.run(looking, TEXT)
    _, (cells,) = drawn(at, "alignment")
    np.testing.assert_array_equal(cells, trace.attention_of("alignment")[0].weights.ravel())
    assert trace.output in [text.value for text in at.text]
    for line, name in enumerate((looking, squeezing)):
        np.testing.assert_allclose(curve(at, 0, line), [one.chrf for one in lengths.by_length(runs.card(name))], 1e-6)
    assert f"{cell.upper()}s with" in words_of(at)


@pytest.mark.parametrize(("score", "verdict"), [(45.0, "more than remembering"), (35.0, "mend different things")])
def test_what_attention_brings_is_compared_over_cells(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, score: float, verdict: str
) -> None:
    card, scores = runs.card, {"rnn-bahdanau": score, "lstm-bahdanau": 20.0, "gru-bahdanau": 50.0, "rnn-seq2seq": 10.0}

    def made_up(name: str) -> dict[str, Any]:
        ranges = {"1-5": 50.0, "6+": 45.0 if name.endswith("bahdanau") and name != "gru-bahdanau" else 40.0}
        scored = {name: {"count": 1, "chrf": one} for name, one in ranges.items()}
        metrics = {"chrf": scores.get(name, 40.0)}
        return card(name) | {"scores": {"test": {"count": 3, "metrics": metrics, "by_length": scored}}}

    monkeypatch.setattr(runs, "card", made_up)
    at = visit("attention", text=TEXT)
    shown = at.table[0].value.set_index("Cell")
    assert list(shown.index) == ["RNN", "LSTM", "GRU"]
    assert list(shown["With attention"]) == [f"{score:.1f}", "20.0", "50.0"]
    assert list(shown["One vector"]) == ["10.0", "40.0", "40.0"]
    assert list(shown["At 6+"]) == ["5.0", "5.0", "0.0"]
    assert "Attention helps **2 of 3** cells, and 2 of them more" in words_of(at)
    assert verdict in words_of(at)


def test_without_luongs_model_the_page_leaves_it_out(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.finished

    def finished(**facts: object) -> tuple[registry.Entry, ...]:
        return tuple(entry for entry in real(**facts) if "luong" not in entry.architecture)

    monkeypatch.setattr(registry, "finished", finished)
    at = visit("attention", text=TEXT, **{"try": "Luong's attention"})
    assert not at.exception
    assert "Luong" not in words_of(at)


def test_luongs_model_is_drawn_beside_it_on_the_same_colours(visit: Visit) -> None:
    at = visit("attention", text=TEXT, **{"try": "Luong's attention"})
    assert "input feeding" in words_of(at)
    meta, cells = drawn(at, "luong")
    for cell, name in zip(cells, (MODEL, "gru-luong"), strict=True):
        np.testing.assert_array_equal(cell, runs.run(name, TEXT).attention_of("alignment")[0].weights.ravel())
    assert [one["ends"] for one in meta["matrices"]] == [["0", "1"]] * 2


@pytest.mark.parametrize(("error", "verdict"), [(0.123, "has read the last token"), (0.9, "did not help")])
def test_two_error_rates_are_compared(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, error: float, verdict: str
) -> None:
    real = cards.aligned
    monkeypatch.setattr(
        cards, "aligned", lambda name: cards.Aligned(error, 0.5, 0.3, 224) if name == "gru-luong" else real(name)
    )
    words = words_of(visit("attention", text=TEXT, **{"try": "Luong's attention"}))
    assert verdict in words
    assert f"**{error:.2f}**" in words


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(0.2, "and more than counting"), (0.4, "more than word order; counting"), (0.6, "would do as well; counting")],
)
def test_the_error_rate_stands_only_where_it_was_measured(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, error: float, verdict: str
) -> None:
    card = runs.card
    beside = {"diagonal": {"aer": 0.5}, "ibm_model_1": {"aer": 0.3}}
    for scored in (None, {"test": {"count": 224, "metrics": {"aer": error}, **beside}}):
        monkeypatch.setattr(runs, "card", lambda name, scored=scored: card(name) | {"alignment": scored})
        words = words_of(visit("attention", text=TEXT))
        assert ("alignment error rate" in words) == (scored is not None)
        assert (verdict in words) == (scored is not None)


@pytest.mark.parametrize("ahead", [True, False])
def test_the_verdict_follows_the_cards(visit: Visit, monkeypatch: pytest.MonkeyPatch, ahead: bool) -> None:
    card = runs.card

    def made_up(name: str) -> dict[str, Any]:
        long = 40.0 if (name == MODEL) == ahead else 10.0
        chrf = {"1-5": 50.0, "6-10": 45.0, "11+": long}
        scored = {name: {"count": 1, "chrf": score} for name, score in chrf.items()}
        return card(name) | {"scores": {"test": {"count": 3, "metrics": {"chrf": long}, "by_length": scored}}}

    monkeypatch.setattr(runs, "card", made_up)
    words = words_of(visit("attention", text=TEXT))
    assert ("The measurement supports the claim" in words) == ahead
    assert ("does not support the claim" in words) != ahead
    assert f"by {number(30.0 if ahead else -30.0, 1)} at 11+" in words
