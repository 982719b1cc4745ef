"""Gold alignments: read or refused by line, rows that are not off by one, and the layer and head that a card names."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pretrained import registry
from pretrained.analysis.alignment import READ, WRITTEN, Place
from pretrained.architectures.record import Attended, Output
from pretrained.registry import ENTRIES, Entry
from pretrained.tokenization import load
from pretrained.training import alignments, data, ibm, shipping
from pretrained.translation import Translator
from tests.models import tiny

ALIGNING = [
    entry for entry in ENTRIES if entry.task.startswith("translation") and {*entry.attention} & {"alignment", "cross"}
]
# Words that fall into pieces, an order that is turned round, and "du": two words of gold in one span.
ROWS: list[dict[str, Any]] = [
    {
        "en_text": "The unbelievable hippopotamus sleeps.",
        "en_span": [[0, 3], [4, 16], [17, 29], [30, 36], [36, 37]],
        "fr_text": "L'hippopotame incroyable dort.",
        "fr_span": [[0, 2], [2, 13], [14, 24], [25, 29], [29, 30]],
        "sure": [[0, 0], [2, 1], [1, 2], [3, 3], [4, 4]],
        "possible": [[0, 1]],
    },
    {
        "en_text": "The cat of the neighbour",
        "en_span": [[0, 3], [4, 7], [8, 10], [11, 14], [15, 24]],
        "fr_text": "Le chat du voisin",
        "fr_span": [[0, 2], [3, 7], [8, 10], [8, 10], [11, 17]],
        "sure": [[0, 0], [1, 1], [2, 2], [4, 4]],
        "possible": [[2, 3], [3, 3], [3, 2]],
    },
]


def write(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return write(tmp_path / "gold.jsonl.gz", ROWS)


class Seer:
    """A network that attends to what gold links to the piece that a row predicts, or does so ``late`` by some rows.

    Two heads a layer in ``looks``: each looks where people would ("right") or at the first word ("first"), and at
    ``</s>`` most of all ("right end", "first end").
    """

    def __init__(self, *looks: tuple[str, str], late: int = 0) -> None:
        self.looks = looks
        self.late = late
        tokenizer = load("enfr")
        self.pairs = {}
        for row in ROWS:
            source, target = tokenizer.encode(row["en_text"]), tokenizer.encode(row["fr_text"])
            self.pairs[source.ids] = (row, source, target)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> Output:
        row, read, written = self.pairs[tuple(source[0].tolist())]
        assert target[0].tolist() == [1, *written.ids[:-1]], "the decoder reads <s> and the reference, a piece late"
        layers = []
        for layer, looks in enumerate(self.looks):
            heads = torch.stack([self.head(look, row, read, written) for look in looks])
            layers.append(Attended("cross", layer, heads.roll(self.late, 1)[None]))
            layers.append(Attended("encoder-self", layer, torch.eye(len(read.ids)).flip(0)[None, None]))
        return Output(torch.zeros(1, len(written.ids), 5), tuple(layers))

    @staticmethod
    def head(look: str, row: dict[str, Any], read: Any, written: Any) -> torch.Tensor:
        weights = torch.full((len(written.ids), len(read.ids)), 1e-3)
        if look.startswith("first"):
            weights[:, 0] += 1
        else:
            for source, target in row["sure"]:
                for i, piece in enumerate(written.spans):
                    for j, seen in enumerate(read.spans):
                        weights[i, j] += meet(piece, row["fr_span"][target]) * meet(seen, row["en_span"][source])
        weights[:, -1] += 1000 if look.endswith("end") else 0
        return weights / weights.sum(1, keepdim=True)


def meet(one: Any, other: Any) -> bool:
    return bool(max(one[0], other[0]) < min(one[1], other[1]))


def seer(*looks: tuple[str, str], late: int = 0) -> Any:
    return SimpleNamespace(entry=registry.entry("transformer"), network=Seer(*looks, late=late), tokenizer=load("enfr"))


def errors(model: Any, path: Path, row: str = WRITTEN) -> dict[tuple[int, int | None], float]:
    found = alignments.agreements(model, alignments.read_gold(path))
    return {place[:2]: agreement.aer for place, agreement in found.items() if place.row == row}


def test_words_of_the_example_fall_into_pieces() -> None:
    for side in ("en", "fr"):
        pieces = load("enfr").encode(ROWS[0][f"{side}_text"]).spans[:-1]
        assert len(pieces) > len(ROWS[0][f"{side}_span"])


def test_gold_is_read(gold: Path) -> None:
    first, second = alignments.read_gold(gold)
    assert (first.source, first.target) == (ROWS[0]["en_text"], ROWS[0]["fr_text"])
    assert [first.source[slice(*span)] for span in first.source_words] == [
        "The",
        "unbelievable",
        "hippopotamus",
        "sleeps",
        ".",
    ]
    assert [second.target[slice(*span)] for span in second.target_words] == ["Le", "chat", "du", "du", "voisin"]
    assert first.gold.sure == {(0, 0), (2, 1), (1, 2), (3, 3), (4, 4)}
    assert first.gold.possible == first.gold.sure | {(0, 1)}


def test_a_model_that_looks_where_people_would_makes_no_error(gold: Path) -> None:
    assert errors(seer(("right", "right")), gold) == {(0, 0): 0.0, (0, 1): 0.0, (0, None): 0.0}


@pytest.mark.parametrize("late", [-1, 1])
def test_rows_off_by_one_make_errors(gold: Path, late: int) -> None:
    assert all(error > 0.3 for error in errors(seer(("right", "right"), late=late), gold).values())


@pytest.mark.parametrize(("late", "row"), [(0, WRITTEN), (1, READ)])
def test_a_word_may_be_looked_up_as_it_is_written_or_as_it_is_read(gold: Path, late: int, row: str) -> None:
    model = seer(("right", "first"), late=late)
    assert errors(model, gold, row)[0, 0] == 0
    measured = alignments.agreements(model, alignments.read_gold(gold))
    places = alignments.choose(measured)
    assert places[0] == (0, 0, row)
    assert {place[:2] for place in places} == {(0, 0), (0, 1), (0, None)}
    assert len(places) == 3


def test_the_end_of_the_source_is_no_word(gold: Path) -> None:
    # Nearly all of the weight goes to </s>; what is left for words is right, or on the first word.
    found = errors(seer(("right end", "first end")), gold)
    assert found[0, 0] == 0 < found[0, 1]


def test_layers_heads_and_means_are_told_apart(gold: Path) -> None:
    found = errors(seer(("first", "first end"), ("right", "first")), gold)
    assert list(found) == [(0, 0), (0, 1), (0, None), (1, 0), (1, 1), (1, None)]
    assert found[1, 0] == 0 < found[0, 0]
    measured = alignments.agreements(seer(("right", "right")), alignments.read_gold(gold))
    assert alignments.choose(measured) == [(0, 0, WRITTEN), (0, 1, WRITTEN), (0, None, WRITTEN)], "the first of equals"


def test_the_mean_of_heads_can_be_better_than_each(gold: Path) -> None:
    model = seer(("right", "right"))
    exact = model.network.head

    def one_half(look: str, row: dict[str, Any], read: Any, written: Any) -> torch.Tensor:
        halves.append(len(halves) % 2)
        weights: torch.Tensor = exact(look, row, read, written)
        weights[halves[-1] :: 2] = 1 / weights.shape[1]
        return weights

    halves: list[int] = []
    model.network.head = one_half
    found = errors(model, gold)
    assert found[0, None] == 0 < min(found[0, 0], found[0, 1])


# What the command line tells


def put_card(monkeypatch: pytest.MonkeyPatch, folder: Path, card: dict[str, Any]) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", folder / "weights")
    (folder / "weights" / "transformer").mkdir(parents=True)
    (folder / "weights" / "transformer" / "card.json").write_text(json.dumps(card), "utf-8")


LOOKS = (("first", "right"), ("first", "first"))


def places(rows: str) -> list[dict[str, Any]]:
    """Name two layers of two heads as a card does, with ``w`` or ``r`` for the row of each and of their means."""
    heads = [(layer, head) for layer in (0, 1) for head in (0, 1, None)]
    return [Place(*head, {"w": WRITTEN, "r": READ}[row])._asdict() for head, row in zip(heads, rows, strict=True)]


def put_choice(monkeypatch: pytest.MonkeyPatch, folder: Path, told: list[dict[str, Any]], chosen: int) -> None:
    put_card(monkeypatch, folder, {"alignment": {"chosen": told[chosen], "dev": {"by_layer_head": told}}})


def test_the_card_chooses(gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = places("wwwwww")
    put_choice(monkeypatch, tmp_path, told, -1)
    result = alignments.score(seer(*LOOKS), gold, folder="/nowhere")
    assert list(result) == ["task", "count", "metrics", "by_layer_head", "chosen"]
    assert (result["task"], result["count"]) == ("translation en-fr", 2)
    assert result["chosen"] == told[-1] == {"layer": 1, "head": None, "row": WRITTEN}
    assert [{name: part[name] for name in ("layer", "head", "row")} for part in result["by_layer_head"]] == told
    assert all(set(part) == {"layer", "head", "row", "aer"} for part in result["by_layer_head"])
    assert result["metrics"]["aer"] == result["by_layer_head"][-1]["aer"] > result["by_layer_head"][1]["aer"] == 0
    # Of ten target words three stand before the first source word, of nine sure links two; one link more is possible.
    assert result["metrics"] == {"aer": round(1 - 5 / 19, 4), "precision": 0.3, "recall": round(2 / 9, 4)}


def test_the_card_tells_whose_rows_are_read(gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = places("wrwrwr")
    put_choice(monkeypatch, tmp_path, told, 1)
    result = alignments.score(seer(*LOOKS, late=1), gold, folder="/nowhere")
    assert (result["chosen"], result["metrics"]["aer"]) == ({"layer": 0, "head": 1, "row": READ}, 0)
    assert [part["row"] for part in result["by_layer_head"]] == [one["row"] for one in told]
    assert result["by_layer_head"][1]["aer"] == 0 < result["by_layer_head"][4]["aer"]


def test_without_a_card_the_development_file_chooses(
    gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_card(monkeypatch, tmp_path, {})
    write(tmp_path / alignments.DEV, ROWS[:1])
    result = alignments.score(seer(*LOOKS), gold, folder=tmp_path)
    assert result["chosen"] == {"layer": 0, "head": 1, "row": WRITTEN}
    assert result["metrics"] == {"aer": 0.0, "precision": 1.0, "recall": 1.0}


@pytest.mark.parametrize("data", ["empty", "missing"])
def test_nothing_to_choose_by_is_told(gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    put_card(monkeypatch, tmp_path, {})
    (tmp_path / "empty").mkdir()
    told = r"the card of transformer names no layer and head, and there is no align/.*dev.*: no .*" + data
    with pytest.raises(FileNotFoundError, match=told):
        alignments.score(seer(*LOOKS), gold, folder=tmp_path / data)


def test_the_card_of_a_new_model_tells_of_both_files(tmp_path: Path) -> None:
    write(tmp_path / alignments.DEV, ROWS[:1])
    model = seer(("first", "first"), ("first", "right"))
    pairs = [data.Pair(aligned.source, aligned.target) for aligned in alignments.read_gold(tmp_path / alignments.DEV)]
    assert shipping.alignment(model, tmp_path, pairs) == {}, "told only where the data has both files"
    write(tmp_path / alignments.TEST, ROWS)
    card = shipping.alignment(model, tmp_path, pairs)["alignment"]
    assert card["chosen"] == {"layer": 1, "head": 1, "row": WRITTEN}
    assert (card["dev"]["count"], card["test"]["count"]) == (1, 2)
    for name in ("dev", "test"):
        assert card[name]["metrics"] == {"aer": 0.0, "precision": 1.0, "recall": 1.0}
        assert len(card[name]["by_layer_head"]) == 6
    # The diagonal misses the two words that change places: 3 + 3 right of 5 + 5; in the second pair all but one link.
    assert card["dev"]["diagonal"] == {"aer": 0.4, "precision": 0.6, "recall": 0.6}
    assert card["test"]["diagonal"] == {"aer": round(1 - 15 / 19, 4), "precision": 0.8, "recall": round(7 / 9, 4)}
    # One pair tells model 1 nothing: every word may have written every word, and the empty word comes first.
    assert card["test"]["ibm_model_1"] == {"aer": 1.0, "precision": 0.0, "recall": 0.0}
    assert shipping.alignment(tiny.translator(registry.entry("gru-seq2seq")), tmp_path, pairs) == {}


def test_counting_is_scored_like_a_model(gold: Path) -> None:
    words = zip(
        ("the", "unbelievable", "hippopotamus", "sleeps", "cat", "neighbour", "."),
        ("l'", "incroyable", "hippopotame", "dort", "chat", "voisin", "."),
        strict=True,
    )
    found = alignments.by_counting(alignments.read_gold(gold), ibm.train(words))
    # All of the first pair; in the second "Le", "du" and its two words of gold are unknown.
    assert (found.links, found.sure, found.sure_found, found.possible_found) == (7, 9, 7, 7)


# Every model with such attention


@pytest.mark.parametrize("entry", ALIGNING, ids=lambda entry: entry.name)
def test_a_random_model_can_be_scored(entry: Entry, gold: Path) -> None:
    model: Translator = tiny.translator(entry)
    found = alignments.agreements(model, alignments.read_gold(gold))
    kinds = {"alignment", "cross"} & set(entry.attention)
    maps = [attended for attended in model.run("I am happy.").attention if attended.kind in kinds]
    expected = [
        (attended.layer, head)
        for attended in maps
        for head in (*range(attended.n_heads), *([None] if attended.n_heads > 1 else []))
    ]
    assert {place[:2] for place in found} == set(expected)
    assert len(found) == 2 * len(expected)
    for agreement in found.values():
        assert (agreement.links, agreement.sure) == (10, 9)
        assert 0 <= agreement.aer <= 1


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry not in ALIGNING], ids=lambda entry: entry.name)
def test_a_model_that_does_not_look_at_its_source_is_refused(entry: Entry, gold: Path) -> None:
    with pytest.raises(ValueError, match=f"{entry.name} aligns no words: expected .* alignment or cross, got one for "):
        alignments.score(SimpleNamespace(entry=entry), gold)  # type: ignore[arg-type]


# Files that are refused


def changed(**parts: Any) -> dict[str, Any]:
    return ROWS[0] | parts


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([], "Type"),
        ({}, "en_text"),
        ({name: part for name, part in ROWS[0].items() if name != "possible"}, "possible"),
        (changed(en_text=7), "Type"),
        (changed(fr_span=[[0, 2], [2, 13], [14, 24], [25, 29], [29, 31]]), r"text of 30 characters, got \[29, 31\]"),
        (changed(en_span=[[-1, 3], *ROWS[0]["en_span"][1:]]), r"got \[-1, 3\]"),
        (changed(en_span=[[3, 3], *ROWS[0]["en_span"][1:]]), r"got \[3, 3\]"),
        (changed(en_span=[[3, 4], *ROWS[0]["en_span"][1:]]), r"got \[3, 4\]"),
        (changed(en_span=[[0, 3, 4], *ROWS[0]["en_span"][1:]]), "too many values"),
        (changed(fr_span=[], sure=[], possible=[]), "at least one word a side"),
        (changed(sure=[[0, 5]]), r"links between 5 and 5 words, got \[0, 5\]"),
        (changed(possible=[[-1, 0]]), r"links between 5 and 5 words, got \[-1, 0\]"),
        (changed(sure=[[0, 0.5]]), r"got \[0, 0\.5\]"),
        (changed(sure=[["a", "b"]]), r"got \['a', 'b'\]"),
        (changed(sure=[3]), "Type"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, row: Any, told: str) -> None:
    path = write(tmp_path / "gold.jsonl.gz", [ROWS[0], row])
    with pytest.raises(ValueError, match=rf"gold\.jsonl\.gz, line 2: expected en_text, .*{told}"):
        alignments.read_gold(path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.jsonl", b"", "empty.jsonl: expected at least one pair with a sure link, got 0 pairs"),
        ("unsure.jsonl", json.dumps(changed(sure=[])).encode(), "got 1 pairs"),
        ("text.jsonl", b"I am happy.\n", "text.jsonl, line 1: expected en_text"),
        ("bytes.jsonl", b"caf\xe9\n", "bytes.jsonl, line 1: expected UTF-8"),
        ("plain.jsonl.gz", b"{}\n", "plain.jsonl.gz, after line 0: expected gzip"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=told):
        alignments.read_gold(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*gold\.jsonl"):
        alignments.read_gold(tmp_path / "gold.jsonl")
