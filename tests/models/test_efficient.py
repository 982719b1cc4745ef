"""The efficient encoders against their papers' equations, and against full attention where they reach it; on disk."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors.torch
import torch

from pretrained import loading, registry
from pretrained.architectures import bigbird, hierarchical, linformer, performer, transformer, window
from pretrained.architectures.transformer import SelfAttention
from pretrained.registry import ENTRIES, Entry
from pretrained.registry import entry as find
from pretrained.training.shipping import write_json
from tests.models import tiny
from tests.models.tiny import MASK, SOURCE, TARGET, close

PARENT = find("transformer")
ADAPTED = [entry for entry in ENTRIES if entry.parent]
BIRD = bigbird.Config(radius=1, n_random=2)


class Inputs(NamedTuple):
    """Queries, keys and values of texts of three lengths; padding holds numbers as well."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    mask: torch.Tensor


def inputs(lengths: tuple[int, ...] = (9, 5, 1), *, seed: int = 0) -> Inputs:
    draw = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(len(lengths), 2, max(lengths), 4, generator=draw) for _ in range(3))
    return Inputs(q, k, v, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None])


def full(given: Inputs) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return transformer.attention(given.q, given.k, given.v, given.mask[:, None].expand(-1, given.q.shape[2], -1))


def softmax(scores: list[float]) -> np.ndarray:
    e = np.exp(np.array(scores, dtype=float))
    weights: np.ndarray = e / e.sum()
    return weights


def over_texts(given: Inputs, mixed: torch.Tensor, weights_of: Callable[..., Any]) -> None:
    """Fail unless every text's every head mixes values with ``weights_of(q, k, head)``, ``[query, key]``."""
    for text, length in enumerate(given.mask.sum(1).tolist()):
        for head in range(given.q.shape[1]):
            q, k, v = (x[text, head, :length].double().numpy() for x in given[:3])
            expected = weights_of(q, k, head)
            np.testing.assert_allclose(expected.sum(-1), 1, atol=1e-9)
            np.testing.assert_allclose(mixed[text, head, :length].numpy(), expected @ v, atol=1e-5)


# All of them


def attention_of(entry: Entry) -> SelfAttention:
    made: SelfAttention = tiny.network(entry).encoder[1].self_attention
    return made


@pytest.mark.parametrize("entry", ADAPTED, ids=lambda entry: entry.name)
def test_the_weights_returned_are_those_used(entry: Entry) -> None:
    attention, given = attention_of(entry), inputs()
    mixed, attended = attention.mix(*given)
    values = given.v
    if isinstance(attention, linformer.LinformerAttention):
        values = attention.f[:, : values.shape[2]] @ (values * given.mask[:, None, :, None])
    close(mixed, attended.weights @ values, 1e-6)


@pytest.mark.parametrize("entry", ADAPTED, ids=lambda entry: entry.name)
def test_weights_used_in_training_are_of_full_precision(entry: Entry) -> None:
    attention, given = attention_of(entry), inputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, attended = attention.mix(given.q.bfloat16(), given.k.bfloat16(), given.v.bfloat16(), given.mask)
    assert attended.weights.dtype == torch.float32
    ones = torch.ones(attended.weights.shape[:2])
    close(attended.weights[:, :, 0].sum(-1), ones, 1e-6)


@pytest.mark.parametrize("entry", ADAPTED, ids=lambda entry: entry.name)
def test_nothing_but_the_encoders_attention_differs(entry: Entry) -> None:
    ours, parent = tiny.network(entry).state_dict(), tiny.network(PARENT).state_dict()
    assert {name: tensor.shape for name, tensor in parent.items()}.items() <= {
        name: tensor.shape for name, tensor in ours.items()
    }.items()
    assert all(".self_attention." in name and name.startswith("encoder.") for name in ours.keys() - parent.keys())


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("transformer-window", {"radius": SOURCE.shape[1]}),
        ("transformer-bigbird", {"radius": SOURCE.shape[1]}),
        ("transformer-bigbird", {"n_random": SOURCE.shape[1]}),
        ("transformer-hierarchical", {"block": 1}),
    ],
)
def test_at_its_limit_the_network_is_its_parent(name: str, sizes: dict[str, int]) -> None:
    parent, child = tiny.network(PARENT), tiny.network(find(name), **sizes)
    child.load_state_dict(parent.state_dict(), strict=False)
    close(child(SOURCE, TARGET, MASK).logits, parent(SOURCE, TARGET, MASK).logits)


def test_linformer_with_a_slot_for_every_token_is_its_parent() -> None:
    n = SOURCE.shape[1]
    parent, child = tiny.network(PARENT), tiny.network(find("transformer-linformer"), n_slots=n, longest=n)
    identity = {name: torch.eye(n) for name in child.state_dict() if name.endswith((".e", ".f"))}
    assert len(identity) == 4
    child.load_state_dict(parent.state_dict() | identity)
    close(child(SOURCE[:1], TARGET[:1]).logits, parent(SOURCE[:1], TARGET[:1]).logits)


