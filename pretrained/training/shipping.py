"""From a finished or interrupted run to ``weights/<model>/``: weights, config, card and golden."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from pretrained import load
from pretrained.training import evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from pretrained.registry import Entry
    from pretrained.trace import Trace
    from pretrained.training.loop import Run
    from pretrained.training.recipes import Recipe
    from pretrained.translation import Translator

MARGIN = 0.05  # probability by which the best candidate must lead at every step of a golden text
GOLDEN_TEXTS = (
    "I am happy.",
    "She likes music.",
    "Where is the station?",
    "The cat is sleeping on the bed.",
    "A man is riding a bicycle down the street.",
    "We have to go home now.",
    "He does not know the answer.",
    "A dog runs on the beach.",
    "Thank you very much.",
    "I love you.",
)


def ship(entry: Entry, run: Run, recipe: Recipe, *, tokenizer: str, folder: Path) -> Translator:
    """Write everything that a shipped model consists of, scores of the shipped (fp16) weights among it."""
    entry.folder.mkdir(parents=True, exist_ok=True)
    config = asdict(run.network.config) | {"tokenizer": tokenizer}  # type: ignore[call-overload]
    write_json(entry.folder / "config.json", config)
    half = {name: tensor.half().contiguous() for name, tensor in run.best_weights.items()}
    safetensors.torch.save_file(half, entry.folder / "model.safetensors")
    model = load(entry.name)
    write_card(entry, model, run, recipe, folder)
    write_json(entry.folder / "golden.json", golden(model))
    return model


def write_card(entry: Entry, model: Translator, run: Run, recipe: Recipe, folder: Path) -> None:
    """Write how the model was trained and how it scores."""
    progress = run.progress
    weights = entry.folder / "model.safetensors"
    write_json(
        entry.folder / "card.json",
        {
            "model": entry.name,
            "paper": entry.paper,
            "data": recipe.facts(folder),
            "schedule": recipe.schedule(),
            "seed": recipe.seed,
            "steps": progress.earlier_steps + progress.steps,
            "target_tokens": progress.earlier_tokens + progress.target_tokens,
            "finished": progress.target_tokens >= recipe.target_tokens,
            "minutes": round(progress.minutes, 1),
            "device": _device(),
            "torch": torch.__version__,
            "parameters": sum(tensor.numel() for tensor in run.best_weights.values()),
            "bytes": weights.stat().st_size,
            "best_valid_loss": round(progress.best, 4) if math.isfinite(progress.best) else None,
            "learning_curve": progress.curve,
            "scores": scores(model, folder),
        },
    )


def scores(model: Translator, folder: Path) -> dict[str, Any]:
    """Score a model on the test split and on its part that no training sentence resembles."""
    files = {"test": "enfr/test.tsv.gz", "test_novel": "enfr/extra/test_novel.tsv.gz"}
    return {name: evaluation.score(model, folder / file) for name, file in files.items()}


def golden(model: Translator, *, most: int = 2) -> dict[str, Any]:
    """Record what the shipped weights give, on texts where no rounding can turn a decision."""
    runs: list[dict[str, Any]] = []
    for text in GOLDEN_TEXTS:
        trace = model.run(text)
        if margin(trace) >= MARGIN and len(runs) < most:
            runs.append(
                {
                    "text": text,
                    "target_tokens": list(trace.target_tokens),
                    "attention": {
                        f"{attended.kind}.{attended.layer}": attended.weights.round(6).astype(float).round(6).tolist()
                        for attended in trace.attention
                    },
                    "states": {
                        f"{states.kind}.{states.layer}": states.values[:, :4].astype(float).round(6).tolist()
                        for states in trace.states
                    },
                }
            )
    return {"margin": MARGIN, "runs": runs}


def margin(trace: Trace) -> float:
    """Give the smallest lead of the best candidate over the second, over all steps."""
    return min(step[0].probability - step[1].probability for step in trace.candidates)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that reads well in a diff: one line for every innermost list."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(_innermost_on_one_line(text) + "\n", encoding="utf-8")


def _innermost_on_one_line(text: str) -> str:
    import re

    return re.sub(r"[\[{][^\[\]{}\"]*[\]}]", lambda found: " ".join(found.group().split()), text)


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads of {platform.machine()}"
