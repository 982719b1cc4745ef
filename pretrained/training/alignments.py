"""Attention against gold word alignments: the reader of the gold, and the error rates of every layer and head.

The reference is force-decoded: the model reads the source and the true translation. Two rows may speak for a piece: the
one that it is *written* from, and the next, where it is *read* (Chen et al. 2020, "Accurate word alignment induction
from neural machine translation", section 3). Which rows of a head, and which layer and head, speak for the model is
chosen on a development file, never on the test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pretrained.analysis.alignment import (
    READ,
    WRITTEN,
    Agreement,
    Gold,
    Link,
    Place,
    Span,
    agreement,
    best_links,
    between_words,
    diagonal,
    pieces_of,
)
from pretrained.tokenization import START
from pretrained.training import data, ibm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pretrained.model import Model
    from pretrained.registry import Entry
    from pretrained.training.data import Pair

DEV, TEST = "align/hansards_naacl2003_dev.jsonl.gz", "align/hansards_test.jsonl.gz"
KINDS = ("alignment", "cross")  # attention from the target to the source


@dataclass(frozen=True)
class Aligned:
    """A pair of natural sentences, where their words stand in them, and the links between the words."""

    source: str
    target: str
    source_words: tuple[Span, ...]
    target_words: tuple[Span, ...]
    gold: Gold


def read_gold(path: Path) -> list[Aligned]:
    """Read gold alignments; ``DATA.md`` has the format.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken line, naming file and line, or a file without a sure link.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    pairs = []
    for number, line in enumerate(data.open_text(path), start=1):
        try:
            row = json.loads(line)
            source_words, target_words = (_words(row[f"{side}_text"], row[f"{side}_span"]) for side in ("en", "fr"))
            shape = (len(source_words), len(target_words))
            sure, possible = (_links(row[name], shape) for name in ("sure", "possible"))
            gold = Gold(sure, sure | possible)
            pairs.append(Aligned(row["en_text"], row["fr_text"], source_words, target_words, gold))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number}: expected en_text, en_span, fr_text, fr_span, sure and possible, "
                f"got {line[:60]!r}: {error!r}"
            ) from None
    if not any(pair.gold.sure for pair in pairs):
        raise ValueError(f"{path}: expected at least one pair with a sure link, got {len(pairs)} pairs")
    return pairs


def _words(text: str, spans: Sequence[Sequence[int]]) -> tuple[Span, ...]:
    words = tuple((start, end) for start, end in spans)
    for start, end in words:
        if not 0 <= start < end <= len(text) or not text[start:end].strip():
            raise ValueError(f"expected spans of words in a text of {len(text)} characters, got [{start}, {end}]")
    if not words:
        raise ValueError("expected at least one word a side")
    return words


def _links(links: Sequence[Sequence[int]], shape: tuple[int, int]) -> frozenset[Link]:
    found = frozenset((source, target) for source, target in links)
    for link in found:
        if not all(word in range(count) for word, count in zip(link, shape, strict=True)):
            raise ValueError(f"expected links between {shape[0]} and {shape[1]} words, got {list(link)}")
    return found


def expect_attention(entry: Entry) -> None:
    """Raise ``ValueError`` for a model that does not translate, or does not look from its target at its source."""
    if not entry.task.startswith("translation") or not set(KINDS) & set(entry.attention):
        raise ValueError(
            f"{entry.name} aligns no words: expected a translation model with attention of kind {' or '.join(KINDS)}, "
            f"got one for {entry.task} with {', '.join(entry.attention) or 'no attention'}"
        )


def score(model: Model, path: Path, *, folder: str | Path | None = None) -> dict[str, Any]:
    """Compare a model's attention with gold alignments.

    Args:
        model: with attention from its target to its source.
        path: the gold.
        folder: the data, where a development file lies; needed only if the card names no layer and head.

    Returns:
        ``task``, ``count``, ``metrics`` of the ``chosen`` layer and head (``head`` is ``None`` for the mean of a
        layer's heads), and the error rate of each in ``by_layer_head``, each with the ``row`` chosen for it.

    Raises:
        FileNotFoundError: no file, or nothing to choose layer and head by.
        ValueError: a broken file, or a model without such attention.
    """
    expect_attention(model.entry)
    pairs = read_gold(path)
    places = _named_in_card(model.entry) or _choose_in(folder, model)
    measured = agreements(model, pairs)
    return {"task": model.entry.task, "count": len(pairs), **_result(measured, places), "chosen": places[0]._asdict()}


