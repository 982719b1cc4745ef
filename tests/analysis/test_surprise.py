"""Perplexity against its definition, of a text and of its words in other orders."""

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pretrained.analysis import surprise
from pretrained.analysis.positions import shuffled

WORDS = ("a", "b", "c", "d", "e")


def counting(table: np.ndarray) -> Any:
    """A model whose next word depends on the last alone: rows of ``table`` are scores."""
    return SimpleNamespace(
        read=lambda _: None,
        tokenizer=SimpleNamespace(encode=lambda text: SimpleNamespace(ids=[WORDS.index(w) for w in text.split()])),
        network=lambda ids: SimpleNamespace(logits=torch.from_numpy(table)[ids]),
    )


def test_where_all_are_alike_it_is_the_vocabulary() -> None:
    found = surprise.surprise(counting(np.zeros((5, 5))), "a b c")
    assert found is not None
    assert (found.as_written, found.shuffled) == pytest.approx((5, 5))


def test_it_is_the_exponential_of_the_mean_loss() -> None:
    table = np.random.default_rng(0).normal(size=(5, 5))
    p = np.exp(table) / np.exp(table).sum(1, keepdims=True)

    def perplexity(text: str) -> float:
        ids = [WORDS.index(word) for word in text.split()]
        return float(np.prod([p[a, b] for a, b in itertools.pairwise(ids)]) ** (-1 / (len(ids) - 1)))

    found = surprise.surprise(counting(table), "a b c d")
    others = {shuffled("a b c d", seed) for seed in range(surprise.ORDERS)}
    assert found is not None
    assert "a b c d" not in others
    assert found.as_written == pytest.approx(perplexity("a b c d"))
    assert found.shuffled == pytest.approx(math.exp(np.mean([math.log(perplexity(one)) for one in others])))


@pytest.mark.parametrize("text", ["a", "a a a", " a "])
def test_one_word_has_no_order(text: str) -> None:
    assert surprise.surprise(counting(np.zeros((5, 5))), text) is None
