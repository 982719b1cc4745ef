"""Trained models that translate and show all that they did: ``pretrained.load("transformer").run("I am happy.")``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pretrained.registry import ENTRIES, Entry, entry

if TYPE_CHECKING:
    from pretrained.model import Model

__all__ = ["ENTRIES", "Entry", "entry", "load"]


def load(name: str, *, checkpoint: int | None = None) -> Model:
    """Load a shipped model, or one of the checkpoints along its training, counted from 0.

    Raises:
        ValueError: an unknown name, or a checkpoint that is not there.
        FileNotFoundError: a model that is listed but not shipped yet.
    """
    from pretrained.loading import load_model

    return load_model(entry(name), checkpoint=checkpoint)