# Window


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_window_follows_its_equation(radius: int) -> None:
    def weights(q: np.ndarray, k: np.ndarray, _: int) -> np.ndarray:
        found = np.zeros((len(q), len(k)))
        for i in range(len(q)):
            near = [j for j in range(len(k)) if abs(j - i) <= radius]
            found[i, near] = softmax([q[i] @ k[j] / math.sqrt(len(k[j])) for j in near])
        return found

    given = inputs()
    over_texts(given, window.window_attention(*given, radius=radius)[0], weights)


@pytest.mark.parametrize("radius", [8, 9, 20])
def test_a_window_over_all_is_full_attention(radius: int) -> None:
    given = inputs()
    mixed, weights, scores = window.window_attention(*given, radius=radius)
    expected, expected_weights, expected_scores = full(given)
    close(mixed, expected, 1e-6)
    close(window.spread(weights, 0.0), expected_weights, 1e-6)
    visible = given.mask[:, None, None].expand_as(expected_scores)
    close(window.spread(scores, -torch.inf)[visible], expected_scores[visible], 1e-6)


def test_a_window_is_a_band() -> None:
    assert window.pattern(4, 1).int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    band = torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    assert window.spread(band, 0.0)[0, 0].tolist() == [[2, 3, 0], [4, 5, 6], [0, 7, 8]]


# BigBird


@pytest.mark.parametrize("layer", [0, 1])
def test_bigbird_follows_its_equation(layer: int) -> None:
    given = inputs((12, 7, 1))

    def weights(q: np.ndarray, k: np.ndarray, _: int) -> np.ndarray:
        found = np.zeros((len(q), len(k)))
        for i, near in enumerate(bigbird.neighbours(len(q), BIRD, layer)):
            seen = list(range(len(k))) if i in (0, len(q) - 1) else list(near)
            found[i, seen] = softmax([q[i] @ k[j] / math.sqrt(len(k[j])) for j in seen])
        return found

    over_texts(given, bigbird.bigbird_attention(*given, bigbird.graph(given.mask, BIRD, layer))[0], weights)


def test_every_token_has_its_window_both_ends_and_a_lot() -> None:
    for length in range(1, 65):
        rows = bigbird.neighbours(length, BIRD, 0)
        assert len(rows) == length
        for i, keys in enumerate(rows):
            certain = {j for j in range(length) if abs(j - i) <= BIRD.radius} | {0, length - 1}
            assert certain <= set(keys) <= set(range(length))
            assert len(keys) == len(set(keys)) == min(len(certain) + BIRD.n_random, length)


def test_the_lot_is_drawn_anew_for_every_layer_and_length() -> None:
    assert bigbird.neighbours(30, BIRD, 0) != bigbird.neighbours(30, BIRD, 1)
    drawn = [set(keys) - {i - 1, i, i + 1, 0, 29} for i, keys in enumerate(bigbird.neighbours(30, BIRD, 0))]
    assert len(set().union(*drawn)) > 20, "the lot falls on few tokens"


def test_both_ends_see_all_and_are_seen_by_all() -> None:
    sees = bigbird.pattern(20, BIRD, 0)
    assert sees[[0, -1]].all()
    assert sees[:, [0, -1]].all()
    assert (sees[1:-1].sum(1) <= 2 * BIRD.radius + 3 + BIRD.n_random).all()


# Linformer


def test_linformer_follows_its_equation() -> None:
    given, draw = inputs(), torch.Generator().manual_seed(1)
    e, f = torch.randn(3, 12, generator=draw), torch.randn(3, 12, generator=draw)
    mixed, weights, _ = linformer.linformer_attention(*given, e=e, f=f)
    for text, length in enumerate(given.mask.sum(1).tolist()):
        for head in range(2):
            q, k, v = (x[text, head, :length].double().numpy() for x in given[:3])
            e_k, f_v = e[:, :length].double().numpy() @ k, f[:, :length].double().numpy() @ v
            expected = np.array([softmax([q_i @ slot / 2 for slot in e_k]) for q_i in q])
            np.testing.assert_allclose(weights[text, head, :length].numpy(), expected, atol=1e-5)
            np.testing.assert_allclose(mixed[text, head, :length].numpy(), expected @ f_v, atol=1e-5)


def test_linformer_with_identity_projections_is_full_attention() -> None:
    given = inputs((6, 6))
    close(linformer.linformer_attention(*given, e=torch.eye(6), f=torch.eye(6))[0], full(given)[0], 1e-6)


