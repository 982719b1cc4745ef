"""What is left of a sentence once more is read, token by token against a plain pass; and scores read from a card."""

import pytest
import torch

from pretrained import entry, registry
from pretrained.analysis.bottleneck import Scored, by_length, range_of, remembered
from pretrained.tokenization import END, START
from pretrained.translation import Translator, forbid_specials
from tests.models import tiny

TEXT, OTHERS = "I am happy.", ("The cat sleeps.", "The dog does not.")
CARD = {
    "scores": {
        "test": {
            "by_length": {
                "21+": {"count": 5, "chrf": 20.5},
                "11-20": {"count": 4, "chrf": 30.0},
                "21-30": {"count": 3, "chrf": 21.0},
                "31+": {"count": 2, "chrf": 20.0},
            }
        }
    }
}


@pytest.fixture
def model() -> Translator:
    return tiny.translator(entry("gru-seq2seq"))


@torch.inference_mode()
def by_hand(model: Translator, text: str, own: list[int]) -> float:
    encoding = model.network.encode(torch.tensor([model.cut(text).ids]))
    state, product = model.network.start(encoding), 1.0
    for read, written in zip([START, *own], own, strict=False):
        step = model.network.step(torch.tensor([read]), state, encoding)
        state = step.state
        product *= float(torch.softmax(forbid_specials(step.logits)[0].double(), -1)[written])
    return float(product ** (1 / len(own)))


def test_it_is_the_mean_probability_of_the_sentences_own_words(model: Translator) -> None:
    tiny.favour_end(model, -3.0)
    with torch.inference_mode():
        own, _, _ = model.greedy(model.network.encode(torch.tensor([model.cut(TEXT).ids])), 20)
    own = [index for index in own if index != END]
    found = remembered(model, TEXT, OTHERS)
    texts = [TEXT, f"{TEXT} {OTHERS[0]}", f"{TEXT} {OTHERS[0]} {OTHERS[1]}"]
    assert [one.tokens for one in found] == [len(model.cut(text).ids) for text in texts]
    assert [one.output for one in found] == [model.run(text).output for text in texts]
    for one, text in zip(found, texts, strict=True):
        assert one.probability == pytest.approx(by_hand(model, text, own), rel=1e-4)


def test_it_reads_no_more_than_the_model_does(model: Translator) -> None:
    assert len(remembered(model, "cat " * 58, OTHERS)) == 2
    assert len(remembered(model, "cat " * 62, OTHERS)) == 1


def test_a_model_that_writes_nothing_forgets_nothing(model: Translator) -> None:
    tiny.favour_end(model, 100.0)
    assert remembered(model, TEXT, OTHERS) == ()


def test_of_nested_ranges_the_narrower_are_read() -> None:
    ranges = by_length(CARD)
    assert ranges == (Scored(11, 20, 4, 30.0), Scored(21, 30, 3, 21.0), Scored(31, None, 2, 20.0))
    assert [one.name for one in ranges] == ["11–20", "21–30", "31+"]
    assert [range_of(ranges, words) for words in (10, 11, 20, 21, 31, 500)] == [None, 0, 0, 1, 2, 2]


@pytest.mark.parametrize("known", registry.finished(task="translation en-fr"), ids=lambda one: one.name)
def test_every_card_parts_the_test_sentences(known: registry.Entry) -> None:
    card = known.card()
    ranges = by_length(card)
    assert sum(one.count for one in ranges) == card["scores"]["test"]["count"]
    assert None not in [range_of(ranges, words) for words in range(1, 70)]
