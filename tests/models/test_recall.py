"""Facts and questions are what they claim to be, batches ask for all of them, and scores are counted right."""

import gzip
import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pretrained import tokenization
from pretrained.model import TextError
from pretrained.recall import Recaller
from pretrained.registry import entry as find
from pretrained.tokenization import PAD, SPECIAL, Tokenizer
from pretrained.training import recall
from pretrained.training.recall import ALPHABET, FACTS, FARTHEST, KEYS, NEAREST, Question, RecallMaterial
from tests.models import tiny

NAMES = ("recall-rnn", "recall-lstm", "recall-gru", "recall-transformer")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "recall.json"
    tokenization.write_characters(ALPHABET, pairs=FACTS, path=path)
    return Tokenizer(path)


@pytest.fixture(scope="module")
def material(tokenizer: Tokenizer) -> RecallMaterial:
    return RecallMaterial(tokenizer, seed=3, batch_tokens=160)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return recall.make_test()


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, tokenizer: Tokenizer) -> Recaller:
    known = find(request.param)
    return Recaller(known, tiny.network(known, d_vocab=len(tokenizer)), tokenizer, 0.0)


def draws(split: str, count: int, *, seed: int = 0) -> list[recall.Text]:
    chance = random.Random(seed)
    return [recall.draw(split, chance, distance=chance.randint(NEAREST, FARTHEST)) for _ in range(count)]


# What is made up


def test_a_text_holds_facts_and_the_last_of_each_key_counts() -> None:
    for text in draws("train", 300):
        assert set(text.told) <= set(FACTS)
        assert sorted(key for key, _ in text.pairs) == list(KEYS)
        # Read front to back, each fact overwrites the one before it with the same key.
        assert {fact[0]: fact[1] for fact in text.told} == dict(text.pairs)
        assert len(text.told) <= FARTHEST - NEAREST + 1


@pytest.mark.parametrize("distance", [NEAREST, 3, 5, 50, FARTHEST])
def test_distances_are_right(distance: int) -> None:
    chance = random.Random(distance)
    for _ in range(20):
        text = recall.draw("train", chance, distance=distance)
        (key, value), *others = text.pairs
        read = text.asking(1)
        last = max(place for place, token in enumerate(read[:-1]) if token[0] == key)
        assert read[last] == key + value
        # Tokens read after the fact, the asked key among them.
        assert len(read) - 1 - last == distance
        assert read[-2:] == ("?", key)
        if distance > NEAREST:
            assert text.told[-1] in {k + v for k, v in others}


def test_near_passes_stay_near() -> None:
    chance = random.Random(0)
    texts = [recall.draw("train", chance, distance=chance.randint(NEAREST, 10), farthest=10) for _ in range(50)]
    assert max(len(text.told) for text in texts) == 10 - NEAREST + 1


def test_the_same_seed_makes_the_same_texts(questions: list[Question]) -> None:
    assert draws("train", 50) == draws("train", 50)
    assert draws("train", 50) != draws("train", 50, seed=1)
    assert recall.make_test() == questions


def test_the_test_has_every_distance_equally_often(questions: list[Question]) -> None:
    distances = [question.distance for question in questions]
    assert {distances.count(distance) for distance in set(distances)} == {50}
    assert set(distances) == set(range(2, 101))


def test_no_text_is_in_two_splits(questions: list[Question]) -> None:
    told = {split: {text.told for text in draws(split, 500)} for split in recall.SPLITS}
    for one, other in itertools.combinations(told.values(), 2):
        assert not one & other
    for split, texts in told.items():
        assert {recall.split_of(text) for text in texts} == {split}
    shares = sorted(itertools.chain.from_iterable(recall.SPLITS.values()))
    assert shares == list(range(100))
    asked = {tuple(question.text.partition(" ? ")[0].split()) for question in questions}
    assert {recall.split_of(text) for text in asked} == {"test"}


# Batches


def spell(ids: Sequence[int]) -> list[str]:
    return [(*SPECIAL, *ALPHABET, *FACTS)[index] for index in ids]