def test_linformer_begins_anew_where_its_positions_end() -> None:
    given, draw = inputs((9, 7)), torch.Generator().manual_seed(1)
    e, f = torch.randn(3, 4, generator=draw), torch.randn(3, 4, generator=draw)
    mixed, _, _ = linformer.linformer_attention(*given, e=e, f=f)
    close(mixed, linformer.linformer_attention(*given, e=e.repeat(1, 3), f=f.repeat(1, 3))[0], 1e-6)


# Performer


def omega(n_features: int, *, seed: int = 0) -> torch.Tensor:
    return performer.orthogonal_features(n_features, 4, seed=seed)


def test_performer_follows_its_equations() -> None:
    given, w = inputs(), omega(6).double().numpy()

    def phi(x: np.ndarray) -> Any:
        x = x / len(x) ** 0.25
        return np.exp(w @ x - x @ x / 2) / math.sqrt(len(w))

    def weights(q: np.ndarray, k: np.ndarray, _: int) -> Any:
        kernel = np.array([[phi(q_i) @ phi(k_j) for k_j in k] for q_i in q])
        return kernel / kernel.sum(1, keepdims=True)

    phi_q, phi_k = performer.features(given.q, given.k, given.mask, omega(6))
    over_texts(given, performer.linear_attention(phi_q, phi_k, given.v), weights)


def test_the_kernels_weights_are_those_of_the_linear_order() -> None:
    given = inputs((40, 13))
    phi_q, phi_k = performer.features(given.q, given.k, given.mask, omega(16))
    weights = performer.kernel_weights(phi_q, phi_k)
    close(weights @ given.v, performer.linear_attention(phi_q, phi_k, given.v))
    assert (weights[~given.mask[:, None, None].expand_as(weights)] == 0).all()


def test_performer_nears_full_attention_as_one_over_the_root_of_its_features() -> None:
    q, k, v, mask = inputs((24, 17))
    # Long vectors vary so much that the law shows beyond any number of features that could be tried here.
    given = Inputs(0.4 * q, 0.4 * k, v, mask)
    _, expected, _ = full(given)

    def error(n_features: int) -> float:
        weights = [
            performer.kernel_weights(*performer.features(given.q, given.k, mask, omega(n_features, seed=seed)))
            for seed in range(30)
        ]
        return float((torch.stack(weights) - expected).square().mean().sqrt())

    errors = [error(n_features) for n_features in (32, 128, 512, 2048)]
    for few, many in itertools.pairwise(errors):
        assert 1.6 < few / many < 2.5, errors
    assert errors[-1] < 0.002


def test_directions_are_orthogonal_in_blocks_and_as_long_as_gaussian_ones() -> None:
    drawn = performer.orthogonal_features(100, 8, seed=0)
    lengths = drawn.norm(dim=1)
    for block in (drawn / lengths[:, None]).split(8):
        close(block @ block.T, torch.eye(len(block)))
    many = performer.orthogonal_features(8000, 8, seed=1)
    assert float(many.square().sum(1).mean()) == pytest.approx(8, rel=0.03)
    close(many.mean(0), torch.zeros(8), 0.05)
    close(many.T @ many / len(many), torch.eye(8), 0.08)


def test_features_are_fixed_and_shipped() -> None:
    one, other = (loading.build(find("transformer-performer"), tiny.sizes(PARENT)).state_dict() for _ in range(2))
    drawn = [tensor for name, tensor in one.items() if name.endswith("omega")]
    assert len(drawn) == 2
    assert not torch.equal(drawn[0], drawn[1])
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items() if name.endswith("omega"))


def test_far_queries_and_keys_stay_numbers() -> None:
    given = inputs()
    phi_q, phi_k = performer.features(40 * given.q, 40 * given.k, given.mask, omega(8))
    assert torch.isfinite(performer.linear_attention(phi_q, phi_k, given.v)).all()
    close(performer.kernel_weights(phi_q, phi_k).sum(-1), torch.ones(3, 2, 9), 1e-5)


# Hierarchical


