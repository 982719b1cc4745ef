"""What holds for every registered model, whatever its weights: identities of attention, masks, batches and steps."""

from typing import Any

import jaxtyping
import pytest
import torch
from torch import nn

from pretrained.registry import Entry
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, close

LOOKS_AT_SOURCE = {"alignment", "encoder-self", "cross"}
# Their encoders' weights come of no softmax of scores: the identities they keep instead stand in test_efficient.py.
WITHOUT_SCORES = {"transformer-performer", "transformer-hierarchical"}


def test_attention_rows_sum_to_one(network: Any) -> None:
    for attended in tiny.decode(network, SOURCE, TARGET, MASK).record.attention:
        assert attended.may_attend is not None
        # Where a token sees its neighbours alone, one amid padding sees nothing.
        sees = attended.may_attend.any(-1)
        assert (sees | ~MASK).all() if attended.kind == "encoder-self" else sees.all()
        close(attended.weights.sum(-1), sees[:, None].float().expand(attended.weights.shape[:-1]), 1e-6)


def test_padding_gets_exactly_zero(entry: Entry, network: Any) -> None:
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    seen = [attended for attended in decoded.record.attention if attended.kind in LOOKS_AT_SOURCE]
    assert {attended.kind for attended in seen} == set(entry.attention) & LOOKS_AT_SOURCE
    for weights in decoded.weights:
        hidden = ~MASK[:, None, None].expand_as(weights)
        assert (weights[hidden] == 0).all()
        assert (weights[~hidden] > 0).all()
    for attended in seen:
        assert attended.may_attend is not None
        visible = attended.may_attend[:, None].expand_as(attended.weights)
        assert (attended.weights[~visible] == 0).all()
        assert (attended.weights[visible] > 0).all()
        if attended.keys is None:
            assert not (attended.may_attend & ~MASK[:, None]).any()


def test_what_stands_under_padding_is_not_read(network: Any) -> None:
    before = tiny.decode(network, SOURCE, TARGET, MASK)
    after = tiny.decode(network, SOURCE.masked_fill(~MASK, 45), TARGET, MASK)
    close(after.logits, before.logits, 1e-6)
    for one, other in zip(after.record.attention, before.record.attention, strict=True):
        rows = MASK[:, None, :, None] if one.kind == "encoder-self" else torch.tensor(data=True)
        close(one.weights * rows, other.weights * rows, 1e-6)


def test_the_future_gets_exactly_zero(network: Any) -> None:
    output = network(SOURCE, TARGET, MASK)
    for attended in (*output.attention, *tiny.decode(network, SOURCE, TARGET, MASK).record.attention):
        if attended.kind == "decoder-self":
            assert (attended.weights.triu(1) == 0).all()
            assert (attended.weights + torch.ones_like(attended.weights).triu(1) > 0).all()


def test_a_later_target_token_changes_nothing_before_it(network: Any) -> None:
    changed = TARGET.clone()
    changed[:, 3] = 40
    before, after = network(SOURCE, TARGET, MASK).logits, network(SOURCE, changed, MASK).logits
    close(after[:, :3], before[:, :3], 1e-6)
    assert not torch.allclose(after[:, 3:], before[:, 3:])


@pytest.mark.parametrize("row", range(len(SOURCE)))
def test_a_batch_of_one_equals_a_row_of_a_padded_batch(network: Any, row: int) -> None:
    n = int(MASK[row].sum())
    batch = tiny.decode(network, SOURCE, TARGET, MASK)
    alone = tiny.decode(network, SOURCE[row : row + 1, :n], TARGET[row : row + 1])
    close(alone.logits[0], batch.logits[row])
    close(
        network(SOURCE[row : row + 1, :n], TARGET[row : row + 1]).logits[0], network(SOURCE, TARGET, MASK).logits[row]
    )
    for one, many in zip(alone.record.attention, batch.record.attention, strict=True):
        assert (one.kind, one.layer) == (many.kind, many.layer)
        close(one.weights[0], many.weights[row][:, : one.weights.shape[2], : one.weights.shape[3]])
        queries, keys = one.weights.shape[2:]
        assert one.may_attend is not None
        assert many.may_attend is not None
        assert torch.equal(one.may_attend[0], many.may_attend[row, :queries, :keys])
        assert (one.scores is None) == (many.scores is None)
        if one.scores is not None and many.scores is not None:
            close(one.scores[0], many.scores[row, :, :queries, :keys])
    for state, states in zip(alone.record.states, batch.record.states, strict=True):
        assert (state.kind, state.layer) == (states.kind, states.layer)
        close(state.values[0], states.values[row, : state.values.shape[1]])


