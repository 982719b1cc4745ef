"""What each shipped model is trained on, and for how long; one recipe a model.

Models that are compared share everything here but their name: data, tokenizer, target tokens and schedule.
"""

from __future__ import annotations

import abc
import random
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pretrained import tokenization
from pretrained.tokenization import PAD
from pretrained.training import data
from pretrained.training.data import Pair, read_pairs
from pretrained.training.loss import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from pretrained.training.loop import Material


SOURCES = {
    "tatoeba": "Tatoeba (tatoeba.org, www.manythings.org/anki), CC BY 2.0 FR",
    "europarl": "Europarl v7 (P. Koehn), no known copyright restriction",
    "multi30k": "Multi30k (Elliott et al. 2016, 2017), research use",
    "news": "WMT news test sets 2008 to 2013 and newsdiscusstest2015, free for research",
    "books": "TransRead novels (fyvo/TransReadAlignments), CC BY-SA 4.0",
    "tico19": "TICO-19, CC0 1.0",
}


@dataclass(frozen=True, kw_only=True)
class Recipe(abc.ABC):
    """How to train one model: a schedule here, data and loss in the sub-classes.

    Attributes:
        target_tokens: pieces to predict over the whole run; the schedule is stretched over them.
        batch_tokens: padded target pieces in one step.
        peak_rate: learning rate after warm-up; falls to a hundredth of it along a cosine.
        warm_up: share of the run in which the rate rises.
    """

    target_tokens: int
    batch_tokens: int = 2048
    peak_rate: float = 2e-3
    warm_up: float = 0.06
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    clip: float = 1.0
    seed: int = 1

    @abc.abstractmethod
    def material(self, folder: Path) -> Material:
        """Open the data: batches and their loss."""

    @abc.abstractmethod
    def facts(self, folder: Path) -> dict[str, Any]:
        """Tell what a card says about the data."""

    def schedule(self) -> dict[str, Any]:
        """Tell what a card says about the schedule."""
        return {part.name: getattr(self, part.name) for part in fields(Recipe)}


@dataclass(frozen=True, kw_only=True)
class TranslationRecipe(Recipe):
    """Pairs of sentences.

    Attributes:
        tokenizer: cuts both sides into pieces.
        longest: most words a side, for each source of pairs that is used.
        share: part of a source that one pass reads, where it is not all; the next pass reads another part.
    """

    tokenizer: str = "enfr"
    longest: Mapping[str, int]
    share: Mapping[str, float]

    def material(self, folder: Path) -> TranslationMaterial:
        """Read the pairs."""
        return TranslationMaterial(self, folder)

    def facts(self, folder: Path) -> dict[str, Any]:
        """Tell pairs, sources and licences."""
        return {
            "pairs": len(self.training_pairs(folder)),
            "longest_words": dict(self.longest),
            "share_of_a_pass": dict(self.share),
            "sources": {tag: SOURCES[tag] for tag in self.longest},
        }

    def training_pairs(self, folder: Path) -> list[Pair]:
        """Read all pairs that any pass may read, in an order that is a function of the seed."""
        pairs = read_pairs(folder / "enfr" / "train.tsv.gz", tags=self.longest)
        random.Random(self.seed).shuffle(pairs)
        return pairs

    def pairs_of_pass(self, pairs: Sequence[Pair], number: int) -> list[Pair]:
        """Choose what pass ``number`` reads: every source's share, going round all of the source from pass to pass."""
        sources: dict[str, list[Pair]] = {}
        for pair in pairs:
            sources.setdefault(pair.tag, []).append(pair)
        chosen = []
        for tag, all_of_it in sources.items():
            count = max(1, round(self.share.get(tag, 1.0) * len(all_of_it)))
            start = number * count % len(all_of_it)
            chosen += (all_of_it[start:] + all_of_it[:start])[:count]
        return chosen

    def validation_pairs(self, folder: Path) -> list[Pair]:
        """Read the pairs by which the best checkpoint is chosen: same sources, same lengths."""
        return read_pairs(folder / "enfr" / "valid.tsv.gz", tags=self.longest)


class TranslationMaterial:
    """Batches of pairs for an encoder-decoder, and their cross-entropy."""

    def __init__(self, recipe: TranslationRecipe, folder: Path) -> None:
        """Read the pairs and cut those for validation."""
        self._recipe = recipe
        self._tokenizer = tokenization.load(recipe.tokenizer)
        self._pairs = recipe.training_pairs(folder)
        self.validation = list(
            data.shuffled_batches(
                recipe.validation_pairs(folder), self._tokenizer, random.Random(0), recipe.batch_tokens
            )
        )

    def batches(self, number: int) -> Iterator[data.Batch]:
        """Yield one pass."""
        return data.epoch_batches(
            self._recipe.pairs_of_pass(self._pairs, number),
            self._tokenizer,
            seed=self._recipe.seed,
            epoch=number,
            batch_tokens=self._recipe.batch_tokens,
        )

    def loss(self, network: nn.Module, batch: data.Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of the target's pieces."""
        device = next(network.parameters()).device
        source = batch.source.to(device)
        output = network(source, batch.target_in.to(device), source != PAD)
        return cross_entropy(output.logits, batch.target_out, label_smoothing=label_smoothing)


TRANSLATION = TranslationRecipe(
    longest=dict.fromkeys(("tatoeba", "multi30k", "europarl", "news", "books", "tico19"), 45),
    share={"europarl": 0.35, "news": 0.5, "books": 0.5, "tico19": 0.5},
    target_tokens=20_200_000,
)

RECIPES = dict.fromkeys(("gru-seq2seq", "gru-bahdanau", "transformer"), TRANSLATION)


def train_tokenizer(name: str, folder: Path, *, size: int = 8000) -> None:
    """Learn the joint pieces of both languages from the training pairs, and a third of the parliament's."""
    chance = random.Random(0)
    pairs = read_pairs(folder / "enfr" / "train.tsv.gz")
    kept = [pair for pair in pairs if pair.tag != "europarl" or chance.random() <= 0.35]
    tokenization.train(
        (text for pair in kept for text in (pair.source, pair.target)),
        size=size,
        path=tokenization.FOLDER / f"{name}.json",
    )
