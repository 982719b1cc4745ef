"""The command line: ``python -m pretrained list | run | score | train``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pretrained.registry import ENTRIES, entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.trace import Trace

BAD_INPUT = 2
TOKENIZER = "enfr"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input is one line on standard error and status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, OSError) as error:
        print(f"pretrained: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    return 0


def list_models(options: argparse.Namespace) -> None:
    """Print every model with its facts."""
    rows: list[dict[str, Any]] = []
    for known in ENTRIES:
        card = known.card() if (known.folder / "card.json").is_file() else {}
        rows.append(
            {
                "name": known.name,
                "family": known.family,
                "task": known.task,
                "paper": known.paper,
                "year": known.year,
                "parameters": card.get("parameters"),
                "bytes": card.get("bytes"),
                "max_tokens": known.max_tokens,
                "attention": list(known.attention),
                "states": list(known.states),
            }
        )
    if options.json:
        _print_json(rows)
        return
    for row in rows:
        size = f"{row['parameters']:,} parameters" if row["parameters"] else "not trained yet"
        attention = ", ".join(row["attention"]) or "no attention"
        print(f"{row['name']:16} {row['task']:20} {row['year']}  {size:22} {attention}")


def run_model(options: argparse.Namespace) -> None:
    """Run one model on one text and print what it wrote, or all of it as JSON."""
    known = entry(options.model)
    import pretrained

    trace = pretrained.load(known.name).run(options.text)
    if options.npz:
        import numpy as np

        # Given a name, numpy would append .npz to it.
        with options.npz.open("wb") as file:
            np.savez(file, **trace.arrays())  # type: ignore[arg-type]
    if trace.unknown:
        print(f"read as unknown: {' '.join(map(repr, trace.unknown))}", file=sys.stderr)
    if options.json:
        _print_json(_describe(trace))
    else:
        print(trace.output)


def score_model(options: argparse.Namespace) -> None:
    """Score one model on a file of pairs."""
    known = entry(options.model)
    import pretrained
    from pretrained.training import evaluation

    evaluation.read_test(options.file)  # a broken file is told before a model is loaded
    result = evaluation.score(pretrained.load(known.name), options.file)
    if options.json:
        _print_json(result)
        return
    print(f"{known.name} on {options.file}: {result['count']} pairs in {result['seconds']} s")
    for name, part in {"all": result["metrics"], **result["by_tag"], **result["by_length"]}.items():
        count = part.get("count", result["count"])
        print(f"  {name:12} chrF {part['chrf']:5.1f}  BLEU {part['bleu']:5.1f}  {count:6} pairs")


def train_model(options: argparse.Namespace) -> None:
    """Train a model, or go on where its last training stopped, and write what is shipped."""
    known = entry(options.model)
    from pretrained import loading, tokenization
    from pretrained.training import data, loop, recipes, shipping

    folder = data.folder(options.data)
    recipe = recipes.RECIPES[known.name]
    if not (tokenization.FOLDER / f"{TOKENIZER}.json").is_file():
        recipes.train_tokenizer(TOKENIZER, folder)
    network = loading.build(known)
    checkpoint = loop.CHECKPOINTS / f"{known.name}.pt"
    start = loop.Progress()
    if not checkpoint.is_file() and (known.folder / "model.safetensors").is_file():
        start = loop.Progress.after(known.card())
        network.load_state_dict(loading.read_weights(known.folder / "model.safetensors"))
        print(f"warm start from {known.folder}", file=sys.stderr)
    run = loop.train(
        network,
        recipe,
        folder=folder,
        checkpoint=checkpoint,
        minutes=options.minutes,
        start=start,
    )
    model = shipping.ship(known, run, recipe, tokenizer=recipe.tokenizer, folder=folder)
    scores = model.entry.card()["scores"]["test"]
    print(f"{known.name}: {run.progress.target_tokens:,} of {recipe.target_tokens:,} target tokens, {scores['by_tag']}")


def _describe(trace: Trace) -> dict[str, Any]:
    return {
        "model": trace.model,
        "text": trace.text,
        "source_tokens": trace.source_tokens,
        "target_tokens": trace.target_tokens,
        "output": trace.output,
        "attention": [
            {
                "kind": attended.kind,
                "layer": attended.layer,
                "heads": attended.n_heads,
                "queries": len(attended.query_tokens),
                "keys": len(attended.key_tokens),
            }
            for attended in trace.attention
        ],
        "states": [
            {"kind": states.kind, "layer": states.layer, "tokens": len(states.tokens), "units": states.values.shape[1]}
            for states in trace.states
        ],
        "candidates": [
            [{"token": candidate.token, "probability": candidate.probability} for candidate in step]
            for step in trace.candidates
        ],
        "milliseconds": trace.milliseconds,
    }


def _print_json(content: object) -> None:
    print(json.dumps(content, ensure_ascii=False, allow_nan=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pretrained", description="Run, score and train the shipped models."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    listing = commands.add_parser("list", help="list the models")
    listing.set_defaults(command=list_models)

    running = commands.add_parser("run", help="run a model on a text")
    running.add_argument("model")
    running.add_argument("text")
    running.add_argument(
        "--npz", type=Path, metavar="FILE", help="write all arrays, named kind.layer, [head, query, key]"
    )
    running.set_defaults(command=run_model)

    scoring = commands.add_parser("score", help="score a model on a file of pairs")
    scoring.add_argument("model")
    scoring.add_argument("file", type=Path, help="tsv[.gz]: source, target, tag; or jsonl: en, refs")
    scoring.set_defaults(command=score_model)

    training = commands.add_parser("train", help="train a model, or go on training it")
    training.add_argument("model")
    training.add_argument("--minutes", type=float, help="stop after so many minutes, ready to go on")
    training.add_argument("--data", type=Path, help="the data folder; else LOOKBACK_DATA, else data/")
    training.set_defaults(command=train_model)

    for command in (listing, running, scoring):
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