def test_every_pair_is_asked_for_and_answered(material: RecallMaterial) -> None:
    for batch in [*material.validation, next(material.batches(40))]:
        assert batch.ids.shape == batch.answers.shape
        assert batch.target_tokens == int((batch.answers != PAD).sum())
        for ids, answers in zip(batch.ids.tolist(), batch.answers.tolist(), strict=True):
            read = spell([index for index in ids if index != PAD])
            told, asked = read[: read.index("?")], read[read.index("?") :]
            due = {place: spell([index])[0] for place, index in enumerate(answers) if index != PAD}
            # Behind every question mark its key, at every key its value, and nothing anywhere else.
            assert asked[::2] == ["?"] * len(KEYS)
            assert sorted(asked[1::2]) == list(KEYS)
            assert list(due) == list(range(len(told) + 1, len(read), 2))
            assert dict(zip(asked[1::2], due.values(), strict=True)) == {fact[0]: fact[1] for fact in told}


def test_a_pass_is_a_function_of_seed_and_number(tokenizer: Tokenizer, material: RecallMaterial) -> None:
    def first(material: RecallMaterial, number: int) -> torch.Tensor:
        return next(material.batches(number)).ids

    again, other = (RecallMaterial(tokenizer, seed=seed, batch_tokens=160) for seed in (3, 4))
    assert torch.equal(first(material, 2), first(again, 2))
    assert not torch.equal(first(material, 2), first(material, 3))
    assert not torch.equal(first(material, 2), first(other, 2))
    for one, theirs in zip(material.validation, other.validation, strict=True):
        assert torch.equal(one.ids, theirs.ids), "models that are compared are validated alike"


def test_a_pass_has_all_its_texts(material: RecallMaterial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "PASS_TEXTS", 150)
    batches = list(material.batches(0))
    assert sum(len(batch.ids) for batch in batches) == 150
    assert len(batches) > 1
    assert all(160 <= batch.target_tokens < 164 for batch in batches[:-1])
    assert sum(len(batch.ids) for batch in material.validation) == recall.VALID_TEXTS


def test_passes_reach_farther_and_farther(material: RecallMaterial) -> None:
    reach = [recall.farthest_of(number) for number in range(50)]
    assert reach == sorted(reach)
    assert (reach[0], reach[-1]) == (20, FARTHEST)
    # Four questions of two tokens each are behind the facts.
    assert next(material.batches(0)).ids.shape[1] <= 19 + 8
    assert max(batch.ids.shape[1] for batch in material.batches(40)) > 100


def test_the_loss_is_that_of_the_answers(material: RecallMaterial, tokenizer: Tokenizer) -> None:
    network: Any = tiny.network(find("recall-gru"), d_vocab=len(tokenizer))
    batch = material.validation[0]
    logits = network(batch.ids).logits.flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, batch.answers.flatten(), ignore_index=PAD)
    tiny.close(material.loss(network, batch, label_smoothing=0.0), expected)


# Running


@pytest.mark.parametrize("text", ["a3 c7 b0 ? a", "A3c7b0?a", "  a 3\nc 7 b0\t? a "])
def test_a_run_answers_with_one_token(model: Recaller, text: str) -> None:
    trace = model.run(text)
    assert ["".join(token.lower().split()) for token in trace.source_tokens] == ["a3", "c7", "b0", "?", "a"]
    assert [text[start:end] for start, end in trace.source_spans] == list(trace.source_tokens)
    assert trace.target_tokens == (trace.output,)
    assert trace.target_spans == ((0, len(trace.output)),)
    (best,) = trace.candidates
    assert len(best) == 10
    assert best[0].token == trace.output
    probabilities = [candidate.probability for candidate in best]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1 + 1e-6
    assert trace.log_probability == pytest.approx(torch.log(torch.tensor(probabilities[0])).item(), abs=1e-5)
    assert trace.unknown == ()


def test_a_run_returns_what_is_declared(model: Recaller) -> None:
    trace = model.run("a 3 c 7 ? a")
    assert tuple(dict.fromkeys(attended.kind for attended in trace.attention)) == model.entry.attention
    assert sorted({states.kind for states in trace.states}) == sorted(model.entry.states)
    for attended in trace.attention:
        assert attended.query_tokens == attended.key_tokens == trace.source_tokens
        assert attended.consumed_tokens is None
    assert all(states.tokens == trace.source_tokens for states in trace.states)


