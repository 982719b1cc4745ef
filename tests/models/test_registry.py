"""The list of models against what the models do, and everything that a listed model has to have, by name."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import pretrained
from pretrained import loading, registry
from pretrained.registry import ENTRIES, Entry
from pretrained.training.evaluation import LENGTHS
from pretrained.training.recipes import RECIPES
from pretrained.translation import Translator

MOST_PARAMETERS, MOST_BYTES = 3_900_000, 8_000_000
TASKS = sorted({entry.task for entry in ENTRIES})
# What a card has to say, each with the type of its answer.
CARD: dict[str, type | tuple[type, ...]] = {
    "paper": str,
    "data": dict,
    "seed": int,
    "steps": int,
    "target_tokens": int,
    "minutes": (int, float),
    "device": str,
    "parameters": int,
    "bytes": int,
    "learning_curve": list,
    "scores": dict,
}


def missing(entry: Entry) -> list[str]:
    """What a listed model still lacks, in words that say what to do."""
    files = {
        "config.json": "its sizes and the name of its tokenizer",
        "model.safetensors": "its weights",
        "card.json": "how it was trained and how it scores",
        "golden.json": "what the shipped weights give on a few texts",
    }
    found = [f"{entry.folder / file}: {what}" for file, what in files.items() if not (entry.folder / file).is_file()]
    if entry.name not in RECIPES:
        found.append(f"a recipe for {entry.name} in pretrained/training/recipes.py")
    if not (entry.folder / "card.json").is_file():
        return found
    card = entry.card()
    found += [f"{name} in the card of {entry.name}" for name, kind in CARD.items() if not is_told(card.get(name), kind)]
    sources = card.get("data", {}).get("sources", {})
    found += [
        f"the licence of {tag} in the card of {entry.name}" for tag, source in sources.items() if "," not in source
    ]
    if not sources:
        found.append(f"data sources with their licences in the card of {entry.name}")
    if not card.get("learning_curve") or not {"target_tokens", "valid_loss"} <= card["learning_curve"][-1].keys():
        found.append(f"target_tokens and valid_loss on the learning curve of {entry.name}")
    for test in ("test", "test_novel"):
        scores = card.get("scores", {}).get(test, {})
        found += [
            f"{part} of {test} in the card of {entry.name}" for part in ("by_tag", "by_length") if not scores.get(part)
        ]
        for part in (
            *scores.get("by_tag", {}).values(),
            *scores.get("by_length", {}).values(),
            scores.get("metrics", {}),
        ):
            found += [
                f"{metric} of {test} in the card of {entry.name}" for metric in ("bleu", "chrf") if metric not in part
            ]
    return list(dict.fromkeys(found))


def is_told(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value not in ("", [], {})


def test_nothing_is_missing(entry: Entry) -> None:
    lacking = missing(entry)
    assert not lacking, f"{entry.name} lacks:\n  " + "\n  ".join(lacking)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    stranger = dataclasses.replace(ENTRIES[0], name="stranger")
    told = "\n".join(missing(stranger))
    for word in ("config.json", "model.safetensors", "card.json", "golden.json", "a recipe for stranger"):
        assert word in told
    stranger.folder.mkdir()
    (stranger.folder / "card.json").write_text('{"seed": true, "scores": {"test": {"metrics": {"bleu": 1}}}}', "utf-8")
    told = "\n".join(missing(stranger))
    for word in (
        *(CARD.keys() - {"scores"}),
        "licences",
        "learning curve",
        "by_tag of test",
        "by_length of test_novel",
        "chrf of test",
    ):
        assert word in told
    assert "card.json:" not in told


def test_names_are_unique() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(names) == len(set(names))
    assert [registry.entry(name) for name in names] == list(ENTRIES)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'gpt-9'.*gru-seq2seq, gru-bahdanau, transformer"):
        pretrained.load("gpt-9")


def test_facts_are_among_those_pages_choose_by(entry: Entry) -> None:
    assert entry.family in ("recurrent", "convolutional", "attention")
    assert entry.cell in ("rnn", "lstm", "gru", None)
    assert entry.positions in ("recurrence", "sinusoidal")
    assert (entry.cell is None) == (entry.family != "recurrent")
    assert str(entry.year) in entry.paper
    assert entry.summary
    assert 1980 < entry.year < 2030


def test_a_run_returns_what_is_declared(entry: Entry, model: Translator) -> None:
    trace = model.run("I am happy.")
    assert tuple(dict.fromkeys(attended.kind for attended in trace.attention)) == entry.attention
    assert sorted({states.kind for states in trace.states}) == sorted(entry.states)
    for parts in (trace.attention, trace.states):
        named = [(part.kind, part.layer) for part in parts]
        assert len(named) == len(set(named))


def test_the_card_tells_the_truth(entry: Entry) -> None:
    card = entry.card()
    network = pretrained.load(entry.name).network
    assert isinstance(network, torch.nn.Module)
    assert card["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert card["bytes"] == (entry.folder / "model.safetensors").stat().st_size
    assert card["paper"] == entry.paper
    assert card["seed"] == RECIPES[entry.name].seed
    assert card["target_tokens"] == pytest.approx(RECIPES[entry.name].target_tokens, rel=0.05)


def test_the_learning_curve_runs_on_and_down(entry: Entry) -> None:
    curve = entry.card()["learning_curve"]
    tokens = [point["target_tokens"] for point in curve]
    assert tokens == sorted(set(tokens))
    assert tokens[-1] == entry.card()["target_tokens"]
    assert curve[-1]["valid_loss"] < curve[0]["valid_loss"] < math.log(8000)


def test_scores_add_up(entry: Entry) -> None:
    lengths = {f"{low}-{high}" if high else f"{low}+" for low, high in LENGTHS}
    for test in entry.card()["scores"].values():
        assert test["task"] == entry.task
        assert set(test["by_length"]) <= lengths
        for parts in (test["by_tag"], test["by_length"]):
            assert sum(part["count"] for part in parts.values()) == test["count"]
        for part in (test["metrics"], *test["by_tag"].values(), *test["by_length"].values()):
            assert 0 <= part["bleu"] <= 100
            assert 0 < part["chrf"] <= 100


def test_models_are_small(entry: Entry) -> None:
    assert entry.card()["parameters"] <= MOST_PARAMETERS
    assert entry.card()["bytes"] <= MOST_BYTES


@pytest.mark.parametrize("task", TASKS)
def test_compared_models_are_comparable(task: str) -> None:
    """Within 15 % parameters and 5 % target tokens of each other, on the same data."""
    cards = {entry.name: entry.card() for entry in ENTRIES if entry.task == task}
    for fact, most in (("parameters", 1.15), ("target_tokens", 1.05)):
        amounts = {name: card[fact] for name, card in cards.items()}
        assert max(amounts.values()) <= most * min(amounts.values()), f"{fact} differ: {amounts}"
    data = [card["data"] for card in cards.values()]
    assert all(one == data[0] for one in data), "compared models were trained on different data"


def test_models_are_loaded_strictly_as_float32(entry: Entry) -> None:
    network = pretrained.load(entry.name).network
    assert isinstance(network, torch.nn.Module)
    assert not network.training
    tensors = [*network.parameters(), *network.buffers()]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}
    assert not any(tensor.requires_grad or tensor.is_meta for tensor in tensors)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_that_do_not_fit_are_refused(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ENTRIES[0]
    weights = safetensors.torch.load_file(entry.folder / "model.safetensors")
    config = (entry.folder / "config.json").read_text("utf-8")
    if change == "missing":
        weights.pop("output_bias")
    else:
        weights["stray"] = torch.zeros(1)
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    entry.folder.mkdir()
    (entry.folder / "config.json").write_text(config, "utf-8")
    safetensors.torch.save_file(weights, entry.folder / "model.safetensors")
    with pytest.raises(RuntimeError, match=f"(?i){change} key"):
        loading.load_model(entry)


def test_a_model_without_weights_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    for entry in ENTRIES:
        with pytest.raises(FileNotFoundError, match=f"python -m pretrained train {entry.name}"):
            pretrained.load(entry.name)


def test_a_variant_of_other_sizes_can_be_built(entry: Entry) -> None:
    sizes: dict[str, Any] = {"d_vocab": 12, "d_model": 4}
    network = loading.build(entry, sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) < MOST_PARAMETERS
