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
from pretrained.registry import ABLATIONS, ENTRIES, Entry
from pretrained.training.alignments import KINDS
from pretrained.training.evaluation import LENGTHS, LONG, range_name
from pretrained.training.loop import VALIDATIONS
from pretrained.training.recipes import RECIPES, TranslationRecipe
from pretrained.training.shipping import STANDARD_TESTS
from pretrained.translation import Translator
from tests.models.tiny import SHIPPED

MOST_PARAMETERS, MOST_BYTES = 3_900_000, 8_000_000
FINISHED = [entry for entry in ENTRIES if entry.finished]
TASKS = sorted({entry.task for entry in FINISHED})
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
    """What a listed model still lacks, in words that say what to do; one that waits for its training has no files."""
    files = {
        "config.json": "its sizes and the name of its tokenizer",
        "model.safetensors": "its weights",
        "card.json": "how it was trained and how it scores",
        "golden.json": "what the shipped weights give on a few texts",
    }
    found = [] if entry.name in RECIPES else [f"a recipe for {entry.name} in pretrained/training/recipes.py"]
    if not entry.folder.is_dir():
        return found
    found += [f"{entry.folder / file}: {what}" for file, what in files.items() if not (entry.folder / file).is_file()]
    if not (entry.folder / "card.json").is_file():
        return found
    card = entry.card()
    found += [f"{name} in the card of {entry.name}" for name, kind in CARD.items() if not is_told(card.get(name), kind)]
    if not isinstance(card.get("finished"), bool):
        found.append(f"finished in the card of {entry.name}")
    sources = card.get("data", {}).get("sources", {})
    found += [
        f"the licence of {tag} in the card of {entry.name}" for tag, source in sources.items() if "," not in source
    ]
    if not sources:
        found.append(f"data sources with their licences in the card of {entry.name}")
    if not card.get("learning_curve") or not {"target_tokens", "valid_loss"} <= card["learning_curve"][-1].keys():
        found.append(f"target_tokens and valid_loss on the learning curve of {entry.name}")
    if not card.get("scores", {}).get("test", {}).get("metrics"):
        found.append(f"metrics of test in the card of {entry.name}")
    if not entry.task.startswith("translation"):
        return found
    # Cards were written without these once; one that has some of them has them all.
    standard = STANDARD_TESTS if STANDARD_TESTS.keys() & card.get("scores", {}).keys() else {}
    if standard and set(KINDS) & set(entry.attention) and not card.get("alignment", {}).get("chosen"):
        found.append(f"alignment in the card of {entry.name}")
    for test in ("test", "test_novel", *standard):
        scores = card.get("scores", {}).get(test, {})
        parts = ("by_length",) if test in standard else ("by_tag", "by_length")
        found += [f"{part} of {test} in the card of {entry.name}" for part in parts if not scores.get(part)]
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


def test_nothing_is_missing(listed: Entry) -> None:
    lacking = missing(listed)
    assert not lacking, f"{listed.name} lacks:\n  " + "\n  ".join(lacking)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    stranger = dataclasses.replace(ENTRIES[0], name="stranger")
    assert missing(stranger) == ["a recipe for stranger in pretrained/training/recipes.py"]
    stranger.folder.mkdir()
    told = "\n".join(missing(stranger))
    for word in ("config.json", "model.safetensors", "card.json", "golden.json", "a recipe for stranger"):
        assert word in told
    (stranger.folder / "card.json").write_text('{"seed": true, "scores": {"test": {"metrics": {"bleu": 1}}}}', "utf-8")
    told = "\n".join(missing(stranger))
    for word in (
        *(CARD.keys() - {"scores"}),
        "finished",
        "licences",
        "learning curve",
        "by_tag of test",
        "by_length of test_novel",
        "chrf of test",
    ):
        assert word in told
    assert "card.json:" not in told
    assert "multi30k_test2016" not in told


def test_a_card_with_one_standard_test_has_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    stranger = dataclasses.replace(registry.entry("gru-bahdanau"), name="stranger")
    stranger.folder.mkdir()
    (stranger.folder / "card.json").write_text('{"scores": {"multi30k_test2016": {}}}', "utf-8")
    told = "\n".join(missing(stranger))
    for test in STANDARD_TESTS:
        assert f"by_length of {test} in" in told
        assert f"by_tag of {test} in" not in told
    assert "alignment in the card of stranger" in told


def test_names_are_unique() -> None:
    names = [entry.name for entry in (*ENTRIES, *ABLATIONS)]
    assert len(names) == len(set(names))
    assert [registry.entry(name) for name in names] == [*ENTRIES, *ABLATIONS]


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=f"unknown model 'gpt-9'.*{', '.join(entry.name for entry in ENTRIES)}$"):
        pretrained.load("gpt-9")


def test_facts_are_among_those_pages_choose_by(listed: Entry) -> None:
    entry = listed
    assert entry.family in ("recurrent", "convolutional", "attention")
    assert entry.cell in ("rnn", "lstm", "gru", None)
    assert entry.positions in ("recurrence", "learned", "sinusoidal", "rotary", "none")
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


