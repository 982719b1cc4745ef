"""Figures that are measured in front of the reader: when, on what, by which function, and once more if asked."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from streamlit.delta_generator import DeltaGenerator

KEPT = 1024  # the page of claims asks for some twenty with every sentence


@dataclass(frozen=True)
class Measured:
    """What a measurement gave.

    Attributes:
        value: what the function returned.
        function: its full name.
        when: local time, as a reader writes it.
        seconds: how long it took.
    """

    value: Any
    function: str
    when: str
    seconds: float


@dataclass
class Slot:
    """Where a result is kept for all readers; empty until it was measured."""

    result: Measured | None = None


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _slot(function: str, arguments: tuple[Hashable, ...]) -> Slot:  # noqa: ARG001 the cache's key
    return Slot()


def measured(
    function: Callable[..., Any],
    models: tuple[str, ...],
    *arguments: Hashable,
    key: str,
    what: str = "this sentence",
) -> Measured:
    """Measure at once what takes no longer than a reader's glance, and say below it when and how.

    Args:
        function: a function of ``pretrained.analysis`` that is given the loaded models, then the arguments.
        models: their names.
        arguments: what else the result depends on.
        key: the widget key of the button that measures again.
        what: on what it is measured, in words of our own.
    """
    slot = _slot(_name(function), (*models, *arguments))
    if slot.result is None:
        slot.result = _run(function, models, arguments)
    _stamp(slot, key, what)
    return slot.result


def measured_on_request(
    function: Callable[..., Iterator[float]],
    models: tuple[str, ...],
    *arguments: Hashable,
    key: str,
    label: str,
    what: str = "this sentence",
) -> Measured | None:
    """Measure what takes long only when asked: a button, progress, a way to stop it; then as ``measured``.

    The function is a generator: it yields the share that is done, 0 to 1, and returns its result. Streamlit ends a run
    at the next element drawn once a reader clicks anything: that is what stops it.
    """
    slot = _slot(_name(function), (*models, *arguments))
    place = st.empty()
    if slot.result is None:
        if not place.button(label, key=f"{key}-start", icon=":material/timer:"):
            return None
        bar = _progress(place, label, key)
        slot.result = _run(function, models, arguments, bar.progress)
        place.empty()
    _stamp(slot, key, what)
    return slot.result


def kept(function: Callable[..., Any], models: tuple[str, ...], *arguments: Hashable) -> Measured | None:
    """Give what was measured already, wherever that was; nothing is measured for it."""
    return _slot(_name(function), (*models, *arguments)).result


@dataclass(frozen=True)
class Request:
    """What ``measured`` and ``measured_on_request`` are given; the title is what a reader sees while it is measured."""

    title: str
    function: Callable[..., Any]
    models: tuple[str, ...]
    arguments: tuple[Hashable, ...]


def all_on_request(requests: Sequence[Request], *, key: str, label: str) -> None:
    """Measure all that is not measured yet, one after the other, when asked; what was done before a stop is kept."""
    place = st.empty()
    if all(kept(one.function, one.models, *one.arguments) for one in requests):
        return
    if not place.button(label, key=f"{key}-start", icon=":material/timer:"):
        return
    bar = _progress(place, label, key)
    for done, one in enumerate(requests):
        slot = _slot(_name(one.function), (*one.models, *one.arguments))

        def show(share: float, done: int = done, title: str = one.title) -> None:
            bar.progress((done + share) / len(requests), text=title)

        show(0.0)
        if slot.result is None:
            slot.result = _run(one.function, one.models, one.arguments, show)
    place.empty()


def _progress(place: DeltaGenerator, label: str, key: str) -> DeltaGenerator:
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text=label)
        st.button("Stop", key=f"{key}-stop", icon=":material/stop:")
    return bar


def _stamp(slot: Slot, key: str, what: str) -> None:
    result = slot.result
    if result is None:
        raise AssertionError("nothing was measured yet")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Measured at {result.when} on {what}, in {result.seconds * 1000:,.0f} ms, by `{result.function}`.",
            width="content",
        )
        st.button("Measure again", key=f"{key}-again", on_click=_forget, args=(slot,), icon=":material/refresh:")


def _forget(slot: Slot) -> None:
    slot.result = None


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _run(
    function: Callable[..., Any],
    models: tuple[str, ...],
    arguments: tuple[Hashable, ...],
    show: Callable[[float], object] | None = None,
) -> Measured:
    loaded = [runs.load(name) for name in models]
    started = time.perf_counter()
    value = function(*loaded, *arguments)
    if isinstance(value, Generator):
        value = _exhausted(value, show)
    return Measured(value, _name(function), time.strftime("%H:%M:%S"), time.perf_counter() - started)


def _exhausted(steps: Generator[float, None, Any], show: Callable[[float], object] | None) -> Any:
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        if show is not None:
            show(share)
