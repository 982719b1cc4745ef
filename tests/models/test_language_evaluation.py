"""The measures of the language models against what is counted by hand, and against slower ways to the same figure."""

import gzip
import itertools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pretrained import loading, registry, tokenization
from pretrained.training import language, language_evaluation
from pretrained.training.language import CLASS, END_OF_TEXT, LENGTH, MASK, PAD, SEPARATOR
from pretrained.training.language_evaluation import KneserNey, Word
from tests.models import tiny

SMALL = {"d_vocab": 60, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_feedforward": 16}


def network(name: str, **sizes: Any) -> Any:
    torch.manual_seed(0)
    built = loading.build(registry.entry(name), SMALL | sizes).eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return built.requires_grad_(requires_grad=False)


def pieces(count: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randint(6, 60, (count,), generator=torch.Generator().manual_seed(seed))


def compress(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


# Counted pieces


def test_a_bigram_is_counted_as_by_hand() -> None:
    # 0 1 0 1 2: bigrams 01 twice, 10 and 12 once each; so D = 2 / (2 + 2) = 1/2.
    counted = KneserNey(np.array([0, 1, 0, 1, 2]), order=2, d_vocab=4)
    # Below them: 0 follows 1; 1 follows 0; 2 follows 1: three kinds, once each, so D = 3 / 3 = 1.
    unigram = [(1 - 1) / 3 + 1 * 3 / 3 / 4] * 3 + [1 / 4]
    p = {
        (0, 1): 1.5 / 2 + 0.5 * 1 / 2 * unigram[1],
        (1, 0): 0.5 / 2 + 0.5 * 2 / 2 * unigram[0],
        (1, 2): 0.5 / 2 + 0.5 * 2 / 2 * unigram[2],
        (1, 3): 0.5 * 2 / 2 * unigram[3],
        (2, 0): unigram[0],
    }
    for (before, after), expected in p.items():
        assert counted.log_p(np.array([before, after])).tolist() == pytest.approx([math.log(expected)])


def test_a_trigram_is_counted_as_by_hand() -> None:
    # 0 1 2 0 1 2 0 1 3: 012 and 120... trigrams 012 twice, 120 twice, 201 twice, 013 once; D = 1 / (1 + 6).
    text = np.array([0, 1, 2, 0, 1, 2, 0, 1, 3])
    counted = KneserNey(text, order=3, d_vocab=6)
    d = 1 / 7
    # Bigrams by what they follow, of the four kinds of trigrams: 12 one, 20 one, 01 one, 13 one: D = 1.
    # Unigrams by what they follow, of these four: 2, 0, 1, 3 one each: D = 1, all goes to 1 / 6.
    unigram = 1 / 6
    bigram = {pair: 0 / 1 + 1.0 * kinds / total * unigram for pair, kinds, total in (((1, 2), 2, 2), ((1, 3), 2, 2))}
    p = (2 - d) / 3 + d * 2 / 3 * bigram[1, 2]
    assert counted.log_p(np.array([0, 1, 2]))[-1] == pytest.approx(math.log(p))
    q = (1 - d) / 3 + d * 2 / 3 * bigram[1, 3]
    assert counted.log_p(np.array([0, 1, 3]))[-1] == pytest.approx(math.log(q))


@pytest.mark.parametrize("order", [2, 3])
def test_counted_probabilities_sum_to_one(order: int) -> None:
    text = pieces(400).numpy() % 9
    counted = KneserNey(text, order=order, d_vocab=9)
    for before in itertools.product(range(9), repeat=order - 1):
        total = sum(math.exp(counted.log_p(np.array([*before, after]))[-1]) for after in range(9))
        assert total == pytest.approx(1)


def test_counted_text_is_less_of_a_surprise_than_any_other() -> None:
    text = torch.tensor([5, 7, 8, 9] * 30)
    given = [
        language_evaluation.kneser_ney(text, test, order=order, d_vocab=60)
        for test in (text, pieces(120))
        for order in (2, 3)
    ]
    assert given[0] < 1.1
    assert given[1] < 1.1
    assert min(given[2:]) > 30


# Likelihoods


@pytest.mark.parametrize("count", [2, 100, LENGTH, LENGTH + 1, LENGTH + 2, 700])
def test_a_window_slides_over_all_pieces(count: int) -> None:
    gpt, text = network("gpt-mini"), pieces(count)
    given = language_evaluation.log_likelihoods(gpt, text)
    assert given.shape == (count - 1,)
    half = LENGTH // 2
    for place in {1, 2, count // 2, count - 1} - {0, count}:
        first = max(0, (place - 1) // half * half - half)
        log_p = gpt(text[None, first:place]).logits[0, -1].log_softmax(-1)
        assert float(given[place - 1]) == pytest.approx(float(log_p[text[place]]), abs=1e-4)


def test_a_hidden_piece_is_told_by_all_others() -> None:
    bert, text = network("bert-mini"), pieces(12).tolist()
    given = language_evaluation.hidden_log_likelihoods(bert, text)
    for place in range(12):
        row = torch.tensor([[CLASS, *text, SEPARATOR]])
        row[0, place + 1] = MASK
        log_p = bert(row).logits[0, place + 1].log_softmax(-1)
        assert float(given[place]) == pytest.approx(float(log_p[text[place]]), abs=1e-4)


def test_sentences_together_are_as_sentences_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_evaluation, "BATCH_TOKENS", 20)
    gpt = network("gpt-mini")
    sentences = [pieces(count, seed=count).tolist() for count in (3, 9, 1, 5, 9, 2)]
    given = language_evaluation.sentence_log_likelihoods(gpt, sentences)
    for sentence, found in zip(sentences, given, strict=True):
        alone = language_evaluation.log_likelihoods(gpt, torch.tensor([END_OF_TEXT, *sentence]))
        assert found == pytest.approx(float(alone.sum()), abs=1e-3)
    assert PAD not in itertools.chain(*sentences)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return compress(tmp_path / "test.tsv.gz", [f"The cat number {n} sat.\tbook\t{n % 2}" for n in range(8)])


def model(name: str) -> Any:
    return SimpleNamespace(entry=registry.entry(name), network=network(name, d_vocab=8000))


def test_perplexity_is_of_all_pieces_and_ends(documents: Path) -> None:
    tokenizer, gpt = language.load_tokenizer(tokenization.FOLDER / "en.json"), model("gpt-mini")
    result = language_evaluation.score_causal(gpt, tokenizer, documents)
    text = language.stream(language.cut(tokenizer, language.read_documents(documents)))
    loss = torch.nn.functional.cross_entropy(gpt.network(text[None, :-1]).logits[0], text[1:])
    assert (result["task"], result["count"]) == ("language model en", 8)
    assert result["metrics"]["pieces"] == len(text) - 1
    assert result["metrics"]["perplexity"] == pytest.approx(math.exp(float(loss)), abs=0.01)


def test_pseudo_perplexity_is_of_paragraphs_evenly_spread(documents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_evaluation, "PARAGRAPHS", 4)
    tokenizer, bert = language.load_tokenizer(tokenization.FOLDER / "en.json"), model("bert-mini")
    result = language_evaluation.score_masked(bert, tokenizer, documents)
    texts = [text for document in language.read_documents(documents) for text in document][::2]
    found = [language_evaluation.hidden_log_likelihoods(bert.network, tokenizer.encode(text).ids) for text in texts]
    assert (result["task"], result["count"]) == ("masked language model en", 4)
    expected = math.exp(-float(torch.cat(found).mean()))
    assert result["metrics"]["pseudo_perplexity"] == pytest.approx(expected, abs=0.01)


def test_a_test_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.gz"):
        language_evaluation.read_test(tmp_path / "nowhere.gz")
    with pytest.raises(ValueError, match="at least one paragraph, got an empty file"):
        language_evaluation.read_test(compress(tmp_path / "empty.gz", []))


# Grammar


def test_the_likelier_sentence_of_a_pair_is_counted_by_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "syntax\ta\tb\tGood one.\tA bad one.",
        "syntax\ta\tb\tA good longer one.\tBad.",
        "syntax_semantics\ta\tb\tGood.\tBad one.",
        "syntax/semantics\ta\tb\tGood.\tA bad one, too.",
    ]
    path = compress(tmp_path / "pairs.gz", lines)
    monkeypatch.setattr(
        language_evaluation, "sentence_log_likelihoods", lambda _, rows: [-float(len(row)) for row in rows]
    )
    tokenizer = language.load_tokenizer(tokenization.FOLDER / "en.json")
    assert language_evaluation.minimal_pairs(None, tokenizer, path, every=1) == {
        "count": 4,
        "accuracy": 0.75,
        "by_field": {"syntax": {"count": 2, "accuracy": 0.5}, "syntax_semantics": {"count": 2, "accuracy": 1.0}},
    }
    assert language_evaluation.minimal_pairs(None, tokenizer, path, every=2)["count"] == 2


TREE = [
    "# text = Don't see the  cat's bank.",
    "1-2\tDon't\t_\t_",
    "1\tDo\t_\tAUX",
    "2\tn't\t_\tPART",
    "3\tsee\t_\tVERB",
    "4\tthe\t_\tDET",
    "5\tcat\t_\tNOUN",
    "6\t's\t_\tPART",
    "6.1\tghost\t_\tNOUN",
    "7\tbank\t_\tNOUN",
    "8\t.\t_\tPUNCT",
    "",
]


def test_words_of_a_treebank_have_their_places(tmp_path: Path) -> None:
    ((text, words),) = language_evaluation.read_treebank(compress(tmp_path / "tree.gz", TREE))
    assert [text[word.start : word.end] for word in words] == ["Do", "n't", "see", "the", "cat", "'s", "bank", "."]
    assert [word.tag for word in words][2:5] == ["VERB", "DET", "NOUN"]
    assert language_evaluation.commonest_tags([(text, words)] * 2 + [("see", [Word(0, 3, "NOUN")])])["see"] == "VERB"
    with pytest.raises(ValueError, match=r"broken\.gz, line 2: expected a word of 'A cat', got 'dog'"):
        language_evaluation.read_treebank(compress(tmp_path / "broken.gz", ["# text = A cat", "1\tdog\t_\tNOUN"]))


@pytest.mark.parametrize(
    ("filled", "accuracy", "among_content"),
    [(("cat", "See"), 1.0, 1.0), (("See", "cat"), 0.0, 0.0), (("unheard", ".", "bank"), 0.0, 1.0), ((".",), 0.0, 0.0)],
)
def test_parts_of_speech_are_compared(
    tmp_path: Path, filled: tuple[str, ...], accuracy: float, among_content: float
) -> None:
    training = [*TREE, *TREE]
    asked = ["# text = A dog .", "1\tA\t_\tDET", "2\tdog\t_\tNOUN", "3\t.\t_\tPUNCT", ""]
    compress(tmp_path / language_evaluation.TREEBANK["train"], training)
    compress(tmp_path / language_evaluation.TREEBANK["test"], asked * 5)
    seen = []

    def run(text: str) -> Any:
        seen.append(text)
        return SimpleNamespace(candidates=(tuple(SimpleNamespace(token=token) for token in filled),))

    fake: Any = SimpleNamespace(
        run=run,
        entry=registry.entry("bert-mini"),
        tokenizer=SimpleNamespace(encode=lambda _: SimpleNamespace(ids=(1,))),
    )
    result = language_evaluation.content_words(fake, tmp_path, count=3)
    assert seen == ["A [MASK] ."] * 3
    assert result == {
        "count": 3,
        "accuracy": accuracy,
        "same_word": 0.0,
        "content_accuracy": among_content,
        "commonest_tag": 1.0,
    }


# Heads


def test_a_head_that_looks_back_is_found() -> None:
    weights = torch.full((2, 1, 3, 5, 5), 0.2).tril()
    weights[1, 0, 2] = torch.eye(5).roll(1, 1)  # row i on i + 1
    weights[0, 0, 1] = torch.eye(5).roll(-1, 1)  # row i on i - 1
    found = language_evaluation.previous_token(weights)
    assert found.shape == (2, 3)
    assert found[0, 1] == 1
    assert found[1, 2] == 0
    tiny.close(found[0, 0], torch.tensor(0.2))


def test_a_head_that_finds_what_came_before_is_found() -> None:
    period, weights = 4, torch.zeros(2, 1, 2, 8, 8)
    for row in range(4, 8):
        weights[1, 0, 0, row, row - period + 1] = 0.75  # on what came after the first coming
        weights[0, 0, 1, row, row - period] = 1.0  # on the first coming itself
    found = language_evaluation.induction(weights, period)
    assert found.tolist() == [[0.0, 0.0], [0.75, 0.0]]


def test_the_best_heads_are_told_with_their_places() -> None:
    gpt = network("gpt-mini")
    text = pieces(LENGTH * 12)
    result = language_evaluation.heads(gpt, text)
    windows = text[: 16 * 128].view(16, 128)
    layers = gpt(windows, output_attentions=True).attentions
    means = torch.tensor([[layer[:, head, range(1, 128), range(127)].mean() for head in range(4)] for layer in layers])
    best = result["previous_token"]
    assert best["weight"] == pytest.approx(float(means.max()), abs=1e-4)
    assert means[best["layer"], best["head"]] == means.max()
    assert set(result["induction"]) == {"weight", "layer", "head"}
    assert 0 < result["induction"]["weight"] < 1
