"""The one list of models.

An entry says what pages choose by; everything measured about a model stands in its ``card.json``. Nothing heavy is
imported here: an architecture is named by its module, and imported when the model is loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Entry:
    """What is known of a model without loading it.

    Attributes:
        name: as in the command line, URLs and ``weights/<name>/``.
        family: ``recurrent``, ``convolutional``, ``attention``.
        task: ``translation en-fr``.
        paper, year: where the architecture comes from.
        architecture: ``module:class`` in ``pretrained.architectures``; its ``Config`` stands in the same module.
        max_tokens: longest source, in pieces, ``</s>`` included.
        cell: ``rnn``, ``lstm``, ``gru`` or none.
        sizes: what differs from the defaults of the architecture's ``Config``.
        attention: kinds of attention maps that a run returns.
        states: kinds of state maps that a run returns.
        positions: how order gets in: ``recurrence`` or ``sinusoidal``.
        summary: one sentence for a reader.
    """

    name: str
    family: str
    task: str
    paper: str
    year: int
    architecture: str
    max_tokens: int
    attention: tuple[str, ...]
    states: tuple[str, ...]
    positions: str
    summary: str
    cell: str | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def folder(self) -> Path:
        """Where the weights are shipped."""
        return WEIGHTS / self.name

    @property
    def finished(self) -> bool:
        """Whether its whole training is done and its weights are shipped; pages show finished models only."""
        return (self.folder / "card.json").is_file() and bool(self.card()["finished"])

    def card(self) -> dict[str, Any]:
        """Read what was measured when the model was trained; raises ``FileNotFoundError``."""
        card: dict[str, Any] = json.loads((self.folder / "card.json").read_text(encoding="utf-8"))
        return card


def _gates(*prefixes: str) -> tuple[str, ...]:
    return tuple(f"{prefix}-{part}" for prefix in prefixes for part in ("hidden", "gate-r", "gate-z", "gate-n"))


ENTRIES = (
    Entry(
        name="gru-seq2seq",
        family="recurrent",
        task="translation en-fr",
        paper="Cho et al. 2014, Learning phrase representations using RNN encoder-decoder; Sutskever et al. 2014",
        year=2014,
        architecture="gru_seq2seq:GRUSeq2Seq",
        max_tokens=64,
        attention=(),
        states=(*_gates("encoder"), "context", *_gates("decoder")),
        positions="recurrence",
        summary="reads the sentence into one vector and writes from that vector alone",
        cell="gru",
    ),
    Entry(
        name="gru-bahdanau",
        family="recurrent",
        task="translation en-fr",
        paper="Bahdanau, Cho and Bengio 2015, Neural machine translation by jointly learning to align and translate",
        year=2015,
        architecture="gru_bahdanau:GRUBahdanau",
        max_tokens=64,
        attention=("alignment",),
        states=_gates("encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="looks back at every source token before it writes the next one",
        cell="gru",
    ),
    Entry(
        name="transformer",
        family="attention",
        task="translation en-fr",
        paper="Vaswani et al. 2017, Attention is all you need",
        year=2017,
        architecture="transformer:Transformer",
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="sinusoidal",
        summary="drops recurrence: every token looks at every token, many times at once",
    ),
)


def entry(name: str) -> Entry:
    """Find a model by name; raises ``ValueError`` naming those that there are."""
    for known in ENTRIES:
        if known.name == name:
            return known
    raise ValueError(f"unknown model {name!r}; expected one of {', '.join(known.name for known in ENTRIES)}")
