"""What a full run costs over the bare work: the same greedy steps, with nothing recorded."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch

import pretrained
from pretrained.tokenization import END, START
from pretrained.translation import forbid_specials, longest_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from pretrained.model import Model

TEXT = "The old man gave the children a book about animals."
REPEATS = 60


@torch.inference_mode()
def bare(model: Model, text: str) -> list[tuple[Tensor, ...]]:
    """Translate with a cached greedy loop that keeps attention weights and nothing else."""
    ids = model.tokenizer.encode(text).ids
    encoding = model.network.encode(torch.tensor([ids]))
    state = model.network.start(encoding)
    token = START
    kept: list[tuple[Tensor, ...]] = []
    while token != END and len(kept) < longest_output(len(ids)):
        step = model.network.step(torch.tensor([token]), state, encoding)
        token, state = int(forbid_specials(step.logits)[0].argmax()), step.state
        kept.append(step.weights)
    return kept


def alternate(one: Callable[[], object], other: Callable[[], object], repeats: int) -> tuple[list[float], list[float]]:
    """Time two functions in turn, in milliseconds, so that a machine that slows down slows both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, kept in zip((one, other), times, strict=True):
            started = time.perf_counter()
            function()
            kept.append(1000 * (time.perf_counter() - started))
    return times


def report() -> Iterator[str]:
    """Yield a line a model: full run against bare loop, medians over warm repeats on one thread."""
    torch.set_num_threads(1)
    for entry in pretrained.ENTRIES:
        if not entry.finished or not entry.task.startswith("translation"):
            continue
        model = pretrained.load(entry.name)
        trace = model.run(TEXT)
        full, base = alternate(lambda: model.run(TEXT), lambda: bare(model, TEXT), REPEATS)  # noqa: B023
        ratio = statistics.median(a / b for a, b in zip(full, base, strict=True))
        read, written = len(trace.source_tokens), len(trace.target_tokens)
        yield (
            f"run / bare loop  {entry.name:14} {read} tokens read, {written} written:"
            f" {statistics.median(full):6.1f} ms / {statistics.median(base):6.1f} ms = {ratio:.2f}"
        )
