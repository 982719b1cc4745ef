"""The Transformer against ``torch.nn`` with the same weights, and its positions against the paper's formula."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from pretrained.architectures import transformer
from pretrained.registry import entry as find
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, close

CONFIG = transformer.Config(**tiny.sizes(find("transformer")))
CAUSAL = torch.ones(TARGET.shape[1], TARGET.shape[1], dtype=torch.bool).tril()


@pytest.fixture
def network() -> Any:
    return tiny.network(find("transformer"))


def copy_attention(ours: transformer.MultiHeadAttention) -> nn.MultiheadAttention:
    theirs = nn.MultiheadAttention(CONFIG.d_model, CONFIG.n_heads, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([ours.w_q.weight, ours.w_kv.weight]),
            "in_proj_bias": torch.cat([ours.w_q.bias, ours.w_kv.bias]),
            "out_proj.weight": ours.w_o.weight,
            "out_proj.bias": ours.w_o.bias,
        }
    )
    return theirs


def copy_layer(ours: Any) -> nn.TransformerEncoderLayer | nn.TransformerDecoderLayer:
    """The same layer out of torch's own parts."""
    decoder = isinstance(ours, transformer.DecoderLayer)
    made = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    theirs = made(
        CONFIG.d_model,
        CONFIG.n_heads,
        CONFIG.d_feedforward,
        dropout=0.0,
        activation="relu",
        batch_first=True,
        norm_first=True,
    )
    theirs.self_attn = copy_attention(ours.self_attention)
    if isinstance(theirs, nn.TransformerDecoderLayer):
        theirs.multihead_attn = copy_attention(ours.cross_attention)
    theirs.linear1, theirs.linear2 = ours.feedforward[0], ours.feedforward[2]
    for number, norm in enumerate(ours.norms, start=1):
        setattr(theirs, f"norm{number}", norm)
    return theirs


def inputs(length: int) -> torch.Tensor:
    return torch.randn(len(SOURCE), length, CONFIG.d_model, generator=torch.Generator().manual_seed(length))


def test_attention_equals_torch() -> None:
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(3, 2, n, 4, generator=draw) for n in (5, 7, 7))
    may_attend = MASK[:, None].expand(-1, 5, -1)
    mixed, weights, scores = transformer.attention(q, k, v, may_attend)
    close(mixed, nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=may_attend[:, None]), 1e-6)
    close(weights @ v, mixed, 1e-6)
    close(scores, torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(4), 1e-6)
    free, _, _ = transformer.attention(q, k, v)
    close(free, nn.functional.scaled_dot_product_attention(q, k, v), 1e-6)


def test_every_head_equals_torch(network: Any) -> None:
    ours = network.encoder[0].self_attention
    x = inputs(SOURCE.shape[1])
    mixed, weights, _ = ours(x, ours.keys_values(x), MASK[:, None].expand(-1, SOURCE.shape[1], -1))
    expected, expected_weights = copy_attention(ours)(x, x, x, key_padding_mask=~MASK, average_attn_weights=False)
    close(mixed, expected)
    close(weights, expected_weights)


def test_an_encoder_layer_equals_torch(network: Any) -> None:
    x = inputs(SOURCE.shape[1])
    ours, _ = network.encoder[1](x, MASK)
    close(ours, copy_layer(network.encoder[1])(x, src_key_padding_mask=~MASK))


def test_a_decoder_layer_equals_torch(network: Any) -> None:
    layer, y, memory = network.decoder[1], inputs(TARGET.shape[1]), inputs(SOURCE.shape[1])
    ours, _ = layer(
        y,
        layer.keys_values(y),
        CAUSAL.expand(len(y), -1, -1),
        layer.cross_attention.keys_values(memory),
        MASK[:, None].expand(-1, TARGET.shape[1], -1),
    )
    close(ours, copy_layer(layer)(y, memory, tgt_mask=~CAUSAL, memory_key_padding_mask=~MASK))


