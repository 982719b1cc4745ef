"""Positions: the formula is the model's, products know distance alone, and what is added is what the model reads."""

import numpy as np
import pytest
import torch

from pretrained import entry
from pretrained.analysis import positions
from pretrained.architectures.transformer import Config, Transformer
from tests.models import tiny

LENGTH, D_MODEL = 64, 16
IDS = (5, 7, 7, 2)


@pytest.fixture
def network() -> Transformer:
    torch.manual_seed(0)
    config = Config(d_vocab=20, d_model=D_MODEL, d_feedforward=16, n_heads=2, n_layers=2)
    return Transformer(config).eval()


@pytest.fixture
def encoding(network: Transformer) -> np.ndarray:
    return network.positions(LENGTH).numpy()


def test_the_formula_is_what_the_model_uses(encoding: np.ndarray) -> None:
    by_hand = [[positions.worked(pos, unit, D_MODEL).value for unit in range(D_MODEL)] for pos in range(LENGTH)]
    np.testing.assert_allclose(by_hand, encoding, atol=1e-5)


def test_every_step_of_the_formula() -> None:
    one = positions.worked(5, 13, 192)
    assert (one.exponent, one.unit) == (12, 13)
    assert one.divisor == pytest.approx(1.7782794)
    assert one.angle == pytest.approx(2.8117066)
    assert one.value == pytest.approx(np.cos(2.8117066))
    assert positions.worked(5, 12, 192).value == pytest.approx(np.sin(2.8117066))
    assert one.turn == pytest.approx(2 * np.pi * 1.7782794)


@pytest.mark.parametrize("unit", [0, 1, 6, 15])
def test_a_wave_goes_through_every_position(encoding: np.ndarray, unit: int) -> None:
    wave = positions.wave(unit, D_MODEL, np.arange(LENGTH, dtype=np.float64))
    np.testing.assert_allclose(wave, encoding[:, unit], atol=1e-5)
    one, next_turn = positions.wave(unit, D_MODEL, np.array([0.25, 0.25 + positions.worked(0, unit, D_MODEL).turn]))
    assert one == pytest.approx(next_turn)


def test_products_depend_on_the_distance_alone(encoding: np.ndarray) -> None:
    products = positions.dot_products(encoding)
    np.testing.assert_allclose(np.diag(products), D_MODEL / 2, rtol=1e-5)
    distances, values = positions.pairs_by_distance(products)
    assert len(distances) == LENGTH * (LENGTH + 1) / 2
    np.testing.assert_allclose(values, positions.dot_product_at(distances, D_MODEL), atol=1e-4)
    # and the sum of cosines is no constant
    assert np.ptp(values) > 1


def test_the_summands_are_what_the_first_layer_reads(network: Transformer) -> None:
    added = positions.summands(network, IDS)
    np.testing.assert_allclose(
        added.embeddings + added.positions, network._embed(torch.tensor([IDS]))[0].detach(), atol=1e-6
    )
    # the same piece twice: one embedding, two positions
    np.testing.assert_array_equal(added.embeddings[1], added.embeddings[2])
    assert not np.allclose(added.positions[1], added.positions[2])
    words, places = added.lengths
    np.testing.assert_allclose(places, (D_MODEL / 2) ** 0.5, rtol=1e-5)
    np.testing.assert_allclose(words, np.sqrt((added.embeddings**2).sum(1)), rtol=1e-5)
    assert not added.positions.flags.writeable


def test_moving_a_sentence_changes_what_the_first_layer_looks_at(network: Transformer) -> None:
    assert positions.change_when_shifted(network, IDS, 0) == 0
    assert positions.change_when_shifted(network, IDS, 10) > 1e-4
    looked = network.encode(torch.tensor([IDS])).attention[0].weights[0].detach()
    torch.testing.assert_close(positions._first_layer_weights(network, IDS, 0).detach(), looked)


def test_without_positions_order_is_lost_and_moving_changes_nothing(
    network: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "positions", lambda length, **_: torch.zeros(length, D_MODEL))
    assert positions.change_when_shifted(network, IDS, 10) == 0
    order = torch.tensor([2, 0, 3, 1])
    ids = torch.tensor([IDS])
    torch.testing.assert_close(network.encode(ids).hidden[:, order], network.encode(ids[:, order]).hidden)


def test_a_shuffle_moves_vectors_only_where_there_are_positions() -> None:
    model = tiny.translator(entry("transformer"))
    found = positions.moved_when_shuffled(model, "The old dog that the cat saw sleeps.", 1)
    assert found.without < 1e-5
    assert found.with_positions > 0.01
    assert positions.moved_when_shuffled(model, "I", 1).with_positions < 1e-5, "one token has one order"


def test_words_change_places_and_none_is_lost() -> None:
    text = "the old dog sees the cat"
    for seed in range(1, 20):
        other = positions.shuffled(text, seed)
        assert other != text
        assert sorted(other.split()) == sorted(text.split())
        assert other == positions.shuffled(text, seed)
    assert len({positions.shuffled(text, seed) for seed in range(1, 20)}) > 5
    assert positions.shuffled("no no", 1) == "no no"


@pytest.mark.parametrize("unit", [-1, D_MODEL])
def test_a_unit_that_is_not_there_is_refused(unit: int) -> None:
    with pytest.raises(ValueError, match=f"unit: expected 0..{D_MODEL - 1}, got {unit}"):
        positions.worked(0, unit, D_MODEL)


def test_what_is_less_than_rounding_is_nothing() -> None:
    lost, noticed = positions.Moved(0.5, 1e-6), positions.Moved(0.0, 0.5)
    assert (lost.order_is_lost, lost.order_is_read) == (True, True)
    assert (noticed.order_is_lost, noticed.order_is_read) == (False, False)
    assert positions.is_indifferent(1e-6)
    assert not positions.is_indifferent(1e-3)
