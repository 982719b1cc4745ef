"""The command line: ``python -m pretrained list | run | score | train``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pretrained.registry import ABLATIONS, ENTRIES, entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.registry import Entry
    from pretrained.trace import Trace

BAD_INPUT = 2


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
                "finished": known.finished,
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
        unfinished = "" if row["finished"] or not row["parameters"] else "  (not finished)"
        print(f"{row['name']:24} {row['task']:20} {row['year']}  {size:22} {attention}{unfinished}")


def run_model(options: argparse.Namespace) -> None:
    """Run one model on one text and print what it wrote, or all of it as JSON."""
    known = entry(options.model)
    import pretrained

    trace = pretrained.load(known.name, checkpoint=options.checkpoint).run(options.text)
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
    """Score one model on a file of pairs, or its attention on a file of gold alignments or of gold trees."""
    known = entry(options.model)
    if options.alignments:
        _score_alignments(known, options)
        return
    if options.relations:
        _score_relations(known, options)
        return
    import pretrained
    from pretrained.training import recipes

    recipe = recipes.RECIPES[known.name]
    recipe.check(options.file)  # a broken file is told before a model is loaded
    result = recipe.score(pretrained.load(known.name), options.file)
    if options.json:
        _print_json(result)
        return
    print(f"{known.name} on {options.file or 'its own test'}: {result['count']} pairs in {result['seconds']} s")
    parts = {"all": result["metrics"]}
    for group in ("by_tag", "by_length", "by_distance"):
        parts |= result.get(group, {})
    for name, part in parts.items():
        figures = "  ".join(f"{metric} {value:6.4g}" for metric, value in part.items() if metric != "count")
        print(f"  {name:12} {figures}  {part.get('count', result['count']):6} pairs")


def _score_alignments(known: Entry, options: argparse.Namespace) -> None:
    import pretrained
    from pretrained.training import alignments

    alignments.expect_attention(known)  # this and a broken file are told before a model is loaded
    alignments.read_gold(options.alignments)
    result = alignments.score(pretrained.load(known.name), options.alignments, folder=options.data)
    if options.json:
        _print_json(result)
        return
    metrics = result["metrics"]
    print(f"{known.name} on {options.alignments}: {result['count']} pairs, read from {_place(result['chosen'])}")
    print(f"  AER {metrics['aer']:.3f}  precision {metrics['precision']:.3f}  recall {metrics['recall']:.3f}")
    for place in result["by_layer_head"]:
        print(f"  {_place(place):36} AER {place['aer']:.3f}")


def _score_relations(known: Entry, options: argparse.Namespace) -> None:
    import pretrained
    from pretrained.training import relations

    relations.expect_attention(known)  # this and a broken file are told before a model is loaded
    relations.read_trees(options.relations)
    result = relations.score(pretrained.load(known.name), options.relations)
    if options.json:
        _print_json(result)
        return
    print(f"{known.name} on {options.relations}: {result['count']} sentences, half to choose on, half to score on")
    for name, found in result["by_relation"].items():
        print(
            f"  {name:10} {found['accuracy']:.3f} by {_place(found)} ({found['direction']})  "
            f"{found['offset_accuracy']:.3f} by offset {found['offset']:+d}  {found['count']:4} dependents"
        )


def _place(place: dict[str, Any]) -> str:
    head = "mean of heads" if place["head"] is None else f"head {place['head']}"
    return f"layer {place['layer']}, {head}" + (", as it is read" if place.get("row") == "read" else "")


def train_model(options: argparse.Namespace) -> None:
    """Train a model, or all that are not trained to the end, going on where the last training stopped."""
    known = None if options.all else entry(options.model)
    from pretrained.training import data, plan

    folder = data.folder(options.data)
    if known is not None:
        _train(known, folder, options.minutes)
        return
    tasks = plan.tasks()
    print("\n".join(map(str, tasks)) or "every model is trained to the end", file=sys.stderr)
    end = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    for number, task in enumerate(tasks):
        left = None if end is None else (end - time.monotonic()) / 60
        if number and left is not None and left <= 0:
            print(f"no time left for {', '.join(task.entry.name for task in tasks[number:])}", file=sys.stderr)
            return
        _train(task.entry, folder, left)


def _train(known: Entry, folder: Path, minutes: float | None) -> None:
    """Train one model and write what is shipped."""
    from pretrained import loading, tokenization
    from pretrained.training import loop, recipes, shipping

    recipe = recipes.RECIPES[known.name]
    if not (tokenization.FOLDER / f"{recipe.tokenizer}.json").is_file():
        recipe.learn_tokenizer(folder)
    network = loading.build(known)
    for name, parameter in network.named_parameters():
        # What belongs to a parent stays as it is.
        parameter.requires_grad = name.startswith(known.own)
    checkpoint = loop.CHECKPOINTS / f"{known.name}.pt"
    start = loop.Progress()
    if not checkpoint.is_file() and (known.folder / "model.safetensors").is_file():
        start = loop.Progress.after(known.card(), recipe)
        network.load_state_dict(loading.read_model(known))
        how = "going on" if start.resumed_step else "warm start"
        print(f"{how} from {known.folder}", file=sys.stderr)
    elif not checkpoint.is_file() and known.parent:
        loading.begin_from_parent(network, known)
        print(f"adapted from {known.parent}", file=sys.stderr)
    run = loop.train(
        network,
        recipe,
        folder=folder,
        checkpoint=checkpoint,
        minutes=minutes,
        start=start,
    )
    if known in ABLATIONS:
        shipping.ship_curve(known, run, recipe, folder=folder)
        seen = f"{run.progress.target_tokens:,} of {recipe.length:,} target tokens"
        print(f"{known.name}: {seen}{', diverged' if run.progress.diverged else ''}: {known.folder / 'card.json'}")
        return
    model = shipping.ship(known, run, recipe, tokenizer=recipe.tokenizer, folder=folder)
    scores = model.entry.card()["scores"]["test"]
    state = "finished" if known.finished else "not finished"
    print(
        f"{known.name}: {run.progress.target_tokens:,} of {recipe.target_tokens:,} target tokens, {state}, "
        f"{scores['metrics']}"
    )


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
    running.add_argument(
        "--checkpoint", type=int, metavar="K", help="as it was at a checkpoint along its training, counted from 0"
    )
    running.set_defaults(command=run_model)

    scoring = commands.add_parser(
        "score", help="score a model on a file of pairs, or its attention on gold alignments or trees"
    )
    scoring.add_argument("model")
    tested = scoring.add_mutually_exclusive_group()
    tested.add_argument(
        "file", type=Path, nargs="?", help="tsv[.gz]: source, target, tag; or jsonl; without it a test that is made up"
    )
    tested.add_argument(
        "--alignments", type=Path, metavar="FILE", help="jsonl[.gz]: two texts, spans of their words, sure and possible"
    )
    tested.add_argument(
        "--relations", type=Path, metavar="FILE", help="conllu[.gz]: sentences whose words have head words"
    )
    scoring.set_defaults(command=score_model)

    training = commands.add_parser("train", help="train a model, or go on training it")
    trained = training.add_mutually_exclusive_group(required=True)
    trained.add_argument("model", nargs="?")
    trained.add_argument("--all", action="store_true", help="every model that is not trained to the end, one by one")
    training.add_argument("--minutes", type=float, help="stop after so many minutes in all, ready to go on")
    training.set_defaults(command=train_model)

    for command in (scoring, training):
        command.add_argument("--data", type=Path, help="the data folder; else LOOKBACK_DATA, else data/")
    for command in (listing, running, scoring):
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
