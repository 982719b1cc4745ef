"""What each shipped model is trained on, and for how long; one recipe a model.

Models that are compared share everything here but their name: data, tokenizer, target tokens and schedule.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pretrained import tokenization
from pretrained.training.data import Pair, read_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """How to train one model.

    Attributes:
        longest: most words a side, for each source of pairs that is used.
        share: part of a source that one pass reads, where it is not all; the next pass reads another part.
        target_tokens: pieces to predict over the whole run; the schedule is stretched over them.
        batch_tokens: padded target pieces in one step.
        peak_rate: learning rate after warm-up; falls to a hundredth of it along a cosine.
        warm_up: share of the run in which the rate rises.
    """

    longest: dict[str, int]
    share: dict[str, float]
    target_tokens: int
    batch_tokens: int = 2048
    peak_rate: float = 2e-3
    warm_up: float = 0.06
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    clip: float = 1.0
    seed: int = 1

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


TRANSLATION = Recipe(
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
