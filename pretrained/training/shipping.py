"""From a finished or interrupted run to ``weights/<model>/``: weights, config, card and golden."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from pretrained import load, loading, registry, tokenization
from pretrained.training import alignments, evaluation, language, relations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pretrained.model import Model
    from pretrained.registry import Entry
    from pretrained.trace import Trace
    from pretrained.training.data import Pair
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
TESTS = {"test": "enfr/test.tsv.gz", "test_novel": "enfr/extra/test_novel.tsv.gz"}
# Raw captions that others report too, and conversation with all of its references; scored where the data has them.
STANDARD_TESTS = {
    "tatoeba_multiref": "enfr/extra/tatoeba_test_multiref.jsonl",
    "multi30k_test2016": "enfr/extra/multi30k_test2016.tsv.gz",
    "multi30k_test2017": "enfr/extra/multi30k_test2017.tsv.gz",
}


def ship(entry: Entry, run: Run, recipe: Recipe, *, tokenizer: str, folder: Path) -> Model:
    """Write everything that a shipped model consists of, scores of the shipped (fp16) weights among it.

    Raises:
        ValueError: a run without weights worth keeping, or one that began from another parent.
    """
    if not run.best_weights:
        raise ValueError(f"{entry.name} has nothing to ship: its loss was no number at its first validation")
    inherited = loading.inherited(entry)
    if not all(torch.equal(tensor, run.best_weights[name]) for name, tensor in inherited.items()):
        raise ValueError(f"{entry.name}: its run began from another {entry.parent} than is shipped now")
    entry.folder.mkdir(parents=True, exist_ok=True)
    if entry.is_hugging_face:
        run.network.load_state_dict(run.best_weights)
        language.write_folder(run.network, tokenization.FOLDER / f"{tokenizer}.json", entry.folder)
    else:
        config = asdict(run.network.config) | {"tokenizer": tokenizer}  # type: ignore[call-overload]
        write_json(entry.folder / "config.json", config)
        own = {name: tensor for name, tensor in run.best_weights.items() if name not in inherited}
        save_half(own, entry.folder / "model.safetensors")
    if run.snapshots:
        parts = {f"{seen}/{name}": part for seen, kept in run.snapshots.items() for name, part in kept.items()}
        save_half(parts, entry.folder / loading.CHECKPOINTS)
    model = load(entry.name)
    write_card(entry, model, run, recipe, folder)
    write_json(entry.folder / "golden.json", golden(model, recipe))
    return model


def save_half(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a weights file in half precision."""
    safetensors.torch.save_file({name: part.half().contiguous() for name, part in weights.items()}, path)


def ship_curve(entry: Entry, run: Run, recipe: Recipe, *, folder: Path) -> None:
    """Write the card alone, of a model that is trained for its learning curve; a run that diverged is finished too."""
    entry.folder.mkdir(parents=True, exist_ok=True)
    progress = run.progress
    write_json(
        entry.folder / "card.json",
        {
            **training_facts(entry, run, recipe, folder),
            "finished": progress.diverged or progress.target_tokens >= recipe.length,
            "diverged": progress.diverged,
            "learning_curve": progress.curve,
        },
    )


def write_card(entry: Entry, model: Model, run: Run, recipe: Recipe, folder: Path) -> None:
    """Write how the model was trained and how it scores; finished is what saw all its tokens and scores well enough."""
    progress = run.progress
    weights = entry.folder / "model.safetensors"
    measured = recipe.measure(model, folder)
    write_json(
        entry.folder / "card.json",
        {
            **training_facts(entry, run, recipe, folder),
            "finished": progress.target_tokens >= recipe.length and recipe.good_enough(measured["scores"]),
            **parent_facts(entry, run),
            "bytes": weights.stat().st_size,
            "learning_curve": progress.curve,
            **measured,
            **checkpoints(entry, run, recipe),
        },
    )


def training_facts(entry: Entry, run: Run, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Tell how a model was trained."""
    progress = run.progress
    return {
        "model": entry.name,
        "paper": entry.paper,
        "data": recipe.facts(folder),
        "schedule": recipe.schedule(),
        "seed": recipe.seed,
        "steps": progress.earlier_steps + progress.steps,
        "target_tokens": progress.earlier_tokens + progress.target_tokens,
        **({"earlier_target_tokens": progress.earlier_tokens} if progress.earlier_tokens else {}),
        "minutes": round(progress.minutes, 1),
        "device": _device(),
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in run.network.parameters()),
        "best_valid_loss": round(progress.best, 4) if math.isfinite(progress.best) else None,
    }


def parent_facts(entry: Entry, run: Run) -> dict[str, Any]:
    """Tell what an adapted model was adapted from, and how many parameters were; nothing without a parent."""
    if entry.parent is None:
        return {}
    return {
        "parent": entry.parent,
        "parent_target_tokens": registry.entry(entry.parent).card()["target_tokens"],
        "adapted_parameters": sum(part.numel() for part in run.network.parameters() if part.requires_grad),
    }


def scores(model: Translator, folder: Path) -> dict[str, Any]:
    """Score a model on the test split, on its part that no training sentence resembles, and on the standard sets."""
    found = {name: file for name, file in STANDARD_TESTS.items() if (folder / file).is_file()}
    return {name: evaluation.score(model, folder / file) for name, file in (TESTS | found).items()}


def alignment(model: Translator, folder: Path, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Tell ``alignment``, if the model looks at its source and the data has gold links; else nothing.

    ``pairs`` are those that the model was trained on: IBM model 1 learns from the same.
    """
    gold = all((folder / file).is_file() for file in (alignments.DEV, alignments.TEST))
    looks = set(alignments.KINDS) & set(model.entry.attention)
    return {"alignment": alignments.for_card(model, folder, pairs)} if gold and looks else {}


def syntax(model: Translator, folder: Path) -> dict[str, Any]:
    """Tell ``relations``, if source tokens look at each other and the data has gold trees; else nothing."""
    looks = relations.KIND in model.entry.attention and not model.entry.parent
    gold = (folder / relations.FILE).is_file()
    return {"relations": relations.score(model, folder / relations.FILE)} if gold and looks else {}


def checkpoints(entry: Entry, run: Run, recipe: Recipe) -> dict[str, Any]:
    """Tell how a model scored at every checkpoint along its training, itself last; nothing if it has none."""
    path = entry.folder / loading.CHECKPOINTS
    if not path.is_file():
        return {}
    seen = sorted({int(name.split("/")[0]) for name in safetensors.torch.load_file(path)})
    seen.append(run.progress.earlier_tokens + run.progress.target_tokens)
    metrics = (recipe.score(load(entry.name, checkpoint=k), None)["metrics"] for k in range(len(seen)))
    return {"checkpoints": [{"target_tokens": n, **scored} for n, scored in zip(seen, metrics, strict=True)]}


def golden(model: Model, recipe: Recipe, *, most: int = 2) -> dict[str, Any]:
    """Record what the shipped weights give, on texts where no rounding can turn a decision."""
    run: Callable[..., Trace] = model.run
    runs: list[dict[str, Any]] = []
    for text in recipe.golden_texts:
        trace = run(text, **recipe.golden_options)
        if margin(trace) >= MARGIN and len(runs) < most:
            runs.append(
                {
                    "text": text,
                    "options": dict(recipe.golden_options),
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
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(_innermost_on_one_line(text) + "\n", encoding="utf-8")


def _innermost_on_one_line(text: str) -> str:
    import re

    return re.sub(r"[\[{][^\[\]{}\"]*[\]}]", lambda found: " ".join(found.group().split()), text)


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads of {platform.machine()}"
