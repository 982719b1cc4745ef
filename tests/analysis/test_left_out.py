"""Attention added up over parts of a text, and what a model does with each part left out."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pretrained.analysis import left_out
from pretrained.analysis.left_out import LeftOut
from pretrained.registry import entry
from pretrained.tokenization import START
from pretrained.translation import Translator, forbid_specials
from tests.models import tiny

TEXT = "The cat drank the milk."


@pytest.fixture(scope="module", params=["transformer", "gru-bahdanau"])
def model(request: pytest.FixtureRequest) -> Translator:
    return tiny.translator(entry(request.param), seed=3)


def test_words_are_found_where_they_stand() -> None:
    text = "The 5th of July, '79: it isn't 05/03!"
    assert [text[a:b] for a, b in left_out.words(text)] == ["The", "5th", "of", "July", "79", "it", "isn't", "05", "03"]
    assert left_out.words("?!") == ()


def test_shares_are_the_weights_of_the_pieces_that_start_in_a_part(model: Translator) -> None:
    trace = model.run(TEXT)
    parts = left_out.words(TEXT)
    found = left_out.shares(trace, parts)
    maps = trace.attention_of("cross") or trace.attention_of("alignment")
    rows = [row for row, token in enumerate(trace.target_tokens) if token != "</s>"]
    for layer, one in enumerate(maps):
        for head in range(one.n_heads):
            for part, (first, last) in enumerate(parts):
                inside = [key for key, (start, _) in enumerate(trace.source_spans) if first <= start < last]
                by_hand = np.mean([sum(one.weights[head, row, key] for key in inside) for row in rows])
                assert found[layer, head, part] == pytest.approx(by_hand, abs=1e-6)
                pieces = left_out.weights(trace, parts[part], layer, head)
                assert (len(pieces), pieces.sum()) == (len(inside), pytest.approx(by_hand, abs=1e-6))
    everything = left_out.shares(trace, ((0, len(TEXT) + 1),))
    np.testing.assert_allclose(everything, 1, atol=1e-5)


def test_an_empty_output_is_looked_at_by_its_only_row() -> None:
    trace = SimpleNamespace(
        target_tokens=("</s>",),
        source_spans=((0, 1), (2, 3)),
        attention_of=lambda kind: [SimpleNamespace(weights=np.array([[[0.25, 0.75]]]))] * (kind == "cross"),
    )
    shown: Any = trace
    np.testing.assert_allclose(left_out.shares(shown, ((0, 1), (2, 3))), [[[0.25, 0.75]]])


def test_without_a_part_is_the_model_on_the_text_without_it(model: Translator) -> None:
    parts = left_out.words(TEXT)
    found = left_out.left_out(model, TEXT, parts, 0, 0)
    trace = model.run(TEXT)
    assert found is not None
    assert found.output == trace.output
    assert found.probability == pytest.approx(np.exp(trace.log_probability / len(trace.target_tokens)), rel=1e-4)
    encoding = model.network.encode(torch.tensor([model.cut(TEXT).ids]))
    written, _, _ = model.greedy(encoding, len(trace.target_tokens))
    for part, (start, end) in enumerate(parts):
        source = torch.tensor([model.cut(TEXT[:start] + TEXT[end:]).ids])
        logits = model.network.forward(source, torch.tensor([[START, *written[:-1]]])).logits[0]
        log_p = torch.log_softmax(forbid_specials(logits), -1)[range(len(written)), written]
        assert found.without[part] == pytest.approx(float(log_p.mean().exp()), rel=1e-4)
    np.testing.assert_allclose(found.shares, left_out.shares(trace, parts)[0, 0])
    for part, output in ((found.most, found.without_most), (found.least, found.without_least)):
        start, end = parts[part]
        assert model.run(TEXT[:start] + TEXT[end:]).output == output


def test_the_mean_over_heads_is_taken_where_no_head_is_named() -> None:
    model = tiny.translator(entry("transformer"), seed=3)
    parts = left_out.words(TEXT)
    found = left_out.left_out(model, TEXT, parts, 1, None)
    assert found is not None
    np.testing.assert_allclose(found.shares, left_out.shares(model.run(TEXT), parts)[1].mean(0))


def test_one_part_has_no_other_to_be_compared_with(model: Translator) -> None:
    assert left_out.left_out(model, "Hello", left_out.words("Hello"), 0, 0) is None


@pytest.mark.parametrize(
    ("without", "points", "matters"),
    [((0.1, 0.5, 0.9), True, 0), ((0.5, 0.1, 0.9), True, 1), ((0.9, 0.5, 0.5), False, 1), ((0.5, 0.4, 0.5), False, 1)],
)
def test_attention_points_where_more_is_lost_with_the_most_than_with_the_least(
    without: tuple[float, ...], points: bool, matters: int
) -> None:
    found = LeftOut(np.array([0.6, 0.3, 0.1]), "oui", 0.9, np.array(without), "", "")
    assert (found.most, found.least, found.points, found.matters) == (0, 2, points, matters)
