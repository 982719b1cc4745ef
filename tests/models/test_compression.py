"""Which words a sentence has and which its compression keeps, from the data to the trace, and scores by hand."""

import gzip
import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pretrained import tokenization
from pretrained.compression import DROP, KEEP, NUMBER, Compressor, as_read, spell, words_of
from pretrained.model import TextError
from pretrained.registry import entry as find
from pretrained.tokenization import END, PAD, UNKNOWN, Tokenizer
from pretrained.training import compression
from pretrained.training.compression import Batch, CompressionMaterial, Sentence
from pretrained.training.recipes import RECIPES, CompressionRecipe
from tests.models import tiny

ENTRY = find("compress-transformer")
TEXT = "On Monday, Mr. O'Brien said he won't pay $1,250 to the 36-year-old embezzler's café."


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenization.load("compress")


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Compressor:
    return Compressor(ENTRY, tiny.network(ENTRY, d_vocab=len(tokenizer)), tokenizer, 0.0)


def typed(text: str) -> list[str]:
    return [text[start:end] for start, end in words_of(text)]


# Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It rained.", "It rained ."),
        ("Don't tell St. John's mother, who can't read.", "Do n't tell St. John 's mother , who ca n't read ."),
        ("He’ll say “they’re”…", "He ’ll say “ they ’re ” …"),
        ("It isn’t, is it?", "It is n’t , is it ?"),
        ("O'Brien's AT&T and amazon.com", "O'Brien 's AT&T and amazon.com"),
        ("5% (of $300,000) at 9:15pm in mid-2013.", "5 % ( of $ 300,000 ) at 9:15pm in mid-2013 ."),
        ("the A17, 7,200-square-foot, 1/2", "the A17 , 7,200-square-foot , 1/2"),
        ("U.S. troops; J. K. Rowling; the U.S.", "U.S. troops ; J. K. Rowling ; the U.S ."),
        ("Google Inc. rose, said Google Inc.", "Google Inc. rose , said Google Inc ."),
        ("well-known -- or so...", "well-known -- or so ..."),
        ("cafe\u0301s, e\u0301", "cafe\u0301s , e\u0301"),
        ("## percent of ## 's", "## percent of ## 's"),
        ("\n a\u00a0b\t", "a b"),
        ("", ""),
    ],
)
def test_words_are_those_of_the_treebank(text: str, words: str) -> None:
    assert typed(text) == words.split(" ") if words else typed(text) == []


@pytest.mark.parametrize(
    "line",
    [
        '" ## & pregnant " danielle cunningham has something to say about her former co-star , jenelle evans .',
        "the ventura county sheriff 's office said four teens were arrested in the oak park / westlake area .",
        "gov. jay nixon today appointed melissa k. holcomb , of joplin , as the new circuit clerk for jasper county .",
        "it was n't a.m. -- they 'd said at&t 's will.i.am ... o'brien 're",
    ],
)
def test_words_that_stand_apart_stay_as_they_are(line: str) -> None:
    assert typed(line) == line.split()


@pytest.mark.parametrize("unit", ["a", "a-", "a.", "a'", "1,", "n't", "e\u0301", "-", "#", " "])
def test_nothing_visible_is_in_no_word_or_in_two(unit: str) -> None:
    text = unit * 300
    covered = [place for start, end in words_of(text) for place in range(start, end)]
    assert covered == [place for place, character in enumerate(text) if not character.isspace()]


@pytest.mark.parametrize("word", ["5", "A17", "36-year-old", "٣", "##"])
def test_whatever_holds_a_digit_is_one_number(word: str) -> None:
    assert as_read(word) == NUMBER


@pytest.mark.parametrize("word", ["five", "x²", "#", "."])
def test_other_words_are_read_as_they_are(word: str) -> None:
    assert as_read(word) == word


# Pieces


