"""The residual stream adds up to what the model computes."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained import entry
from pretrained.analysis import residual
from pretrained.translation import Translator
from tests.models import tiny

TEXT = "The old dog sleeps."


@pytest.fixture
def model() -> Translator:
    return tiny.translator(entry("transformer"))


def test_parts_add_up_to_the_models_own_vectors(model: Translator) -> None:
    trace = model.run(TEXT)
    for stream, kind in zip(residual.streams(model, TEXT), ("encoder-hidden", "decoder-hidden"), strict=True):
        layers = trace.states_of(kind)
        blocks = (len(stream.blocks) - 1) // len(layers)
        for number, layer in enumerate(layers, start=1):
            np.testing.assert_allclose(stream.vectors[number * blocks], layer.values, atol=1e-5)
        np.testing.assert_allclose(stream.lengths[-1], np.linalg.norm(layers[-1].values, axis=1), rtol=1e-5)
        added = np.linalg.norm(np.diff(stream.vectors, axis=0), axis=-1)
        np.testing.assert_allclose(stream.added[1:], added, rtol=1e-4, atol=1e-5)


def test_blocks_are_named_in_their_order(model: Translator) -> None:
    encoder, decoder = residual.streams(model, TEXT)
    assert encoder.blocks[:4] == (
        "embedding",
        "layer 0 self-attention",
        "layer 0 feed-forward",
        "layer 1 self-attention",
    )
    assert decoder.blocks[1:4] == ("layer 0 self-attention", "layer 0 cross-attention", "layer 0 feed-forward")
    token = 2
    assert encoder.strongest(token) == encoder.blocks[1 + int(np.argmax(encoder.added[1:, token]))]


def test_the_first_block_is_what_the_first_layer_reads(model: Translator) -> None:
    network: Any = model.network
    ids = torch.tensor([model.read(TEXT).ids])
    stream = residual.encoder_stream(network, ids)
    np.testing.assert_allclose(stream.vectors[0], network._embed(ids)[0].numpy(), atol=1e-6)


def test_behind_the_last_block_the_candidates_are_the_models(model: Translator) -> None:
    trace = model.run(TEXT)
    _, decoder = residual.streams(model, TEXT)
    for step in (0, len(trace.candidates) - 1):
        read = residual.read_early(model, decoder, len(decoder.blocks) - 1, step)
        for one, other in zip(read, trace.candidates[step], strict=True):
            assert one.token == other.token
            assert one.probability == pytest.approx(other.probability, abs=1e-5)
        assert sum(one.probability for one in residual.read_early(model, decoder, 0, step)) <= 1 + 1e-5
