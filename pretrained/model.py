"""What every model that reads text has in common: its parts, and how it refuses what it cannot read.

Nothing of a run stays on a model, so one model serves many readers at once.
"""

from __future__ import annotations

import abc
import unicodedata
from typing import TYPE_CHECKING, Any

from pretrained.tokenization import END, UNKNOWN, Pieces, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from pretrained.intervention import Intervention
    from pretrained.registry import Entry
    from pretrained.trace import Trace


class TextError(ValueError):
    """A text that a model cannot read, with a reason that can be shown to whoever typed it."""


class Model(abc.ABC):
    """A loaded network and its tokenizer."""

    def __init__(self, entry: Entry, network: Any, tokenizer: Tokenizer, load_milliseconds: float) -> None:
        """Take a network in evaluation mode."""
        self.entry = entry
        self.network = network
        self.tokenizer = tokenizer
        self._load_milliseconds = load_milliseconds

    @abc.abstractmethod
    def run(self, text: str, *, interventions: Sequence[Intervention] = ()) -> Trace:
        """Read a text and return all that the model did.

        Args:
            text: what is read.
            interventions: what is changed in this run.

        Raises:
            TextError: a text that the model cannot read.
            ValueError: an intervention that this model does not know, or at a place that it does not have.
        """

    def refuse(self, interventions: Sequence[Intervention]) -> None:
        """Raise ``ValueError`` for any intervention: what a model does that knows none."""
        if interventions:
            raise ValueError(f"{self.entry.name}: expected no intervention, as it knows none, got {interventions[0]}")

    def cut(self, text: str) -> Pieces:
        """Cut a text into pieces, ``</s>`` at the end."""
        return self.tokenizer.encode(text)

    def read(self, text: str) -> Pieces:
        """Cut a text into the pieces that the model will read.

        Raises:
            TextError: empty, too long, or without a single known character.
        """
        if not text.strip():
            raise TextError("expected a sentence, got an empty text")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise TextError("expected a sentence, got bytes that are no text: half of a surrogate pair")
        pieces = self.cut(text)
        if len(pieces.ids) == 1:
            raise TextError("expected a sentence, got a text without a visible character")
        if len(pieces.ids) > self.entry.max_tokens:
            raise TextError(
                f"expected at most {self.entry.max_tokens} tokens (</s> included), got {len(pieces.ids)}: "
                f"{self.entry.name} was trained on texts no longer than that"
            )
        if not any(character.isalnum() for index, label in zip(pieces.ids, pieces.labels, strict=True)
                   if index not in (UNKNOWN, END) for character in label):  # fmt: skip
            raise TextError(
                "expected English in the Latin alphabet, got nothing that the model knows: "
                + ", ".join(_name(character) for character in unknown_characters(pieces) or tuple(text.strip())[:5])
            )
        return pieces


def unknown_characters(pieces: Pieces) -> tuple[str, ...]:
    """List the characters that the tokenizer has never seen, each once, in their order."""
    return tuple(
        dict.fromkeys(label for index, label in zip(pieces.ids, pieces.labels, strict=True) if index == UNKNOWN)
    )


def as_array(tensor: Tensor) -> NDArray[np.float32]:
    """Copy a tensor out of inference mode into memory of its own."""
    array: NDArray[np.float32] = tensor.float().contiguous().numpy().copy()
    return array


def _name(character: str) -> str:
    """Show a character, and its number where it cannot be seen."""
    hidden = any(unicodedata.category(part)[0] in "CZ" for part in character)
    return " ".join(f"U+{ord(part):04X}" for part in character) if hidden else character
