"""Stories are cut at their questions, a pass reads the shares it should, and facts are found where they stand."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pretrained import tokenization
from pretrained.architectures.record import Attended, Output
from pretrained.registry import entry as find
from pretrained.tokenization import END, PAD, START, Tokenizer
from pretrained.training import data, stories
from pretrained.training.stories import Found, Question, StoryMaterial
from pretrained.translation import Translator
from tests.models import tiny

STORY: dict[str, Any] = {
    "task": 1,
    "lines": ["Mary moved to the bathroom.", "John went to the hall.", "Mary went to the park."],
    "qa": [
        {"at": 2, "q": "Where is Mary?", "a": "bathroom", "sup": [0]},
        {"at": 3, "q": "Where is Mary?", "a": "park", "sup": [2]},
    ],
}
PATHS: dict[str, Any] = {
    "task": 19,
    "lines": ["The park is north of the hall.", "The office is east of the park."],
    "qa": [{"at": 2, "q": "How do you go from the hall to the office?", "a": "n,e", "sup": [0, 1]}],
}


def write(path: Path, rows: Sequence[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    text = "".join(f"{line}\n" for line in lines)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def moves(task: int, count: int, *, length: int = 2) -> list[dict[str, Any]]:
    """Stories of one question each, no two alike."""
    return [
        {
            "task": task,
            "lines": [f"Mary moved to room {task} {number} {line}." for line in range(length)],
            "qa": [{"at": length, "q": "Where is Mary?", "a": f"room {number}", "sup": [length - 1]}],
        }
        for number in range(count)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [*moves(1, 40), *moves(2, 20), *moves(3, 2, length=30), *moves(4, 5)]
    for split in ("train", "valid"):
        write(tmp_path / stories.FILES[split], rows)
    return tmp_path


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    rows = [STORY, PATHS, *moves(1, 40), *moves(2, 1), *moves(3, 1, length=30)]
    path = tmp_path / "words.json"
    told = (" ".join((*row["lines"], *(f"{asked['q']} {asked['a']}" for asked in row["qa"]))) for row in rows)
    tokenization.train_words(told, path=path)
    return Tokenizer(path)


def material(folder: Path, tokenizer: Tokenizer, **given: Any) -> StoryMaterial:
    usual: dict[str, Any] = {"share": {1: 0.5, 2: 1.0, 3: 1.0}, "longest": 60, "seed": 1, "batch_tokens": 200}
    return StoryMaterial(folder, tokenizer, **(usual | given))


# Words


def test_every_word_and_sign_is_one_piece(tokenizer: Tokenizer) -> None:
    pieces = tokenizer.encode("Mary moved to the BATHROOM.\nWhere is mary?")
    assert list(pieces.labels[:-1]) == ["Mary", "moved", "to", "the", "BATHROOM", ".", "Where", "is", "mary", "?"]
    assert pieces.ids[0] == pieces.ids[8]
    assert len(tokenizer.encode("Hippopotamus").ids) == 2
    assert tokenizer.encode("Hippopotamus").ids[0] == tokenization.UNKNOWN


@pytest.mark.parametrize("answer", ["bathroom", "n,e", "park hall"])
def test_answers_are_spelled_as_in_the_file(tokenizer: Tokenizer, answer: str) -> None:
    assert tokenizer.text(tokenizer.encode(answer).ids) == answer


# Reading


def test_a_story_is_cut_at_every_question(tmp_path: Path) -> None:
    first, second, third = stories.read_questions(write(tmp_path / "test.jsonl.gz", [STORY, PATHS]))
    assert first == Question(1, tuple(STORY["lines"][:2]), "Where is Mary?", "bathroom", frozenset({0}))
    assert first.text == "Mary moved to the bathroom. John went to the hall. Where is Mary?"
    assert second.text.count(".") == 3
    assert (third.task, third.answer, third.supporting) == (19, "n,e", frozenset({0, 1}))
    assert [second.text[start:end] for start, end in second.line_spans()] == STORY["lines"]


@pytest.mark.parametrize(
    "row",
    [
        "not json",
        "",
        "[]",
        "3",
        {"task": 1, "lines": ["A."]},
        {"task": 1, "qa": STORY["qa"]},
        {"lines": STORY["lines"], "qa": STORY["qa"]},
        STORY | {"task": "first"},
        STORY | {"lines": ["A."]},
        STORY | {"lines": [1, 2, 3]},
        STORY | {"lines": ["A.", " ", "C."]},
        STORY | {"qa": [{"at": 2, "q": "Where is Mary?", "a": "", "sup": [0]}]},
        STORY | {"qa": [{"at": 2, "q": "Where is Mary?", "a": "park", "sup": [2]}]},
        STORY | {"qa": [{"at": 2, "q": "Where is Mary?", "a": "park", "sup": 2}]},
        STORY | {"qa": [{"at": 2, "q": None, "a": "park", "sup": [0]}]},
    ],
    ids=str,
)
def test_a_broken_line_is_named(tmp_path: Path, row: Any) -> None:
    path = write(tmp_path / "test.jsonl", [STORY, row])
    with pytest.raises(ValueError, match=r"test\.jsonl, line 2: expected task, lines and qa"):
        stories.read_questions(path)


def test_an_empty_or_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.jsonl"):
        stories.read_questions(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match=r"empty\.jsonl: expected at least one question"):
        stories.read_questions(write(tmp_path / "empty.jsonl", []))


# Batches


def texts(batches: Sequence[Any], tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.text([i for i in row if i != PAD]) for batch in batches for row in batch.source.tolist()]


def test_a_pass_reads_its_share_of_every_task(folder: Path, tokenizer: Tokenizer) -> None:
    opened = material(folder, tokenizer)
    passes = [texts(list(opened.batches(number)), tokenizer) for number in range(2)]
    for read in passes:
        # Stories of task 3 are too long, those of task 4 are not asked for.
        assert Counter(text.split()[4] for text in read) == {"1": 20, "2": 20}
    of_first = [{text for text in read if text.split()[4] == "1"} for read in passes]
    assert len(of_first[0] | of_first[1]) == 40, "the next pass reads the other half"


def test_tasks_are_mixed_before_a_pass_is_cut_into_chunks(
    folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "CHUNK", 10)
    read = texts(list(material(folder, tokenizer).batches(0)), tokenizer)
    assert len(read) == 40
    assert {text.split()[4] for text in read[:10]} == {"1", "2"}


def test_longer_stories_are_read_where_they_are_allowed(folder: Path, tokenizer: Tokenizer) -> None:
    read = texts(list(material(folder, tokenizer, longest=400, batch_tokens=900).batches(0)), tokenizer)
    assert Counter(text.split()[4] for text in read) == {"1": 20, "2": 20, "3": 2}


def test_batches_are_a_function_of_seed_and_number(folder: Path, tokenizer: Tokenizer) -> None:
    one, again, other = (material(folder, tokenizer, seed=seed) for seed in (1, 1, 2))
    assert texts(list(one.batches(3)), tokenizer) == texts(list(again.batches(3)), tokenizer)
    assert texts(list(one.batches(3)), tokenizer) != texts(list(other.batches(3)), tokenizer)
    assert texts(one.validation, tokenizer) == texts(other.validation, tokenizer)


def test_validation_has_some_of_every_task(folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stories, "VALIDATED", 7)
    read = texts(material(folder, tokenizer).validation, tokenizer)
    assert Counter(text.split()[4] for text in read) == {"1": 7, "2": 7}


def test_a_batch_holds_stories_and_answers(folder: Path, tokenizer: Tokenizer) -> None:
    batch = next(material(folder, tokenizer).batches(0))
    assert batch.source.numel() <= 200
    for source, target in zip(batch.source.tolist(), batch.target_out.tolist(), strict=True):
        assert [index for index in source if index != PAD][-1] == END
        number = tokenizer.text(source).split()[5]
        assert tokenizer.text(target) == f"room {number}"
    assert (batch.target_in[:, 0] == START).all()
    assert batch.target_tokens == int((batch.target_out != PAD).sum())


# Scoring


class Parrot(Translator):
    def __init__(self, answers: Sequence[str]) -> None:
        self.entry = find("babi-transformer")
        self.answers = list(answers)

    def translate(self, texts: Sequence[str]) -> list[str]:
        assert len(texts) == len(self.answers)
        return self.answers


def asked(task: int, answer: str) -> Question:
    return Question(task, ("Mary moved.",), "Who moved?", answer, frozenset({0}))


def test_score_counts() -> None:
    questions = [asked(2, "Mary"), asked(1, "park"), asked(1, "hall"), asked(1, "n,e")]
    result = stories.score(Parrot(["mary", "park", "park", "n,e"]), questions)
    assert list(result) == ["task", "count", "seconds", "metrics", "by_tag"]
    assert (result["task"], result["count"]) == ("question answering en", 4)
    assert result["metrics"] == {"accuracy": 0.75}
    assert result["by_tag"] == {"1": {"count": 3, "accuracy": 0.6667}, "2": {"count": 1, "accuracy": 1.0}}
    assert list(result["by_tag"]) == ["1", "2"]


def test_guesses_are_made_from_the_training() -> None:
    training = [asked(1, answer) for answer in ("park", "park", "hall", "yes")] + [asked(2, "no")]
    test = [asked(1, answer) for answer in ("park", "hall", "park", "hall", "hall")] + [asked(2, "no")]
    assert stories.guesses(training, test) == {
        "1": {"chance": 0.3333, "baseline": 0.4},
        "2": {"chance": 1.0, "baseline": 1.0},
    }


# Supporting facts


def test_attention_to_facts_is_the_weight_on_their_pieces(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (question,) = stories.read_questions(write(tmp_path / "test.jsonl", [PATHS]))
    source, target = tokenizer.encode(question.text), tokenizer.encode(question.answer)
    draw = torch.Generator().manual_seed(0)
    weights = torch.softmax(torch.randn(1, 2, len(target.ids), len(source.ids), generator=draw), -1)

    def forward(read: torch.Tensor, written: torch.Tensor) -> Output:
        assert read.tolist() == [list(source.ids)]
        assert written.tolist() == [[START, *target.ids[:-1]]]
        other = Attended("decoder-self", 0, torch.zeros(1, 2, 4, 4))
        return Output(torch.zeros(1, 4, 9), (other, Attended("cross", 1, weights)))

    model: Any = SimpleNamespace(tokenizer=tokenizer, network=SimpleNamespace(forward=forward))
    one_fact = Question(19, question.lines, question.question, question.answer, frozenset({1}))
    found = stories.attention_to_facts(model, [one_fact])[19]
    # Both sentences have 8 pieces; "n", "," and "e" have a row each, and so has the end.
    assert found.chance == 0.5
    assert found.share.keys() == {(1, 0), (1, 1)}
    for head in (0, 1):
        expected = weights[0, head, :3, 8:16].sum() / 3
        assert found.share[1, head] == pytest.approx(float(expected), abs=1e-6)
    both = stories.attention_to_facts(model, [one_fact, question])[19]
    assert both.chance == 0.75
    all_of_it = weights[0, 0, :3, :16].sum() / 3
    assert both.share[1, 0] == pytest.approx((found.share[1, 0] + float(all_of_it)) / 2, abs=1e-6)


def test_a_real_network_gives_every_layer_and_head(tokenizer: Tokenizer) -> None:
    known = find("babi-transformer")
    model = Translator(known, tiny.network(known, d_vocab=len(tokenizer)), tokenizer, 0.0)
    question = Question(1, tuple(STORY["lines"]), "Where is Mary?", "park", frozenset({0, 1, 2}))
    found = stories.attention_to_facts(model, [question])[1]
    assert set(found.share) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(0 < share < 1 for share in found.share.values())
    assert found.chance == 1.0


def test_the_best_place_is_chosen_over_all_tasks() -> None:
    measured = {1: Found({(0, 0): 0.9, (0, 1): 0.6}, 0.1), 2: Found({(0, 0): 0.1, (0, 1): 0.5}, 0.1)}
    assert stories.choose(measured) == (0, 1)


def test_the_first_questions_of_every_task_are_kept() -> None:
    questions = [asked(task, str(number)) for number in range(4) for task in (2, 1)]
    random.Random(0).shuffle(questions)
    kept = stories.first_of_each(questions, 3)
    assert Counter(question.task for question in kept) == {1: 3, 2: 3}
    assert [q for q in kept if q.task == 1] == [q for q in questions if q.task == 1][:3]


def test_only_tasks_that_a_model_is_trained_on_are_asked(folder: Path) -> None:
    questions = stories.read_questions(folder / stories.FILES["train"])
    kept = stories.of_tasks(questions, {1})
    assert {question.task for question in kept} == {1}
    assert kept == [question for question in questions if question.task == 1]
    with pytest.raises(ValueError, match=f"expected questions of a task .*, got {len(questions)} of others"):
        stories.of_tasks(questions, {99})
