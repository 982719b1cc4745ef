"""Scores equal sacrebleu's, go into the right drawer, and a broken test file is named by its line."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from pretrained.registry import ENTRIES
from pretrained.training import evaluation
from pretrained.training.data import Pair
from pretrained.translation import Translator

OUTPUTS = ["le chat est sur le tapis", "je suis très content", "il pleut", "où est la gare ?"]
REFERENCES = ["le chat dort sur le tapis", "je suis content", "il pleut", "où se trouve la gare ?"]


class Parrot(Translator):
    """Gives the answers that it was taught, and notes what it was asked."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self.entry = ENTRIES[0]
        self.outputs = list(outputs)

    def translate(self, texts: Sequence[str]) -> list[str]:
        assert len(texts) == len(self.outputs)
        return self.outputs


def write(path: Path, rows: Sequence[str]) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return path


def words(count: int) -> str:
    return " ".join(["word"] * count)


def test_metrics_equal_sacrebleu() -> None:
    ours = evaluation.metrics(OUTPUTS, [[reference] for reference in REFERENCES])
    assert ours["bleu"] == pytest.approx(sacrebleu.corpus_bleu(OUTPUTS, [REFERENCES]).score, abs=0.005)
    assert ours["chrf"] == pytest.approx(sacrebleu.corpus_chrf(OUTPUTS, [REFERENCES]).score, abs=0.005)
    assert 0 < ours["bleu"] < 100
    perfect = evaluation.metrics(REFERENCES, [[reference] for reference in REFERENCES])
    assert perfect == {"bleu": 100.0, "chrf": 100.0}


def test_lines_may_have_different_numbers_of_references() -> None:
    several = [[REFERENCES[0], OUTPUTS[0]], [REFERENCES[1]], [REFERENCES[2]], [REFERENCES[3], "rien", OUTPUTS[3]]]
    ours = evaluation.metrics(OUTPUTS, several)
    streams: list[Any] = [
        REFERENCES,
        [OUTPUTS[0], None, None, "rien"],
        [None, None, None, OUTPUTS[3]],
    ]
    assert ours["bleu"] == pytest.approx(sacrebleu.corpus_bleu(OUTPUTS, streams).score, abs=0.005)
    assert ours["chrf"] == pytest.approx(sacrebleu.corpus_chrf(OUTPUTS, streams).score, abs=0.005)
    assert ours["chrf"] > evaluation.metrics(OUTPUTS, [[reference] for reference in REFERENCES])["chrf"]


def test_score_of_a_tsv(tmp_path: Path) -> None:
    sources = ["The cat is on the mat", "I am very happy", "It rains", "Where is the station ?"]
    tags = ["captions", "talk", "talk", ""]
    rows = ["\t".join(row) for row in zip(sources, REFERENCES, tags, strict=True)]
    result = evaluation.score(Parrot(OUTPUTS), write(tmp_path / "test.tsv", rows))
    assert list(result) == ["task", "count", "seconds", "metrics", "by_tag", "by_length"]
    assert (result["task"], result["count"]) == ("translation en-fr", 4)
    assert result["metrics"] == evaluation.metrics(OUTPUTS, [[reference] for reference in REFERENCES])
    assert list(result["by_tag"]) == ["captions", "talk"]
    assert result["by_tag"]["talk"] == {"count": 2} | evaluation.metrics(
        OUTPUTS[1:3], [[reference] for reference in REFERENCES[1:3]]
    )
    assert result["by_length"].keys() == {"1-5", "6-10"}
    assert result["by_length"]["6-10"]["count"] == 1


def test_score_of_jsonl_uses_every_reference(tmp_path: Path) -> None:
    rows = [json.dumps({"en": "It rains.", "refs": ["Il tombe de l'eau.", "Il pleut."]}, ensure_ascii=False)]
    result = evaluation.score(Parrot(["Il pleut."]), write(tmp_path / "test.jsonl", rows))
    assert result["metrics"]["chrf"] == 100
    assert result["by_tag"] == {}


