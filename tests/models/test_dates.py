"""Made-up dates mean what their conventions say, no day is in two splits, and scores are counted right."""

import datetime
import gzip
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pretrained import tokenization
from pretrained.registry import entry as find
from pretrained.tokenization import PAD, UNKNOWN, Tokenizer
from pretrained.training import data, dates
from pretrained.training.data import Pair
from pretrained.training.dates import FORMS, DateMaterial
from pretrained.training.loss import sequence_loss
from pretrained.training.recipes import RECIPES, DateRecipe
from pretrained.translation import Translator
from tests.models import tiny

ENTRY = find("date-bahdanau")
MAY_3RD = datetime.date(1979, 5, 3)
ALL_FORMS = [(kind, form) for kind, forms in FORMS.items() for form in forms]
WORDS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenization.load("date")


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Translator:
    return Translator(ENTRY, tiny.network(ENTRY, d_vocab=len(tokenizer)), tokenizer, 0.0)


def understood(text: str) -> tuple[datetime.date, str]:
    """Read a date by the conventions as a person would, and its weekday, if it names one."""
    numbers: list[tuple[int, int]] = []  # with the number of digits
    month, weekday = 0, ""
    for word in re.findall(r"[a-z]+(?:-[a-z]+)?|\d+", text.lower()):
        tens, _, unit = word.partition("-")
        if re.fullmatch(r"\d{8}", word):
            numbers += [(int(word[:4]), 4), (int(word[4:6]), 2), (int(word[6:]), 2)]
        elif word.isdigit():
            numbers.append((int(word), len(word)))
        elif word in WORDS or unit in WORDS:
            numbers.append((WORDS.get(word) or {"twenty": 20, "thirty": 30}[tens] + WORDS[unit], 2))
        elif word[:3] in WEEKDAYS:
            weekday = word[:3]
        elif word[:3] in MONTHS:
            month = MONTHS.index(word[:3]) + 1
        else:
            assert word in ("the", "of", "st", "nd", "rd", "th"), f"{word!r} of {text!r}"
    year_first = numbers[0][1] == 4
    year, digits = numbers.pop(0 if year_first else -1)
    if digits == 2:
        year += 1900 if year >= 50 else 2000
    if month:
        ((day, _),) = numbers
    else:
        day, month = (number for number, _ in (reversed(numbers) if year_first else numbers))
        if month > 12:
            day, month = month, day
    return datetime.date(year, month, day), weekday


# What is made up


@pytest.mark.parametrize(("kind", "form"), ALL_FORMS, ids=lambda part: part)
def test_every_form_means_its_day(kind: str, form: str) -> None:
    chance = random.Random(form)
    for _ in range(60):
        day = dates.draw_day("train", chance)
        if kind == "month first" and day.day <= 12:
            continue
        text = dates.write(day, form, chance)
        assert understood(text) == (day, ""), text


def test_a_drawn_text_means_its_date_and_names_the_right_weekday() -> None:
    named = 0
    for pair in dates.made_up("train", 3000, seed=7):
        day, weekday = understood(pair.source)
        assert day.isoformat() == pair.target, pair.source
        named += bool(weekday)
        assert weekday in ("", f"{day:%a}".lower()), pair.source
    assert named > 300


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("{day}/{month}/{year}", {"3/5/1979", "03/05/1979", "3/5/79", "03/05/79"}),
        ("{day}-{name}-{year}", {f"{d}-{m}-{y}" for d in ("3", "03") for m in ["May"] for y in ("1979", "79", "'79")}),
        ("{whole}{mm}{dd}", {"19790503"}),
        ("{name} the {nth}, {year}", {f"May the {n}, {y}" for n in ("3rd", "third") for y in ("1979", "79", "'79")}),
    ],
)
def test_a_form_is_written_in_all_its_ways(form: str, texts: set[str]) -> None:
    chance = random.Random(0)
    assert {dates.write(MAY_3RD, form, chance) for _ in range(300)} == texts


def test_names_are_cut_now_and_then() -> None:
    chance, september = random.Random(0), datetime.date(1801, 9, 2)
    written = {dates.write(september, "{name}", chance) for _ in range(300)}
    assert written == {"September", "Sep", "Sep.", "Sept", "Sept."}


def test_two_digits_name_the_years_from_1950_to_2049() -> None:
    chance = random.Random(0)
    for year, cut in ((1949, False), (1950, True), (2049, True), (2050, False)):
        texts = {dates.write(datetime.date(year, 7, 8), "{day}.{month}.{year}", chance) for _ in range(100)}
        assert any(text.endswith(f".{year % 100:02}") for text in texts) == cut, year


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")]
)
def test_ordinals(number: int, text: str) -> None:
    assert dates.in_digits(number) == text


