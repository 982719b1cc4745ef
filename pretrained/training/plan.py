"""What ``train --all`` has before it: every model with target tokens to go, in the registry's order, parents first."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pretrained import registry
from pretrained.training import loop, recipes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.registry import Entry


@dataclass(frozen=True)
class Task:
    """A model to train.

    Attributes:
        entry: the model.
        target_tokens: those to go, which are all of them where no checkpoint is left; 0 where only shipping is.
        minutes: how long they may take, by what the model's card says of its own training, or else the cards of the
            others do; none without a card.
    """

    entry: Entry
    target_tokens: int
    minutes: float | None

    def __str__(self) -> str:
        """Tell name, tokens and minutes."""
        time = "" if self.minutes is None else f", about {self.minutes:.0f} minutes"
        return f"{self.entry.name}: {self.target_tokens / 1e6:.1f} M target tokens to go{time}"


def tasks() -> list[Task]:
    """List what is not trained to the end, or trained and not shipped; what is, is left alone whatever its scores."""
    entries = (*registry.ENTRIES, *registry.ABLATIONS)
    cards = {known.name: known.card() for known in entries if (known.folder / "card.json").is_file()}
    paces = {name: card["minutes"] / card["target_tokens"] for name, card in cards.items()}
    usual = statistics.median(paces.values()) if paces else None
    found = []
    for known in parents_first(entries):
        recipe, card = recipes.RECIPES[known.name], cards.get(known.name, {})
        checkpoint = loop.CHECKPOINTS / f"{known.name}.pt"
        shipped = loop.Progress(**{part: card[part] for part in ("target_tokens", "diverged") if part in card})
        unshipped = shipped.to_go(recipe.length)
        run = loop.Progress()
        if checkpoint.is_file():
            run = loop.Progress.saved_in(checkpoint)
        elif not unshipped:
            run = shipped
        elif (known.folder / "model.safetensors").is_file():
            run = loop.Progress.after(card, recipe)
        left = run.to_go(recipe.length)
        if left or unshipped:
            pace = paces.get(known.name, usual)
            found.append(Task(known, left, None if pace is None else pace * left))
    return found


def parents_first(entries: Sequence[Entry]) -> list[Entry]:
    """Keep an order, but move a model before those that are adapted from it."""
    known = {entry.name: entry for entry in entries}
    found: dict[str, Entry] = {}

    def take(entry: Entry) -> None:
        if entry.parent in known:
            take(known[entry.parent])
        found.setdefault(entry.name, entry)

    for entry in entries:
        take(entry)
    return list(found.values())
