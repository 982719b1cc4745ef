"""The command line: the JSON that scripts rely on, and one line on standard error for whatever is wrong."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pretrained
from pretrained import registry
from pretrained.__main__ import main
from pretrained.registry import ENTRIES, Entry
from pretrained.training import alignments, evaluation
from tests.models.tiny import SHIPPED

ROOT = Path(__file__).parents[2]
TEXT = "I am happy."
NAME = next(entry.name for entry in SHIPPED if entry.task.startswith("translation"))
GOLD = (
    b'{"en_text": "I am happy.", "en_span": [[0, 1], [2, 4], [5, 10], [10, 11]], "fr_text": "Je suis content.", '
    b'"fr_span": [[0, 2], [3, 7], [8, 15], [15, 16]], "sure": [[0, 0], [2, 2], [3, 3]], "possible": [[1, 1]]}\n'
)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return json.loads(out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is told of bad input: one line on standard error, nothing else, status 2."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pretrained: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    return err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, "list", "--json")
    assert [row["name"] for row in rows] == [entry.name for entry in ENTRIES]
    for row, entry in zip(rows, ENTRIES, strict=True):
        card = entry.card() if entry in SHIPPED else {"parameters": None, "bytes": None, "finished": False}
        assert row == {
            "name": entry.name,
            "family": entry.family,
            "task": entry.task,
            "paper": entry.paper,
            "year": entry.year,
            "parameters": card["parameters"],
            "bytes": card["bytes"],
            "finished": card["finished"],
            "max_tokens": entry.max_tokens,
            "attention": list(entry.attention),
            "states": list(entry.states),
        }


def test_list_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [entry.name for entry in ENTRIES]
    for line, entry in zip(lines, ENTRIES, strict=True):
        assert ("not trained yet" in line) == (entry not in SHIPPED)
        assert ("parameters" in line) == (entry in SHIPPED)
        assert ("not " in line.replace("not trained yet", "")) == (entry in SHIPPED and not entry.finished)


def test_list_of_what_is_not_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    rows = answer(capsys, "list", "--json")
    assert {(row["parameters"], row["bytes"], row["finished"]) for row in rows} == {(None, None, False)}
    assert main(["list"]) == 0
    assert capsys.readouterr().out.count("not trained yet") == len(ENTRIES)


def test_list_of_what_is_trained_in_part(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = registry.entry(NAME)
    card = known.card() | {"finished": False}
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    known.folder.mkdir()
    (known.folder / "card.json").write_text(json.dumps(card), "utf-8")
    rows = {row["name"]: row for row in answer(capsys, "list", "--json")}
    assert (rows[NAME]["parameters"], rows[NAME]["finished"]) == (card["parameters"], False)
    assert main(["list"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "parameters" in line]
    assert len(told) == 1
    assert told[0].startswith(NAME)
    assert told[0].endswith("(not finished)")


def test_run(capsys: pytest.CaptureFixture[str], shipped_translator: Entry, tmp_path: Path) -> None:
    entry = shipped_translator
    # The name has no ending, and gets none.
    arrays_at = tmp_path / "arrays"
    ran = answer(capsys, "run", entry.name, TEXT, "--json", "--npz", str(arrays_at))
    assert list(ran) == [
        "model",
        "text",
        "source_tokens",
        "target_tokens",
        "output",
        "attention",
        "states",
        "candidates",
        "milliseconds",
    ]
    assert (ran["model"], ran["text"]) == (entry.name, TEXT)
    assert ran["source_tokens"] == ["I", "am", "happy", ".", "</s>"]
    assert ran["output"]
    assert [len(step) for step in ran["candidates"]] == [10] * len(ran["target_tokens"])
    for token, step in zip(ran["target_tokens"], ran["candidates"], strict=True):
        assert {tuple(candidate) for candidate in step} == {("token", "probability")}
        assert step[0]["token"].strip() == token.strip()
    assert list(ran["milliseconds"]) == ["load", "encode", "decode", "trace"]
    assert all(spent > 0 for spent in ran["milliseconds"].values())
    assert list(dict.fromkeys(part["kind"] for part in ran["attention"])) == list(entry.attention)
    assert {part["kind"] for part in ran["states"]} == set(entry.states)

    with np.load(arrays_at) as arrays:
        assert all(arrays[name].dtype == np.float32 for name in arrays)
        shapes = {name: arrays[name].shape for name in arrays}
        for part in ran["attention"]:
            assert list(part) == ["kind", "layer", "heads", "queries", "keys"]
            name = f"{part['kind']}.{part['layer']}"
            assert shapes.pop(name) == (part["heads"], part["queries"], part["keys"])
            np.testing.assert_allclose(arrays[name].sum(-1), 1, atol=1e-5)
        for part in ran["states"]:
            assert list(part) == ["kind", "layer", "tokens", "units"]
            assert shapes.pop(f"{part['kind']}.{part['layer']}") == (part["tokens"], part["units"])
        assert shapes == {}


def test_run_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", NAME, f"{TEXT} 👍\x1b"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    # An escape that a terminal would obey is written out.
    assert err == "read as unknown: '👍' '\\x1b'\n"


def test_score(capsys: pytest.CaptureFixture[str], tmp_path: Path, shipped_translator: Entry) -> None:
    entry = shipped_translator
    path = tmp_path / "test.tsv.gz"
    path.write_bytes(gzip.compress(b"I am happy.\tJe suis heureux.\ttalk\nA dog runs.\tUn chien court.\tcaptions\n"))
    result = answer(capsys, "score", entry.name, str(path), "--json")
    assert list(result) == ["task", "count", "seconds", "metrics", "by_tag", "by_length"]
    assert (result["task"], result["count"]) == (entry.task, 2)
    assert result["seconds"] >= 0
    assert set(result["metrics"]) == {"bleu", "chrf"}
    for parts, names in ((result["by_tag"], ["captions", "talk"]), (result["by_length"], ["1-5"])):
        assert list(parts) == names
        assert all(set(part) == {"count", "bleu", "chrf"} for part in parts.values())
    model = pretrained.load(entry.name)
    outputs = [model.run("I am happy.").output, model.run("A dog runs.").output]
    assert result["metrics"] == evaluation.metrics(outputs, [["Je suis heureux."], ["Un chien court."]])


def test_score_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text('{"en": "I am happy.", "refs": ["Je suis content.", "Je suis heureux."]}\n', "utf-8")
    assert main(["score", NAME, str(path)]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{NAME} on {path}: 1 pairs in ")
    assert [line.split()[0] for line in rest] == ["all", "1-5"]


def test_score_of_alignments(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl.gz"
    path.write_bytes(gzip.compress(GOLD))
    (tmp_path / alignments.DEV).parent.mkdir()
    (tmp_path / alignments.DEV).write_bytes(gzip.compress(GOLD))
    asked = ("score", "gru-bahdanau", "--alignments", str(path), "--data", str(tmp_path))
    result = answer(capsys, *asked, "--json")
    expected = alignments.score(pretrained.load("gru-bahdanau"), path, folder=tmp_path)
    assert result == expected
    assert list(result) == ["task", "count", "metrics", "by_layer_head", "chosen"]
    place = {"layer": 0, "head": 0, "row": "written"}
    assert (result["task"], result["count"], result["chosen"]) == ("translation en-fr", 1, place)
    assert list(result["metrics"]) == ["aer", "precision", "recall"]
    assert result["by_layer_head"] == [place | {"aer": result["metrics"]["aer"]}]

    assert main(asked) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == f"gru-bahdanau on {path}: 1 pairs, read from layer 0, head 0"
    assert second == (
        f"  AER {result['metrics']['aer']:.3f}  precision {result['metrics']['precision']:.3f}"
        f"  recall {result['metrics']['recall']:.3f}"
    )
    assert [line.split("AER")[0].strip() for line in rest] == ["layer 0, head 0"]


def test_score_of_alignments_of_many_heads(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / alignments.DEV).parent.mkdir()
    (tmp_path / alignments.DEV).write_bytes(gzip.compress(GOLD))
    path = str(tmp_path / alignments.DEV)
    asked = ("score", "transformer", "--alignments", path, "--data", str(tmp_path))
    result = answer(capsys, *asked, "--json")
    places = [(part["layer"], part["head"]) for part in result["by_layer_head"]]
    assert places == [(layer, head) for layer in range(3) for head in (0, 1, 2, 3, None)]
    assert result["chosen"] | {"aer": result["metrics"]["aer"]} in result["by_layer_head"]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert told.count("mean of heads") >= 3
    read = sum(part["row"] == "read" for part in [result["chosen"], *result["by_layer_head"]])
    assert told.count("as it is read") == read > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "gpt-9", TEXT], f"unknown model 'gpt-9'; expected one of {ENTRIES[0].name},"),
        (["score", "gpt-9", "any.tsv"], "unknown model 'gpt-9'"),
        (["train", "gpt-9"], "unknown model 'gpt-9'"),
        (["run", NAME, ""], "expected a sentence, got an empty text"),
        (["run", NAME, " \n\t"], "expected a sentence, got an empty text"),
        (["run", NAME, "word " * 100], "expected at most 64 tokens"),
        (["run", NAME, "你好"], "got nothing that the model knows: 你, 好"),
        (["run", NAME, "caf\udce9"], "no text"),
        (["run", NAME, TEXT, "--npz", "/nowhere/at/all.npz"], "/nowhere/at/all.npz"),
        (["run", NAME, TEXT, "--npz", "/"], "/"),
        (["score", NAME, "/nowhere/test.tsv"], "no file /nowhere/test.tsv"),
        (["score", NAME, "/"], "no file /"),
        (["score", NAME], "expected a test file, got none"),
        (["score", "gpt-9", "--alignments", "any.jsonl"], "unknown model 'gpt-9'"),
        (["score", "gru-bahdanau", "--alignments", "/nowhere/gold.jsonl"], "no file /nowhere/gold.jsonl"),
        (["score", "gru-bahdanau", "--relations", "any.conllu"], "gru-bahdanau finds no relations"),
        (["score", "transformer", "--relations", "/nowhere/gold.conllu"], "no file /nowhere/gold.conllu"),
        (["score", "gru-seq2seq", "--alignments", "/nowhere/gold.jsonl"], "gru-seq2seq aligns no words: expected"),
        (["train", NAME, "--data", "/nowhere"], "no data folder at /nowhere"),
        (["train", "--all", "--data", "/nowhere"], "no data folder at /nowhere"),
    ],
    ids=lambda value: " ".join(value)[:40].encode("unicode_escape").decode() if isinstance(value, list) else "",
)
def test_bad_input_is_told_in_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    assert told in complaint(capsys, *arguments)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("row.tsv", b"one\tun\ntwo\n", "row.tsv, line 2: expected source<TAB>target[<TAB>tag], got 'two'"),
        ("row.jsonl", b'{"en": "one"}\n', 'row.jsonl, line 1: expected {"en": text, "refs": [text, ...]}'),
        ("empty.tsv", b"", "empty.tsv: expected at least one pair"),
        ("bytes.tsv", b"caf\xe9\tcaf\xe9\n", "bytes.tsv, line 1: expected UTF-8"),
        ("plain.tsv.gz", b"one\tun\n", "plain.tsv.gz, after line 0: expected gzip data"),
        ("cut.tsv.gz", gzip.compress(b"one\tun\n")[:-9], "cut.tsv.gz, after line"),
        ("line\nbreak.tsv", b"one\n", "break.tsv, line 1"),
    ],
)
def test_a_bad_file_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert told in complaint(capsys, "score", NAME, str(tmp_path / name))


def test_a_file_is_read_before_a_model_is_loaded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pretrained.load", lambda _: pytest.fail("loaded"))
    assert "no file" in complaint(capsys, "score", NAME, str(tmp_path / "missing.tsv"))
    assert "no file" in complaint(capsys, "score", "gru-bahdanau", "--alignments", str(tmp_path / "missing.jsonl"))
    (tmp_path / "gold.jsonl").write_bytes(GOLD.replace(b"[15, 16]", b"[15, 17]"))
    told = complaint(capsys, "score", "gru-bahdanau", "--alignments", str(tmp_path / "gold.jsonl"))
    assert "gold.jsonl, line 1: expected en_text" in told


def test_a_model_that_is_not_shipped_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    path = tmp_path / "gold.jsonl"
    path.write_bytes(GOLD)
    (tmp_path / "test.tsv").write_text("I am happy.\tJe suis content.\n", "utf-8")
    for name, *arguments in (
        (NAME, "run", NAME, TEXT),
        (NAME, "score", NAME, str(tmp_path / "test.tsv")),
        ("gru-bahdanau", "score", "gru-bahdanau", "--alignments", str(path)),
    ):
        assert f"python -m pretrained train {name}" in complaint(capsys, *arguments)


def test_a_model_without_chosen_head_and_data_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignments, "_named_in_card", lambda _: None)
    path = tmp_path / "gold.jsonl"
    path.write_bytes(GOLD)
    told = complaint(capsys, "score", "gru-bahdanau", "--alignments", str(path), "--data", str(tmp_path))
    assert "the card of gru-bahdanau names no layer and head" in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["run", NAME],
        ["list", "--xml"],
        ["score", NAME, "test.tsv", "--alignments", "gold.jsonl"],
        ["train"],
        ["train", NAME, "--all"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_shows_the_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m pretrained")


def python(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, timeout=120, check=False)


def test_a_real_process_runs_a_model() -> None:
    done = python("-m", "pretrained", "run", "gru-bahdanau", TEXT, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    ran = json.loads(done.stdout)
    assert ran["attention"] == [
        {"kind": "alignment", "layer": 0, "heads": 1, "queries": len(ran["target_tokens"]), "keys": 5}
    ]


def test_a_real_process_tells_of_bad_input() -> None:
    done = python("-m", "pretrained", "run", "gpt-9", TEXT)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"pretrained: unknown model 'gpt-9'")
    assert done.stderr.count(b"\n") == 1


def test_the_list_needs_no_torch() -> None:
    script = "import sys; from pretrained.__main__ import main; main(['list']); sys.exit('torch' in sys.modules)"
    assert python("-c", script).returncode == 0