def test_every_ordinal_has_its_word() -> None:
    assert [understood(f"{word} May 1979")[0].day for word in dates.ORDINALS] == list(range(1, 32))


def test_all_kinds_and_cases_are_drawn() -> None:
    pairs = dates.made_up("train", 2000, seed=1)
    kinds = Counter(pair.tag for pair in pairs)
    assert kinds.keys() == FORMS.keys()
    assert kinds["words"] > kinds["numbers"] > kinds["month first"] > 0
    assert any(pair.source != pair.source.lower() for pair in pairs)
    assert sum(pair.source == pair.source.lower() and pair.tag == "words" for pair in pairs) > 100


def test_no_day_is_in_two_splits() -> None:
    seen = {split: {pair.target for pair in dates.made_up(split, 4000, seed=0)} for split in dates.SPLITS}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["valid"]
    assert not seen["test"] & seen["valid"]
    for split, days in seen.items():
        assert {dates.split_of(datetime.date.fromisoformat(day)) for day in days} == {split}


def test_splits_have_their_share_of_all_days() -> None:
    first, last = (day.toordinal() for day in dates.DAYS)
    counts = Counter(dates.split_of(datetime.date.fromordinal(day)) for day in range(first, last + 1, 7))
    assert counts.keys() == dates.SPLITS.keys()
    assert sorted(share for shares in dates.SPLITS.values() for share in shares) == list(range(100))
    for split, shares in dates.SPLITS.items():
        assert counts[split] / counts.total() == pytest.approx(len(shares) / 100, abs=0.005)


def test_what_is_made_up_is_a_function_of_its_arguments() -> None:
    first = dates.made_up("train", 50, seed=1)
    assert dates.made_up("train", 50, seed=1) == first
    assert dates.made_up("train", 50, seed=2) != first
    # The same in every process and on every machine.
    assert [pair.source for pair in dates.made_up_test()[:3]] == ["6th july 2126", "1148/06/28", "2805 mar 18"]


# Characters


def test_every_text_is_known_to_the_tokenizer(tokenizer: Tokenizer) -> None:
    for pair in dates.made_up("train", 500, seed=3):
        pieces = tokenizer.encode(pair.source)
        assert UNKNOWN not in pieces.ids
        assert "".join(pieces.labels[:-1]) == pair.source
        assert list(pieces.spans[:-1]) == [(i, i + 1) for i in range(len(pair.source))]
        assert tokenizer.text(pieces.ids) == pair.source.lower()
        assert tokenizer.text(tokenizer.encode(pair.target).ids) == pair.target


@pytest.mark.parametrize(
    ("text", "labels", "read"),
    [
        ("  3  MAY\t1979 ", [*"3", " ", *"MAY", "\t", *"1979"], "3 may 1979"),
        ("May 3rd, ’79", list("May 3rd, ’79"), "may 3rd, '79"),
        ("3–5–1979", list("3–5–1979"), "3-5-1979"),
    ],
)
def test_odd_typing_is_read_and_shown_as_typed(tokenizer: Tokenizer, text: str, labels: list[str], read: str) -> None:
    pieces = tokenizer.encode(text)
    assert tokenizer.text(pieces.ids) == read
    assert [label for label in pieces.labels[:-1] if label.strip()] == [label for label in labels if label.strip()]
    assert all(label == text[start:end] for label, (start, end) in zip(pieces.labels[:-1], pieces.spans, strict=False))


def test_the_shipped_characters_are_those_of_the_task(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenization.write_characters(dates.ALPHABET, path=tmp_path / "date.json")
    assert len(tokenizer) == ENTRY.sizes["d_vocab"]
    assert (tmp_path / "date.json").read_text("utf-8") == (tokenization.FOLDER / "date.json").read_text("utf-8")


# Batches


def contents(batches: Any) -> list[list[list[int]]]:
    return [batch.source.tolist() + batch.target_out.tolist() for batch in batches]


def test_a_pass_is_a_function_of_seed_and_number(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "PASS_ROWS", 100)
    monkeypatch.setattr(dates, "VALID_ROWS", 40)
    material = DateMaterial(tokenizer, seed=4, batch_tokens=400)
    first = contents(material.batches(0))
    assert contents(material.batches(0)) == first
    assert contents(material.batches(1)) != first
    assert contents(DateMaterial(tokenizer, seed=5, batch_tokens=400).batches(0)) != first
    assert sum(len(batch.source) for batch in material.batches(0)) == 100
    assert sum(len(batch.source) for batch in material.validation) == 40
    assert all(batch.target_tokens == 11 * len(batch.source) for batch in material.validation)
    assert all(batch.source.numel() <= 400 for batch in material.batches(0))


def test_the_loss_is_the_cross_entropy_of_the_characters(
    model: Translator, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dates, "VALID_ROWS", 20)
    material = DateMaterial(tokenizer, seed=4, batch_tokens=400)
    network: Any = model.network
    for batch in material.validation:
        logits = network(batch.source, batch.target_in, batch.source != PAD).logits
        expected = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=PAD, label_smoothing=0.2
        )
        tiny.close(material.loss(network, batch, label_smoothing=0.2), expected)
        tiny.close(sequence_loss(network, batch, label_smoothing=0.2), expected)


