"""The tagger against torch's own encoder given the same weights, and what holds whatever the weights are."""

from typing import Any

import jaxtyping
import pytest
import torch
from torch import nn

from pretrained.architectures.tagger import Config, Tagger
from pretrained.architectures.transformer import sinusoids
from pretrained.registry import entry as find
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, close

ENTRY = find("compress-transformer")


@pytest.fixture
def network() -> Any:
    return tiny.network(ENTRY)


def test_it_equals_torch_with_the_same_weights(network: Any) -> None:
    config = network.config
    x = network.embedding(SOURCE) * config.d_model**0.5 + sinusoids(SOURCE.shape[1], config.d_model)
    for ours, states in zip(network.encoder, network(SOURCE, MASK).states, strict=True):
        theirs = nn.TransformerEncoderLayer(
            config.d_model, config.n_heads, config.d_feedforward, dropout=0.0, batch_first=True, norm_first=True
        ).eval()
        attention = ours.self_attention
        theirs.load_state_dict(
            {
                "self_attn.in_proj_weight": torch.cat([attention.w_q.weight, attention.w_kv.weight]),
                "self_attn.in_proj_bias": torch.cat([attention.w_q.bias, attention.w_kv.bias]),
                "self_attn.out_proj.weight": attention.w_o.weight,
                "self_attn.out_proj.bias": attention.w_o.bias,
                "linear1.weight": ours.feedforward[0].weight,
                "linear1.bias": ours.feedforward[0].bias,
                "linear2.weight": ours.feedforward[2].weight,
                "linear2.bias": ours.feedforward[2].bias,
                "norm1.weight": ours.norms[0].weight,
                "norm1.bias": ours.norms[0].bias,
                "norm2.weight": ours.norms[1].weight,
                "norm2.bias": ours.norms[1].bias,
            }
        )
        x = theirs(x, src_key_padding_mask=~MASK)
        close(states.values[MASK], x[MASK], 1e-5)
    normed = nn.functional.layer_norm(x, (config.d_model,), network.norm.weight, network.norm.bias)
    expected = normed @ network.to_score.weight[0] + network.to_score.bias
    close(network(SOURCE, MASK).logits[MASK], expected[MASK], 1e-5)


@pytest.mark.parametrize("row", range(len(SOURCE)))
def test_a_batch_of_one_equals_a_row_of_a_padded_batch(network: Any, row: int) -> None:
    n = int(MASK[row].sum())
    batch, alone = network(SOURCE, MASK), network(SOURCE[row : row + 1, :n])
    close(alone.logits[0], batch.logits[row, :n])
    for one, many in zip(alone.attention, batch.attention, strict=True):
        assert (one.kind, one.layer) == (many.kind, many.layer)
        close(one.weights[0], many.weights[row, :, :n, :n])
        close(one.scores[0], many.scores[row, :, :n, :n])
    for one, many in zip(alone.states, batch.states, strict=True):
        assert (one.kind, one.layer) == (many.kind, many.layer)
        close(one.values[0], many.values[row, :n])


def test_rows_sum_to_one_and_padding_gets_exactly_zero(network: Any) -> None:
    for attended in network(SOURCE, MASK).attention:
        close(attended.weights.sum(-1), torch.ones(attended.weights.shape[:-1]), 1e-6)
        hidden = ~MASK[:, None, None].expand_as(attended.weights)
        assert (attended.weights[hidden] == 0).all()
        assert (attended.weights[~hidden] > 0).all()
        visible = attended.scores.masked_fill(~attended.may_attend[:, None], -torch.inf)
        close(attended.weights, torch.softmax(visible, -1), 1e-6)


def test_every_layer_is_told(network: Any) -> None:
    tagged = network(SOURCE)
    layers = list(range(network.config.n_layers))
    assert [(attended.kind, attended.layer) for attended in tagged.attention] == [("encoder-self", n) for n in layers]
    assert [(states.kind, states.layer) for states in tagged.states] == [("encoder-hidden", n) for n in layers]
    assert ENTRY.attention == ("encoder-self",)
    assert ENTRY.states == ("encoder-hidden",)


def test_every_decision_reads_every_token_and_its_place(network: Any) -> None:
    before = network(SOURCE, MASK).logits
    for position in range(SOURCE.shape[1]):
        changed = SOURCE.clone()
        changed[0, position] = 45
        after = network(changed, MASK).logits
        assert ((after[0] - before[0]).abs() > 1e-4).all(), f"position {position} is not read"
        close(after[1:], before[1:], 1e-6)
    swapped = SOURCE[:1, [1, 0, 2, 3, 4, 5, 6]]
    assert not torch.allclose(network(swapped).logits[0, 2:], before[0, 2:], atol=1e-4)


def test_a_run_leaves_nothing_on_the_network(network: Any) -> None:
    def everything() -> dict[str, Any]:
        inside = {
            f"{name}.{key}": id(value) for name, part in network.named_modules() for key, value in vars(part).items()
        }
        return inside | {name: tensor.clone() for name, tensor in network.state_dict().items()}

    before = everything()
    network(SOURCE, MASK)
    after = everything()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name]) if isinstance(value, torch.Tensor) else value == after[name], name


def test_heads_have_to_divide_the_width() -> None:
    with pytest.raises(ValueError, match="d_model 10 is not a multiple of n_heads 4"):
        Tagger(Config(d_vocab=5, d_model=10, n_heads=4))


def test_shapes_are_enforced_here(network: Any) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        network(torch.zeros(3, dtype=torch.long))
    with pytest.raises(jaxtyping.TypeCheckError):
        network(SOURCE, MASK.float())


def test_it_is_small() -> None:
    network = Tagger(Config(**ENTRY.sizes))
    assert sum(parameter.numel() for parameter in network.parameters()) == 848_561