@pytest.mark.parametrize(
    ("count", "drawer"),
    [
        (1, "1-5"),
        (5, "1-5"),
        (6, "6-10"),
        (10, "6-10"),
        (11, "11-20"),
        (20, "11-20"),
        (21, "21-30 21+"),
        (30, "21-30 21+"),
        (31, "31+ 21+"),
        (300, "31+ 21+"),
    ],
)
def test_lengths_go_into_the_right_drawer(tmp_path: Path, count: int, drawer: str) -> None:
    result = evaluation.score(Parrot(["a"]), write(tmp_path / "test.tsv", [f"{words(count)}\ta"]))
    assert {name: part["count"] for name, part in result["by_length"].items()} == dict.fromkeys(drawer.split(), 1)


def test_the_long_are_scored_together(tmp_path: Path) -> None:
    rows = [f"{words(count)}\t{reference}" for count, reference in zip((3, 21, 40, 30), REFERENCES, strict=True)]
    result = evaluation.score(Parrot(OUTPUTS), write(tmp_path / "test.tsv", rows))
    assert list(result["by_length"]) == ["1-5", "21-30", "31+", "21+"]
    expected = evaluation.metrics(OUTPUTS[1:], [[reference] for reference in REFERENCES[1:]])
    assert result["by_length"]["21+"] == {"count": 3} | expected


def test_a_file_may_be_compressed(tmp_path: Path) -> None:
    row = "It rains.\tIl pleut.\ttalk"
    plain = evaluation.read_test(write(tmp_path / "test.tsv", [row]))
    path = tmp_path / "test.tsv.gz"
    path.write_bytes(gzip.compress(f"{row}\r\n".encode()))
    assert evaluation.read_test(path) == plain == [(Pair("It rains.", "Il pleut.", "talk"), ("Il pleut.",))]
    path = tmp_path / "test.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"en": "It rains.", "refs": ["Il pleut."]}\n'))
    assert evaluation.read_test(path) == [(Pair("It rains.", "Il pleut."), ("Il pleut.",))]


@pytest.mark.parametrize(
    "row", ["no tab", "", "\tno source", "no target\t", " \t ", "no target\t\ttag"], ids=lambda row: repr(row)
)
def test_a_broken_pair_is_named(tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "test.tsv", ["one\tun", row, "two\tdeux"])
    with pytest.raises(ValueError, match=r"test\.tsv, line 2: expected source<TAB>target"):
        evaluation.read_test(path)


@pytest.mark.parametrize(
    "row",
    [
        "not json",
        "",
        "[]",
        "3",
        '{"en": "one"}',
        '{"refs": ["un"]}',
        '{"en": "one", "refs": []}',
        '{"en": "one", "refs": "un"}',
        '{"en": "one", "refs": [1]}',
        '{"en": "one", "refs": {"un": 1}}',
        '{"en": "one", "refs": ["un", null]}',
        '{"en": null, "refs": ["un"]}',
        '{"en": " ", "refs": ["un"]}',
        '{"en": "half \\ud83d", "refs": ["un"]}',
    ],
)
def test_a_broken_json_line_is_named(tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "test.jsonl", ['{"en": "one", "refs": ["un"]}', '{"en": "two", "refs": ["deux"]}', row])
    with pytest.raises(ValueError, match=r"test\.jsonl, line 3: expected .*refs"):
        evaluation.read_test(path)


GOOD = b"one\tun\n"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bytes.tsv", GOOD + b"caf\xe9\tcaf\xe9\n", r"bytes\.tsv, line 2: expected UTF-8"),
        ("plain.tsv.gz", GOOD, r"plain\.tsv\.gz, after line 0: expected gzip"),
        ("cut.tsv.gz", gzip.compress(GOOD * 9)[:-9], r"cut\.tsv\.gz, after line \d+: expected gzip"),
        ("spoilt.tsv.gz", gzip.compress(GOOD)[:12] + b"\xff" * 20, r"spoilt\.tsv\.gz, after line 0: expected gzip"),
        ("empty.tsv", b"", r"empty\.tsv: expected at least one pair"),
        ("empty.jsonl", b"", r"empty\.jsonl: expected at least one pair"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=told):
        evaluation.read_test(tmp_path / name)


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None], ids=["folder", "nothing"])
def test_what_is_no_file_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "test.tsv"
    make(path)
    with pytest.raises(FileNotFoundError, match=r"no file .*test\.tsv"):
        evaluation.read_test(path)