def context_vectors() -> torch.Tensor:
    return torch.randn(2, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("block", [1, 2, 4, 20])
def test_hierarchical_follows_its_equations(block: int) -> None:
    given, u = inputs(), context_vectors()

    def weights(q: np.ndarray, k: np.ndarray, head: int) -> np.ndarray:
        blocks = [list(range(first, min(first + block, len(k)))) for first in range(0, len(k), block)]
        p = [softmax([u[head].double().numpy() @ k[j] for j in b]) for b in blocks]
        summaries = [p_b @ k[b] for p_b, b in zip(p, blocks, strict=True)]
        found = np.zeros((len(q), len(k)))
        for i in range(len(q)):
            for a, p_b, b in zip(softmax([q[i] @ s / 2 for s in summaries]), p, blocks, strict=True):
                found[i, b] = a * p_b
        return found

    mixed, over, within = hierarchical.hierarchical_attention(*given, u=u, block=block)
    over_texts(given, mixed, weights)
    tokens = hierarchical.token_weights(over, within)
    close(tokens[..., :9] @ given.v, mixed, 1e-6)
    assert (tokens[..., 9:] == 0).all()


def test_blocks_of_one_token_are_full_attention() -> None:
    given = inputs()
    mixed, over, _ = hierarchical.hierarchical_attention(*given, u=context_vectors(), block=1)
    expected, weights, _ = full(given)
    close(mixed, expected, 1e-6)
    close(over, weights, 1e-6)


def test_in_one_block_it_does_not_matter_who_asks() -> None:
    given, u = inputs((8, 8)), context_vectors()
    mixed, over, within = hierarchical.hierarchical_attention(*given, u=u, block=8)
    assert (over == 1).all()
    expected = torch.softmax(torch.einsum("hd,bhkd->bhk", u, given.k), -1)
    close(within[:, :, 0], expected, 1e-6)
    close(mixed, torch.einsum("bhk,bhkd->bhd", expected, given.v)[:, :, None].expand_as(mixed), 1e-6)


# On disk


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A tiny Transformer and a tiny relative of it, shipped in a folder of their own."""
    entry = find("transformer-linformer")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    for number, known in enumerate((PARENT, entry)):
        network = tiny.network(known, seed=number)
        own = {name: x.half() for name, x in network.state_dict().items() if name.startswith(known.own)}
        known.folder.mkdir()
        write_json(known.folder / "config.json", tiny.sizes(known) | {"tokenizer": "enfr"})
        safetensors.torch.save_file(own, known.folder / "model.safetensors")
    return entry


def change(entry: Entry, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    path = entry.folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    edit(tensors)
    safetensors.torch.save_file(tensors, path)


def test_an_adapted_model_is_its_own_encoder_and_its_parents_rest(at_home: Entry) -> None:
    loaded: Any = loading.load_model(at_home).network
    own = loading.read_weights(at_home.folder / "model.safetensors")
    parent = loading.read_weights(PARENT.folder / "model.safetensors")
    assert "encoder.0.self_attention.e" in own
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, own[name] if name.startswith("encoder") else parent[name]), name
    assert not torch.equal(own["encoder.0.feedforward.0.weight"], parent["encoder.0.feedforward.0.weight"])


def test_a_missing_tensor_is_not_taken_from_the_parent(at_home: Entry) -> None:
    change(at_home, lambda tensors: tensors.pop("encoder.0.feedforward.0.weight"))
    with pytest.raises(RuntimeError, match=r"(?i)missing key.*encoder\.0\.feedforward\.0\.weight"):
        loading.load_model(at_home)


def test_a_stray_tensor_is_refused(at_home: Entry) -> None:
    change(at_home, lambda tensors: tensors.update({"encoder.stray": torch.zeros(1)}))
    with pytest.raises(RuntimeError, match=r"(?i)unexpected key.*encoder\.stray"):
        loading.load_model(at_home)


def test_a_tensor_of_the_parents_is_refused(at_home: Entry) -> None:
    change(at_home, lambda tensors: tensors.update(output_bias=torch.zeros(50)))
    with pytest.raises(ValueError, match=r"expected tensors named encoder\.\.\. alone, got output_bias"):
        loading.load_model(at_home)


def test_a_parent_that_lacks_a_tensor_is_refused(at_home: Entry) -> None:
    change(PARENT, lambda tensors: tensors.pop("output_bias"))
    with pytest.raises(RuntimeError, match=r"(?i)missing key.*output_bias"):
        loading.load_model(at_home)


def test_without_its_parent_it_says_whom_to_train(at_home: Entry) -> None:
    (PARENT.folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"python -m pretrained train transformer$"):
        loading.load_model(at_home)


def test_adapting_begins_with_all_that_the_parent_has(at_home: Entry) -> None:
    network = tiny.network(at_home, seed=3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    loading.begin_from_parent(network, at_home)
    parent = loading.read_model(PARENT)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, parent.get(name, before[name])), name
    assert before.keys() - parent.keys() == {f"encoder.{n}.self_attention.{table}" for n in (0, 1) for table in "ef"}


@pytest.mark.parametrize(
    "edit", [lambda x: x.pop("output_bias"), lambda x: x.update(stray=torch.zeros(1))], ids=["missing", "stray"]
)
def test_adapting_refuses_a_parent_that_differs_elsewhere(
    at_home: Entry, edit: Callable[[dict[str, torch.Tensor]], Any]
) -> None:
    change(PARENT, edit)
    with pytest.raises(ValueError, match=r"differ in more than encoder\.\.\.: (output_bias|stray)"):
        loading.begin_from_parent(tiny.network(at_home), at_home)
