"""Every cached function of the app: models are loaded once, a run on a text is kept for whoever asks again."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

if TYPE_CHECKING:
    from pretrained.beam import Beam
    from pretrained.intervention import Intervention
    from pretrained.model import Model
    from pretrained.trace import Trace
    from pretrained.translation import Translator

KEPT_RUNS = 128  # a trace of 64 tokens is about 2 MB, one of a long continued text several times that


@st.cache_resource(show_spinner=False)
def load(name: str, checkpoint: int | None = None) -> Model:
    """Load a model once for all readers, or one of the checkpoints along its training.

    Torch is imported here, by the first page that needs it.
    """
    import torch

    import pretrained

    # These models are small: a second thread costs more in waiting than it brings, and readers share the cores.
    torch.set_num_threads(1)
    model = pretrained.load(name, checkpoint=checkpoint)
    # The first pass of a process pays for torch's own start, which is not what a reader's sentence costs.
    with contextlib.suppress(ValueError):  # a model may have no use for a sentence
        model.run("Hello.")
    # What is loaded stays: without this every collection walks through all of torch.
    gc.freeze()
    return model


@st.cache_resource(max_entries=KEPT_RUNS, show_spinner=False)
def run(
    name: str,
    text: str,
    interventions: tuple[Intervention, ...] = (),
    *,
    checkpoint: int | None = None,
    **options: float,
) -> Trace:
    """Run a model on a text, with these changes, or a checkpoint of it; the trace is frozen, so readers may share it.

    The options are those of the model's own ``run``, as the temperature of a language model is.

    Raises:
        TextError: a text that the model cannot read.
        ValueError: an intervention that the model does not know, or at a place that it does not have.
    """
    model: Any = load(name) if checkpoint is None else load(name, checkpoint)
    trace: Trace = model.run(text, interventions=interventions, **options)
    return trace


@st.cache_resource(max_entries=KEPT_RUNS, show_spinner=False)
def beam(name: str, text: str, width: int, *, by_length: bool) -> Beam:
    """Run a beam search on a text.

    Raises:
        TextError: a text that the model cannot read.
    """
    from pretrained.beam import search

    return search(cast("Translator", load(name)), text, width=width, by_length=by_length)


@st.cache_data(show_spinner=False)
def card(name: str) -> dict[str, Any]:
    """Read what was measured when a model was trained."""
    import pretrained

    return pretrained.entry(name).card()