def test_the_whole_network_equals_torch(network: Any) -> None:
    def embed(ids: torch.Tensor) -> torch.Tensor:
        positions = torch.tensor([sinusoid(pos, CONFIG.d_model) for pos in range(ids.shape[1])])
        embedded: torch.Tensor = network.embedding.weight[ids] * math.sqrt(CONFIG.d_model) + positions
        return embedded

    x = embed(SOURCE)
    for block in network.encoder:
        x = copy_layer(block)(x, src_key_padding_mask=~MASK)
    memory = network.encoder_norm(x)
    y = embed(TARGET)
    for block in network.decoder:
        y = copy_layer(block)(y, memory, tgt_mask=~CAUSAL, memory_key_padding_mask=~MASK)
    logits = network.decoder_norm(y) @ network.embedding.weight.T + network.output_bias
    close(network(SOURCE, TARGET, MASK).logits, logits)

    states = tiny.decode(network, SOURCE, TARGET, MASK).record.states
    last = {state.kind: state.values for state in states}  # layers come in order, so the last one stays
    close(last["encoder-hidden"], x)
    close(last["decoder-hidden"], y)


def sinusoid(pos: int, d_model: int) -> list[float]:
    """Section 3.5, unit by unit."""
    encoding = []
    for unit in range(d_model):
        angle = pos / 10000 ** (2 * (unit // 2) / d_model)
        encoding.append(math.sin(angle) if unit % 2 == 0 else math.cos(angle))
    return encoding


def test_positions_equal_the_formula() -> None:
    ours = transformer.sinusoids(64, 192)
    close(ours, torch.tensor([sinusoid(pos, 192) for pos in range(64)]))
    close(transformer.sinusoids(4, 192, first=60), ours[60:], 1e-6)


# Without positions


@pytest.fixture
def unordered() -> Any:
    return tiny.network(find("transformer-unordered"))


def test_a_shuffled_source_gives_the_same_encodings_shuffled(unordered: Any) -> None:
    order = torch.tensor([4, 0, 6, 2, 1, 5, 3])  # padding moves too
    straight, shuffled = unordered.encode(SOURCE, MASK), unordered.encode(SOURCE[:, order], MASK[:, order])
    close(shuffled.hidden, straight.hidden[:, order])
    for ours, theirs in zip(shuffled.attention, straight.attention, strict=True):
        close(ours.weights, theirs.weights[:, :, order][..., order], 1e-6)
    # so the decoder cannot tell the two sentences apart
    close(unordered(SOURCE[:, order], TARGET, MASK[:, order]).logits, unordered(SOURCE, TARGET, MASK).logits)


def test_positions_are_what_tells_a_shuffled_source(network: Any) -> None:
    order = torch.tensor([1, 0, 2, 3, 4, 5, 6])
    shuffled = network.encode(SOURCE[:, order], MASK[:, order]).hidden
    assert not torch.allclose(shuffled, network.encode(SOURCE, MASK).hidden[:, order], atol=1e-2)


def test_order_leaks_into_a_decoder_through_the_causal_mask() -> None:
    """The last output is blind to the order of what one layer reads, but that layer's outputs are not."""
    swapped = TARGET[:, [1, 0, 2, 3, 4]]
    one_layer, two_layers = (tiny.network(find("transformer-unordered"), n_layers=n) for n in (1, 2))
    close(one_layer(SOURCE, swapped, MASK).logits[:, 2:], one_layer(SOURCE, TARGET, MASK).logits[:, 2:])
    leaked = two_layers(SOURCE, swapped, MASK).logits[:, 2:] - two_layers(SOURCE, TARGET, MASK).logits[:, 2:]
    assert (leaked.abs().amax(-1) > 1e-2).all()


def test_without_positions_nothing_is_added(unordered: Any) -> None:
    assert torch.equal(unordered.positions(5, first=3), torch.zeros(5, CONFIG.d_model))
    assert unordered.state_dict().keys() == tiny.network(find("transformer")).state_dict().keys()


def test_unknown_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 'sinusoidal' or 'none', got 'learnt'"):
        tiny.network(find("transformer"), positions="learnt")


def test_weights_are_taken_before_dropout() -> None:
    network = tiny.network(find("transformer"), dropout=0.5).train()
    for attended in network(SOURCE, TARGET, MASK).attention:
        close(attended.weights.sum(-1), torch.ones(attended.weights.shape[:-1]), 1e-6)


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"d_model 8 .* n_heads 3"):
        tiny.network(find("transformer"), n_heads=3)
