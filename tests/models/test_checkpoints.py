"""The weights along a training: kept when they are due, shipped beside the model, loaded by their number."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import pretrained
from pretrained import loading, registry, tokenization
from pretrained.__main__ import main
from pretrained.registry import entry as find
from pretrained.training import dates, loop, recipes, shipping
from pretrained.training.recipes import DateRecipe
from tests.models import tiny

ENTRY = find("date-bahdanau")
RECIPE = DateRecipe(target_tokens=1500, batch_tokens=200, peak_rate=0.02, seed=5, snapshots=(0, 300, 900))
FIRST, *REST = RECIPE.snapshots


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Few dates, a tiny network, and weights and checkpoints out of the way."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(dates, "PASS_ROWS", 60)
    monkeypatch.setattr(dates, "VALID_ROWS", 10)
    monkeypatch.setattr(dates, "TEST_ROWS", 5)
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(loop, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(shipping, "MARGIN", 0.0)
    monkeypatch.setitem(recipes.RECIPES, ENTRY.name, RECIPE)
    monkeypatch.setitem(ENTRY.sizes, "d_model", 8)
    monkeypatch.setitem(ENTRY.sizes, "d_hidden", 6)
    return tmp_path


def train(folder: Path, name: str, *, seed: int = 0, **options: Any) -> tuple[dict[str, torch.Tensor], loop.Run]:
    """Give the weights that a run began with, and the run."""
    network = tiny.network(ENTRY, seed=seed, d_vocab=len(tokenization.load("date"))).requires_grad_()
    began = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    recipe = options.pop("recipe", RECIPE)
    return began, loop.train(network, recipe, folder=folder, checkpoint=folder / name, report=lambda _: None, **options)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_kept_when_they_are_due(workshop: Path) -> None:
    began, run = train(workshop, "run.pt")
    assert same(run.snapshots[0], began)
    seen = list(run.snapshots)
    assert len(seen) == 3
    step = RECIPE.batch_tokens
    assert all(due <= tokens < due + step for due, tokens in zip(RECIPE.snapshots, seen, strict=True))
    assert not same(run.snapshots[seen[1]], run.snapshots[seen[2]])
    # What is kept stays what it was: the same as the weights of a run that stops there.
    _, stopped = train(workshop, "stopped.pt", recipe=dataclasses.replace(RECIPE, stop_after=seen[1]))
    assert same(stopped.network.state_dict(), run.snapshots[seen[1]])


def test_a_stopped_run_has_kept_what_a_whole_one_keeps(workshop: Path) -> None:
    _, whole = train(workshop, "whole.pt")
    for number in range(3):
        # The weights of a new network make way for the checkpoint's, and are not taken for the beginning.
        train(workshop, "parts.pt", seed=number, minutes=0)
    _, resumed = train(workshop, "parts.pt", seed=7)
    assert resumed.snapshots.keys() == whole.snapshots.keys()
    assert all(same(resumed.snapshots[tokens], kept) for tokens, kept in whole.snapshots.items())


def test_without_a_wish_nothing_is_kept(workshop: Path) -> None:
    _, run = train(workshop, "run.pt", recipe=dataclasses.replace(RECIPE, snapshots=()))
    assert run.snapshots == {}


def test_a_warm_start_has_no_beginning(workshop: Path) -> None:
    _, run = train(workshop, "run.pt", start=loop.Progress(earlier_tokens=5, earlier_steps=1))
    assert run.snapshots == {}


def test_checkpoints_are_shipped_and_loaded(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", ENTRY.name, "--data", str(workshop)]) == 0
    assert "exact_match" in capsys.readouterr().out
    names = {file.name for file in ENTRY.folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "checkpoints.safetensors", "card.json", "golden.json"}
    run = torch.load(loop.CHECKPOINTS / f"{ENTRY.name}.pt", weights_only=True)
    card = ENTRY.card()
    told = card["checkpoints"]
    assert [point["target_tokens"] for point in told] == [*run["snapshots"], card["target_tokens"]]
    assert told[-1]["exact_match"] == card["scores"]["test"]["metrics"]["exact_match"]
    assert told[-1]["row_maximum"] != told[0]["row_maximum"]
    for number, kept in enumerate([*run["snapshots"].values(), run["best_weights"]]):
        network: Any = pretrained.load(ENTRY.name, checkpoint=number).network
        assert not network.training
        loaded = network.state_dict()
        assert same(loaded, {name: tensor.half().float() for name, tensor in kept.items()}), number
        assert (
            recipes.RECIPES[ENTRY.name].score(pretrained.load(ENTRY.name, checkpoint=number), None)["metrics"].items()
            <= told[number].items()
        )
    shipped: Any = pretrained.load(ENTRY.name).network
    assert same(shipped.state_dict(), loaded)
    stored = safetensors.torch.load_file(ENTRY.folder / loading.CHECKPOINTS)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}

    outputs = []
    for chosen in ("0", "3"):
        assert main(["run", ENTRY.name, "3 May 1979", "--checkpoint", chosen, "--json"]) == 0
        outputs.append(json.loads(capsys.readouterr().out)["candidates"])
    assert outputs[0] != outputs[1]
    for chosen in ("4", "-1"):
        assert main(["run", ENTRY.name, "3 May 1979", "--checkpoint", chosen]) == 2
        assert f"expected a checkpoint of {ENTRY.name} from 0 to 3, got {chosen}" in capsys.readouterr().err

    # A warm start has no beginning to tell of: the file stays, and the last checkpoint is the model as it is now.
    (loop.CHECKPOINTS / f"{ENTRY.name}.pt").unlink()
    assert main(["train", ENTRY.name, "--data", str(workshop), "--minutes", "0"]) == 0
    again = ENTRY.card()["checkpoints"]
    assert again[:-1] == told[:-1]
    assert again[-1]["target_tokens"] == ENTRY.card()["target_tokens"] > told[-1]["target_tokens"]


def test_a_model_without_checkpoints_says_so(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, ENTRY.name, dataclasses.replace(RECIPE, snapshots=()))
    assert main(["train", ENTRY.name, "--data", str(workshop), "--minutes", "0"]) == 0
    assert "checkpoints" not in ENTRY.card()
    with pytest.raises(ValueError, match=f"{ENTRY.name} has no checkpoints along its training"):
        pretrained.load(ENTRY.name, checkpoint=0)
    with pytest.raises(FileNotFoundError, match="no weights"):
        pretrained.load("lstm-bahdanau", checkpoint=0)
