"""Side by side: four pictures, every translator in turn, what a judge finds of each, and a second sentence."""

from typing import cast

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import cards, runs
from pretrained import registry
from pretrained.analysis import scoring
from pretrained.analysis.alignment import Place
from pretrained.translation import Translator
from tests.pages.conftest import ODD_TEXTS, Visit, drawn, figures_of, said

PAGE, TEXT = "side_by_side", "I am happy."
NAMES = [known.name for known in registry.finished(task="translation en-fr")]


def tables(at: AppTest) -> list[dict[str, list[object]]]:
    return [table.value.to_dict("list") for table in at.dataframe]


@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
@pytest.mark.parametrize("place", ["text", "other"])
def test_no_text_ends_in_an_exception_and_none_is_lost(visit: Visit, place: str, text: str, readable: bool) -> None:
    at = visit(PAGE, **{place: text})
    assert not at.exception
    expected = int(readable) if place == "text" else 1 + (readable and bool(text.strip()))
    assert len(tables(at)) == expected
    assert bool(at.info) == (not readable and (place == "text" or bool(text.strip()))), "it is explained"
    if text.strip():
        assert at.text_input(key=place).value == text


def test_another_sentence_changes_every_figure(visit: Visit) -> None:
    one, other = (figures_of(visit(PAGE, text=text)) for text in (TEXT, "The old dog that the cat saw sleeps."))
    assert len(one) == 4
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_other_weights_change_every_figure(visit: Visit, random_weights) -> None:
    given = []
    for seed in (1, 2):
        random_weights(seed)
        given.append(figures_of(visit(PAGE, text=TEXT)))
    assert [name for name in given[0] if given[0][name] == given[1].get(name)] == []


def test_layer_and_head_change_the_transformers_pictures(visit: Visit) -> None:
    given = {figures_of(visit(PAGE, layer=layer, head=head))["bidi_component 0"] for layer in (0, 2) for head in (0, 3)}
    assert len(given) == 4


def test_every_translator_is_judged_and_each_has_its_row(visit: Visit) -> None:
    (table,) = tables(visit(PAGE, text=TEXT))
    assert sorted(map(str, table["model"])) == sorted(NAMES)
    traces = [runs.run(str(name), TEXT) for name in table["model"]]
    assert table["translation"] == [trace.output for trace in traces]
    judge = cast("Translator", runs.load(cards.best_translator()))
    expected = scoring.log_probabilities(judge, TEXT, *(trace.output for trace in traces))
    assert table["log p, judge's"] == pytest.approx(expected, abs=0.006)
    assert table["log p, its own"] == pytest.approx([trace.log_probability for trace in traces], abs=0.006)


def test_the_judge_is_the_best_on_conversation() -> None:
    best = max(NAMES, key=lambda name: registry.entry(name).card()["scores"]["test"]["by_tag"]["tatoeba"]["chrf"])
    assert cards.best_translator() == best


def test_models_are_shown_in_the_order_of_their_papers(visit: Visit) -> None:
    years = [registry.entry(name).year for name in NAMES]
    shown = []
    for step in range(len(NAMES)):
        at = visit(PAGE, text=TEXT, model=step)
        shown.append(
            int(next(one.value[2:6] for one in at.markdown if one.value.startswith("**") and "It " in one.value))
        )
    assert shown == sorted(years)


def test_a_look_is_the_one_that_aligns_best_and_its_heads_are_averaged(visit: Visit) -> None:
    meta, cells = drawn(visit(PAGE, text=TEXT), "looks-0")
    titles = [one["title"] for one in meta["matrices"]]
    (place,) = [number for number, title in enumerate(titles) if title.startswith("transformer,")]
    layer, head, _ = cards.looks_from("transformer")
    weights = runs.run("transformer", TEXT).attention_of("cross")[layer].weights
    expected = weights.mean(0) if head is None else weights[head]
    np.testing.assert_allclose(cells[place].astype(float), expected.ravel(), atol=1e-6)


@pytest.mark.parametrize(("row", "first"), [("written", None), ("read", "<s>")])
def test_rows_are_named_by_what_is_written_or_read(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, row: str, first: str | None
) -> None:
    monkeypatch.setattr(cards, "looks_from", lambda _: Place(0, 0, row))
    meta, _ = drawn(visit(PAGE, text=TEXT), "looks-0")
    written = runs.run("transformer", TEXT).target_tokens
    (one,) = [one for one in meta["matrices"] if one["title"].startswith("transformer,")]
    expected = written if first is None else (first, *written[:-1])
    assert tuple(meta["axes"][one["query"]]) == expected


def test_a_second_sentence_is_compared(visit: Visit) -> None:
    at = visit(PAGE, text=TEXT, other="Where is the station?")
    one, other = tables(at)
    assert one["translation"] == tables(visit(PAGE, text=TEXT))[0]["translation"]
    assert other["translation"] == [runs.run(str(name), "Where is the station?").output for name in other["model"]]
    assert not np.array_equal(drawn(at, "looks-0")[1][0], drawn(at, "looks-1")[1][0])


@pytest.mark.parametrize(
    ("outputs", "words"),
    [((-1.0, -2.0), "is ahead"), ((-2.0, -2.0), "no difference"), ((-3.0, -2.0), "not ahead")],
)
def test_the_verdict_follows_the_judge(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, outputs: tuple[float, float], words: str
) -> None:
    looking, blind = outputs

    def judged(_model: object, _text: str, *written: str) -> tuple[float, ...]:
        years = sorted(registry.finished(task="translation en-fr"), key=lambda known: known.year)
        assert len(written) == len(years)
        return tuple(looking if known.attention else blind for known in years)

    # Its name is the key under which a measurement is kept.
    judged.__qualname__ = f"judged{outputs}"
    monkeypatch.setattr(scoring, "log_probabilities", judged)
    assert words in said(visit(PAGE, text=TEXT), "Mean log-probability")