def agreements(model: Model, pairs: Sequence[Aligned]) -> dict[Place, Agreement]:
    """Count how the links of every head, and of the mean of every layer with several, agree with gold, by both rows."""
    totals: dict[Place, Agreement] = {}
    for pair in pairs:
        source, target = model.tokenizer.encode(pair.source), model.tokenizer.encode(pair.target)
        words = pieces_of(pair.target_words, target.spans), pieces_of(pair.source_words, source.spans)
        with torch.inference_mode():
            output = model.network.forward(torch.tensor([source.ids]), torch.tensor([[START, *target.ids[:-1]]]))
        for attended in output.attention:
            if attended.kind not in KINDS:
                continue
            weights, (written, seen) = attended.weights[0].float().numpy(), words
            # Piece i is written from row i and read in row i + 1; the last piece, </s>, is in no word.
            merged = {
                WRITTEN: between_words(weights, written, seen),
                READ: between_words(weights[:, 1:], written[:, :-1], seen),
            }
            for row, of_heads in merged.items():
                maps: dict[int | None, Any] = dict(enumerate(of_heads))
                if len(of_heads) > 1:
                    maps[None] = of_heads.mean(0)
                for head, links in maps.items():
                    place = Place(attended.layer, head, row)
                    totals[place] = totals.get(place, Agreement()) + agreement(best_links(links), pair.gold)
    return totals


def choose(measured: Mapping[Place, Agreement]) -> list[Place]:
    """Choose the rows of every layer and head, and put the best place first: of least error, the first of equals."""
    heads = dict.fromkeys(place[:2] for place in measured)
    places = [min((Place(*head, row) for row in (WRITTEN, READ)), key=lambda one: measured[one].aer) for head in heads]
    best = min(places, key=lambda place: measured[place].aer)
    return [best, *(place for place in places if place != best)]


def for_card(model: Model, folder: Path, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Choose layer and head on the development file and tell what a card says of both files.

    Beside the model stand links along the diagonal, and those of IBM model 1 trained on the same ``pairs``.
    """
    files = {name: read_gold(folder / file) for name, file in (("dev", DEV), ("test", TEST))}
    measured = {name: agreements(model, gold) for name, gold in files.items()}
    places = choose(measured["dev"])
    counted = ibm.train((pair.source, pair.target) for pair in pairs)
    return {"chosen": places[0]._asdict()} | {
        name: {
            "count": len(gold),
            **_result(measured[name], places),
            "diagonal": _metrics(on_diagonal(gold)),
            "ibm_model_1": _metrics(by_counting(gold, counted)),
        }
        for name, gold in files.items()
    }


def on_diagonal(pairs: Sequence[Aligned]) -> Agreement:
    """Count how links along the diagonal agree with gold: what no look at the words costs."""
    return sum(
        (agreement(diagonal(len(pair.source_words), len(pair.target_words)), pair.gold) for pair in pairs), Agreement()
    )


def by_counting(pairs: Sequence[Aligned], counted: ibm.WordTable) -> Agreement:
    """Count how the links of IBM model 1 agree with gold."""
    return sum(
        (
            agreement(
                counted.links(
                    [pair.source[start:end] for start, end in pair.source_words],
                    [pair.target[start:end] for start, end in pair.target_words],
                ),
                pair.gold,
            )
            for pair in pairs
        ),
        Agreement(),
    )


def _named_in_card(entry: Entry) -> list[Place]:
    card = entry.card() if (entry.folder / "card.json").is_file() else {}
    if "alignment" not in card:
        return []
    told = card["alignment"]
    places = [Place(one["layer"], one["head"], one["row"]) for one in told["dev"]["by_layer_head"]]
    chosen = Place(**told["chosen"])
    return [chosen, *(place for place in places if place != chosen)]


def _choose_in(folder: str | Path | None, model: Model) -> list[Place]:
    try:
        return choose(agreements(model, read_gold(data.folder(folder) / DEV)))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the card of {model.entry.name} names no layer and head, and there is no {DEV} to choose them on: {error}"
        ) from None


def _result(measured: Mapping[Place, Agreement], places: Sequence[Place]) -> dict[str, Any]:
    return {
        "metrics": _metrics(measured[places[0]]),
        "by_layer_head": [
            place._asdict() | {"aer": round(measured[place].aer, 4)} for place in sorted(places, key=_of_a_layer)
        ],
    }


def _of_a_layer(place: Place) -> tuple[int, bool, int]:
    return place.layer, place.head is None, place.head or 0


def _metrics(found: Agreement) -> dict[str, float]:
    measures = {"aer": found.aer, "precision": found.precision, "recall": found.recall}
    return {name: round(measure, 4) for name, measure in measures.items()}
