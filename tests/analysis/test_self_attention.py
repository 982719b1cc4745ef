"""One head by the formula is the model's; the softmax's slope is its derivative; verdicts follow the weights."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained import entry
from pretrained.analysis import self_attention
from pretrained.analysis.self_attention import OPERATIONS, READINGS, Referents
from pretrained.translation import Translator
from tests.models import tiny

TEXT = "It is said that she is happy and happy."
MODEL = "transformer"


@pytest.fixture
def model() -> Translator:
    return tiny.translator(entry(MODEL))


@pytest.fixture
def ids(model: Translator) -> list[int]:
    return list(model.read(TEXT).ids)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("head", [0, 1])
def test_the_formula_is_what_the_model_does(model: Translator, ids: list[int], layer: int, head: int) -> None:
    network: Any = model.network
    made, used = (work(network, ids, layer, head) for work in (self_attention.by_formula, self_attention.in_model))
    attended = model.run(TEXT).attention_of("encoder-self")[layer]
    assert attended.scores is not None
    np.testing.assert_allclose(made.weights, attended.weights[head], atol=1e-5)
    np.testing.assert_allclose(made.scores, attended.scores[head], atol=1e-5)
    np.testing.assert_allclose(made.products, made.scores * network.config.d_head**0.5, atol=1e-12)
    q, k, v = (torch.from_numpy(part) for part in (used.queries, used.keys, used.values))
    by_torch = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    np.testing.assert_allclose(made.output, by_torch.numpy(), atol=1e-5)
    for query in range(len(ids)):
        assert max(made.difference(used, operation, query) for operation in OPERATIONS) < 1e-5
        np.testing.assert_allclose(made.made("weighted", query).sum(0), made.output[query])
        np.testing.assert_allclose(made.exponential(query, 1) / made.total(query), made.weights[query, 1])


@torch.inference_mode()
def test_all_heads_together_are_the_sub_layer(model: Translator, ids: list[int]) -> None:
    network: Any = model.network
    block, x = network.encoder[1], network.encode(torch.tensor([ids])).layers[0].values
    made, _ = block.self_attention.look(block.norms[0](x), torch.ones(1, len(ids), dtype=torch.bool))
    heads = [self_attention.by_formula(network, ids, 1, head).output for head in range(network.config.n_heads)]
    joined = block.self_attention.w_o(torch.from_numpy(np.concatenate(heads, 1)).float())
    tiny.close(joined, made[0])


def test_a_dot_product_is_its_parts_and_the_rest() -> None:
    q, k = np.array([1.0, -2.0, 0.5, 3.0, 0.1]), np.array([1.0, 4.0, 2.0, -1.0, 5.0])
    written = self_attention.dot_product(q, k)
    assert written.factors == ((-2.0, 4.0), (3.0, -1.0), (1.0, 1.0))
    assert written.total == pytest.approx(float(q @ k))
    assert sum(one * other for one, other in written.factors) + written.rest == pytest.approx(written.total)


def test_the_slope_is_the_size_of_the_derivative() -> None:
    scores = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.double) * 3
    by_torch = [torch.autograd.functional.jacobian(lambda row: torch.softmax(row, -1), row).norm() for row in scores]
    found = self_attention.slope(self_attention.softmax(scores.numpy()))
    np.testing.assert_allclose(found, by_torch, rtol=1e-9)
    assert self_attention.slope(np.array([[1.0, 0.0]]))[0] == 0
    # rounding below 0 under the root is no NaN
    assert np.isfinite(self_attention.slope(self_attention.softmax(np.array([[0.0, 17.3, 33.1]])))).all()


def test_scaling_compares_the_same_products(model: Translator) -> None:
    network: Any = model.network
    found = self_attention.scaling(model, TEXT)
    assert found.names == ("0.0", "0.1", "1.0", "1.1")
    head = self_attention.by_formula(network, model.read(TEXT).ids, 1, 0)
    p = np.exp(head.products) / np.exp(head.products).sum(1, keepdims=True)
    jacobians = [np.linalg.norm(np.diag(row) - np.outer(row, row)) for row in p]
    assert found.plain.slope[2] == pytest.approx(np.mean(jacobians), rel=1e-4)
    assert found.divided.looked_at[2] == pytest.approx(
        np.exp(-(head.weights * np.log(head.weights)).sum(1)).mean(), rel=1e-4
    )
    assert found.plain.decided[2] == (p.max(1) > self_attention.DECIDED).mean()
    assert found.variance[2] == pytest.approx(head.products.var(), rel=1e-4)
    assert found.at_products[0] == pytest.approx(found.divided.slope.mean() / network.config.d_head**0.5)
    assert found.flatter == sum(found.plain.slope < found.divided.slope)


@pytest.mark.parametrize("n_keys", [2, 12, 64])
def test_random_products_vary_by_their_width(n_keys: int) -> None:
    found = self_attention.random_products(n_keys)
    np.testing.assert_allclose(found.variance, self_attention.WIDTHS, rtol=0.1)
    assert found.off_by < 0.1
    assert np.ptp(found.divided.slope) < 0.05
    assert (np.diff(found.plain.slope) < 0).all()
    assert (np.diff(found.plain.decided) > 0).all()


@pytest.mark.parametrize(("text", "word"), [(TEXT, "It"), ("He left.", "He"), ("The item is what they saw.", "they")])
def test_a_pronoun_is_followed_through_every_head(model: Translator, text: str, word: str) -> None:
    found, trace = self_attention.pointing(model, text), model.run(text)
    assert found is not None
    assert trace.source_tokens[found.pronoun] == word
    maps = trace.attention_of("encoder-self")
    for row, name in zip(found.weights, found.heads, strict=True):
        layer, head = map(int, name.split("."))
        np.testing.assert_array_equal(row, maps[layer].weights[head, found.pronoun])
    assert self_attention.pointing(model, "The items fit there.") is None


def test_nouns_are_looked_at_from_the_pronoun(model: Translator) -> None:
    found = self_attention.referents(model)
    for sentence, (ending, _, _) in enumerate(READINGS):
        text = self_attention.SENTENCE.format(ending)
        pointed, tokens = self_attention.pointing(model, text), model.read(text).labels
        assert pointed is not None
        for noun, (_, word, _) in enumerate(READINGS):
            np.testing.assert_array_equal(found.weights[sentence, :, noun], pointed.weights[:, tokens.index(word)])
        assert found.outputs[sentence] == model.run(text).output


def test_a_word_is_all_of_its_pieces(model: Translator) -> None:
    pieces = model.read("The cat drank it.")
    assert [pieces.labels[place] for place in self_attention._pieces(pieces, (8, 13))] == ["dr", "ank"]


def test_the_verdict_on_nouns_counts_heads_that_follow_the_meaning() -> None:
    weights = np.array([[[0.5, 0.1], [0.5, 0.1], [0.1, 0.5]], [[0.1, 0.5], [0.5, 0.1], [0.1, 0.5]]])
    found = Referents(("0.0", "0.1", "0.2"), weights, ("parce qu'il dort", "Elle file"))
    assert found.right == (2, 2)
    assert found.in_both == ("0.0",)
    assert found.pronouns == ("il", "elle")
    assert found.right_pronouns == 2
    assert Referents(("0.0",), weights[:, 1:2], ("elle", "la ville")).right_pronouns == 0


@pytest.mark.parametrize(
    ("head", "outputs", "verdict"),
    [(0, ("il", "elle"), "holds"), (0, ("il", "il"), "in part"), (1, ("il", "elle"), "does not hold")],
)
def test_a_head_that_follows_the_meaning_must_help_to_translate(head, outputs, verdict) -> None:
    weights = np.array([[[0.5, 0.1], [0.5, 0.1]], [[0.1, 0.5], [0.5, 0.1]]])[:, head : head + 1]
    assert Referents(("0.0",), weights, outputs).follow_the_meaning == verdict
