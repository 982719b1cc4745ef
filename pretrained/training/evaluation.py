"""Scores of a translation model on text that it was not trained on: chrF and BLEU by sacrebleu's defaults, greedy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pretrained.training.data import Pair, read_pairs, read_references

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pretrained.translation import Translator

LENGTHS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, None))  # source words, both ends included
LONG = (21, None)  # the last two once more, together: sentences for which one vector is too little


def read_test(path: Path) -> list[tuple[Pair, tuple[str, ...]]]:
    """Read a test file: tsv[.gz] of source, target and perhaps a tag, or jsonl of one source with all its references.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a broken row, naming file and line, or a file without rows.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        rows = read_references(path)
    else:
        rows = [(pair, (pair.target,)) for pair in read_pairs(path)]
    if not rows:
        raise ValueError(f"{path}: expected at least one pair, got an empty file")
    return rows


def score(model: Translator, path: Path) -> dict[str, Any]:
    """Translate a test file and compare with its references.

    Returns:
        ``task``, ``count``, ``seconds`` (of translating), ``metrics`` (``bleu`` and ``chrf``, 0 to 100), and the same
        two with a ``count`` for every tag (``by_tag``) and every range of source words (``by_length``) in the file; the
        ranges are those of ``LENGTHS``, which part the file, and ``LONG``.
    """
    rows = read_test(path)
    started = time.perf_counter()
    outputs = model.translate([pair.source for pair, _ in rows])
    seconds = time.perf_counter() - started
    references = [references for _, references in rows]
    tags = [pair.tag for pair, _ in rows]
    words = [len(pair.source.split()) for pair, _ in rows]

    def part(chosen: Sequence[int]) -> dict[str, float]:
        return {"count": len(chosen)} | metrics([outputs[i] for i in chosen], [references[i] for i in chosen])

    by_tag = {tag: [i for i, own in enumerate(tags) if own == tag] for tag in sorted(set(tags) - {""})}
    by_length = {
        range_name(low, high): [i for i, n in enumerate(words) if low <= n <= (high or n)]
        for low, high in (*LENGTHS, LONG)
    }
    return {
        "task": model.entry.task,
        "count": len(rows),
        "seconds": round(seconds, 2),
        "metrics": metrics(outputs, references),
        "by_tag": {tag: part(chosen) for tag, chosen in by_tag.items()},
        "by_length": {name: part(chosen) for name, chosen in by_length.items() if chosen},
    }


def range_name(low: int, high: int | None) -> str:
    """Name a range of lengths: ``6-10``, or ``31+``, which has no end."""
    return f"{low}-{high}" if high else f"{low}+"


def metrics(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Compute corpus BLEU and chrF (sacrebleu's defaults), 0 to 100; a line may have several references."""
    import sacrebleu

    most = max(len(several) for several in references)
    # sacrebleu wants as many references for every line; None stands for a missing one.
    streams = [[several[i] if i < len(several) else None for several in references] for i in range(most)]
    return {
        "bleu": round(sacrebleu.corpus_bleu(outputs, streams).score, 2),  # type: ignore[arg-type]
        "chrf": round(sacrebleu.corpus_chrf(outputs, streams).score, 2),  # type: ignore[arg-type]
    }
