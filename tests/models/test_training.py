"""The loss and its gradient, batches that miss nobody, a schedule, and a run that can be stopped at any time."""

import dataclasses
import gzip
import json
import math
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import pretrained
from pretrained import loading, registry, tokenization
from pretrained.__main__ import main
from pretrained.registry import ABLATIONS, ENTRIES, Entry
from pretrained.tokenization import PAD, START, Tokenizer
from pretrained.training import alignments, data, loop, plan, recipes, shipping
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
GOLD = {
    "en_text": "I have 2 cats.",
    "en_span": [[0, 1], [2, 6], [7, 8], [9, 13], [13, 14]],
    "fr_text": "J'ai 2 chats.",
    "fr_span": [[0, 2], [2, 4], [5, 6], [7, 12], [12, 13]],
    "sure": [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]],
    "possible": [],
}


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
    entry: Entry,
    folder: Path,
    checkpoint: Path,
    *,
    recipe: TranslationRecipe = RECIPE,
    seed: int = 0,
    dropout: float = 0.0,
    **options: Any,
) -> loop.Run:
    pieces = len(tokenization.load("enfr"))
    network = tiny.network(entry, seed=seed, d_vocab=pieces, dropout=dropout).requires_grad_()
    # Of the usual spread, from which training starts.
    for parameter in network.parameters():
        parameter.data *= 0.2
    return loop.train(network, recipe, folder=folder, checkpoint=checkpoint, report=lambda _: None, **options)


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


