"""What is left of a sentence once more is read, token by token against a plain pass."""

import pytest
import torch

from pretrained import entry
from pretrained.analysis import bottleneck
from pretrained.analysis.bottleneck import Remembered, remembered
from pretrained.tokenization import END, START
from pretrained.translation import Translator, forbid_specials
from tests.models import tiny

TEXT, OTHERS = "I am happy.", ("The cat sleeps.", "The dog does not.")


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


@pytest.mark.parametrize(
    ("left", "lost", "kept"),
    [
        (0.49, "holds", "does not hold"),
        (0.5, "in part", "in part"),
        (0.89, "in part", "in part"),
        (0.9, "does not hold", "holds"),
    ],
)
def test_what_is_left_is_lost_or_kept(left: float, lost: str, kept: str) -> None:
    found = (Remembered(3, 1.0, ""), Remembered(5, 0.1, ""), Remembered(9, left, ""))
    assert bottleneck.left(found) == left
    assert (bottleneck.is_lost(found), bottleneck.is_kept(found)) == (lost, kept)
