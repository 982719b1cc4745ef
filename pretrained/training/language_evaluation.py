"""Scores of the language models on text that they were not trained on, and of a counting model beside them.

perplexity         exp of the mean negative log-likelihood of a piece, all pieces before it read
pseudo-perplexity  the same of a hidden piece, all others read (Salazar et al. 2020, section 2)
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pretrained.shapes import Float, Int
from pretrained.training import language
from pretrained.training.data import open_text, pad
from pretrained.training.language import CLASS, END_OF_TEXT, LENGTH, MASK, PAD, SEPARATOR, SPECIAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import tokenizers
    from numpy.typing import NDArray

    from pretrained.language import DecoderOnly, EncoderOnly

BATCH_TOKENS = 2000  # pieces that are read at once, where many texts are
STRIDE = LENGTH // 2  # of the window that slides over a text: every piece but the first has at least so many before it
PARAGRAPHS = 200  # of the test, evenly spread, for the pseudo-perplexity: every piece of them is hidden once
CONTENT = ("NOUN", "VERB", "ADJ", "ADV")
TREEBANK = {"train": "ud/en_ewt_train.conllu.gz", "test": "ud/en_ewt_test.conllu.gz"}
MASKED_WORDS = 500
MINIMAL_PAIRS = "probe/blimp.tsv.gz"
EVERY = 5  # minimal pair is scored: 200 of each paradigm
HEAD_WINDOWS, REPEATED = 16, 64
ORDERS = (2, 3)  # of the counting models


@dataclass(frozen=True)
class Word:
    """A word of a treebank: its characters in its sentence, and its part of speech."""

    start: int
    end: int
    tag: str


class KneserNey:
    """N-grams by interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999).

    With ``h`` the pieces before ``w`` and ``h'`` all of them but the first; ``c`` counts n-grams in the text, and below
    the highest order the distinct pieces that an n-gram follows; ``N(h .)`` counts the distinct pieces after ``h``:

        p(w | h) = max(c(h w) - D, 0) / c(h .) + D N(h .) / c(h .) p(w | h'),   D = n_1 / (n_1 + 2 n_2)

    below the unigrams stands ``1 / vocabulary``; after an ``h`` never seen stands ``p(w | h')``.
    """

    def __init__(self, pieces: NDArray[np.int64], *, order: int, d_vocab: int) -> None:
        """Count all n-grams up to ``order``."""
        self._order, self._d_vocab = order, d_vocab
        self._tables = []
        grams, counts = np.unique(self._grams(pieces, order), return_counts=True)
        for length in range(order, 0, -1):
            once, twice = int((counts == 1).sum()), int((counts == 2).sum())
            # A text may be too even for the formula; something must be left for what it does not hold.
            discount = once / (once + 2 * twice) if once else 0.5
            contexts, place = np.unique(grams // d_vocab, return_inverse=True)
            totals = np.bincount(place, weights=counts)
            self._tables.append((grams, counts, contexts, totals, np.bincount(place), discount))
            grams, counts = np.unique(grams % d_vocab ** (length - 1), return_counts=True)
        self._tables.reverse()

    def log_p(self, pieces: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the log-probability of every piece but the first, in nats, all pieces before it known."""
        # Before the first piece stands what may stand before any text.
        known = np.concatenate([np.full(self._order - 2, END_OF_TEXT), pieces]) if self._order > 2 else pieces
        p = np.full(len(pieces) - 1, 1 / self._d_vocab)
        for length, (grams, counts, contexts, totals, kinds, discount) in enumerate(self._tables, start=1):
            asked = self._grams(known, length)[-len(p) :]
            context = asked // self._d_vocab
            total = np.maximum(_found(contexts, totals, context), 1e-9)
            kept = np.maximum(_found(grams, counts, asked) - discount, 0)
            rest = discount * _found(contexts, kinds, context)
            seen = _found(contexts, kinds, context) > 0
            p = np.where(seen, (kept + rest * p) / total, p)
        logarithm: NDArray[np.float64] = np.log(p)
        return logarithm

    def _grams(self, pieces: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """Number all n-grams of a text: the last piece is the last digit."""
        windows = np.lib.stride_tricks.sliding_window_view(pieces, length)
        numbers: NDArray[np.int64] = windows @ (self._d_vocab ** np.arange(length - 1, -1, -1, dtype=np.int64))
        return numbers


def _found(keys: NDArray[np.int64], values: NDArray[Any], asked: NDArray[np.int64]) -> NDArray[Any]:
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0)


def kneser_ney(training: Int[Tensor, " read"], test: Int[Tensor, " token"], *, order: int, d_vocab: int) -> float:
    """Give the perplexity of a counting model on a test."""
    counted = KneserNey(training.numpy(), order=order, d_vocab=d_vocab)
    return math.exp(-float(counted.log_p(test.numpy()).mean()))


def measure_causal(model: DecoderOnly, tokenizer: tokenizers.Tokenizer, folder: Path) -> dict[str, Any]:
    """Tell what a card says of a causal model: its test beside counting models, minimal pairs, and its heads."""
    test = score_causal(model, tokenizer, folder / language.FILES["test"])
    training = language.stream(language.cut(tokenizer, language.training_documents(folder)))
    pieces = language.stream(language.cut(tokenizer, read_test(folder / language.FILES["test"])))
    test["metrics"] |= {
        f"kneser_ney_{order}": round(kneser_ney(training, pieces, order=order, d_vocab=len(model.tokenizer)), 2)
        for order in ORDERS
    }
    pairs = minimal_pairs(model.network, tokenizer, folder / MINIMAL_PAIRS)
    return {"scores": {"test": test, "blimp": pairs, "heads": heads(model.network, pieces)}}


def measure_masked(model: EncoderOnly, tokenizer: tokenizers.Tokenizer, folder: Path) -> dict[str, Any]:
    """Tell what a card says of a masked model: its test, and the parts of speech of what it fills in."""
    test = score_masked(model, tokenizer, folder / language.FILES["test"])
    return {"scores": {"test": test, "content_words": content_words(model, folder)}}


def score_causal(model: DecoderOnly, tokenizer: tokenizers.Tokenizer, path: Path) -> dict[str, Any]:
    """Give the perplexity of a model on a file of documents.

    Raises:
        ValueError: a broken line, naming file and line, or a file without one.
    """
    documents = read_test(path)
    started = time.perf_counter()
    found = log_likelihoods(model.network, language.stream(language.cut(tokenizer, documents)))
    return {
        "task": model.entry.task,
        "count": sum(map(len, documents)),
        "seconds": round(time.perf_counter() - started, 2),
        "metrics": {"perplexity": round(math.exp(-float(found.mean())), 2), "pieces": len(found)},
    }


def score_masked(model: EncoderOnly, tokenizer: tokenizers.Tokenizer, path: Path) -> dict[str, Any]:
    """Give the pseudo-perplexity of a model on paragraphs of a file of documents.

    Raises:
        ValueError: a broken line, naming file and line, or a file without one.
    """
    paragraphs = [part[: LENGTH - 2] for document in language.cut(tokenizer, read_test(path)) for part in document]
    chosen = paragraphs[:: max(1, len(paragraphs) // PARAGRAPHS)][:PARAGRAPHS]
    started = time.perf_counter()
    found = torch.cat([hidden_log_likelihoods(model.network, paragraph) for paragraph in chosen])
    return {
        "task": model.entry.task,
        "count": len(chosen),
        "seconds": round(time.perf_counter() - started, 2),
        "metrics": {"pseudo_perplexity": round(math.exp(-float(found.mean())), 2), "pieces": len(found)},
    }


def read_test(path: Path) -> list[list[str]]:
    """Read the documents of a test.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken line, naming file and line, or a file without one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    documents = language.read_documents(path)
    if not documents:
        raise ValueError(f"{path}: expected at least one paragraph, got an empty file")
    return documents


@torch.inference_mode()
def log_likelihoods(network: Any, pieces: Int[Tensor, " token"]) -> Float[Tensor, " predicted"]:
    """Give the log-likelihood of every piece of a text but the first, in nats, by a window that slides over it."""
    found = []
    for start in range(0, max(1, len(pieces) - 1 - STRIDE), STRIDE):
        window = pieces[start : start + LENGTH + 1]
        given = _log_likelihoods(network(window[None, :-1], use_cache=False).logits, window[None, 1:])[0]
        found.append(given[STRIDE if start else 0 :])
    return torch.cat(found)


@torch.inference_mode()
def hidden_log_likelihoods(network: Any, pieces: Sequence[int]) -> Float[Tensor, " token"]:
    """Give the log-likelihood of every piece of a paragraph with that piece alone hidden, in nats."""
    rows = torch.tensor([CLASS, *pieces, SEPARATOR]).repeat(len(pieces), 1)
    here = torch.arange(len(pieces))
    rows[here, here + 1] = MASK
    found = []
    for part in here.split(max(1, BATCH_TOKENS // rows.shape[1])):
        hidden = network.base_model(rows[part]).last_hidden_state[torch.arange(len(part)), part + 1]
        found.append(_log_likelihoods(network.get_submodule("cls")(hidden), torch.tensor(pieces)[part]))
    return torch.cat(found)


@torch.inference_mode()
def sentence_log_likelihoods(network: Any, sentences: Sequence[Sequence[int]]) -> list[float]:
    """Give the log-likelihood of every sentence as a text of its own, without its end, in nats."""
    found = [0.0] * len(sentences)
    order = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
    while order:
        size = max(1, BATCH_TOKENS // len(sentences[order[0]]))
        group, order = order[:size], order[size:]
        ids = pad([[END_OF_TEXT, *sentences[index]] for index in group])
        given = _log_likelihoods(network(ids[:, :-1], use_cache=False).logits, ids[:, 1:])
        for index, total in zip(group, (given * (ids[:, 1:] != PAD)).sum(1).tolist(), strict=True):
            found[index] = total
    return found


def minimal_pairs(network: Any, tokenizer: tokenizers.Tokenizer, path: Path, *, every: int = EVERY) -> dict[str, Any]:
    """Tell how often the sound sentence of a pair is the likelier one (BLiMP, Warstadt et al. 2020).

    Args:
        network: a causal one.
        tokenizer: cuts the sentences.
        path: ``field <TAB> term <TAB> paradigm <TAB> sound <TAB> unsound`` lines.
        every: 1 takes every pair, 2 every second, and so on.

    Returns:
        ``count`` and ``accuracy``, of all and ``by_field``; chance is 0.5.
    """
    rows = [line.split("\t") for line in open_text(path)][::every]
    cut = language.cut(tokenizer, [[sentence for row in rows for sentence in row[3:5]]])[0]
    scores = sentence_log_likelihoods(network, cut)
    right: dict[str, list[bool]] = defaultdict(list)
    for row, sound, unsound in zip(rows, scores[::2], scores[1::2], strict=True):
        # Some lines spell one field another way.
        right[row[0].replace("/", "_")].append(sound > unsound)
    every_field = [answer for answers in right.values() for answer in answers]
    return _accuracy(every_field) | {
        "by_field": {field: _accuracy(answers) for field, answers in sorted(right.items())}
    }


def _accuracy(answers: Sequence[bool]) -> dict[str, float]:
    return {"count": len(answers), "accuracy": round(sum(answers) / len(answers), 4)}


def content_words(model: EncoderOnly, folder: Path, *, count: int = MASKED_WORDS) -> dict[str, Any]:
    """Hide one noun, verb, adjective or adverb in each of ``count`` sentences; compare tags with what fills it.

    A candidate's tag is the commonest of its word form in the training treebank, in small letters if need be.

    Returns:
        ``count``, ``accuracy`` of the likeliest candidate's tag, ``same_word`` where it is the hidden word itself,
        ``content_accuracy`` of the likeliest noun, verb, adjective or adverb among its candidates, and
        ``commonest_tag``, the accuracy of always naming the commonest tag.
    """
    tags = commonest_tags(read_treebank(folder / TREEBANK["train"]))
    chance = random.Random(0)
    asked = []
    for text, words in read_treebank(folder / TREEBANK["test"]):
        content = [word for word in words if word.tag in CONTENT and text[word.start : word.end].isalpha()]
        if content and len(model.tokenizer.encode(text).ids) <= model.entry.max_tokens:
            asked.append((text, chance.choice(content)))
    asked = chance.sample(asked, min(count, len(asked)))
    right, same, content_right = [], [], []
    for text, word in asked:
        best = model.run(f"{text[: word.start]}{SPECIAL[MASK]}{text[word.end :]}").candidates[0]
        found = [tags.get(one.token, tags.get(one.token.lower())) for one in best]
        right.append(found[0] == word.tag)
        content_right.append(next((tag for tag in found if tag in CONTENT), None) == word.tag)
        same.append(best[0].token == text[word.start : word.end])
    commonest = Counter(word.tag for _, word in asked).most_common(1)[0][1]
    return _accuracy(right) | {
        "same_word": round(sum(same) / len(same), 4),
        "content_accuracy": round(sum(content_right) / len(content_right), 4),
        "commonest_tag": round(commonest / len(asked), 4),
    }


def commonest_tags(sentences: Sequence[tuple[str, Sequence[Word]]]) -> dict[str, str]:
    """Give the commonest tag of every word form."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for text, words in sentences:
        for word in words:
            counted[text[word.start : word.end]][word.tag] += 1
    return {form: tags.most_common(1)[0][0] for form, tags in counted.items()}


def read_treebank(path: Path) -> list[tuple[str, list[Word]]]:
    """Read CoNLL-U: every sentence as it was written, and its words; of a word written with the next, its own part.

    Raises:
        ValueError: a word that is not in its sentence, naming file and line.
    """
    sentences: list[tuple[str, list[Word]]] = []
    for number, line in enumerate(open_text(path), start=1):
        if line.startswith("# text = "):
            sentences.append((line.removeprefix("# text = "), []))
        fields = line.split("\t")
        if not fields[0].isdecimal():
            continue
        text, words = sentences[-1]
        start = text.find(fields[1], words[-1].end if words else 0)
        if start < 0:
            raise ValueError(f"{path}, line {number}: expected a word of {text[:60]!r}, got {fields[1]!r}")
        words.append(Word(start, start + len(fields[1]), fields[3]))
    return sentences


@torch.inference_mode()
def heads(network: Any, pieces: Int[Tensor, " token"]) -> dict[str, Any]:
    """Tell what the heads of a causal network do: which looks back by one, and which looks for what came before.

    Returns:
        ``previous_token``: mean weight on the token before, over windows of a text; and ``induction``: on random tokens
        that come twice, mean weight on the one after the first coming (Olsson et al. 2022): of the best head of all,
        with its layer and head.
    """
    windows = language.windows_of(pieces, STRIDE)[:HEAD_WINDOWS, :-1]
    draw = torch.Generator().manual_seed(0)
    once = torch.randint(len(SPECIAL), network.config.vocab_size, (HEAD_WINDOWS, REPEATED), generator=draw)
    return {
        "previous_token": _best(previous_token(_weights(network, windows))),
        "induction": _best(induction(_weights(network, torch.cat([once, once], 1)), REPEATED)),
    }


def previous_token(weights: Float[Tensor, "layer batch head query key"]) -> Float[Tensor, "layer head"]:
    """Give the mean weight on the token before, over all rows that have one."""
    return weights.diagonal(-1, -2, -1).mean((1, 3))


def induction(weights: Float[Tensor, "layer batch head query key"], period: int) -> Float[Tensor, "layer head"]:
    """Give the mean weight on the token after a token's first coming, over the second of two equal halves."""
    return weights.diagonal(1 - period, -2, -1)[..., 1:].mean((1, 3))


def _weights(network: Any, ids: Int[Tensor, "batch token"]) -> Float[Tensor, "layer batch head query key"]:
    return torch.stack(network(ids, use_cache=False, output_attentions=True).attentions)


def _best(by_head: Float[Tensor, "layer head"]) -> dict[str, Any]:
    layer, head = divmod(int(by_head.argmax()), by_head.shape[1])
    return {"weight": round(float(by_head.max()), 4), "layer": layer, "head": head}


def _log_likelihoods(logits: Float[Tensor, "*place vocab"], target: Int[Tensor, "*place"]) -> Float[Tensor, "*place"]:
    """Give the log-likelihood of ``target`` at every place, in nats."""
    return torch.log_softmax(logits, -1).gather(-1, target[..., None])[..., 0]
