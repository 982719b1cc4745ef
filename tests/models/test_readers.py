"""The two readers that answer after any token: nothing later is seen, padding changes nothing, torch agrees."""

from typing import Any

import pytest
import torch
from torch import nn

from pretrained.architectures import causal_transformer, recurrent_reader
from pretrained.architectures.causal_transformer import CausalTransformer
from pretrained.architectures.recurrent_reader import RecurrentReader
from pretrained.registry import CELL_STATES
from pretrained.tokenization import PAD
from tests.models.tiny import close

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11], [11, 5, 12, 8, PAD, PAD, PAD], [13, 7, PAD, PAD, PAD, PAD, PAD]])
LENGTHS = (7, 4, 2)
CELLS = ("rnn", "lstm", "gru")
TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def build(kind: str) -> Any:
    """A tiny reader in evaluation mode, with biases and norms that are not nothing."""
    torch.manual_seed(0)
    made: nn.Module
    if kind in CELLS:
        made = RecurrentReader(recurrent_reader.Config(d_vocab=20, d_model=8, d_hidden=6, cell=kind))
    else:
        sizes = causal_transformer.Config(d_vocab=20, d_model=8, d_feedforward=12, n_heads=2, n_layers=2)
        made = CausalTransformer(sizes)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.6)
    return made.eval().requires_grad_(requires_grad=False)


@pytest.fixture(params=[*CELLS, "transformer"])
def reader(request: pytest.FixtureRequest) -> Any:
    return build(request.param)


@pytest.mark.parametrize("place", range(IDS.shape[1]))
def test_a_token_changes_what_comes_after_it_and_nothing_before(reader: Any, place: int) -> None:
    changed = IDS.clone()
    changed[:, place] = 15
    moved = (reader(changed).logits - reader(IDS).logits).abs().amax(-1)
    assert (moved[:, :place] < 1e-6).all()
    # Not farther: a random cell without gates forgets what it read, and so it should.
    assert (moved[:, place : place + 2] > 1e-4).all()


@pytest.mark.parametrize("row", range(len(IDS)))
def test_a_batch_of_one_equals_a_row_of_a_padded_batch(reader: Any, row: int) -> None:
    n = LENGTHS[row]
    alone = IDS[row : row + 1, :n]
    close(reader(alone).logits[0], reader(IDS).logits[row, :n])
    one, many = reader.record(alone), reader.record(IDS)
    for state, states in zip(one.states, many.states, strict=True):
        assert (state.kind, state.layer) == (states.kind, states.layer)
        close(state.values[0], states.values[row, :n])
    for seen, all_seen in zip(one.attention, many.attention, strict=True):
        assert seen.scores is not None
        assert all_seen.scores is not None
        close(seen.weights[0], all_seen.weights[row, :, :n, :n])
        close(seen.scores[0], all_seen.scores[row, :, :n, :n])


def test_the_record_equals_the_forward_pass(reader: Any) -> None:
    forward, record = reader(IDS).attention, reader.record(IDS).attention
    assert [(a.kind, a.layer) for a in forward] == [(a.kind, a.layer) for a in record]
    for one, other in zip(forward, record, strict=True):
        close(one.weights, other.weights)


def test_a_run_leaves_nothing_on_the_reader(reader: Any) -> None:
    def everything() -> dict[str, int]:
        parts = reader.named_modules()
        return {f"{name}.{key}": id(value) for name, part in parts for key, value in vars(part).items()}

    before, weights = everything(), {name: tensor.clone() for name, tensor in reader.state_dict().items()}
    reader(IDS)
    reader.record(IDS)
    assert everything() == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in reader.state_dict().items())


@pytest.mark.parametrize("cell", CELLS)
def test_a_recurrent_reader_equals_torch(cell: str) -> None:
    reader = build(cell)
    theirs = TORCH[cell](8, 6, batch_first=True)
    theirs.load_state_dict(reader.encoder.state_dict())
    hidden, _ = theirs(reader.embedding(IDS))
    expected = reader.to_output(hidden) @ reader.embedding.weight.T + reader.output_bias
    close(reader(IDS).logits, expected)
    states = {states.kind: states.values for states in reader.record(IDS).states}
    assert set(states) == {f"encoder-{part}" for part in CELL_STATES[cell]}
    close(states["encoder-hidden"], hidden)


def test_gates_make_the_states() -> None:
    lstm, gru = ({s.kind: s.values for s in build(cell).record(IDS).states} for cell in ("lstm", "gru"))
    i, f, o, g, c, h = (lstm[f"encoder-{part}"] for part in ("gate-i", "gate-f", "gate-o", "gate-g", "cell", "hidden"))
    close(c[:, 1:], f[:, 1:] * c[:, :-1] + i[:, 1:] * g[:, 1:])
    close(h, o * torch.tanh(c))
    z, n, h = (gru[f"encoder-{part}"] for part in ("gate-z", "gate-n", "hidden"))
    close(h[:, 1:], (1 - z[:, 1:]) * n[:, 1:] + z[:, 1:] * h[:, :-1])


def test_causal_attention_sees_itself_and_what_is_before_it() -> None:
    for attended in build("transformer").record(IDS).attention:
        assert attended.kind == "decoder-self"
        assert attended.scores is not None
        assert attended.may_attend is not None
        visible = torch.ones(7, 7, dtype=torch.bool).tril()
        assert (attended.may_attend == visible).all()
        assert (attended.weights.triu(1) == 0).all()
        assert (attended.weights[..., visible] > 0).all()
        close(attended.weights.sum(-1), torch.ones(3, 2, 7), 1e-6)
        close(attended.weights, torch.softmax(attended.scores.masked_fill(~visible, -torch.inf), -1), 1e-6)


def test_a_causal_transformer_equals_torch() -> None:
    reader = build("transformer")
    x = reader.embedding(IDS) * 8**0.5
    for pos in range(7):
        for unit in range(8):
            angle = torch.tensor(pos / 10000 ** (unit // 2 * 2 / 8))
            x[:, pos, unit] += torch.sin(angle) if unit % 2 == 0 else torch.cos(angle)
    later = torch.ones(7, 7, dtype=torch.bool).triu(1)
    for ours, states in zip(reader.layers, reader.record(IDS).states, strict=True):
        theirs = nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True, norm_first=True)
        own = ours.self_attention
        theirs.self_attn.load_state_dict(
            {
                "in_proj_weight": torch.cat([own.w_q.weight, own.w_kv.weight]),
                "in_proj_bias": torch.cat([own.w_q.bias, own.w_kv.bias]),
                "out_proj.weight": own.w_o.weight,
                "out_proj.bias": own.w_o.bias,
            }
        )
        theirs.linear1, theirs.linear2 = ours.feedforward[0], ours.feedforward[2]
        theirs.norm1, theirs.norm2 = ours.norms
        x = theirs(x, src_mask=later)
        assert states.kind == "decoder-hidden"
        close(states.values, x)
    logits = nn.functional.layer_norm(x, (8,), reader.norm.weight, reader.norm.bias) @ reader.embedding.weight.T
    close(reader(IDS).logits, logits + reader.output_bias)


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"d_model 8 .* n_heads 3"):
        CausalTransformer(causal_transformer.Config(d_vocab=20, d_model=8, n_heads=3))


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown cell 'clockwork'; expected one of rnn, lstm, gru"):
        RecurrentReader(recurrent_reader.Config(cell="clockwork"))
