"""What the language models are trained on and with: pieces, windows, masks, losses, and the folder that is shipped."""

import dataclasses
import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import pretrained
from pretrained import loading, registry, tokenization
from pretrained.language import DecoderOnly, EncoderOnly
from pretrained.registry import Entry
from pretrained.training import language, loop, recipes, shipping
from pretrained.training.language import (
    BUDGETS,
    CLASS,
    END_OF_TEXT,
    LENGTH,
    MASK,
    PAD,
    SEPARATOR,
    SPECIAL,
    UNKNOWN,
    CausalMaterial,
    MaskedMaterial,
)
from tests.models import tiny

PATH = tokenization.FOLDER / "en.json"
SMALL = {"d_model": 12, "n_layers": 2, "n_heads": 2, "d_feedforward": 16}
GPT, BERT = registry.entry("gpt-mini"), registry.entry("bert-mini")
LINES = [
    *(f"The {one} number {n} sat on the {two}.\ttales\tbook_{n % 3}" for n in range(60)
      for one, two in (("cat", "mat"), ("dog", "log"))),
    *(f"A sentence of its own, number {n}.\twiki\twiki_0" for n in range(20)),
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return language.load_tokenizer(PATH)


def compress(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder like the real one, of a few made-up texts."""
    for split, lines in (("train", LINES), ("valid", LINES[:40]), ("test", LINES[30:60])):
        compress(tmp_path / language.FILES[split], lines)
    spoken = ["Go.\tVa !\ttatoeba", "Go.\tPars !\ttatoeba", "I see.\tJe vois.\ttatoeba", "No.\tNon.\teuroparl"]
    compress(tmp_path / language.PAIRS, spoken)
    tree = [
        "# text = The cat sees a mat",
        "1\tThe\t_\tDET",
        "2\tcat\t_\tNOUN",
        "3\tsees\t_\tVERB",
        "5\tmat\t_\tNOUN",
        "",
    ]
    for split in ("train", "test"):
        compress(tmp_path / f"ud/en_ewt_{split}.conllu.gz", tree * 3)
    compress(tmp_path / "probe/blimp.tsv.gz", ["syntax\torder\torder\tThe cat sat.\tCat sat the."] * 10)
    return tmp_path


def network(entry: Entry, **sizes: Any) -> Any:
    torch.manual_seed(0)
    return loading.build(entry, SMALL | sizes)


# Pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("I don't, can't and won't.", "▁I ▁do n't , ▁ca n't ▁and ▁wo n't ."),
        ("Mary's cat, we're off", "▁Mary 's ▁cat , ▁we 're ▁off"),
        ("  “No”…\n", '▁" No " . . .'),
        ("in 1990", "▁in ▁1990"),
    ],
)
def test_words_are_cut_as_treebanks_cut_them(tokenizer: Any, text: str, pieces: str) -> None:
    assert tokenizer.encode(text).tokens == pieces.split()


@pytest.mark.parametrize(
    "text", ["I can't see Mary's cat.", "It cost 1,250 pounds (in 1990).", '"Well," he said - "I\'m off!"']
)
def test_what_is_read_can_be_spelled(tokenizer: Any, text: str) -> None:
    ids = tokenizer.encode(text).ids
    assert UNKNOWN not in ids
    assert tokenizer.decode(ids) == text


def test_special_pieces_come_first_and_are_not_read_from_text(tokenizer: Any) -> None:
    assert tuple(tokenizer.id_to_token(index) for index in range(len(SPECIAL))) == SPECIAL
    assert PAD == tokenization.PAD
    assert tokenizer.get_vocab_size() == 8000
    for name in SPECIAL:
        assert min(tokenizer.encode(f"a {name} b").ids) >= len(SPECIAL)


def test_a_tokenizer_is_learned_from_text_alone(tmp_path: Path) -> None:
    texts = [line.partition("\t")[0] for line in LINES]
    learned = []
    for name in ("one", "two"):
        language.train_tokenizer([*texts, "é", "è", "ê"], size=90, path=tmp_path / name)
        learned.append(json.loads((tmp_path / name).read_text("utf-8")))
    assert learned[0] == learned[1]
    assert len(learned[0]["model"]["vocab"]) == 90
    assert language.load_tokenizer(tmp_path / "one").encode("The cat").tokens[0] == "▁The"


def test_the_rarest_characters_are_left_out_by_a_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "CHARACTERS", 4)
    for order in ("aaabbdc", "cdbabaa", "abcdaab"):
        language.train_tokenizer([*order], size=20, path=tmp_path / "tokenizer")
        kept = set(json.loads((tmp_path / "tokenizer").read_text("utf-8"))["model"]["vocab"]) - set(SPECIAL)
        assert {piece for piece in kept if len(piece) == 1} == {"▁", "a", "b", "c"}


# Documents


def test_documents_are_whole_and_single_sentences_alone(folder: Path) -> None:
    documents = language.training_documents(folder)
    assert Counter(map(len, documents)) == {40: 3, 1: 22}
    assert documents[0][:2] == ["The cat number 0 sat on the mat.", "The dog number 0 sat on the log."]
    assert documents[0][2].startswith("The cat number 3")
    assert documents[-2:] == [["Go."], ["I see."]]


@pytest.mark.parametrize("line", ["", "text alone", "two\tparts", " \tsource\tname", "a\tb\tc\td"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    compress(tmp_path / "broken.gz", [LINES[0], line])
    with pytest.raises(ValueError, match=r"broken\.gz, line 2: expected text<TAB>source<TAB>document"):
        language.read_documents(tmp_path / "broken.gz")


def test_a_stream_has_an_end_before_and_after_every_document() -> None:
    assert language.stream([[[7, 8], [9]], [[10]]]).tolist() == [5, 7, 8, 9, 5, 10, 5]
    assert END_OF_TEXT == 5


@pytest.mark.parametrize("first", [0, 3])
def test_windows_ask_for_every_piece_once(first: int) -> None:
    windows = language.windows_of(torch.arange(50), 8, first=first)
    asked = windows[:, 1:].flatten().tolist()
    assert asked == [*range(first + 1, first + 1 + len(asked))]
    assert 50 - 8 <= first + 1 + len(asked) <= 50
    assert (windows[:, 1:] == windows[:, :-1] + 1).all()


def test_rows_are_paragraphs_in_their_order() -> None:
    document = [[n] * length for n, length in enumerate((20, 30, 5, 300, 1, 90, 254, 255), start=1)]
    chance = random.Random(0)
    lengths = set()
    for _ in range(40):
        rows = [*language.joined(document, chance)]
        assert [piece for row in rows for piece in row] == [piece for part in document for piece in part]
        assert all(0 < len(row) <= BUDGETS[-1] for row in rows)
        lengths |= {len(row) for row in rows}
    assert {20, 55} <= lengths


def test_groups_are_even_and_small() -> None:
    rows = [[1] * length for length in (3, 9, 3, 4, 8, 3, 40)]
    groups = language.by_length(rows, random.Random(0), 18)
    assert sorted(map(len, [row for group in groups for row in group])) == [3, 3, 3, 4, 8, 9, 40]
    for group in groups:
        assert len(group) == 1 or len(group) * max(map(len, group)) <= 18
    assert sorted(sorted(map(len, group)) for group in groups) == [[3, 3, 3, 4], [8, 9], [40]]


# Masks


def masked(
    tokenizer: Any, text: str, times: int, seed: int = 0, shares: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ids = torch.tensor([[CLASS, *tokenizer.encode(text).ids, SEPARATOR, PAD, PAD]] * times)
    draw = torch.Generator().manual_seed(seed)
    begins = language.begins_word(tokenizer)
    shares = torch.full([len(begins)], 0.15) if shares is None else shares
    return ids, *language.mask_words(ids, begins, shares, draw)


def test_a_share_of_words_is_hidden(tokenizer: Any) -> None:
    ids, read, target = masked(tokenizer, "The cat can't see the 1,250 mice in the house, or so she says.", 3000)
    hidden = target != PAD
    ordinary = ids >= len(SPECIAL)
    assert (target[hidden] == ids[hidden]).all()
    assert (read[~hidden] == ids[~hidden]).all()
    assert not hidden[~ordinary].any()
    assert float(hidden[ordinary].float().mean()) == pytest.approx(0.15, abs=0.01)
    fates = [(read == MASK), (read == ids), (read != MASK) & (read != ids)]
    shares = [float(fate[hidden].float().mean()) for fate in fates]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    other = read[hidden & (read != MASK) & (read != ids)]
    assert int(other.min()) >= len(SPECIAL)
    assert len(set(other.tolist())) > 100


def test_frequent_words_are_hidden_less_often(tokenizer: Any) -> None:
    begins = language.begins_word(tokenizer)
    text = "The cat in the house, unbelievably"
    pieces = tokenizer.encode(text).ids
    frequent = tokenizer.token_to_id("▁the")
    shares = torch.full([len(begins)], 0.4)
    shares[frequent], shares[pieces[-1]] = 0.1, 0.2  # the last piece of a word whose others are rarer
    _, _, target = masked(tokenizer, text, 4000, shares=shares)
    rates = (target != PAD).float().mean(0)[1 : len(pieces) + 1].tolist()
    assert rates == pytest.approx([0.1 if piece == frequent else 0.4 for piece in pieces], abs=0.03)


def test_shares_fall_with_the_root_of_frequency() -> None:
    pieces = [7] * 9997 + [8] * 3
    shares = language.shares_to_hide([[pieces[:5000], pieces[5000:]]], 10)
    assert shares.tolist() == pytest.approx([0.4] * 7 + [0.4 * (3e-4 / 0.9997) ** 0.5] + [0.4] * 2)
    assert language.FREQUENT == 3e-4


def test_words_are_hidden_whole(tokenizer: Any) -> None:
    text = "unbelievably, grasshoppers don't fly"
    tokens = tokenizer.encode(text).tokens
    words = [[place for place, token in enumerate(tokens, start=1) if token in part.split()] for part in
             ("▁unb el ie v ably", "▁grass ho ppers", "▁do n't", ",", "▁fly")]  # fmt: skip
    assert sum(map(len, words)) == len(tokens)
    _, _, target = masked(tokenizer, text, 400)
    hidden = target != PAD
    for word in words:
        shares = hidden[:, word].float().mean(1)
        assert set(shares.tolist()) == {0.0, 1.0}
        assert 0.05 < float(shares.mean()) < 0.25
    # Words are hidden one without the other, a word and the sign after it too.
    assert all((hidden[:, one[0]] != hidden[:, other[0]]).any() for one in words for other in words if one != other)


def test_something_is_always_hidden(tokenizer: Any) -> None:
    for seed in range(30):
        _, _, target = masked(tokenizer, "Go", 1, seed)
        assert int((target != PAD).sum()) == 1


# Material


@pytest.mark.parametrize("material", [CausalMaterial, MaskedMaterial])
def test_a_pass_is_a_function_of_seed_and_number(material: Any, tokenizer: Any, folder: Path) -> None:
    def contents(seed: int, number: int) -> list[list[list[int]]]:
        batches = material(tokenizer, folder, seed=seed, batch_tokens=512).batches(number)
        return [part for batch in batches for part in (batch.ids.tolist(), batch.target.tolist())]

    first = contents(1, 0)
    assert contents(1, 0) == first
    assert contents(1, 1) != first
    assert contents(2, 0) != first


def test_a_pass_reads_all_documents(tokenizer: Any, folder: Path) -> None:
    pieces = [
        END_OF_TEXT,
        *(i for d in language.cut(tokenizer, language.training_documents(folder)) for p in d for i in p),
    ]
    expected = Counter(pieces)
    material = MaskedMaterial(tokenizer, folder, seed=1, batch_tokens=512)
    seen: Counter[int] = Counter()
    for batch in material.batches(0):
        whole = torch.where(batch.target != PAD, batch.target, batch.ids)
        seen.update(whole[whole >= len(SPECIAL)].tolist())
        assert batch.target_tokens == int((batch.target != PAD).sum())
        assert len(batch.ids) == 1 or batch.ids.numel() <= 512
    assert seen == {index: count for index, count in expected.items() if index >= len(SPECIAL)}
    batches = [*CausalMaterial(tokenizer, folder, seed=1, batch_tokens=512).batches(0)]
    assert {tuple(batch.ids.shape) for batch in batches} <= {(2, LENGTH), (1, LENGTH)}
    asked = sum(batch.target_tokens for batch in batches)
    assert len(pieces) - 2 * LENGTH <= asked <= len(pieces) + 25
    for batch in batches:
        assert torch.equal(batch.ids[:, 1:], batch.target[:, :-1])


def test_losses_equal_the_librarys(tokenizer: Any, folder: Path) -> None:
    gpt, bert = network(GPT).eval(), network(BERT).eval()
    batch = next(CausalMaterial(tokenizer, folder, seed=1, batch_tokens=512).batches(0))
    whole = torch.cat([batch.ids, batch.target[:, -1:]], 1)
    ours = CausalMaterial.loss(None, gpt, batch, label_smoothing=0.0)  # type: ignore[arg-type]
    tiny.close(ours, gpt(whole[:, :LENGTH], labels=whole[:, :LENGTH]).loss, 0.05)
    logits = gpt(batch.ids).logits
    tiny.close(ours, torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.target.flatten()))
    for batch in MaskedMaterial(tokenizer, folder, seed=1, batch_tokens=512).batches(0):
        labels = batch.target.masked_fill(batch.target == PAD, -100)
        expected = bert(batch.ids, attention_mask=(batch.ids != PAD).long(), labels=labels).loss
        tiny.close(MaskedMaterial.loss(None, bert, batch, label_smoothing=0.0), expected)  # type: ignore[arg-type]


# What is shipped


@pytest.mark.parametrize("entry", [GPT, BERT], ids=lambda entry: entry.name)
def test_the_models_are_as_large_as_they_may_be(entry: Entry) -> None:
    whole = loading.build(entry)
    assert 3_500_000 < sum(parameter.numel() for parameter in whole.parameters()) <= 3_900_000
    config: Any = whole.config
    assert config.num_hidden_layers >= 4
    assert config.num_attention_heads >= 4
    assert config.max_position_embeddings == entry.max_tokens == LENGTH


@pytest.mark.parametrize(
    ("entry", "runs", "library"),
    [(GPT, DecoderOnly, transformers.GPT2LMHeadModel), (BERT, EncoderOnly, transformers.BertForMaskedLM)],
    ids=lambda part: getattr(part, "name", ""),
)
def test_a_folder_is_the_librarys_own(
    entry: Entry, runs: Any, library: Any, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    made = network(entry).eval()
    language.write_folder(made, PATH, entry.folder)
    model: Any = pretrained.load(entry.name)
    auto = transformers.AutoModelForCausalLM if runs is DecoderOnly else transformers.AutoModelForMaskedLM
    theirs = auto.from_pretrained(entry.folder, local_files_only=True)
    pieces = transformers.AutoTokenizer.from_pretrained(entry.folder, local_files_only=True)
    assert isinstance(model, runs)
    assert isinstance(theirs, library)
    assert {parameter.dtype for parameter in theirs.parameters()} == {torch.float32}
    text = "The cat can't <|endoftext|> see [MASK]…"
    ids = pieces(text).input_ids
    assert tuple(ids) == model.tokenizer.encode(text).ids
    assert (MASK in ids, END_OF_TEXT in ids) == ((True, False) if runs is EncoderOnly else (False, True))
    plain = "Mary's cat sat on the mat, didn't it?"
    expected = tokenizer.encode(plain).ids
    assert pieces(plain).input_ids == (expected if runs is DecoderOnly else [CLASS, *expected, SEPARATOR])
    read = torch.tensor([expected])
    tiny.close(theirs(read).logits, model.network(read).logits)
    tiny.close(made(read).logits, model.network(read).logits, 0.02)
    for name, tensor in made.named_parameters():
        assert torch.equal(tensor.half().float(), model.network.get_parameter(name)), name
    assert pieces.model_max_length == LENGTH


def test_a_mask_is_followed_by_what_follows_a_word(tmp_path: Path) -> None:
    language.write_folder(network(BERT), PATH, tmp_path)
    pieces = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in ("The [MASK] sat.", "The cat [MASK].", "[MASK] cat's mat", "a [MASK], b [MASK]n't"):
        spelled = [token for token in pieces.tokenize(text) if token != "[MASK]"]
        whole = [token for token in pieces.tokenize(text.replace("[MASK]", "did")) if token != "▁did"]
        assert spelled == whole


def test_gpt_never_writes_special_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    made = network(GPT)
    with torch.no_grad():
        made.transformer.wte.weight[: len(SPECIAL)] *= 1000
    language.write_folder(made, PATH, GPT.folder)
    model: Any = pretrained.load(GPT.name)
    trace = model.run("I am happy.", temperature=1.0)
    assert len(trace.target_tokens) == 20
    assert not {candidate.token for step in trace.candidates for candidate in step} & set(SPECIAL)


@pytest.mark.parametrize("entry", [GPT, BERT], ids=lambda entry: entry.name)
def test_a_model_is_trained_and_shipped(
    entry: Entry, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path / "weights")
    recipe = dataclasses.replace(recipes.RECIPES[entry.name], target_tokens=2000, batch_tokens=512, peak_rate=0.01)
    checkpoint = tmp_path / "run.pt"
    run = loop.train(network(entry), recipe, folder=folder, checkpoint=checkpoint, report=lambda _: None)
    curve = run.progress.curve
    assert curve[-1]["valid_loss"] < curve[0]["valid_loss"]
    model = shipping.ship(entry, run, recipe, tokenizer=recipe.tokenizer, folder=folder)
    card = entry.card()
    assert card["scores"]["test"]["task"] == entry.task == model.entry.task
    assert card["scores"]["test"]["count"] == 30
    assert card["parameters"] == sum(parameter.numel() for parameter in model.network.parameters())
    assert card["bytes"] == (entry.folder / "model.safetensors").stat().st_size
    assert card["data"]["documents"] == 25
    assert all("," in source for source in card["data"]["sources"].values())
    assert entry.finished == (entry.name == "bert-mini"), "it is listed whatever it scores"
    golden = json.loads((entry.folder / "golden.json").read_text("utf-8"))
    assert golden["runs"] == [] or golden["runs"][0]["options"] == dict(recipe.golden_options)
    # A warm start goes on from all that was shipped.
    again = network(entry)
    again.load_state_dict(loading.read_model(entry))
    for name, tensor in again.named_parameters():
        assert torch.equal(tensor, model.network.get_parameter(name)), name


def test_a_model_is_good_enough_by_its_bar() -> None:
    causal = recipes.CAUSAL
    assert causal.good_enough({"test": {"metrics": {"perplexity": 99.0, "kneser_ney_2": 200.0}}})
    assert not causal.good_enough({"test": {"metrics": {"perplexity": 101.0, "kneser_ney_2": 200.0}}})
