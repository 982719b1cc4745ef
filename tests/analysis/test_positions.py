"""Positions: the formula is the model's, products know distance alone, and what is added is what the model reads."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from pretrained import entry, hub, loading
from pretrained.analysis import positions
from pretrained.architectures.transformer import Config, Transformer
from pretrained.architectures.transformer_rotary import rotate
from pretrained.model import Model
from tests.models import hub_models, tiny

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


def test_only_sinusoids_and_learned_vectors_feel_where_a_sentence_stands() -> None:
    text = "The old dog that the cat saw sleeps."
    moved = {
        name: positions.moved_along(tiny.translator(entry(name)), text, 10)
        for name in ("transformer", "conv-seq2seq", "transformer-rotary", "transformer-unordered")
    }
    assert min(moved["transformer"], moved["conv-seq2seq"]) > 0.01
    assert max(moved["transformer-rotary"], moved["transformer-unordered"]) < 1e-4
    assert positions.moved_along(tiny.translator(entry("transformer")), text, 0) == 0


def test_padding_before_a_sentence_is_the_same_as_adding_later_positions() -> None:
    model = tiny.translator(entry("transformer"))
    network, ids = cast("Transformer", model.network), model.read("I am happy.").ids
    x = (positions._scaled(network, ids) + network.positions(len(ids), first=7))[None]
    for block in network.encoder:
        x, _ = block(x, torch.ones(1, len(ids), dtype=torch.bool))
    torch.testing.assert_close(positions._encoded_from(model, list(ids), 7), x[0], atol=1e-4, rtol=1e-4)


def test_a_masked_language_model_is_moved_by_its_position_numbers(tmp_path: Path) -> None:
    tokenizer = hub_models.tokenizer_of("bert")
    network = hub_models.network_of("bert", len(tokenizer)).eval()
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = hub.load(tmp_path)
    ids = torch.tensor([model.read("the cat").ids])
    places = torch.arange(ids.shape[1])[None]
    with torch.inference_mode():
        here, there = (network.bert(ids, position_ids=places + first).last_hidden_state[0] for first in (0, 5))
    expected = float(((there - here).norm(dim=-1) / here.norm(dim=-1)).mean())
    assert positions.moved_along(model, "the cat", 5) == pytest.approx(expected, rel=1e-3)
    assert expected > 0.01


@pytest.mark.parametrize("name", ["conv-seq2seq", "bert-mini"])
def test_learned_vectors_are_those_that_the_model_adds(name: str) -> None:
    known = entry(name)
    network: Any = loading.build(known)
    table = network.source_positions if name == "conv-seq2seq" else network.bert.embeddings.position_embeddings
    found = positions.vectors(cast("Model", SimpleNamespace(entry=known, network=network)), 5)
    np.testing.assert_array_equal(found, table.weight[:5].detach())


def test_a_turned_vector_is_as_like_itself_as_the_picture_says() -> None:
    model = tiny.translator(entry("transformer-rotary"))
    d_head = cast("Transformer", model.network).config.d_head
    turned = rotate(torch.ones(9, d_head))
    np.testing.assert_allclose(
        positions.likeness(positions.vectors(model, 9)), (turned @ turned.T / d_head).numpy(), atol=1e-5
    )


def test_the_ways_are_told_for_every_model_and_none_is_told_of_none() -> None:
    models = [tiny.translator(entry(name)) for name in ("transformer", "transformer-rotary")]
    one, other = positions.ways(*models, "I am happy.", 10)
    assert one.tokens == other.tokens == models[0].read("I am happy.").labels
    assert one.moved == positions.moved_along(models[0], "I am happy.", 10)
    assert one.likeness.shape == (len(one.tokens),) * 2
    np.testing.assert_allclose(np.diag(other.likeness), 1, rtol=1e-5)
    with pytest.raises(ValueError, match=r"transformer-unordered: expected .* positions, got none"):
        positions.vectors(tiny.translator(entry("transformer-unordered")), 3)


def test_without_positions_order_is_lost(network: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "positions", lambda length, **_: torch.zeros(length, D_MODEL))
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
    assert not positions.is_indifferent(1e-2)
