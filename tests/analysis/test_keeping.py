"""Compression word by word: decisions are the model's, and flips are counted against a rule that is known."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pretrained import tokenization
from pretrained.analysis import keeping
from pretrained.compression import Compressor, words_of
from pretrained.registry import entry
from tests.models import tiny

TEXT = "On Monday, Mr. O'Brien said he won't pay $1,250 to the embezzler."


@pytest.fixture(scope="module")
def model() -> Compressor:
    tokenizer, known = tokenization.load("compress"), entry("compress-transformer")
    network = tiny.network(known, d_vocab=len(tokenizer), seed=2)
    network.to_score.weight *= 20  # scores on both sides of 0
    made = Compressor(known, network, tokenizer, 0.0)
    network.to_score.bias -= float(np.median([one.score for one in keeping.decisions(made, TEXT)]))
    return made


def test_decisions_are_those_of_the_run(model: Compressor) -> None:
    trace, decided = model.run(TEXT), keeping.decisions(model, TEXT)
    assert tuple((one.start, one.end) for one in decided) == words_of(TEXT)
    starts = [start for start, _ in trace.source_spans]
    for one in decided:
        assert one.keep == pytest.approx(1 / (1 + math.exp(-one.score)))
        probability = {best.token: best.probability for best in trace.candidates[starts.index(one.start)]}
        assert probability["keep"] == pytest.approx(one.keep, abs=1e-5)
        assert one.kept == (one.score > 0)
    assert 0 < sum(one.kept for one in decided) < len(decided)
    assert tuple(TEXT[one.start : one.end] for one in decided if one.kept) == trace.target_tokens
    assert keeping.left(TEXT, decided) == trace.output
    assert keeping.left(TEXT, decided[:0]) == ""


class Ruled:
    """Keeps a word if the one behind it is longer, and the last of all."""

    def read(self, text: str) -> None:
        pass

    def keep(self, sentences: Sequence[Sequence[str]]) -> list[list[int]]:
        return [
            [place for place, word in enumerate(words) if len(word) < len([*words, "endlessly"][place + 1])]
            for words in sentences
        ]


def test_flips_are_counted_on_the_other_words() -> None:
    ruled: Any = Ruled()
    # As it is a and bb stay, ccc does not, d stays. Without d, ccc stays; without ccc, bb goes; else nothing changes.
    assert keeping.flips(ruled, "a bb ccc d").tolist() == [0, 0, 1, 1]
    assert keeping.flips(ruled, "a").tolist() == [0]


def test_flips_of_the_model_are_as_many_as_words(model: Compressor) -> None:
    assert keeping.flips(model, TEXT).shape == (len(words_of(TEXT)),)