@pytest.mark.parametrize("text", [TEXT, "İstanbul's e\u0301clair ☃☃ x\u0301y", "</s> is <s>", "ALL 5 IN CAPITALS…"])
def test_labels_are_the_characters_that_were_typed(model: Compressor, text: str) -> None:
    pieces = model.cut(text)
    assert len(pieces.ids) == len(pieces.spans) == len(pieces.labels)
    for label, (start, end) in zip(pieces.labels[:-1], pieces.spans[:-1], strict=True):
        assert label == (text[start:end] or " ")
    assert (pieces.ids[-1], pieces.spans[-1], pieces.labels[-1]) == (END, (len(text), len(text)), "</s>")
    # Every visible character has its one piece.
    covered = [place for start, end in pieces.spans for place in range(start, end)]
    assert covered == [place for place, character in enumerate(text) if not character.isspace()]
    assert not {PAD, END} & set(pieces.ids[:-1])


def test_text_is_read_in_lower_case_with_numbers_as_one_mark(model: Compressor) -> None:
    read = model.cut("Mr. O'BRIEN’s 1,250 cafés…").ids
    assert read == model.cut("mr. o'brien's ## cafés...").ids
    assert UNKNOWN not in model.cut("mr. o'brien's ## cafes...").ids


def test_a_number_is_one_piece_with_all_of_its_characters(model: Compressor) -> None:
    labels = model.cut("a $1,250 fine for 36-year-olds").labels
    assert labels[1:4] == ("$", "1,250", "fine")
    assert "36-year-olds" in labels


def test_words_are_cut_as_in_training(tokenizer: Tokenizer, model: Compressor) -> None:
    line = "the embezzler 's lawyer did n't say ## words ."
    (cut,) = tokenizer.encode_words([line.split()])
    assert model.cut(line).ids == model.cut("The embezzler's lawyer didn't say 12 words.").ids == cut.ids
    assert [cut.words[place] for place in cut.first] == list(range(len(line.split())))
    assert [place for place, (start, _) in enumerate(cut.spans) if start == 0] == list(cut.first)
    assert len(cut.ids) > len(line.split()) + 1, "some word has several pieces"


def test_pieces_of_words_leave_no_gap(tokenizer: Tokenizer) -> None:
    words = ["embezzlements", "e\u0301e\u0301", "İx", "☃", "antidisestablishmentarianism"]
    (cut,) = tokenizer.encode_words([words])
    for number, word in enumerate(words):
        spans = [span for span, own in zip(cut.spans, cut.words, strict=True) if own == number]
        assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
        assert spans[-1][1] == len(word)
    assert tokenizer.encode_words([]) == []


def test_a_tokenizer_is_learned_from_words(tmp_path: Path) -> None:
    path = tmp_path / "learned" / "words.json"
    tokenization.train_on_words(iter(["The cat 's mat ##", "the cats sat ##"] * 5), size=60, path=path)
    learned = Tokenizer(path)
    assert len(learned) <= 60
    (cut,) = learned.encode_words([["the", "cat", "##", "cat☃"]])
    assert cut.words == (0, 1, 2, 3, 3)
    assert cut.ids[-2:] == (UNKNOWN, END)


# Runs


def test_a_run_keeps_what_is_likelier_kept(model: Compressor) -> None:
    trace = model.run(TEXT)
    pieces = model.cut(TEXT)
    with torch.inference_mode():
        tagged = model.network(torch.tensor([pieces.ids]))
    keeping = torch.sigmoid(tagged.logits[0])
    starts = [start for start, _ in pieces.spans]
    words = words_of(TEXT)
    p_word = [float(keeping[starts.index(start)]) for start, _ in words]
    kept = [TEXT[start:end] for (start, end), p in zip(words, p_word, strict=True) if p > 0.5]
    assert 0 < len(kept) < len(words)
    assert list(trace.target_tokens) == kept
    assert [trace.output[start:end] for start, end in trace.target_spans] == kept
    assert trace.log_probability == pytest.approx(sum(math.log(max(p, 1 - p)) for p in p_word), abs=1e-4)

    # A piece carries the decision on its word, the end of the sentence none.
    assert len(trace.candidates) == len(trace.source_tokens) - 1
    for (start, end), two in zip(trace.source_spans, trace.candidates, strict=False):
        (p,) = [p for (first, last), p in zip(words, p_word, strict=True) if first <= start and end <= last]
        named = {candidate.token: candidate.probability for candidate in two}
        assert named == pytest.approx({KEEP: p, DROP: 1 - p}, abs=1e-5)
        assert two[0].probability >= two[1].probability

    assert trace.source_tokens == pieces.labels
    assert [(a.kind, a.layer) for a in trace.attention] == [("encoder-self", 0), ("encoder-self", 1)]
    for attended, told in zip(trace.attention, tagged.attention, strict=True):
        assert attended.query_tokens == attended.key_tokens == pieces.labels
        np.testing.assert_allclose(attended.weights, told.weights[0], atol=1e-6)
        assert attended.scores is not None
        assert attended.may_attend is not None
        assert attended.may_attend.all()
    for states, told in zip(trace.states, tagged.states, strict=True):
        assert (states.kind, states.tokens) == ("encoder-hidden", pieces.labels)
        np.testing.assert_allclose(states.values, told.values[0], atol=1e-6)
    assert list(trace.milliseconds) == ["load", "encode", "decode", "trace"]
    assert trace.unknown == ("é",)


