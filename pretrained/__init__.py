"""Trained models that translate and show all that they did: ``pretrained.load("transformer").run("I am happy.")``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pretrained.registry import ENTRIES, Entry, entry

if TYPE_CHECKING:
    from pretrained.translation import Translator

__all__ = ["ENTRIES", "Entry", "entry", "load"]


def load(name: str) -> Translator:
    """Load a shipped model.

    Raises:
        ValueError: an unknown name.
        FileNotFoundError: a model that is listed but not shipped yet.
    """
    from pretrained.loading import load_model

    return load_model(entry(name))