def test_a_run_that_stops_early_is_the_beginning_of_a_whole_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "VALIDATIONS", 6)
    whole = train(ENTRIES[0], folder, folder / "whole.pt")
    short = dataclasses.replace(RECIPE, stop_after=RECIPE.target_tokens // 2)
    part = train(ENTRIES[0], folder, folder / "part.pt", recipe=short)
    assert short.length <= part.progress.target_tokens < short.length + RECIPE.batch_tokens
    points = [
        [{name: value for name, value in point.items() if name != "minutes"} for point in run.progress.curve]
        for run in (part, whole)
    ]
    assert len(points[0]) == 3
    assert points[0] == points[1][:3]
    again = train(ENTRIES[0], folder, folder / "part.pt", recipe=short)
    assert again.progress == part.progress


DIVERGING = dataclasses.replace(RECIPE, peak_rate=1e30)


def test_a_loss_that_is_no_number_ends_a_run(folder: Path) -> None:
    run = train(ENTRIES[0], folder, folder / "run.pt", recipe=DIVERGING)
    assert run.progress.diverged
    assert run.progress.steps == 2, "the first step's loss is that of the random weights"
    last = run.progress.curve[-1]
    assert (last["target_tokens"], last["train_loss"], last["valid_loss"]) == (run.progress.target_tokens, None, None)
    again = train(ENTRIES[0], folder, folder / "run.pt", recipe=DIVERGING)
    assert again.progress == run.progress


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


@pytest.fixture
def workshop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that holds weights and checkpoints too; two models, tiny and of one recipe."""
    build = loading.build
    monkeypatch.setattr(registry, "WEIGHTS", folder / "weights")
    monkeypatch.setattr(loop, "CHECKPOINTS", folder / "checkpoints")
    monkeypatch.setattr(
        loading, "build", lambda entry, sizes=None: build(entry, sizes or tiny.sizes(entry, d_vocab=8000))
    )
    monkeypatch.setattr(registry, "ENTRIES", (SEQ2SEQ, BAHDANAU))
    monkeypatch.setattr(registry, "ABLATIONS", ())
    for known in registry.ENTRIES:
        monkeypatch.setitem(recipes.RECIPES, known.name, RECIPE)
    monkeypatch.setitem(recipes.SOURCES, "made up", "this file, CC0")
    monkeypatch.setattr(shipping, "MARGIN", 0.0)
    return folder


SEQ2SEQ, BAHDANAU = registry.entry("gru-seq2seq"), registry.entry("gru-bahdanau")


@pytest.mark.usefixtures("workshop")
def test_train_ships_a_whole_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command line to the four files of a model that loads, then once more from those files."""
    entry = BAHDANAU
    assert main(["train", entry.name, "--data", str(folder), "--minutes", "0"]) == 0
    assert f"of {RECIPE.target_tokens:,} target tokens, not finished" in capsys.readouterr().out
    files = {"config.json", "model.safetensors", "card.json", "golden.json"}
    assert {file.name for file in entry.folder.iterdir()} == files
    card = entry.card()
    assert (card["steps"], card["seed"], card["finished"]) == (1, RECIPE.seed, False)
    assert card["data"]["pairs"] == 200
    assert card["scores"]["test"]["count"] == 10
    assert card["scores"].keys() == {"test", "test_novel"}
    assert "alignment" not in card
    assert card["bytes"] == (entry.folder / "model.safetensors").stat().st_size
    golden = json.loads((entry.folder / "golden.json").read_text("utf-8"))
    assert [run["text"] for run in golden["runs"]] == list(shipping.GOLDEN_TEXTS[:2])

    (loop.CHECKPOINTS / f"{entry.name}.pt").unlink()
    assert main(["train", entry.name, "--data", str(folder), "--minutes", "0"]) == 0
    assert "going on from" in capsys.readouterr().err
    again = entry.card()
    assert again["steps"] == 2
    assert again["target_tokens"] > card["target_tokens"]
    assert again["learning_curve"][:-1] == card["learning_curve"]
    assert again["learning_curve"][-1]["target_tokens"] == again["target_tokens"]


def strictly(text: str) -> Any:
    """Read JSON that has no NaN and no Infinity in it."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("entry", ABLATIONS, ids=lambda entry: entry.name)
def test_an_ablation_keeps_its_card_alone(
    entry: Entry, workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = dataclasses.replace(RECIPE, stop_after=200)
    monkeypatch.setattr(registry, "ABLATIONS", ABLATIONS)
    monkeypatch.setitem(recipes.RECIPES, entry.name, short)
    for minutes, finished in ((["--minutes", "0"], False), ([], True)):
        assert main(["train", entry.name, "--data", str(workshop), *minutes]) == 0
        assert f"of {short.length} target tokens" in capsys.readouterr().out
        assert [file.name for file in entry.folder.iterdir()] == ["card.json"]
        card = strictly((entry.folder / "card.json").read_text("utf-8"))
        assert (card["finished"], card["diverged"]) == (finished, False)
        assert card["target_tokens"] == card["learning_curve"][-1]["target_tokens"]
    assert (card["schedule"]["target_tokens"], card["schedule"]["stop_after"]) == (RECIPE.target_tokens, 200)
    with pytest.raises(ValueError, match=f"{entry.name} is trained for its learning curve alone"):
        pretrained.load(entry.name)


def test_a_diverged_ablation_says_so(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "ABLATIONS", ABLATIONS)
    monkeypatch.setitem(recipes.RECIPES, ABLATIONS[0].name, DIVERGING)
    assert main(["train", ABLATIONS[0].name, "--data", str(workshop)]) == 0
    assert f"of {DIVERGING.length:,} target tokens, diverged" in capsys.readouterr().out
    card = strictly((ABLATIONS[0].folder / "card.json").read_text("utf-8"))
    assert (card["finished"], card["diverged"], card["best_valid_loss"]) == (True, True, None)
    assert card["learning_curve"][-1]["valid_loss"] is None


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        shipping.write_json(tmp_path / "card.json", {"best_valid_loss": math.nan})
    assert not (tmp_path / "card.json").exists()


def test_nothing_is_shipped_of_a_run_that_diverged_at_once(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(recipes.RECIPES, BAHDANAU.name, DIVERGING)
    assert main(["train", BAHDANAU.name, "--data", str(workshop)]) == 2
    assert f"pretrained: {BAHDANAU.name} has nothing to ship" in capsys.readouterr().err
    assert not BAHDANAU.folder.exists()


def test_a_card_tells_all_that_the_data_can_test(workshop: Path) -> None:
    rows = "".join(f"{pair.source}\t{pair.target}\tcaptions\n" for pair in made_up_pairs(3))
    for year in (2016, 2017):
        (workshop / f"enfr/extra/multi30k_test{year}.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    line = '{"en": "I have 2 cats.", "refs": ["J\'ai 2 chats.", "J\'ai deux chats."]}\n'
    (workshop / "enfr/extra/tatoeba_test_multiref.jsonl").write_text(line, "utf-8")
    (workshop / "align").mkdir()
    for file in (alignments.DEV, alignments.TEST):
        (workshop / file).write_bytes(gzip.compress(json.dumps(GOLD).encode()))
    for known in (SEQ2SEQ, BAHDANAU):
        assert main(["train", known.name, "--data", str(workshop), "--minutes", "0"]) == 0
        scores = known.card()["scores"]
        assert list(scores) == ["test", "test_novel", *shipping.STANDARD_TESTS]
        assert [scores[name]["count"] for name in shipping.STANDARD_TESTS] == [1, 3, 3]
    assert "alignment" not in SEQ2SEQ.card()
    card = BAHDANAU.card()["alignment"]
    assert {"layer": 0, "head": 0}.items() <= card["chosen"].items()
    assert card["test"]["count"] == card["dev"]["count"] == 1
    assert card["test"]["diagonal"]["aer"] == 0.0
    # What the command line finds again by the card, without a development file.
    (workshop / alignments.DEV).unlink()
    found = alignments.score(pretrained.load(BAHDANAU.name), workshop / alignments.TEST, folder="/nowhere")
    assert found["metrics"] == card["test"]["metrics"]
    assert found["by_layer_head"] == card["test"]["by_layer_head"]


def conversation(chrf: float) -> dict[str, Any]:
    return {"test": {"by_tag": {"tatoeba": {"chrf": chrf}, "news": {"chrf": 1.0}}}}


def test_a_model_is_finished_if_it_can_hold_a_conversation() -> None:
    assert not RECIPE.good_enough(conversation(39.99))
    assert RECIPE.good_enough(conversation(40.0))
    assert not RECIPE.good_enough({"test": {"by_tag": {"news": {"chrf": 99.0}}}})
    lower = dataclasses.replace(RECIPE, least_chrf=0.0)
    assert lower.good_enough(conversation(0.1))
    listed = {entry.name: recipes.RECIPES[entry.name] for entry in ENTRIES if entry.task.startswith("translation")}
    bars = {name: recipe.least_chrf for name, recipe in listed.items() if isinstance(recipe, TranslationRecipe)}
    lacking = {name for name in bars if name.startswith("rnn-") or name == "transformer-unordered"}
    assert len(lacking) == 3
    assert {name: bars[name] for name in bars} == {name: 0.0 if name in lacking else 40.0 for name in bars}


@pytest.mark.parametrize(("bar", "finished"), [(0.0, True), (100.0, False)])
def test_finished_takes_tokens_and_scores(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, bar: float, finished: bool
) -> None:
    monkeypatch.setattr(recipes, "CONVERSATION", "made up")
    monkeypatch.setitem(recipes.RECIPES, SEQ2SEQ.name, dataclasses.replace(RECIPE, least_chrf=bar))
    assert main(["train", SEQ2SEQ.name, "--data", str(workshop), "--minutes", "0"]) == 0
    assert SEQ2SEQ.finished is False, "not all target tokens are seen"
    assert main(["train", SEQ2SEQ.name, "--data", str(workshop)]) == 0
    assert SEQ2SEQ.card()["target_tokens"] >= RECIPE.target_tokens
    assert SEQ2SEQ.finished is finished
    # Trained to the end, it is left alone whatever its scores.
    assert [task.entry for task in plan.tasks()] == [BAHDANAU]


# All that is left to train


def put_card(entry: Entry, **facts: Any) -> None:
    entry.folder.mkdir(parents=True, exist_ok=True)
    card = {"schedule": {}, "steps": 9, "learning_curve": [], **facts}
    (entry.folder / "card.json").write_text(json.dumps(card), "utf-8")
    (entry.folder / "model.safetensors").touch()


def put_checkpoint(entry: Entry, target_tokens: int) -> None:
    progress = loop.Progress(target_tokens=target_tokens, seconds=60.0)
    network = torch.nn.Linear(2, 2)
    loop.Run(network, torch.optim.SGD(network.parameters()), progress, {}).save(loop.CHECKPOINTS / f"{entry.name}.pt")


def to_go() -> list[tuple[str, int, float | None]]:
    return [(task.entry.name, task.target_tokens, task.minutes) for task in plan.tasks()]


@pytest.mark.usefixtures("workshop")
def test_what_is_left_to_train() -> None:
    assert to_go() == [("gru-seq2seq", 1500, None), ("gru-bahdanau", 1500, None)]
    # The card of the one is the only measure for the other.
    put_card(SEQ2SEQ, target_tokens=1000, minutes=20.0)
    assert to_go() == [("gru-seq2seq", 1500, 30.0), ("gru-bahdanau", 1500, 30.0)], "a warm start begins anew"
    put_card(BAHDANAU, target_tokens=500, minutes=20.0)
    assert to_go() == [("gru-seq2seq", 1500, 30.0), ("gru-bahdanau", 1500, 60.0)]
    put_card(BAHDANAU, target_tokens=500, minutes=20.0, schedule=RECIPE.schedule())
    assert to_go()[1] == ("gru-bahdanau", 1000, 40.0), "a run of the same schedule goes on"
    put_card(BAHDANAU, target_tokens=500, minutes=20.0)
    # A checkpoint is where the run stands, whatever was shipped before.
    put_checkpoint(SEQ2SEQ, 1400)
    assert to_go()[0] == ("gru-seq2seq", 100, 2.0)
    put_checkpoint(SEQ2SEQ, 1503)
    assert to_go()[0] == ("gru-seq2seq", 0, 0.0), "trained, but not shipped yet"
    put_card(SEQ2SEQ, target_tokens=1503, minutes=30.06, finished=False)
    assert to_go() == [("gru-bahdanau", 1500, 60.0)]
    # A newer run over finished weights goes on.
    put_checkpoint(SEQ2SEQ, 300)
    assert [name for name, _, _ in to_go()] == ["gru-seq2seq", "gru-bahdanau"]


@pytest.mark.usefixtures("workshop")
def test_what_ends_before_its_schedule_is_trained_to_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ENTRIES", ())
    monkeypatch.setattr(registry, "ABLATIONS", (BAHDANAU,))
    monkeypatch.setitem(recipes.RECIPES, BAHDANAU.name, dataclasses.replace(RECIPE, stop_after=200))
    assert to_go() == [("gru-bahdanau", 200, None)]
    put_card(BAHDANAU, target_tokens=20, minutes=1.0, diverged=False)
    assert to_go() == [("gru-bahdanau", 200, 10.0)]
    put_card(BAHDANAU, target_tokens=20, minutes=1.0, diverged=True)
    assert to_go() == []


def test_a_task_is_told_with_its_minutes() -> None:
    assert str(plan.Task(BAHDANAU, 13_240_000, 61.7)) == "gru-bahdanau: 13.2 M target tokens to go, about 62 minutes"
    assert str(plan.Task(BAHDANAU, 0, None)) == "gru-bahdanau: 0.0 M target tokens to go"


def test_parents_are_trained_first() -> None:
    def child(name: str, parent: str | None) -> Entry:
        return dataclasses.replace(SEQ2SEQ, name=name, parent=parent)

    entries = [child("d", "b"), child("a", None), child("b", "c"), child("c", None), child("e", "elsewhere")]
    assert [entry.name for entry in plan.parents_first(entries)] == ["c", "b", "d", "a", "e"]
    assert {entry.name for entry in plan.parents_first(ENTRIES)} == {entry.name for entry in ENTRIES}


def test_all_are_trained_one_after_the_other(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for known in registry.ENTRIES:
        monkeypatch.setitem(recipes.RECIPES, known.name, dataclasses.replace(RECIPE, least_chrf=0.0))
    # No time at all is time for a batch of the first.
    assert main(["train", "--all", "--data", str(workshop), "--minutes", "0"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in err.splitlines()[:2]] == ["gru-seq2seq", "gru-bahdanau"]
    assert err.splitlines()[-1] == "no time left for gru-bahdanau"
    assert out.startswith("gru-seq2seq: ")
    assert out.count("\n") == 1
    assert not BAHDANAU.folder.exists()
    assert main(["train", "--all", "--data", str(workshop)]) == 0
    out, err = capsys.readouterr()
    assert "about" in err.splitlines()[0]
    assert [line.split(":")[0] for line in out.splitlines()] == ["gru-seq2seq", "gru-bahdanau"]
    assert out.count("target tokens, finished") == 2
    assert SEQ2SEQ.finished
    assert BAHDANAU.finished
    assert main(["train", "--all", "--data", str(workshop)]) == 0
    assert capsys.readouterr() == ("", "every model is trained to the end\n")


def test_minutes_are_for_all_together(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    given: list[tuple[str, Any]] = []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def spend(known: Entry, _: Path, minutes: float | None) -> None:
        given.append((known.name, minutes))
        clock[0] += 7 * 60

    monkeypatch.setattr("pretrained.__main__._train", spend)
    assert main(["train", "--all", "--data", str(workshop), "--minutes", "10"]) == 0
    assert given == [("gru-seq2seq", pytest.approx(10)), ("gru-bahdanau", pytest.approx(3))]
    given.clear()
    assert main(["train", "--all", "--data", str(workshop), "--minutes", "5"]) == 0
    assert [name for name, _ in given] == ["gru-seq2seq"]
    given.clear()
    assert main(["train", "--all", "--data", str(workshop)]) == 0
    assert given == [("gru-seq2seq", None), ("gru-bahdanau", None)]


def test_train_adapts_a_parent(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a shipped parent to a model that ships its own tensors alone, and back again from those."""
    entry, parent, build = registry.entry("transformer-linformer"), registry.entry("transformer"), loading.build
    monkeypatch.setattr(registry, "WEIGHTS", folder / "weights")
    monkeypatch.setattr(loop, "CHECKPOINTS", folder / "checkpoints")
    monkeypatch.setattr(
        loading, "build", lambda entry, sizes=None: build(entry, sizes or tiny.sizes(entry, d_vocab=8000))
    )
    for name in (entry.name, parent.name):
        monkeypatch.setitem(recipes.RECIPES, name, RECIPE)
    monkeypatch.setitem(recipes.SOURCES, "made up", "this file, CC0")
    monkeypatch.setattr(shipping, "MARGIN", 0.0)
    train = ["train", entry.name, "--data", str(folder), "--minutes", "0"]
    assert main(train) == 2
    assert "python -m pretrained train transformer\n" in capsys.readouterr().err

    assert main(["train", parent.name, "--data", str(folder), "--minutes", "0"]) == 0
    assert main(train) == 0
    assert "adapted from transformer" in capsys.readouterr().err
    own, before = (loading.read_weights(known.folder / "model.safetensors") for known in (entry, parent))
    assert {name.partition(".")[0] for name in own} == {"encoder", "encoder_norm"}
    assert own["encoder.0.self_attention.e"].shape == (3, 64)
    # One step went away from the parent's encoder, and not far.
    moved = own["encoder.0.feedforward.0.weight"] - before["encoder.0.feedforward.0.weight"]
    assert 0 < moved.abs().max() < 0.01
    card = entry.card()
    assert (card["parent"], card["parent_target_tokens"]) == (parent.name, parent.card()["target_tokens"])
    assert card["steps"] == 1
    assert card["target_tokens"] < 2 * RECIPE.batch_tokens
    assert card["adapted_parameters"] == sum(tensor.numel() for tensor in own.values())
    assert card["parameters"] == card["adapted_parameters"] + sum(
        tensor.numel() for name, tensor in before.items() if not name.startswith("encoder")
    )
    assert card["bytes"] < parent.card()["bytes"]

    (loop.CHECKPOINTS / f"{entry.name}.pt").unlink()
    assert main(train) == 0
    assert f"going on from {entry.folder}" in capsys.readouterr().err
    assert entry.card()["steps"] == 2

    # What began from another parent than there is now is not shipped.
    before["embedding.weight"] += 1
    safetensors.torch.save_file(before, parent.folder / "model.safetensors")
    assert main(train) == 2
    assert "began from another transformer than is shipped" in capsys.readouterr().err
    assert entry.card()["steps"] == 2


def shipped_card(**facts: Any) -> dict[str, Any]:
    curve = [{"target_tokens": 5, "minutes": 1.5}]
    return {"schedule": {}, "learning_curve": curve, "steps": 3, "target_tokens": 5, "minutes": 1.5, **facts}


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"schedule": RECIPE.schedule(), "earlier_target_tokens": 1},
        {"schedule": RECIPE.schedule(), "target_tokens": RECIPE.length},
    ],
    ids=["another schedule", "a run after another", "a whole run"],
)
def test_a_warm_start_carries_on_what_the_card_counts(facts: dict[str, Any]) -> None:
    card = shipped_card(**facts)
    progress = loop.Progress.after(card, RECIPE)
    assert (progress.earlier_steps, progress.earlier_tokens) == (3, card["target_tokens"])
    assert progress.curve == card["learning_curve"]
    assert progress.target_tokens == 0, "the schedule of the new run begins anew"
    progress.seconds = 30.0
    assert progress.minutes == 2.0


def test_a_run_of_the_same_schedule_goes_on_where_its_weights_were_shipped(folder: Path) -> None:
    card = shipped_card(schedule=json.loads(json.dumps(RECIPE.schedule())))
    progress = loop.Progress.after(card, RECIPE)
    assert (progress.steps, progress.target_tokens, progress.minutes, progress.earlier_tokens) == (3, 5, 1.5, 0)

    # Whatever the pass that it stopped in, its next batch is the one that the run would have read.
    material = RECIPE.material(folder)
    first, second = list(material.batches(0)), list(material.batches(1))
    for done, expected in ((1, first[1]), (len(first), second[0]), (len(first) + 2, second[2])):
        resumed = loop.Progress(batch=done, steps=done, resumed_step=done)
        batch = next(loop._remaining_batches(material, resumed))
        assert torch.equal(batch.source, expected.source), done

    # An optimizer without moments comes back to the rate step by step.
    assert loop.run_in(progress) == 1 / loop.RUN_IN_STEPS
    progress.steps += loop.RUN_IN_STEPS
    assert loop.run_in(progress) == 1.0
    assert loop.run_in(loop.Progress(steps=1)) == 1.0


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