def test_a_run_decides_as_scoring_does(model: Compressor) -> None:
    text = "police say a man was arrested in connection with ## robberies , the city 's mayor said ."
    (kept,) = model.keep([text.split()])
    assert model.run(text).target_tokens == tuple(text.split()[place] for place in kept)


def test_many_sentences_are_decided_on_as_each_alone(model: Compressor, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    line = "the mayor 's embezzlements cost the city ## million , police said on monday ."
    words = line.split()
    sentences = [draw.choices(words, k=draw.randint(1, 20)) for _ in range(30)]
    monkeypatch.setattr("pretrained.compression.BATCH_PIECES", 100)
    together = model.keep(sentences)
    assert together == [model.keep([sentence])[0] for sentence in sentences]
    assert len({len(kept) for kept in together}) > 3
    assert model.keep([]) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty text"),
        (" \n", "empty text"),
        ("word " * 70, r"at most 64 tokens .* got 71"),
        ("你好", "nothing that the model knows: 你, 好"),
        ("caf\udce9", "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_read_is_told(model: Compressor, text: str, told: str) -> None:
    with pytest.raises(TextError, match=told):
        model.run(text)


@pytest.mark.parametrize(
    ("text", "kept", "output"),
    [
        ("A man, 41, died.", "A man died .", "A man died."),
        ("He said: “I’ll go”, he added.", "He “ I ’ll go ” .", "He “I’ll go”."),
        ("the (big) dog's tail", "the dog 's tail", "the dog's tail"),
        ("it cost $ 5 , he said .", "it cost $ 5 .", "it cost $ 5 ."),
        ("a (b) c", "a b", "a b"),
        ("one  two\nthree", "one two three", "one two three"),
        ("one two", "", ""),
        (". one", "one", "one"),
    ],
)
def test_kept_words_are_spelled_as_typed(text: str, kept: str, output: str) -> None:
    places, wanted = [], kept.split()
    for start, end in words_of(text):
        if wanted and text[start:end] == wanted[0]:
            places.append((start, end))
            wanted.pop(0)
    spelled, spans = spell(text, places)
    assert spelled == output
    assert [spelled[start:end] for start, end in spans] == kept.split()


# Data


@pytest.mark.parametrize(
    ("words", "compression_of_it", "kept"),
    [
        ("a b c d", "a c", (0, 2)),
        ("a b c", "a b c", (0, 1, 2)),
        # Neighbours: the second of two, the first of two, and around both.
        ("the man saw the dog", "the dog", (3, 4)),
        ("the man saw the dog", "the man saw", (0, 1, 2)),
        ("a b a b c", "a b c", (2, 3, 4)),
        ("a b c a c", "a b c", (0, 1, 2)),
        ("a x b a b", "a a b", (0, 3, 4)),
        ("a b", "b a", ()),
        ("a b", "a a", ()),
        ("a b", "c", ()),
    ],
)
def test_kept_words_are_found(words: str, compression_of_it: str, kept: tuple[int, ...]) -> None:
    assert compression.find_kept(words.split(), compression_of_it.split()) == kept


def test_what_is_found_has_the_most_neighbours_of_all_ways() -> None:
    draw = random.Random(0)
    for _ in range(200):
        words = draw.choices("ab.", k=9)
        wanted = [word for word in words if draw.random() < 0.5]
        if not wanted:
            continue
        ways = [
            places
            for places in itertools.combinations(range(len(words)), len(wanted))
            if [words[place] for place in places] == wanted
        ]
        found = compression.find_kept(words, wanted)
        assert [words[place] for place in found] == wanted
        assert neighbours(found) == max(map(neighbours, ways))


def neighbours(places: Sequence[int]) -> int:
    return sum(second == first + 1 for first, second in itertools.pairwise(places))


ROWS = [
    ("police said a man died in the fire .", "a man died in the fire ."),
    ("the mayor , who is ## , resigned .", "the mayor resigned ."),
    ("rain fell .", "rain fell ."),
    ("embezzlements rose , police said .", "embezzlements rose ."),
]
SENTENCES = [
    Sentence(tuple(sentence.split()), kept)
    for (sentence, _), kept in zip(ROWS, [(2, 3, 4, 5, 6, 7, 8), (0, 1, 7, 8), (0, 1, 2), (0, 1, 5)], strict=True)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "summ").mkdir()
    for file in compression.FILES.values():
        rows = "".join(f"{sentence}\t{kept}\n" for sentence, kept in ROWS)
        (tmp_path / file).write_bytes(gzip.compress(rows.encode()))
    return tmp_path


def test_sentences_are_read(folder: Path) -> None:
    assert compression.read_sentences(folder / compression.FILES["test"]) == SENTENCES


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a b\ta\na b\tb a\n", r"test\.tsv, line 2: expected a compression that leaves out words .* got 'b a'"),
        ("a b\n", r"test\.tsv, line 1: expected source<TAB>target"),
        ("", r"test\.tsv: expected at least one sentence"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "test.tsv"
    path.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=told):
        compression.read_sentences(path)
    with pytest.raises(ValueError, match=told):
        RECIPES[ENTRY.name].check(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        compression.read_sentences(tmp_path / "missing.tsv")


def as_sentences(batches: Sequence[Batch]) -> Counter[tuple[Any, ...]]:
    """What batches hold: pieces, and for every word whether it is kept."""
    found: Counter[tuple[Any, ...]] = Counter()
    for batch in batches:
        assert not (batch.keep.bool() & ~batch.decided).any()
        assert not (batch.decided & ((batch.source == PAD) | (batch.source == END))).any()
        assert batch.target_tokens == int(batch.decided.sum())
        for ids, decided, keep in zip(batch.source, batch.decided, batch.keep, strict=True):
            found[(*ids[ids != PAD].tolist(), -1, *keep[decided].tolist())] += 1
    return found


@pytest.mark.parametrize("limit", [12, 25, 400])
def test_a_pass_has_every_sentence_exactly_once(folder: Path, tokenizer: Tokenizer, limit: int) -> None:
    material = CompressionMaterial(tokenizer, folder, seed=1, batch_tokens=limit)
    expected = Counter(
        (*cut.ids, -1, *(float(place in one.kept) for place in range(len(one.words))))
        for cut, one in zip(tokenizer.encode_words([one.words for one in SENTENCES]), SENTENCES, strict=True)
    )
    batches = list(material.batches(0))
    assert as_sentences(batches) == as_sentences(material.validation) == expected
    assert all(len(batch.source) == 1 or batch.source.numel() <= limit for batch in batches)
    assert len(batches) == {12: 4, 25: 2, 400: 1}[limit]


def test_a_pass_is_a_function_of_seed_and_number(folder: Path, tokenizer: Tokenizer) -> None:
    def orders(seed: int) -> list[list[list[Any]]]:
        material = CompressionMaterial(tokenizer, folder, seed=seed, batch_tokens=12)
        return [[batch.source.tolist() for batch in material.batches(number)] for number in range(8)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    assert len({str(order) for order in orders(1)}) > 1


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_mean_over_words(
    folder: Path, tokenizer: Tokenizer, model: Compressor, smoothing: float
) -> None:
    material = CompressionMaterial(tokenizer, folder, seed=1, batch_tokens=400)
    (batch,) = material.validation
    losses = []
    for one in SENTENCES:
        (cut,) = tokenizer.encode_words([one.words])
        p = torch.sigmoid(model.network(torch.tensor([cut.ids])).logits[0, [*cut.first]]).double()
        for place, keeping in enumerate(p.tolist()):
            wanted = (1 - smoothing) * (place in one.kept) + smoothing / 2
            losses.append(-wanted * math.log(keeping) - (1 - wanted) * math.log(1 - keeping))
    loss = float(material.loss(model.network, batch, label_smoothing=smoothing))
    assert loss == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert batch.target_tokens == len(losses)


# Scores


@pytest.mark.parametrize(
    ("kept", "wanted", "f1"),
    [((0, 1), (0, 1), 1.0), ((0, 1, 2, 3), (0, 1), 2 / 3), ((0,), (0, 1, 2), 0.5), ((5,), (0,), 0.0), ((), (0,), 0.0)],
)
def test_f1_of_a_sentence(kept: tuple[int, ...], wanted: tuple[int, ...], f1: float) -> None:
    assert compression.f1(kept, wanted) == pytest.approx(f1)


class Parrot(Compressor):
    """Keeps the words that it was told to."""

    def __init__(self, kept: list[list[int]]) -> None:
        self.entry = ENTRY
        self.kept = kept

    def keep(self, sentences: Sequence[Sequence[str]]) -> list[list[int]]:
        assert len(sentences) == len(self.kept)
        return self.kept


def test_score() -> None:
    kept = [[0, 1, 8], [0, 1, 7, 8], [0, 1, 2], []]
    result = compression.score(Parrot(kept), SENTENCES)
    assert list(result) == ["task", "count", "seconds", "metrics", "by_length", "lead"]
    assert (result["task"], result["count"]) == ("compression", 4)
    metrics = result["metrics"]
    assert metrics["f1"] == pytest.approx((2 * 1 / 10 + 1 + 1 + 0) / 4)
    assert metrics["micro_f1"] == pytest.approx(2 * (1 + 4 + 3) / (10 + 17), abs=1e-4)
    assert metrics["exact_match"] == 0.5
    assert metrics["kept"] == pytest.approx(10 / 27, abs=1e-4)
    assert result["by_length"] == {
        "1-5": {"count": 1, "f1": 1.0},
        "6-10": {"count": 3, "f1": 0.4},
    }
    # Nine words are all there are: 14/16, 8/13, 1 and 6/9.
    assert result["lead"]["best"] == {"words": 9, "f1": metrics["baseline"]}
    assert metrics["baseline"] == pytest.approx((14 / 16 + 8 / 13 + 1 + 6 / 9) / 4, abs=1e-4)
    # On average 17 / 4 words should be kept: 2 of 4 + 7, 2 of 4 + 4, 3 of 3 + 3, 2 of 4 + 3.
    assert result["lead"]["mean"] == {"words": 4, "f1": pytest.approx((4 / 11 + 4 / 8 + 1 + 4 / 7) / 4, abs=1e-4)}
    assert 0 < metrics["chance"] < metrics["baseline"]


def test_keeping_blindly_is_a_matter_of_the_share() -> None:
    many = [Sentence(("a",) * 20, tuple(range(0, 20, 2)))] * 300
    assert compression.blind(many, 1.0) == pytest.approx(2 / 3, abs=1e-4)
    assert compression.blind(many, 0.5) == pytest.approx(0.5, abs=0.02)
    assert compression.blind(many, 0.0) == 0


def test_the_recipe_scores_the_test_split(folder: Path, model: Compressor) -> None:
    recipe = RECIPES[ENTRY.name]
    scores = recipe.measure(model, folder)["scores"]
    assert list(scores) == ["test"]
    assert scores["test"]["metrics"] == recipe.score(model, folder / compression.FILES["test"])["metrics"]
    assert recipe.facts(folder)["pairs"] == 4
    assert isinstance(recipe.material(folder), CompressionMaterial)


@pytest.mark.parametrize(("f1", "enough"), [(0.75, True), (0.74, False)])
def test_a_model_is_finished_if_it_is_ten_points_above_the_lead(f1: float, enough: bool) -> None:
    recipe = CompressionRecipe(target_tokens=1)
    assert recipe.good_enough({"test": {"metrics": {"f1": f1, "baseline": 0.645}}}) is enough
