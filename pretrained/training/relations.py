"""Attention against gold syntax: which head of an encoder looks from a word to the word that it depends on.

Clark et al. 2019, "What does BERT look at?", section 4.2: for every relation, the share of dependents whose head word
is found as the word that they look at most, or that looks at them most; the best head of attention is compared with
the best fixed offset ("the word two to the right"). Difference: head and offset are chosen on every other sentence and
scored on those between, so that many candidates are no advantage. A word is never taken for its own head word.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pretrained.analysis.alignment import Span, between_words, pieces_of
from pretrained.training import data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pretrained.model import Model
    from pretrained.registry import Entry

FILE = "ud/en_ewt_test.conllu.gz"
KIND = "encoder-self"
LONGEST = 30  # words
SENTENCES = 300
FEWEST = 20  # dependents of a relation, in either half, below which it says nothing
FARTHEST = 5  # words; the largest offset that is tried
OFFSETS = tuple(offset for offset in range(-FARTHEST, FARTHEST + 1) if offset)
DIRECTIONS = ("from", "to")  # the dependent looks at its head word, or its head word looks at it


@dataclass(frozen=True)
class Parsed:
    """A sentence, where its words stand in it, and what each depends on.

    Attributes:
        text: as written.
        words: their spans.
        heads: for every word the number of its head word, counted from 0; -1 for the root.
        relations: for every word its relation to its head word.
    """

    text: str
    words: tuple[Span, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]


def read_trees(path: Path) -> list[Parsed]:
    """Read the first sentences of at most ``LONGEST`` words of a CoNLL-U file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken sentence, or none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    found = []
    for number, lines in enumerate(_sentences(path), start=1):
        try:
            parsed = _parsed(lines)
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, sentence {number}: expected CoNLL-U, got {lines[0][:60]!r}: {error}") from None
        if 1 < len(parsed.words) <= LONGEST:
            found.append(parsed)
        if len(found) == SENTENCES:
            break
    if not found:
        raise ValueError(f"{path}: expected a sentence of 2 to {LONGEST} words, got none")
    return found


def _sentences(path: Path) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in data.open_text(path):
        if line.strip():
            lines.append(line.rstrip("\n"))
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _parsed(lines: Sequence[str]) -> Parsed:
    text = next((line.removeprefix("# text = ") for line in lines if line.startswith("# text = ")), "")
    # A number with a dash is a word written as one, one with a dot is a word that is not written at all.
    rows = [row for row in (line.split("\t") for line in lines if not line.startswith("#")) if row[0].isdigit()]
    words, end = [], 0
    for row in rows:
        start = text.find(row[1], end)
        if start < 0:
            raise ValueError(f"no {row[1]!r} in {text!r} from character {end} on")
        end = start + len(row[1])
        words.append((start, end))
    heads = tuple(int(row[6]) - 1 for row in rows)
    if not all(-1 <= head < len(rows) for head in heads):
        raise ValueError(f"expected head words from 0 to {len(rows)}")
    return Parsed(text, tuple(words), heads, tuple(row[7].partition(":")[0] for row in rows))


def expect_attention(entry: Entry) -> None:
    """Raise ``ValueError`` for a model that does not translate, or whose source tokens do not look at each other."""
    if not entry.task.startswith("translation") or KIND not in entry.attention:
        raise ValueError(
            f"{entry.name} finds no relations: expected a translation model with attention of kind {KIND}, got one for "
            f"{entry.task} with {', '.join(entry.attention) or 'no attention'}"
        )


def score(model: Model, path: Path) -> dict[str, Any]:
    """Compare the heads of a model's encoder with gold trees.

    Returns:
        ``count`` of sentences and, by relation in the order of their number, ``count`` of the dependents scored, the
        chosen ``layer``, ``head`` and ``direction`` with their ``accuracy``, and the chosen ``offset`` with
        ``offset_accuracy``. A relation with fewer than ``FEWEST`` dependents is left out.

    Raises:
        FileNotFoundError: no file.
        ValueError: a broken file, or a model without such attention.
    """
    expect_attention(model.entry)
    trees = read_trees(path)
    # Whether every candidate found the head word: [half][relation] -> one row a dependent.
    halves: tuple[dict[str, list[Any]], ...] = (defaultdict(list), defaultdict(list))
    read = 0
    for tree in trees:
        pieces = model.tokenizer.encode(tree.text)
        if len(pieces.ids) > model.entry.max_tokens:
            continue
        with torch.inference_mode():
            attended = model.network.encode(torch.tensor([pieces.ids])).attention
        if attended[0].keys is not None:
            raise ValueError(
                f"{model.entry.name} finds no relations: its tokens look at {attended[0].keys[0]} and so on"
            )
        weights = np.concatenate([one.weights[0].float().numpy() for one in attended])
        words = pieces_of(tree.words, pieces.spans)
        guesses = candidates(between_words(weights, words, words))
        for word, (head, relation) in enumerate(zip(tree.heads, tree.relations, strict=True)):
            if head >= 0 and relation != "punct":
                halves[read % 2][relation].append(guesses[:, word] == head)
        read += 1
    places = [
        {"layer": one.layer, "head": head, "direction": direction}
        for direction in DIRECTIONS
        for one in attended
        for head in range(one.weights.shape[1])
    ]
    chosen_on, scored_on = halves
    common = [name for name, found in chosen_on.items() if min(len(found), len(scored_on[name])) >= FEWEST]
    by_relation = {
        name: _chosen(np.array(chosen_on[name]), np.array(scored_on[name]), places)
        for name in sorted(common, key=lambda name: -len(scored_on[name]))
    }
    return {"count": read, "by_relation": by_relation}


def candidates(weights: Any) -> Any:
    """Guess every word's head word in every way.

    Args:
        weights: ``[head, word, word]``, each row a word that looks.

    Returns:
        ``[way, word]``: by every head the word looked at most, by every head the word that looks most, then the words
        at offsets -``FARTHEST`` to ``FARTHEST`` without 0; outside the sentence nothing is found.
    """
    n_words = weights.shape[1]
    others = np.where(np.eye(n_words, dtype=bool), -1.0, weights)
    places = np.arange(n_words) + np.array(OFFSETS)[:, None]
    return np.concatenate([others.argmax(2), others.argmax(1), np.where(places < n_words, places, -2)])


def _chosen(chosen_on: Any, scored_on: Any, places: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Choose the best head and the best offset on one half, and score them on the other."""
    rate, scored = chosen_on.mean(0), scored_on.mean(0)
    best, offset = int(rate[: len(places)].argmax()), int(rate[len(places) :].argmax())
    return {
        "count": len(scored_on),
        **places[best],
        "accuracy": round(float(scored[best]), 4),
        "offset": OFFSETS[offset],
        "offset_accuracy": round(float(scored[len(places) + offset]), 4),
    }
