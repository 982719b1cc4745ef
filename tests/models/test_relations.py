"""Heads against gold trees: sentences are read or refused, and a head that knows the relation beats every offset."""

import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pretrained.architectures.record import Attended
from pretrained.registry import entry
from pretrained.tokenization import load
from pretrained.training import relations

# A subject stands one or two words before its verb, an adjective always one before its noun.
SHORT = ("Birds\t2\tnsubj", "sing\t0\troot", "old\t4\tamod", "songs\t2\tobj", ".\t2\tpunct")
LONG = ("Birds\t3\tnsubj:pass", "can't\t3\taux", "sing\t0\troot", "old\t5\tamod", "songs\t3\tobj")


def conllu(*sentences: tuple[str, ...]) -> bytes:
    blocks = []
    for rows in sentences:
        words = [row.split("\t") for row in rows]
        lines = [f"# text = {' '.join(word for word, *_ in words)}", "1-2\tBirds can\t_\t_\t_\t_\t_\t_"]
        lines += [f"{number}\t{word}\t_\t_\t_\t_\t{head}\t{name}" for number, (word, head, name) in enumerate(words, 1)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks).encode()


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.conllu.gz"
    path.write_bytes(gzip.compress(conllu(*(SHORT, LONG, LONG, SHORT) * 20)))
    return path


class Parser:
    """An encoder of two heads in one layer: one looks at the head word, the other at the first piece."""

    def __init__(self, trees: list[relations.Parsed]) -> None:
        self.trees = {load("enfr").encode(tree.text).ids: tree for tree in trees}

    def encode(self, source: torch.Tensor) -> Any:
        ids = tuple(source[0].tolist())
        tree = self.trees[ids]
        spans = load("enfr").encode(tree.text).spans
        looks = np.full((2, len(ids), len(ids)), 1e-3)
        looks[1, :, 0] = 1
        for word, head in enumerate(tree.heads):
            for query, (start, end) in enumerate(spans):
                for key, (first, last) in enumerate(spans):
                    of_word = max(start, tree.words[word][0]) < min(end, tree.words[word][1])
                    looks[0, query, key] += of_word and first >= tree.words[head][0] and last <= tree.words[head][1]
        weights = torch.from_numpy(looks / looks.sum(2, keepdims=True))[None].float()
        return SimpleNamespace(attention=(Attended("encoder-self", 0, weights),))


def test_trees_are_read(gold: Path) -> None:
    first, second, *_ = relations.read_trees(gold)
    assert [first.text[slice(*word)] for word in first.words] == ["Birds", "sing", "old", "songs", "."]
    assert first.heads == (1, -1, 3, 1, 1)
    assert second.relations == ("nsubj", "aux", "root", "amod", "obj")
    assert len(relations.read_trees(gold)) == 80


def test_a_head_that_knows_the_relation_beats_the_best_offset(gold: Path) -> None:
    model: Any = SimpleNamespace(
        entry=entry("transformer"), network=Parser(relations.read_trees(gold)), tokenizer=load("enfr")
    )
    found = relations.score(model, gold)
    assert found["count"] == 80
    assert set(found["by_relation"]) == {"nsubj", "amod", "obj", "aux"}, "neither punctuation nor the root"
    for one in found["by_relation"].values():
        assert (one["layer"], one["head"], one["direction"], one["accuracy"]) == (0, 0, "from", 1.0)
    nsubj, amod = (found["by_relation"][name] for name in ("nsubj", "amod"))
    # Half of the subjects stand one before their verb, the other half two.
    assert (nsubj["count"], nsubj["offset_accuracy"]) == (40, 0.5)
    assert (amod["offset"], amod["offset_accuracy"]) == (1, 1.0)


def test_ways_to_guess() -> None:
    weights = np.array([[[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]])
    guesses = relations.candidates(weights)
    assert guesses[0].tolist() == [1, 2, 0], "the word looked at most, but for the word itself"
    assert guesses[1].tolist() == [2, 0, 1], "the word that looks at it most"
    offsets = dict(zip(relations.OFFSETS, guesses[2:].tolist(), strict=True))
    assert offsets[1] == [1, 2, -2]
    assert offsets[-1] == [-1, 0, 1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected a sentence of 2 to 30 words, got none"),
        (b"# text = Hi you\n1\tHi\t_\n", "sentence 1: expected CoNLL-U"),
        (conllu(("Hi\t7\troot", "you\t1\tobj")), "expected head words from 0 to 2"),
        (conllu(SHORT).replace(b"# text = Birds", b"# text = Frogs"), "no 'Birds' in"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "broken.conllu").write_bytes(content)
    with pytest.raises(ValueError, match=expected):
        relations.read_trees(tmp_path / "broken.conllu")


@pytest.mark.parametrize("name", ["gru-bahdanau", "compress-transformer", "gpt-mini"])
def test_a_model_without_such_attention_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} finds no relations: expected a translation model"):
        relations.expect_attention(entry(name))
