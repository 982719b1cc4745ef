"""Pieces and their places: a label is what was typed, and what is written can be found in the output."""

import itertools
from pathlib import Path

import pytest

from pretrained import tokenization
from pretrained.tokenization import END, PAD, SPECIAL, START, UNKNOWN, WORD_MARK, Tokenizer

ORDINARY = [
    "I am happy.",
    "Where is the station?",
    "She doesn't like music, but he does!",
    "It cost 1,250 euros in 2019 (about 10 % more).",
    "L'été, qu'il aujourd'hui n'aime guère, s'achève : « enfin ! »",
    "Ça va ? Où êtes-vous, Noël ?",
]
ODD = [
    "“Hello”, she said… — it’s ‘fine’ – yes",
    "I  am   here.",
    "a\tb\nc\r\nd",
    "  before and after  ",
    "no-break\u00a0and\u2009thin spaces",
    "👍🏽 good 👩‍👩‍👧 family",
    "cafe\u0301 no\u0308el e\u0301",
    "x\u0301y, a lone accent on a letter that takes none",
    "\u0301 first",
    "</s> is not <s> or <unk>",
    f"a {WORD_MARK} typed mark, {WORD_MARK}twice",
    "\x00control\x1b[31m",
    "Привет, 你好, مرحبا and hello",
    "ﬁne ½ ² İstanbul",
    "ALL IN CAPITALS, L’ÉTÉ…",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenization.load("enfr")


@pytest.mark.parametrize("text", ORDINARY + ODD)
def test_labels_are_the_characters_that_were_typed(tokenizer: Tokenizer, text: str) -> None:
    pieces = tokenizer.encode(text)
    assert len(pieces.ids) == len(pieces.spans) == len(pieces.labels)
    for label, (start, end) in zip(pieces.labels[:-1], pieces.spans[:-1], strict=True):
        assert label == (text[start:end] or " ")
    assert (pieces.ids[-1], pieces.spans[-1], pieces.labels[-1]) == (END, (len(text), len(text)), "</s>")


@pytest.mark.parametrize("text", ORDINARY + ODD)
def test_every_typed_character_has_its_piece(tokenizer: Tokenizer, text: str) -> None:
    spans = tokenizer.encode(text).spans
    covered = {place for start, end in spans for place in range(start, end)}
    missing = [text[place] for place in range(len(text)) if place not in covered]
    assert not "".join(missing).replace(WORD_MARK, "").strip()
    # In the order of the text; only an ellipsis, which is read as three stops, is there more than once.
    assert list(spans) == sorted(spans)
    for (start, end), (following, _) in itertools.pairwise(spans):
        assert end <= following or text[start:end] == "…"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("“It’s fine…”", ["“", "It", "’", "s", "fine", "…", "…", "…", "”"]),
        ("I  am\n\there", ["I", "am", "here"]),
        ("the cafe\u0301", ["the", "cafe\u0301"]),
        ("a 👍", ["a", " ", "👍"]),
        ("1234", ["1", "2", "3", "4"]),
    ],
)
def test_labels(tokenizer: Tokenizer, text: str, labels: list[str]) -> None:
    assert list(tokenizer.encode(text).labels[:-1]) == labels


def test_a_typed_end_mark_stays_text(tokenizer: Tokenizer) -> None:
    for typed in SPECIAL:
        pieces = tokenizer.encode(f"{typed} is {typed}.")
        assert not {PAD, START, END} & set(pieces.ids[:-1])
        assert "".join(pieces.labels[:-1]).replace(" ", "") == f"{typed}is{typed}."
        assert tokenizer.encode_ids([f"{typed} is {typed}."]) == [list(pieces.ids)]


@pytest.mark.parametrize("text", ORDINARY)
def test_what_is_read_can_be_spelled(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text).ids
    assert UNKNOWN not in ids
    assert tokenizer.text(ids) == text


def test_typography_is_read_as_the_training_text_has_it(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("“It’s” – fine…").ids == tokenizer.encode('"It\'s" - fine...').ids
    assert tokenizer.encode("  cafe\u0301\n\n ouvert ").ids == tokenizer.encode("café ouvert").ids


def test_capitals_are_read_in_lower_case_and_shown_as_typed(tokenizer: Tokenizer) -> None:
    loud = tokenizer.encode("WHERE IS THE CAFÉ?")
    assert loud.ids == tokenizer.encode("where is the café?").ids
    assert loud.labels == ("WHERE", "IS", "THE", "CAFÉ", "?", "</s>")
    for kept in ("I", "A 1", "Hello THERE", "İ AM"):
        assert tokenizer.encode(kept).ids != tokenizer.encode(kept.lower()).ids


def test_many_texts_are_cut_as_one(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_ids(ORDINARY + ODD) == [list(tokenizer.encode(text).ids) for text in ORDINARY + ODD]
    assert tokenizer.encode_ids([]) == []


@pytest.mark.parametrize("text", ORDINARY)
def test_spans_of_written_pieces_point_into_the_output(tokenizer: Tokenizer, text: str) -> None:
    written = tokenizer.decode(tokenizer.encode(text).ids)
    output = tokenizer.text(written.ids)
    for label, (start, end) in zip(written.labels[:-1], written.spans[:-1], strict=True):
        assert label == output[start:end]
    assert written.labels[-1] == "</s>"
    assert written.spans[-1] == (len(output), len(output))
    assert "".join(written.labels[:-1]) == output.replace(" ", "")


def test_odd_written_pieces_have_a_name(tokenizer: Tokenizer) -> None:
    mark, word = tokenizer.encode("🙂").ids[0], tokenizer.encode("happy").ids[0]
    written = tokenizer.decode([START, mark, word, mark, PAD, END])
    assert written.labels == ("<s>", " ", "happy", " ", "<pad>", "</s>")
    assert written.spans == ((0, 0), (0, 0), (0, 5), (5, 6), (6, 6), (6, 6))
    assert tokenizer.text(written.ids) == "happy "


def test_no_label_shows_the_word_mark(tokenizer: Tokenizer) -> None:
    labels = [tokenizer.decode([index]).labels[0] for index in range(len(tokenizer))]
    assert not [label for label in labels if not label or WORD_MARK in label]


def test_special_pieces_come_first(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(range(len(SPECIAL))).labels == SPECIAL


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        Tokenizer(tmp_path / "nowhere.json")


def test_a_tokenizer_is_learned_from_text(tmp_path: Path) -> None:
    path = tmp_path / "learned" / "tiny.json"
    tokenization.train(iter(["the cat sat on the mat", "l'été dernier"] * 5), size=60, path=path)
    learned = Tokenizer(path)
    assert len(learned) <= 60
    assert learned.decode(range(len(SPECIAL))).labels == SPECIAL
    assert learned.text(learned.encode("the cat, l'été").ids) == "the cat<unk> l'été"