def test_the_card_tells_the_truth(shipped: Entry) -> None:
    card = shipped.card()
    network = pretrained.load(shipped.name).network
    assert isinstance(network, torch.nn.Module)
    assert card["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert card["bytes"] == (shipped.folder / "model.safetensors").stat().st_size
    assert card["paper"] == shipped.paper
    recipe = RECIPES[shipped.name]
    assert card["seed"] == recipe.seed
    if shipped.finished:
        # By the schedule it was trained on: a longer one in the recipe is for the next training.
        of_this_run = card["target_tokens"] - card.get("earlier_target_tokens", 0)
        assert of_this_run == pytest.approx(card["schedule"]["target_tokens"], rel=0.05)
        assert recipe.good_enough(card["scores"])


def test_the_learning_curve_runs_on_and_down(shipped: Entry) -> None:
    curve = shipped.card()["learning_curve"]
    tokens = [point["target_tokens"] for point in curve]
    assert tokens == sorted(set(tokens))
    assert tokens[-1] == shipped.card()["target_tokens"]
    assert curve[-1]["valid_loss"] < curve[0]["valid_loss"] < math.log(8000)


def test_scores_add_up(shipped_translator: Entry) -> None:
    def counted(parts: dict[str, Any]) -> int:
        return sum(part["count"] for part in parts.values())

    for test in shipped_translator.card()["scores"].values():
        assert test["task"] == shipped_translator.task
        lengths = {range_name(*ends): test["by_length"].get(range_name(*ends), {"count": 0}) for ends in LENGTHS}
        assert counted(lengths) == test["count"]
        if test["by_tag"]:
            assert counted(test["by_tag"]) == test["count"]
        rest = {name: part for name, part in test["by_length"].items() if name not in lengths}
        assert rest.keys() <= {range_name(*LONG)}
        if rest:
            assert counted(rest) == lengths["21-30"]["count"] + lengths["31+"]["count"]
        for part in (test["metrics"], *test["by_tag"].values(), *test["by_length"].values()):
            assert 0 <= part["bleu"] <= 100
            assert 0 < part["chrf"] <= 100


def test_models_are_small(shipped: Entry) -> None:
    assert shipped.card()["parameters"] <= MOST_PARAMETERS
    assert shipped.card()["bytes"] <= MOST_BYTES


@pytest.mark.parametrize("task", TASKS)
def test_compared_models_are_comparable(task: str) -> None:
    """Within 15 % parameters and 5 % target tokens of each other, on the same data."""
    cards = {entry.name: entry.card() for entry in FINISHED if entry.task == task and not entry.parent}
    for fact, most in (("parameters", 1.15), ("target_tokens", 1.05)):
        amounts = {name: card[fact] for name, card in cards.items()}
        assert max(amounts.values()) <= most * min(amounts.values()), f"{fact} differ: {amounts}"
    data = [card["data"] for card in cards.values()]
    assert all(one == data[0] for one in data), "compared models were trained on different data"


@pytest.mark.parametrize("name", [entry.name for entry in FINISHED if entry.parent])
def test_adapted_models_are_comparable_with_their_parent(name: str) -> None:
    """Within 15 % of its parameters, on the same data, and begun from the weights that it has now."""
    entry = registry.entry(name)
    assert entry.parent
    card, parent = entry.card(), registry.entry(entry.parent).card()
    assert card["parent"] == entry.parent
    assert card["parent_target_tokens"] == parent["target_tokens"]
    assert max(card["parameters"], parent["parameters"]) <= 1.15 * min(card["parameters"], parent["parameters"])
    assert card["data"] == parent["data"]


def test_models_are_loaded_strictly_as_float32(shipped: Entry) -> None:
    network = pretrained.load(shipped.name).network
    assert isinstance(network, torch.nn.Module)
    assert not network.training
    tensors = [*network.parameters(), *network.buffers()]
    # Of integers there are only numbers of places.
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float32}
    assert not any(tensor.requires_grad or tensor.is_meta for tensor in tensors)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_that_do_not_fit_are_refused(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = SHIPPED[0]
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


@pytest.mark.parametrize("entry", ABLATIONS, ids=lambda entry: entry.name)
def test_an_ablation_is_trained_as_the_transformer_is(entry: Entry) -> None:
    whole, part = RECIPES["transformer"], RECIPES[entry.name]
    assert isinstance(whole, TranslationRecipe)
    assert part == dataclasses.replace(whole, stop_after=part.stop_after, least_chrf=0.0)
    assert part.length == 4 * whole.target_tokens // VALIDATIONS, "it ends with a point of the whole curve"


@pytest.mark.parametrize("entry", [known for known in ABLATIONS if known.finished], ids=lambda entry: entry.name)
def test_an_ablation_can_be_compared_point_by_point(entry: Entry) -> None:
    card, whole = entry.card(), registry.entry("transformer").card()
    assert card["data"] == whole["data"]
    curve = card["learning_curve"][:-1] if card["diverged"] else card["learning_curve"]
    assert [point["target_tokens"] for point in curve] == [
        point["target_tokens"] for point in whole["learning_curve"][: len(curve)]
    ]


def test_a_model_without_weights_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    for entry in ENTRIES:
        with pytest.raises(FileNotFoundError, match=f"python -m pretrained train {entry.name}"):
            pretrained.load(entry.name)


def test_a_variant_of_other_sizes_can_be_built(listed: Entry) -> None:
    sizes: dict[str, Any] = {"d_vocab": 12, "d_model": 24}  # even heads of 4 or of 6
    network = loading.build(listed, sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) < MOST_PARAMETERS


def test_models_are_found_by_their_facts() -> None:
    found = registry.finished(task="translation en-fr", family="attention")
    assert registry.entry("transformer") in found
    assert all(known.finished and known.family == "attention" for known in found)
    assert registry.finished(task="translation en-fr", family="recurrent", attention=("nowhere",)) == ()
