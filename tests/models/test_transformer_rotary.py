"""The rotary Transformer against its papers' equations in numpy, and against ``torch.nn`` given the same weights."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pretrained import loading
from pretrained.architectures import transformer
from pretrained.architectures.transformer_rotary import EPSILON, GroupedQueryAttention, RMSNorm, rotate
from pretrained.registry import entry as find
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, close

# Four heads in two groups.
SIZES = {"d_model": 16, "n_heads": 4, "n_kv_heads": 2}
CAUSAL = torch.ones(TARGET.shape[1], TARGET.shape[1], dtype=torch.bool).tril()


@pytest.fixture
def network() -> Any:
    return tiny.network(find("transformer-rotary"), **SIZES)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rotated(x: np.ndarray, m: int) -> np.ndarray:
    """Equation 34, unit by unit: ``x cos + (-x_2, x_1, -x_4, x_3, ...) sin``."""
    d = len(x)
    turned = np.empty(d)
    for unit in range(d):
        angle = m * 10000 ** (-2 * (unit // 2) / d)
        other = -x[unit + 1] if unit % 2 == 0 else x[unit - 1]
        turned[unit] = x[unit] * math.cos(angle) + other * math.sin(angle)
    return turned


# Rotation


@pytest.mark.parametrize("first", [0, 7])
def test_rotation_equals_the_equation(first: int) -> None:
    x = random(3, 5, 8)
    expected = [[rotated(row, first + m) for m, row in enumerate(rows)] for rows in x.double().numpy()]
    close(rotate(x, first=first), torch.tensor(np.array(expected)).float())
    close(rotate(x, first=first).norm(dim=-1), x.norm(dim=-1))
    assert rotate(x.bfloat16()).dtype == torch.bfloat16


def test_a_score_depends_on_the_distance_alone() -> None:
    q, k = random(1, 8), random(1, 8, seed=1)
    scores = torch.tensor(
        [[float((rotate(q, first=m) * rotate(k, first=n)).sum()) for n in range(9)] for m in range(9)]
    )
    for distance in range(-8, 9):
        same = scores.diagonal(distance)
        close(same, same[:1].expand_as(same))
    assert len({round(float(score), 3) for score in (*scores[0], *scores[:, 0])}) == 17


@pytest.mark.parametrize("kind", ["encoder-self", "decoder-self"])
def test_one_token_over_and_over_is_told_apart_by_distance_alone(network: Any, kind: str) -> None:
    source, target = torch.full((1, 6), 9), torch.full((1, 6), 21)
    seen = [one for one in tiny.decode(network, source, target).record.attention if one.kind == kind]
    assert seen[0].scores is not None
    scores = seen[0].scores[0]
    for distance in range(-5, 6):
        same = scores.diagonal(distance, 1, 2)
        close(same, same[:, :1].expand_as(same))
    assert (scores[:, 0].std(-1) > 1e-2).all()


# Groups


def grouped(n_kv_heads: int) -> GroupedQueryAttention:
    made: GroupedQueryAttention = (
        tiny.network(find("transformer-rotary"), **SIZES | {"n_kv_heads": n_kv_heads}).decoder[0].cross_attention
    )
    return made


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_groups_equal_torch(n_kv_heads: int) -> None:
    ours = grouped(n_kv_heads)
    x, source, may_attend = random(3, 5, 16), random(3, 7, 16, seed=1), MASK[:, None].expand(-1, 5, -1)
    seen = ours.keys_values(source)
    assert seen.keys.shape == seen.values.shape == (3, n_kv_heads, 7, 4)
    mixed, weights, scores = ours(x, seen, may_attend)
    q = (x @ ours.w_q.weight.T + ours.w_q.bias).view(3, 5, 4, 4).transpose(1, 2)
    expected = nn.functional.scaled_dot_product_attention(
        q, seen.keys, seen.values, attn_mask=may_attend[:, None], enable_gqa=True
    )
    close(mixed, ours.w_o(expected.transpose(1, 2).reshape(3, 5, 16)))
    for head in range(4):
        keys = seen.keys[:, head * n_kv_heads // 4]
        close(scores[:, head], q[:, head] @ keys.mT / 2)
    close(weights, torch.softmax(scores.masked_fill(~may_attend[:, None], -torch.inf), -1), 1e-6)


def test_as_many_groups_as_heads_are_full_attention() -> None:
    ours = grouped(4)
    full = transformer.MultiHeadAttention(transformer.Config(d_model=16, n_heads=4))
    full.load_state_dict(ours.state_dict())
    x, source = random(3, 5, 16), random(3, 7, 16, seed=1)
    for part, expected in zip(
        ours(x, ours.keys_values(source), None), full(x, full.keys_values(source), None), strict=True
    ):
        assert torch.equal(part, expected)


def test_what_is_kept_while_writing_are_rotated_keys_of_the_groups(network: Any) -> None:
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    layer = network.decoder[0]
    y = layer.norms[0](network.embedding(TARGET) * 4)
    keys, values = (y @ layer.self_attention.w_kv.weight.T + layer.self_attention.w_kv.bias).chunk(2, -1)
    kept = decoded.states[-1].past[0]
    close(kept.keys, rotate(keys.view(3, 5, 2, 4).transpose(1, 2)))
    close(kept.values, values.view(3, 5, 2, 4).transpose(1, 2))


# Norm


def test_the_norm_equals_the_equation_and_torch() -> None:
    a, ours, theirs = 3 * random(4, 5, 16) + 1, RMSNorm(16), nn.RMSNorm(16, eps=EPSILON)
    nn.init.normal_(ours.gain)
    theirs.weight.data = ours.gain.data
    close(ours(a), theirs(a), 1e-6)
    rows = a.double().numpy()
    by_hand = rows / np.sqrt((rows**2).mean(-1, keepdims=True)) * ours.gain.detach().double().numpy()
    close(ours(a).detach(), torch.tensor(by_hand).float())
    assert torch.isfinite(ours(torch.zeros(2, 16))).all()


# All together


def test_the_whole_network_equals_torch(network: Any) -> None:
    def norm(gain: RMSNorm, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.rms_norm(x, (16,), gain.gain, EPSILON)

    def look(part: Any, x: torch.Tensor, source: torch.Tensor, mask: torch.Tensor, turn: Any) -> torch.Tensor:
        q = part.w_q(x).unflatten(-1, (-1, 4)).transpose(1, 2)
        k, v = (half.unflatten(-1, (-1, 4)).transpose(1, 2) for half in part.w_kv(source).chunk(2, -1))
        mixed = nn.functional.scaled_dot_product_attention(turn(q), turn(k), v, attn_mask=mask, enable_gqa=True)
        out: torch.Tensor = part.w_o(mixed.transpose(1, 2).flatten(2))
        return out

    def turned(x: torch.Tensor) -> torch.Tensor:
        rows = [[[rotated(row, m) for m, row in enumerate(head)] for head in heads] for heads in x.double().numpy()]
        return torch.tensor(np.array(rows)).float()

    def as_is(x: torch.Tensor) -> torch.Tensor:
        return x

    may_source = MASK[:, None, None]
    x = network.embedding.weight[SOURCE] * 4
    for block in network.encoder:
        n = norm(block.norms[0], x)
        x = x + look(block.self_attention, n, n, may_source, turned)
        x = x + block.feedforward(norm(block.norms[1], x))
    x = norm(network.encoder_norm, x)
    y = network.embedding.weight[TARGET] * 4
    for block in network.decoder:
        n = norm(block.norms[0], y)
        y = y + look(block.self_attention, n, n, CAUSAL, turned)
        y = y + look(block.cross_attention, norm(block.norms[1], y), x, may_source, as_is)
        y = y + block.feedforward(norm(block.norms[2], y))
    logits = norm(network.decoder_norm, y) @ network.embedding.weight.T + network.output_bias
    close(network(SOURCE, TARGET, MASK).logits, logits, 1e-4)


def test_every_projection_starts_as_in_the_transformer() -> None:
    projections = [part for part in loading.build(find("transformer-rotary")).modules() if isinstance(part, nn.Linear)]
    assert len(projections) == 3 * (3 + 2) + 3 * (6 + 2)
    for part in projections:
        widest = math.sqrt(6 / (part.in_features + part.out_features))
        assert 0.95 * widest < float(part.weight.detach().abs().max()) <= widest


def test_it_is_as_large_as_the_transformer() -> None:
    rotary, plain = (
        sum(parameter.numel() for parameter in loading.build(find(name)).parameters())
        for name in ("transformer-rotary", "transformer")
    )
    assert rotary == pytest.approx(plain, rel=0.03)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"n_heads": 4, "n_kv_heads": 3}, "n_heads 4 is not a multiple of n_kv_heads 3"),
        ({"d_model": 12, "n_heads": 4, "n_kv_heads": 2}, "d_head: expected an even number, got 3"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        tiny.network(find("transformer-rotary"), **sizes)