def test_step_by_step_equals_all_at_once(network: Any) -> None:
    output = network(SOURCE, TARGET, MASK)
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    close(decoded.logits, output.logits)
    at_once = [attended.weights for attended in output.attention if attended.kind in ("alignment", "cross")]
    assert len(decoded.weights) == len(at_once)
    for steps, parallel in zip(decoded.weights, at_once, strict=True):
        close(steps, parallel)


def test_the_record_equals_the_forward_pass(network: Any) -> None:
    recorded = tiny.decode(network, SOURCE, TARGET, MASK).record.attention
    output = network(SOURCE, TARGET, MASK).attention
    assert [(a.kind, a.layer) for a in recorded] == [(a.kind, a.layer) for a in output]
    for record, forward in zip(recorded, output, strict=True):
        close(record.weights, forward.weights)


def test_weights_are_the_softmax_of_the_visible_scores(entry: Entry, network: Any) -> None:
    for attended in tiny.decode(network, SOURCE, TARGET, MASK).record.attention:
        if attended.scores is None:
            assert entry.name in WITHOUT_SCORES
            assert attended.kind == "encoder-self"
            continue
        assert attended.may_attend is not None
        visible = attended.scores.masked_fill(~attended.may_attend[:, None], -torch.inf)
        sees = attended.may_attend.any(-1)[:, None].expand(attended.weights.shape[:-1])
        close(attended.weights[sees], torch.softmax(visible, -1)[sees], 1e-6)


def test_selected_rows_decode_as_before(network: Any) -> None:
    decoded = tiny.decode(network, SOURCE, TARGET, MASK)
    rows = torch.tensor([2, 0])
    encoding = network.select(decoded.encoding, rows)
    step = network.step(TARGET[rows, 3], network.select(decoded.states[3], rows), encoding)
    close(step.logits, decoded.logits[rows, 3])


def test_every_source_token_is_read(network: Any) -> None:
    before = network(SOURCE, TARGET, MASK).logits
    for position in range(SOURCE.shape[1]):
        changed = SOURCE.clone()
        changed[0, position] = 45
        after = network(changed, TARGET, MASK).logits
        assert not torch.allclose(after[0], before[0], atol=1e-4), f"position {position} is not read"
        close(after[1:], before[1:], 1e-6)


def test_a_run_leaves_nothing_on_the_network(network: Any) -> None:
    def everything(module: nn.Module) -> dict[str, Any]:
        inside = {
            f"{name}.{key}": id(value) for name, part in module.named_modules() for key, value in vars(part).items()
        }
        return inside | {name: tensor.clone() for name, tensor in module.state_dict().items()}

    before = everything(network)
    tiny.decode(network, SOURCE, TARGET, MASK)
    network(SOURCE, TARGET, MASK)
    after = everything(network)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name]) if isinstance(value, torch.Tensor) else value == after[name], name


def test_shapes_are_enforced_here(network: Any) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        network.encode(torch.zeros(3, dtype=torch.long))
    with pytest.raises(jaxtyping.TypeCheckError):
        network(SOURCE, TARGET[:2], MASK)
    with pytest.raises(jaxtyping.TypeCheckError):
        network(SOURCE, TARGET, MASK.float())
