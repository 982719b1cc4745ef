"""Decoding with a mask that is given, what leaks without, what padding changes: against the model's own passes."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained import entry
from pretrained.analysis import masks
from pretrained.analysis.masks import Leak
from pretrained.tokenization import START
from pretrained.translation import Translator, forbid_specials
from tests.models import tiny

TEXT = "I am happy."


@pytest.fixture
def model() -> Translator:
    found = tiny.translator(entry("transformer"))
    tiny.favour_end(found, -100.0)
    return found


@torch.inference_mode()
def written(model: Translator) -> tuple[Any, list[int]]:
    encoding = model.network.encode(torch.tensor([model.read(TEXT).ids]))
    return encoding, model.greedy(encoding, 2 * len(model.read(TEXT).ids) + 10)[0]


@torch.inference_mode()
def test_with_the_causal_mask_it_is_the_models_own_pass(model: Translator) -> None:
    network: Any = model.network
    encoding, ids = written(model)
    target = torch.tensor([[START, *ids[:-1]]])
    made = masks.decode(network, encoding, target, masks.causal(len(ids)))
    record = network.record(encoding, target, [])
    own = [one.weights for one in record.attention if one.kind == "decoder-self"]
    tiny.close(torch.stack(made.weights), torch.stack(own), 0)
    (last,) = [one.values for one in record.states if one.kind == "decoder-hidden"][-1:]
    tiny.close(made.hidden, last, 0)


@torch.inference_mode()
def test_a_leak_is_a_row_that_moves_with_its_own_answer(model: Translator) -> None:
    network: Any = model.network
    (encoding, ids), found = written(model), masks.leak(model, TEXT)
    best = [one[0].probability for one in model.run(TEXT).candidates]
    np.testing.assert_allclose(found.masked, best, atol=1e-5)
    assert (found.moved_masked == 0).all()
    assert found.masked_is_tight

    def read(target: list[int]) -> torch.Tensor:
        """Probabilities at every row with nothing masked, by the model's own layers and head."""
        made = masks.decode(network, encoding, torch.tensor([target]), torch.ones(len(ids), len(ids)).bool())
        return torch.softmax(forbid_specials(network._logits(made.hidden)), -1)[0]

    target, row = [START, *ids[:-1]], 2
    plain = read(target)
    np.testing.assert_allclose(found.plain, plain[range(len(ids)), ids], atol=1e-5)
    second = int(
        forbid_specials(network(torch.tensor([model.read(TEXT).ids]), torch.tensor([target])).logits)[0, row].topk(2)[
            1
        ][1]
    )
    swapped = read([*target[: row + 1], second, *target[row + 2 :]])
    assert second != target[row + 1]
    assert found.moved_plain[row] == pytest.approx(float((plain[row] - swapped[row]).abs().sum() / 2), abs=1e-5)
    assert found.leaking == len(ids) - 1 == len(found.moved_plain)


def test_the_future_is_what_lies_right_of_the_diagonal(model: Translator) -> None:
    found = masks.leak(model, TEXT)
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    rows = [np.triu(one, 1).sum(-1)[:-1].mean() for one in found.weights.reshape(-1, *found.weights.shape[2:])]
    np.testing.assert_allclose(found.future.ravel(), rows, rtol=1e-5)
    assert found.future[found.most_ahead] == max(rows)


def test_a_single_token_has_nothing_behind_it() -> None:
    model = tiny.translator(entry("transformer"))
    tiny.favour_end(model, 1000.0)
    found = masks.leak(model, TEXT)
    assert found.masked.shape == (1,)
    assert found.moved_plain.shape == found.moved_masked.shape == (0,)
    assert found.leaking == 0
    assert found.masked_is_tight
    assert (found.future == 0).all()


def test_no_more_tokens_are_swapped_than_a_glance_allows(model: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    every = masks.leak(model, TEXT)
    monkeypatch.setattr(masks, "MOST_SWAPPED", 3)
    found = masks.leak(model, TEXT)
    np.testing.assert_allclose(found.moved_plain, every.moved_plain[:3], atol=1e-5)
    np.testing.assert_allclose(found.plain, every.plain, atol=1e-5)


def test_probabilities_are_compared_by_their_geometric_means() -> None:
    masked, plain, nothing = np.array([[0.9, 0.1], [0.4, 0.4], [0, 0]], np.float32)
    found = Leak(masked, plain, nothing, nothing, nothing[None], np.ones((1, 2, 2, 2), np.float32))
    assert found.probability == pytest.approx((0.3, 0.4))
    assert found.rises


def test_padding_changes_nothing_but_for_rounding(model: Translator) -> None:
    longer = "The old dog that the cat saw is sleeping."
    found = masks.padded(model, TEXT, longer)
    assert (found.length, found.width) == (len(model.read(TEXT).ids), len(model.read(longer).ids))
    assert found.on_padding == 0
    alone = np.stack([one.weights for one in model.run(TEXT).attention_of("encoder-self")])
    np.testing.assert_allclose(found.weights[..., : found.length], alone, atol=1e-5)
    assert found.moved < masks.EQUAL < found.moved_plain
    assert found.same_output
    with pytest.raises(ValueError, match=f"longer: expected more than {found.width} tokens, got {found.length}"):
        masks.padded(model, longer, TEXT)


def test_a_row_is_worked_out_from_what_is_visible(model: Translator) -> None:
    (attended, _) = model.run(TEXT).attention_of("decoder-self")
    assert attended.scores is not None
    for row in range(len(attended.query_tokens)):
        found = masks.worked(attended, 1, row)
        assert (found.visible, found.struck) == (row + 1, len(attended.query_tokens) - row - 1)
        assert found.hidden == 0
        assert found.key == attended.weights[1, row].argmax()
        assert found.total == pytest.approx(np.exp(attended.scores[1, row, : row + 1].astype(float)).sum())
        assert found.weight == pytest.approx(attended.weights[1, row, found.key], abs=1e-5)
    (alignment, _) = model.run(TEXT).attention_of("cross")
    assert masks.worked(alignment, 0, 0).struck == 0
