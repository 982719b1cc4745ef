"""The Transformer page: every picture is of this sentence, these weights and the chosen layer and head."""

import json
import struct
from collections.abc import Generator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import cards, figures, runs
from pretrained.analysis import cost
from pretrained.trace import AttentionMap
from tests.pages.conftest import ODD_TEXTS, Visit, figures_of, matrices_of

PAGE = "transformer"
MOUNTS = ("encoder", "decoder", "cross")
FIGURES = (
    *(f"bidi_component {number}" for number in range(3)), "vega_lite_chart 0", "vega_lite_chart 1",
    "plotly_chart 0", "plotly_chart 1",
)  # fmt: skip
TRAINING = [f"plotly_chart {2 + number}" for number in range(1 + bool(cards.ablations()))]
TEXT = "I am happy."


def mounts(at: AppTest) -> dict[str, tuple[dict[str, Any], np.ndarray]]:
    """Header and cells of every mount of the matrix component, by the name it has in MOUNTS."""
    found = {}
    for name, element in zip(MOUNTS, matrices_of(at), strict=True):
        blob = element.proto.bytes
        (length,) = struct.unpack_from("<I", blob)
        found[name] = (json.loads(blob[4 : 4 + length]), np.frombuffer(blob, np.uint8, offset=4 + length))
    return found


def words(at: AppTest) -> str:
    return " ".join(str(one.value) for one in at.markdown)


def candidates(at: AppTest, place: int) -> tuple[list[str], list[float]]:
    """Labels and probabilities of one of the bar charts."""
    chart = at.get("vega_lite_chart")[place]
    table = pa.ipc.open_stream(chart.proto.datasets[0].data.data).read_all()
    return table["token"].to_pylist(), table["probability"].to_pylist()


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "The old dog sleeps well."))
    # The last charts are of the training, whatever the sentence.
    assert one.keys() == other.keys() == {*FIGURES, *TRAINING}
    assert [name for name in FIGURES if one[name] == other[name]] == []
    assert [one[name] for name in TRAINING] == [other[name] for name in TRAINING]


def test_other_weights_change_every_figure(visit: Visit, random_weights) -> None:
    drawn = []
    for seed in (1, 2):
        random_weights(seed)
        drawn.append(figures_of(visit(PAGE, text=TEXT)))
    assert [name for name in FIGURES if drawn[0][name] == drawn[1][name]] == []


def test_layer_and_head_choose_what_is_drawn(visit: Visit) -> None:
    trace = runs.run("transformer", TEXT)
    for layer, head in ((0, 0), (1, 2)):
        drawn = mounts(visit(PAGE, text=TEXT, layer=layer, head=head))
        for name, kind in zip(MOUNTS, ("encoder-self", "decoder-self", "cross"), strict=True):
            header, values = drawn[name]
            place = header["arrays"][header["matrices"][0]["cells"]]
            given = values[place["start"] : place["start"] + 4 * place["length"]].view("<f4")
            np.testing.assert_array_equal(given, trace.attention_of(kind)[layer].weights[head].ravel())


def test_masked_scores_keep_the_colours_of_all_scores() -> None:
    # the largest score lies in the future
    scores = np.array([[[1, 9], [2, 3]]], np.float32)
    weights, may_attend = np.array([[[1, 0], [0.5, 0.5]]], np.float32), np.tril(np.ones((2, 2), bool))
    attended = AttentionMap("decoder-self", 0, weights, ("a", "b"), ("<s>", "a"), ("<s>", "a"), scores, may_attend)
    before, masked, after = figures.masking(attended, 0, model="m")
    assert before.bound == masked.bound == 9
    assert before.may_attend is None
    assert masked.masked(0, 1)
    assert after.bound == 1


def test_the_step_draws_so_many_rows_and_its_own_candidates(visit: Visit) -> None:
    trace = runs.run("transformer", TEXT)
    for step in (0, 1):
        at = visit(PAGE, text=TEXT, step=step)
        header = mounts(at)["cross"][0]
        assert (header["rows"], header["currentRow"]) == (step + 1, step)
        labels, probabilities = candidates(at, 0)
        assert len(labels) == 10
        assert labels[0] == trace.target_tokens[step]
        assert probabilities == [candidate.probability for candidate in trace.candidates[step]]


def test_an_impossible_link_is_forgotten(visit: Visit) -> None:
    whole = figures_of(visit(PAGE, text=TEXT))
    for wrong in (
        {"layer": 99},
        {"head": -1},
        {"layer": "abc"},
        {"step": "abc"},
        {"step": 999},
        {"head": "0.5"},
        {"block": 99},
    ):
        at = visit(PAGE, text=TEXT, **wrong)
        assert not at.exception
        assert figures_of(at) == whole, wrong


def test_behind_the_last_block_stands_what_is_written(visit: Visit) -> None:
    trace = runs.run("transformer", TEXT)
    blocks = 1 + 3 * len(trace.attention_of("cross"))
    at = visit(PAGE, text=TEXT, block=blocks - 1, position=1)
    labels, probabilities = candidates(at, 1)
    assert labels == [candidate.token for candidate in trace.candidates[1]]
    assert probabilities == pytest.approx([candidate.probability for candidate in trace.candidates[1]], abs=1e-5)
    assert candidates(visit(PAGE, text=TEXT, block=0, position=1), 1)[0] != labels


def test_speeds_are_timed_when_asked(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = cost.Speeds((8, 16), 2, ((1.0, 1.0), (1.0, 1.0)), ((1.0, 1.5), (2.0, 1.0)), ((5.0, 5.0), (6.0, 4.0)))

    def timed(*_: object) -> Generator[float, None, cost.Speeds]:
        yield 0.5
        return made_up

    monkeypatch.setattr(cost, "speeds", timed)
    at = visit(PAGE, text=TEXT)
    assert "times as fast as with one" not in words(at)
    next(button for button in at.button if button.key == "speeds-start").click().run()
    assert not at.exception
    assert "reads at best 1.5 times as fast as with one, the Transformer's 2.0 times" in words(at)
    assert "faster at 8 tokens, and slower elsewhere. **The claim holds in part.**" in words(at)


def test_the_verdict_on_data_follows_the_cards(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    card = runs.card

    def made_up(name: str) -> dict[str, Any]:
        losses = {"transformer": (5.0, 1.0, 0.9), "gru-bahdanau": (2.0, 1.5, 1.2)}.get(name, (6.0, 4.0, 2.0))
        curve = [{"target_tokens": n * 1_000_000, "valid_loss": loss} for n, loss in enumerate(losses, start=1)]
        return card(name) | {"learning_curve": curve}

    monkeypatch.setattr(runs, "card", made_up)
    at = visit(PAGE, text=TEXT)
    assert "as good was gru-bahdanau: **the claim is not supported here.**" in words(at)
    took = at.table[0].value.set_index("Model")["Target tokens until 2.00 nats"]
    assert list(took.items())[:2] == [("gru-bahdanau", "1.0 M"), ("transformer", "1.8 M")]
    assert set(took[2:]) == {"3.0 M"}


def test_what_was_typed_is_never_markdown(visit: Visit) -> None:
    at = visit(PAGE, text="Zebra **bold** ![x](https://example.org/x.png)")
    words = [element.value for kind in (at.markdown, at.caption, at.header, at.subheader) for element in kind]
    assert [word for word in words if "Zebra" in word or "example.org" in word] == []