# Scores


class Parrot(Translator):
    """Gives the answers that it was taught, and looks as its network does."""

    def __init__(self, model: Translator, outputs: Sequence[str]) -> None:
        super().__init__(model.entry, model.network, model.tokenizer, 0.0)
        self.outputs = list(outputs)

    def translate(self, texts: Sequence[str]) -> list[str]:
        assert len(texts) == len(self.outputs)
        return self.outputs


PAIRS = [
    Pair("3 May 1979", "1979-05-03", "words"),
    Pair("03/05/1979", "1979-05-03", "numbers"),
    Pair("1/2/2003", "2003-02-01", "numbers"),
    Pair("the second of May 2001", "2001-05-02", "words"),
]


def test_score(model: Translator) -> None:
    outputs = ["1979-05-03", "1979-03-05", "2003-02-01", "2001-05-0"]
    result = dates.score(Parrot(model, outputs), PAIRS)
    assert list(result) == ["task", "count", "seconds", "metrics", "by_tag"]
    assert (result["task"], result["count"]) == ("dates", 4)
    assert result["metrics"]["exact_match"] == 0.5
    assert result["metrics"]["baseline"] == 0.75
    assert result["metrics"]["chance"] == pytest.approx(1 / 730_485)
    assert result["by_tag"] == {
        "numbers": {"count": 2, "exact_match": 0.5},
        "words": {"count": 2, "exact_match": 0.5},
    }


def test_the_row_maximum_is_that_of_every_text_alone(model: Translator) -> None:
    network, tokenizer = model.network, model.tokenizer
    largest = []
    uneven = [*PAIRS, Pair("May 1979", "1979-05")]
    for pair in uneven:
        batch = data.collate(tokenizer.encode_ids([pair.source]), tokenizer.encode_ids([pair.target]))
        (steps,) = tiny.decode(network, batch.source, batch.target_in).weights
        largest += steps[0, 0].amax(-1).tolist()
    assert len(largest) == 4 * 11 + 8
    assert dates.row_maximum(model, uneven) == pytest.approx(sum(largest) / 52, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("3 May 1979", "1979-05-03"),
        ("Thursday, May 3rd, 1979", "1979-05-03"),
        ("03/05/1979", "1979-05-03"),
        ("1979-05-03", "1979-05-03"),
        ("1979 sept 3", "1979-09-03"),
        ("3.5.79", "1979-05-03"),
        ("3.5.04", "1904-05-03"),
        ("05/25/1979", "1979-25-05"),
        ("19790503", ""),
        ("3 5 19 79", ""),
        ("the third of May 1979", ""),
    ],
)
def test_the_rule_reads_what_is_plain(text: str, date: str) -> None:
    assert dates.by_rule(text) == date


def test_a_test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv.gz"
    path.write_bytes(gzip.compress(b"3 May 1979\t1979-05-03\twords\n1/2/03\t2003-02-01\n"))
    assert dates.read_test(path) == [PAIRS[0], Pair("1/2/03", "2003-02-01")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "3 May 1979\t1979-05-03\n3 May 1979\t3 May\n",
            r"test\.tsv, line 2: expected a date like 1979-05-03, got '3 May'",
        ),
        ("3 May 1979\n", r"test\.tsv, line 1: expected source<TAB>target"),
        ("", r"test\.tsv: expected at least one date"),
    ],
)
def test_a_broken_test_file_is_named(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "test.tsv"
    path.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=told):
        dates.read_test(path)
    with pytest.raises(ValueError, match=told):
        RECIPES[ENTRY.name].check(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        dates.read_test(tmp_path / "missing.tsv")


def test_the_recipe_makes_up_its_test(model: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "TEST_ROWS", 5)
    recipe = RECIPES[ENTRY.name]
    recipe.check(None)
    made_up = recipe.score(model, None)
    assert made_up["count"] == 5
    assert recipe.measure(model, Path("/nowhere"))["scores"]["test"]["metrics"] == made_up["metrics"]


@pytest.mark.parametrize(
    ("exact", "row_maximum", "enough"), [(0.98, 0.8, True), (0.9799, 0.9, False), (1.0, 0.7999, False)]
)
def test_a_model_is_finished_if_it_is_right_and_sharp(exact: float, row_maximum: float, enough: bool) -> None:
    recipe = DateRecipe(target_tokens=1)
    metrics = {"exact_match": exact, "row_maximum": row_maximum}
    assert recipe.good_enough({"test": {"metrics": metrics}}) is enough
