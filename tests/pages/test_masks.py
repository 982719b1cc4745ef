"""The masks page: what is struck out is what the model could not see, and verdicts follow what leaked."""

from typing import Any

import numpy as np
import pytest

from dashboard import measure, runs
from pretrained.analysis import masks
from pretrained.tokenization import END
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of, said

PAGE, MODEL = "masks", "transformer"
TEXT, LONGER = "I am happy.", "The old dog that the cat saw in the garden sleeps."


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_markup(visit: Visit, text: str, readable: bool) -> None:
    at = visit(PAGE, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    for kind in ("markdown", "caption", "metric"):
        shown = [str(getattr(element, "value", "")) for element in at.get(kind)]
        assert not text.strip() or not any(text in words for words in shown)


def test_the_longest_sentence_still_has_a_longer_neighbour(visit: Visit) -> None:
    at = visit(PAGE, text="cat " * 63)
    assert not at.exception
    assert drawn(at, "padding")[0]["matrices"][0]["mask"] is not None


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, LONGER))
    assert len(one) == 6
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


@pytest.mark.parametrize("step", [0, 3])
def test_a_row_is_drawn_with_what_the_mask_hides(visit: Visit, step: int) -> None:
    at = visit(PAGE, text=TEXT, layer=1, head=2, step=step)
    meta, cells = drawn(at, "row")
    attended = runs.run(MODEL, TEXT).attention_of("decoder-self")[1]
    assert attended.scores is not None
    struck, weights = (cells[one["cells"]] for one in meta["matrices"])
    np.testing.assert_array_equal(struck, attended.scores[2, step])
    np.testing.assert_array_equal(weights, attended.weights[2, step])
    for one in meta["matrices"]:
        bits = np.unpackbits(cells[one["mask"]], bitorder="little")[: len(struck)]
        np.testing.assert_array_equal(bits, np.arange(len(struck)) <= step)
    assert [one.value for one in at.metric if one.label == "Struck out"] == [str(len(struck) - step - 1)]


@pytest.mark.parametrize("wrong", ["99", "abc"])
def test_an_impossible_address_is_forgotten(visit: Visit, wrong: str) -> None:
    at = visit(PAGE, text=TEXT, layer=wrong, head=wrong, step=wrong)
    assert not at.exception
    assert figures_of(at) == figures_of(visit(PAGE, text=TEXT))


def leaked(plain: float, moved: float, moved_masked: float = 0) -> masks.Leak:
    """A leak of as many rows as the translation of TEXT has."""
    rows = len(runs.run(MODEL, TEXT).target_tokens)
    flat = np.ones(rows, np.float32)
    even = np.full((3, 4, rows, rows), 1 / rows, np.float32)
    return masks.Leak(
        flat * np.float32(0.5), flat * np.float32(plain), flat[1:] * np.float32(moved_masked),
        flat[1:] * np.float32(moved), np.full((3, 4), 0.5, np.float32), even,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "verdicts", "answer"),
    [
        ((0.7, 0.0), ("**likelier**", "no leak"), "Likelier than with the mask"),
        ((0.2, 0.3), ("**less likely**", "the answer leaks"), "Less likely"),
        ((0.2, 0.3, 0.2), ("**less likely**", "although the mask is there"), "Less likely"),
    ],
)
def test_the_verdicts_follow_the_numbers(
    visit: Visit, monkeypatch, given: tuple[float, ...], verdicts: tuple[str, ...], answer: str
) -> None:
    monkeypatch.setattr(masks, "leak", lambda *_: leaked(*given))
    monkeypatch.setattr(measure, "_name", lambda function: f"test {function.__name__} {given}")
    at = visit(PAGE, text=TEXT)
    words = " ".join(one.value for one in at.markdown)
    assert [verdict for verdict in verdicts if verdict not in words] == []
    at.radio[0].set_value(answer).run()
    assert said(at, "Right: ").startswith(f"Right: **{answer}**")


def test_a_single_token_written_has_a_page(visit: Visit, random_weights) -> None:
    random_weights(1)
    model: Any = runs.load(MODEL)
    model.network.output_bias.data[END] += 1000
    at = visit(PAGE, text=TEXT)
    assert not at.exception
    assert runs.run(MODEL, TEXT).target_tokens == ("</s>",)
    assert said(at, "Only one token was written")
