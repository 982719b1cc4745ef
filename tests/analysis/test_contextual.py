"""Words in context: a gap as the model fills it, cosines by plain loops, and what later words move."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained.analysis import contextual
from pretrained.analysis.contextual import EQUAL, Compared
from pretrained.model import TextError
from pretrained.registry import entry
from tests.models import tiny

TEXT = "The cat saw the other cat."


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny.language_model(entry("gpt-mini"), tmp_path_factory.mktemp("gpt"))


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny.language_model(entry("bert-mini"), tmp_path_factory.mktemp("bert"), seed=1)


def test_a_gap_is_filled_as_the_model_fills_it(masked: Any) -> None:
    places = contextual.places(masked, TEXT)
    assert places == (1, 2, 3, 4, 5, 6, 7)
    seen = set()
    for place in places:
        found = contextual.hidden(masked, TEXT, place)
        start, end = masked.read(TEXT).spans[place]
        assert found.masked == f"{TEXT[:start]}[MASK]{TEXT[end:]}"
        run = masked.run(found.masked)
        assert [one.token for one in found.candidates] == [one.token for one in run.candidates[0]]
        # By hand, in double precision: the hidden piece's share, and how many are likelier.
        ids = masked.read(found.masked).ids
        with torch.inference_mode():
            logits = masked.network(torch.tensor([ids])).logits[0, place].double().numpy()
        logits[[*masked.tokenizer.special]] = -np.inf
        own = masked.read(TEXT).ids[place]
        p = np.exp(logits - logits.max())
        assert found.probability == pytest.approx(p[own] / p.sum(), rel=1e-4)
        assert found.rank == 1 + (p > p[own]).sum()
        seen.add(found.masked)
    assert len(seen) == len(places), "a repeated word is hidden at its own place alone"


def test_a_mask_that_was_typed_hides_nothing(masked: Any) -> None:
    text = "The [MASK] saw the cat."
    (place,) = contextual.places(masked, text)
    found = contextual.hidden(masked, text, place)
    assert (found.masked, found.probability, found.rank) == (text, None, None)
    assert found.candidates[0].token == masked.run(text).target_tokens[0]


def test_cosines_are_those_of_plain_loops(masked: Any) -> None:
    one, other, word = "The unbelievably big bank.", "A bank, a unbelievably old bank!", "unbelievably"
    found = contextual.compared(masked, one, other, word)

    def vectors(text: str, wanted: list[tuple[str, int, int]]) -> list[np.ndarray]:
        run = masked.run(text)
        layers = [run.states_of("encoder-embedding")[0], *run.states_of("encoder-hidden")]
        return [np.stack([layer.values[first:last].mean(0) for layer in layers]) for _, first, last in wanted]

    # Pieces of every word, [CLS] before them; "unbelievably" has five.
    words = [("the", 1, 2), ("unbelievably", 2, 7), ("big", 7, 8), ("bank", 8, 9)]
    others = [("a", 1, 2), ("bank", 2, 3), ("a", 4, 5), ("unbelievably", 5, 10), ("old", 10, 11), ("bank", 11, 12)]
    assert masked.run(one).source_tokens[2:7] == ("unb", "el", "ie", "v", "ably")

    def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(a, b, strict=True)])

    first, second = vectors(one, words), vectors(other, others)
    np.testing.assert_allclose(found.same, angle(first[1], second[3]), atol=1e-5)
    pairs = [
        angle(found[i], found[j])
        for found, names in ((first, words), (second, others))
        for i in range(len(names))
        for j in range(i)
        if names[i][0] != names[j][0]
    ]
    assert found.pairs == len(pairs) == 6 + 15 - 2
    assert found.different is not None
    np.testing.assert_allclose(found.different, np.mean(pairs, 0), atol=1e-5)
    assert not found.same_place
    assert found.same[0] == pytest.approx(1, abs=1e-6), "an embedding knows no context"
    assert found.same[1] < 0.9999
    assert contextual.compared(masked, one, f"{one} Yes.", word).same_place


def test_one_context_gives_one_vector_and_a_lone_word_no_baseline(masked: Any) -> None:
    found = contextual.compared(masked, "bank", "bank", "bank")
    np.testing.assert_allclose(found.same, 1, atol=1e-6)
    assert (found.different, found.pairs, found.verdict) == (None, 0, "same")
    with pytest.raises(TextError, match=r"the word 'banks' in both sentences, spelled alike, got 'the bank'"):
        contextual.compared(masked, "the banks", "the bank", "banks")


@pytest.mark.parametrize(
    ("same", "different", "verdict"),
    [(0.9995, 0.2, "same"), (0.6, 0.2, "between"), (0.6, None, "between"), (0.2, 0.6, "apart")],
)
def test_the_verdict_is_of_the_last_layer(same: float, different: float | None, verdict: str) -> None:
    baseline = None if different is None else np.array([0.0, different], np.float32)
    assert Compared(np.array([1.0, same], np.float32), baseline, 3, True).verdict == verdict


def test_a_later_word_moves_nothing_in_a_causal_model(causal: Any, masked: Any) -> None:
    one, other = contextual.moved(causal, masked, TEXT, "unbelievably")
    assert one.tokens == other.tokens == ("The", "cat", "saw", "the", "other")
    assert one.most < EQUAL
    assert not one.sees
    assert other.sees
    # By hand: the last layer's own states before and after.
    before, after = (masked.run(text).states_of("encoder-hidden")[-1].values[1:6]
                     for text in (TEXT, "The cat saw the other unbelievably."))  # fmt: skip
    by_hand = [np.sqrt(((a - b) ** 2).sum() / (b**2).sum()) for a, b in zip(after, before, strict=True)]
    np.testing.assert_allclose(other.share, by_hand, rtol=1e-4)
    assert contextual.moved(causal, masked, TEXT, "dog")[0].most == 0, "not even rounding, of as many pieces"


def test_the_same_word_again_and_a_lone_word_move_nothing(causal: Any, masked: Any) -> None:
    assert [one.most for one in contextual.moved(causal, masked, TEXT, "cat")] == [0, 0]
    assert [one.tokens for one in contextual.moved(causal, masked, "Hello!", "Goodbye")] == [(), ()]
    assert contextual.moved(causal, masked, "!?", "no")[1].tokens[-2:] == ("!", "?")
