"""The loss and its gradient, batches that miss nobody, a schedule, and a run that can be stopped at any time."""

import dataclasses
import gzip
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from pretrained import loading, registry, tokenization
from pretrained.__main__ import main
from pretrained.registry import ENTRIES, Entry
from pretrained.tokenization import PAD, START, Tokenizer
from pretrained.training import data, loop, recipes, shipping
from pretrained.training.data import Batch, Pair
from pretrained.training.loss import cross_entropy
from pretrained.training.recipes import TranslationRecipe
from tests.models import tiny

RECIPE = TranslationRecipe(
    longest={"made up": 10},
    share={},
    target_tokens=1500,
    batch_tokens=72,
    peak_rate=0.02,
    label_smoothing=0.1,
    seed=5,
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenization.load("enfr")


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    # What speeds up an hour of training would keep memory from the tests that come after.
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: None)


def made_up_pairs(count: int) -> list[Pair]:
    """Sentences about who has how many of what, no two alike."""
    people = (("I have", "J'ai"), ("You have", "Vous avez"), ("We have", "Nous avons"), ("Mary has", "Marie a"))
    things = (("cats", "chats"), ("houses", "maisons"), ("books", "livres"), ("roses", "roses"), ("brothers", "frères"))
    return [
        Pair(f"{has} {n} {thing}.", f"{a} {n} {chose}.", "made up")
        for n in range(2, 2 + math.ceil(count / 20))
        for has, a in people
        for thing, chose in things
    ][:count]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder like the real one, of 200 made-up pairs."""
    pairs = made_up_pairs(230)
    (tmp_path / "enfr" / "extra").mkdir(parents=True)
    for file, part in (
        ("train", pairs[:200]),
        ("valid", pairs[200:220]),
        ("test", pairs[220:]),
        ("extra/test_novel", pairs[225:]),
    ):
        rows = "".join(f"{pair.source}\t{pair.target}\t{pair.tag}\n" for pair in part)
        (tmp_path / "enfr" / f"{file}.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    return tmp_path


# The loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("padded", [0, 70])
def test_cross_entropy_equals_torch(smoothing: float, padded: int) -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(150, 30, generator=draw)
    target = torch.randint(1, 30, (150,), generator=draw)
    target[torch.randperm(150, generator=draw)[:padded]] = PAD
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = cross_entropy(ours, target, label_smoothing=smoothing)
    expected = torch.nn.functional.cross_entropy(theirs, target, ignore_index=PAD, label_smoothing=smoothing)
    loss.backward()
    expected.backward()
    tiny.close(loss.detach(), expected.detach())
    assert ours.grad is not None
    assert theirs.grad is not None
    tiny.close(ours.grad, theirs.grad, 1e-7)
    assert (ours.grad[target == PAD] == 0).all()
    assert torch.equal(ours.detach(), logits)


def test_validation_loss_is_the_mean_over_pieces(folder: Path) -> None:
    network = tiny.network(ENTRIES[0], d_vocab=len(tokenization.load("enfr"))).train()
    material = RECIPE.material(folder)
    batches = material.validation
    assert len({batch.target_tokens for batch in batches}) > 1
    total = 0.0
    for batch in batches:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(batch.source, batch.target_in, batch.source != PAD).logits.float()
        target = batch.target_out.flatten()
        total += float(
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), target, ignore_index=PAD, reduction="sum")
        )
    expected = total / sum(batch.target_tokens for batch in batches)
    assert loop.validation_loss(network, material) == pytest.approx(expected, rel=1e-3)
    assert network.training


def test_the_rate_rises_and_falls() -> None:
    recipe = dataclasses.replace(RECIPE, target_tokens=1000, warm_up=0.1)
    rates = [loop.rate_at(tokens, recipe) for tokens in range(1001)]
    assert 0 < rates[0] < 0.02 * recipe.peak_rate
    assert rates[100] == max(rates) == pytest.approx(recipe.peak_rate)
    assert rates[:101] == sorted(rates[:101])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[550] == pytest.approx(recipe.peak_rate * (0.01 + 0.99 / 2))
    assert rates[1000] == pytest.approx(recipe.peak_rate / 100)
    assert loop.rate_at(5000, recipe) == rates[1000]


# Batches


def epoch(pairs: list[Pair], tokenizer: Tokenizer, number: int, *, seed: int = 1, limit: int = 60) -> list[Batch]:
    return list(data.epoch_batches(pairs, tokenizer, seed=seed, epoch=number, batch_tokens=limit))


def contents(batches: list[Batch]) -> list[list[list[int]]]:
    return [batch.target_out.tolist() for batch in batches]


def test_an_epoch_has_every_pair_exactly_once(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CHUNK", 32)
    monkeypatch.setattr(data, "as_typed", lambda pair, _: pair)
    pairs = made_up_pairs(100) + made_up_pairs(3)
    expected = Counter(
        (*source, -1, *target)
        for source, target in zip(
            tokenizer.encode_ids([pair.source for pair in pairs]),
            tokenizer.encode_ids([pair.target for pair in pairs]),
            strict=True,
        )
    )
    seen: Counter[tuple[int, ...]] = Counter()
    for batch in epoch(pairs, tokenizer, 0):
        for source, target in zip(batch.source.tolist(), batch.target_out.tolist(), strict=True):
            seen[(*filter(None, source), -1, *filter(None, target))] += 1
    assert PAD == 0
    assert seen == expected


@pytest.mark.parametrize("limit", [20, 60, 400])
def test_batches_stay_under_the_limit(tokenizer: Tokenizer, limit: int) -> None:
    long_source = Pair("I have " + "many " * 15 + "cats.", "J'ai des chats.")
    batches = epoch([*made_up_pairs(60), long_source], tokenizer, 0, limit=limit)
    for batch in batches:
        rows = len(batch.source)
        assert rows == 1 or rows * max(batch.source.shape[1], batch.target_out.shape[1]) <= limit
    assert len(batches) < 61 or limit == 20


def test_the_decoder_reads_the_target_one_piece_late(tokenizer: Tokenizer) -> None:
    for batch in epoch(made_up_pairs(60), tokenizer, 0):
        assert (batch.target_in[:, 0] == START).all()
        for read, written in zip(batch.target_in.tolist(), batch.target_out.tolist(), strict=True):
            length = sum(index != PAD for index in written)
            assert read[1:length] == written[: length - 1]
            assert set(read[length:]) <= {PAD}
        assert batch.target_tokens == int((batch.target_out != PAD).sum())


def test_an_epoch_is_a_function_of_seed_and_number(tokenizer: Tokenizer) -> None:
    pairs = made_up_pairs(60)
    first = contents(epoch(pairs, tokenizer, 0))
    assert contents(epoch(pairs, tokenizer, 0)) == first
    assert contents(epoch(pairs, tokenizer, 1)) != first
    assert contents(epoch(pairs, tokenizer, 0, seed=2)) != first


def test_a_pair_is_varied_but_for_the_case_of_its_target() -> None:
    pair, chance = Pair("It's Tom's DVD.", "C'est le DVD de Tom.", "talk"), random.Random(0)
    varied = Counter(data.as_typed(pair, chance) for _ in range(4000))
    assert {made.target for made in varied} == {"C'est le DVD de Tom.", "C'est le DVD de Tom"}
    assert {made.source.removesuffix(".") for made in varied} == {
        "It's Tom's DVD",
        "it's tom's dvd",
        "IT'S TOM'S DVD",
        "It's Tom's Dvd",
    }
    assert all(made.source.endswith(".") == made.target.endswith(".") for made in varied)
    assert {made.tag for made in varied} == {"talk"}
    assert varied[pair] > 2400


@pytest.mark.parametrize("pair", [Pair("Really?", "Vraiment ?"), Pair("Stop.", "Arrête !"), Pair("Hi", "Salut.")])
def test_a_final_stop_goes_only_from_both(pair: Pair) -> None:
    chance = random.Random(0)
    assert {data.as_typed(pair, chance).target for _ in range(200)} == {pair.target}


def test_pairs_are_chosen_by_source_and_length(folder: Path) -> None:
    path = folder / "pairs.tsv"
    path.write_text(
        "one two\tun deux\ttalk\none two three\tun\ttalk\none\tun deux trois\ttalk\none\tun\tnews\n", "utf-8"
    )
    assert [pair.source for pair in data.read_pairs(path, tags={"talk": 2})] == ["one two"]
    assert len(data.read_pairs(path)) == 4


def test_pairs_are_drawn_by_the_seed(folder: Path) -> None:
    pairs = RECIPE.training_pairs(folder)
    assert {*pairs} == {*made_up_pairs(200)}
    assert pairs == RECIPE.training_pairs(folder)
    assert pairs != dataclasses.replace(RECIPE, seed=6).training_pairs(folder)
    assert {*RECIPE.validation_pairs(folder)} == {*made_up_pairs(220)[200:]}


def test_passes_share_a_source_until_all_of_it_was_read(folder: Path) -> None:
    third = dataclasses.replace(RECIPE, share={"made up": 0.35})
    pairs = third.training_pairs(folder)
    passes = [{*third.pairs_of_pass(pairs, number)} for number in range(3)]
    assert [len(read) for read in passes] == [70, 70, 70]
    assert not passes[0] & passes[1]
    assert passes[0] | passes[1] | passes[2] == {*pairs}


def test_the_data_folder_is_given_or_set_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKBACK_DATA", str(tmp_path))
    assert data.folder() == tmp_path
    (tmp_path / "other").mkdir()
    assert data.folder(tmp_path / "other") == tmp_path / "other"
    with pytest.raises(
        FileNotFoundError, match=r"no data folder at .*nowhere; give --data FOLDER or set LOOKBACK_DATA"
    ):
        data.folder(tmp_path / "nowhere")


# The loop


def train(
    entry: Entry, folder: Path, checkpoint: Path, *, seed: int = 0, dropout: float = 0.0, **options: Any
) -> loop.Run:
    pieces = len(tokenization.load("enfr"))
    network = tiny.network(entry, seed=seed, d_vocab=pieces, dropout=dropout).requires_grad_()
    # Of the usual spread, from which training starts.
    for parameter in network.parameters():
        parameter.data *= 0.2
    return loop.train(network, RECIPE, folder=folder, checkpoint=checkpoint, report=lambda _: None, **options)


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(
    entry: Entry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "VALIDATIONS", 5)
    # Dropout, so that the random numbers have to go on as well.
    whole = train(entry, folder, folder / "whole.pt", dropout=0.2)
    parts = folder / "parts.pt"
    for number in range(2):
        # No minutes at all are over after one batch; the weights of a new network make way for the checkpoint's.
        stopped = train(entry, folder, parts, seed=number, dropout=0.2, minutes=0)
        assert stopped.progress.steps == number + 1
    resumed = train(entry, folder, parts, seed=7, dropout=0.2)
    for fact in ("epoch", "batch", "steps", "target_tokens"):
        assert getattr(resumed.progress, fact) == getattr(whole.progress, fact), fact
    assert whole.progress.epoch > 0
    assert whole.progress.target_tokens >= RECIPE.target_tokens
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    # A stop adds a point to the learning curve, and takes none away.
    assert validated(whole).items() <= validated(resumed).items()


def validated(run: loop.Run) -> dict[float, float]:
    return {point["target_tokens"]: point["valid_loss"] for point in run.progress.curve}


def test_the_loss_goes_down(entry: Entry, folder: Path) -> None:
    run = train(entry, folder, folder / "run.pt")
    losses = [point["valid_loss"] for point in run.progress.curve]
    assert losses[-1] < losses[0] - 1
    assert run.progress.best == pytest.approx(min(losses), abs=1e-4)


def test_the_best_weights_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, seen = iter([3.0, 1.0, 2.0, 1.5, *[1.2] * 50]), []

    def rigged(network: torch.nn.Module, _: object) -> float:
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return next(losses)

    monkeypatch.setattr(loop, "validation_loss", rigged)
    run = train(ENTRIES[0], folder, folder / "run.pt")
    assert len(seen) > 4
    assert run.progress.best == 1.0
    for name, tensor in seen[1].items():
        assert torch.equal(run.best_weights[name], tensor), name
    assert not torch.equal(run.best_weights["output_bias"], run.network.state_dict()["output_bias"])


def test_a_finished_run_is_left_alone(folder: Path) -> None:
    run = train(ENTRIES[0], folder, folder / "run.pt")
    again = train(ENTRIES[0], folder, folder / "run.pt", seed=9)
    assert again.progress == run.progress
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


def test_a_crash_while_saving_leaves_the_last_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(ENTRIES[0], folder, folder / "run.pt", minutes=0)

    def crash(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(OSError, match="no space left"):
        train(ENTRIES[0], folder, folder / "run.pt", minutes=0)
    monkeypatch.undo()
    assert torch.load(folder / "run.pt", weights_only=True)["progress"]["steps"] == run.progress.steps == 1


# What is shipped


def test_train_ships_a_whole_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line to the four files of a model that loads, then once more from those files."""
    entry, build = ENTRIES[1], loading.build
    monkeypatch.setattr(registry, "WEIGHTS", folder / "weights")
    monkeypatch.setattr(loop, "CHECKPOINTS", folder / "checkpoints")
    monkeypatch.setattr(
        loading, "build", lambda entry, sizes=None: build(entry, sizes or tiny.sizes(entry, d_vocab=8000))
    )
    monkeypatch.setitem(recipes.RECIPES, entry.name, RECIPE)
    monkeypatch.setitem(recipes.SOURCES, "made up", "this file, CC0")
    monkeypatch.setattr(shipping, "MARGIN", 0.0)
    assert main(["train", entry.name, "--data", str(folder), "--minutes", "0"]) == 0
    assert f"of {RECIPE.target_tokens:,} target tokens" in capsys.readouterr().out
    files = {"config.json", "model.safetensors", "card.json", "golden.json"}
    assert {file.name for file in entry.folder.iterdir()} == files
    card = entry.card()
    assert (card["steps"], card["seed"], card["finished"]) == (1, RECIPE.seed, False)
    assert card["data"]["pairs"] == 200
    assert card["scores"]["test"]["count"] == 10
    assert card["bytes"] == (entry.folder / "model.safetensors").stat().st_size
    golden = json.loads((entry.folder / "golden.json").read_text("utf-8"))
    assert [run["text"] for run in golden["runs"]] == list(shipping.GOLDEN_TEXTS[:2])

    (loop.CHECKPOINTS / f"{entry.name}.pt").unlink()
    assert main(["train", entry.name, "--data", str(folder), "--minutes", "0"]) == 0
    assert "warm start" in capsys.readouterr().err
    again = entry.card()
    assert again["steps"] == 2
    assert again["target_tokens"] > card["target_tokens"]
    assert again["learning_curve"][:-1] == card["learning_curve"]
    assert again["learning_curve"][-1]["target_tokens"] == again["target_tokens"]


def test_a_warm_start_carries_on_what_the_card_counts() -> None:
    card = {"learning_curve": [{"target_tokens": 5, "minutes": 1.5}], "steps": 3, "target_tokens": 5, "minutes": 1.5}
    progress = loop.Progress.after(card)
    assert (progress.earlier_steps, progress.earlier_tokens, progress.curve) == (3, 5, card["learning_curve"])
    assert progress.target_tokens == 0, "the schedule of the new run begins anew"
    progress.seconds = 30.0
    assert progress.minutes == 2.0


def test_a_warm_start_keeps_what_it_began_with_until_something_is_better(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, seen = iter([1.0, *[2.0] * 50]), []

    def rigged(network: torch.nn.Module, _: object) -> float:
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return next(losses)

    monkeypatch.setattr(loop, "validation_loss", rigged)
    run = train(ENTRIES[0], folder, folder / "run.pt", start=loop.Progress(earlier_tokens=5), minutes=0)
    assert run.progress.best == 1.0
    assert all(torch.equal(run.best_weights[name], tensor) for name, tensor in seen[0].items())
    assert not torch.equal(run.best_weights["output_bias"], run.network.state_dict()["output_bias"])