def test_many_answers_equal_single_ones(
    model: Recaller, questions: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [question.text for question in questions[::400]]
    monkeypatch.setattr("pretrained.recall.BATCH_TOKENS", 300)
    assert len({len(text) for text in texts}) > 1
    assert model.answer(texts) == [model.run(text).output for text in texts]


def test_specials_are_no_answers(model: Recaller) -> None:
    network: Any = model.network
    network.output_bias[:4] = 100
    assert model.run("a3 ? a").output in (*ALPHABET, *FACTS)
    assert set(model.answer(["a3 ? a"])) <= {*ALPHABET, *FACTS}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "got an empty text"),
        ("I am happy.", r"as in 'a3 c7 \? a', got 'I am happy.' at the end"),
        ("a 3 c 7 ?", "at the end"),
        ("a 3 c 7", "at the end"),
        ("a3 " * 210 + "? a", "expected at most 210 tokens"),
        ("你 好 ? 你", "got nothing that the model knows: 你, 好"),
        ("caf\udce9", "no text"),
    ],
)
def test_what_cannot_be_read_is_told(model: Recaller, text: str, told: str) -> None:
    with pytest.raises(TextError, match=told):
        model.run(text)


def test_unknown_characters_are_told(model: Recaller) -> None:
    assert model.run("a3 , é , ? a").unknown == (",", "é")


# Scoring


class Parrot(Recaller):
    def __init__(self, answers: Sequence[str]) -> None:
        self.entry = find("recall-gru")
        self.answers = list(answers)

    def answer(self, texts: Sequence[str]) -> list[str]:
        assert len(texts) == len(self.answers)
        return self.answers


def test_score_counts() -> None:
    questions = [
        Question("a3 b3 ? a", "3", 5),
        Question("a9 a1 b2 c3 d4 ? a", "1", 10),
        Question("a5 ? a", "5", 2),
        Question("a7 b8 ? a", "7", 13),
    ]
    result = recall.score(Parrot(["3", "2", "5", "8"]), questions)
    assert list(result) == ["task", "count", "seconds", "metrics", "by_distance"]
    assert (result["task"], result["count"]) == ("recall", 4)
    # A guess among the keys: sure, one of four, sure, one of two.
    assert result["metrics"] == {"accuracy": 0.5, "chance": 0.1, "baseline": round((1 + 0.25 + 1 + 0.5) / 4, 4)}
    assert result["by_distance"] == {
        "2": {"count": 1, "accuracy": 1.0},
        "5-12": {"count": 2, "accuracy": 0.5},
        "13-20": {"count": 1, "accuracy": 0.0},
    }


def test_ranges_part_the_distances_of_the_test() -> None:
    ranges = sorted({recall.range_of(distance) for distance in recall.TEST_DISTANCES})
    assert ranges[:4] == [(2, 2), (3, 3), (4, 4), (5, 12)]
    assert (ranges[-1], len(ranges)) == ((93, 100), 15)
    for distance in range(NEAREST, 300):
        low, high = recall.range_of(distance)
        assert low <= distance <= high
    assert recall.range_of(101) == (101, 108)


def test_questions_are_read_with_their_distance(tmp_path: Path, questions: list[Question]) -> None:
    questions = questions[::500]
    rows = "".join(f"{question.text}\t{question.answer}\n" for question in questions)
    path = tmp_path / "test.tsv.gz"
    path.write_bytes(gzip.compress(rows.encode()))
    assert recall.read_questions(path) == questions
    plain = tmp_path / "plain.tsv"
    plain.write_text("A9a3c7b1?a\t3\n", "utf-8")
    assert recall.read_questions(plain) == [Question("A9a3c7b1?a", "3", 4)]


@pytest.mark.parametrize(
    "row",
    [
        "a3 ? a",
        "a3 ? b\t3",
        "a3 ? a\t4",
        "a3 a4 ? a\t3",
        "a3 a\t3",
        "a3 ?\t3",
        "a3 ? a a\t3",
        "a3 . ? a\t3",
        "\t3",
        "no\tun",
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "test.tsv"
    path.write_text(f"a 3 ? a\t3\n{row}\n", "utf-8")
    with pytest.raises(ValueError, match=r"test\.tsv, line 2: expected "):
        recall.read_questions(path)


def test_an_empty_or_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.tsv"):
        recall.read_questions(tmp_path / "none.tsv")
    (tmp_path / "empty.tsv").touch()
    with pytest.raises(ValueError, match=r"empty\.tsv: expected at least one question"):
        recall.read_questions(tmp_path / "empty.tsv")
