"""A cold start, part by part, each in a process of its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 5
PARTS = {
    "python": "pass",
    "import streamlit": "import streamlit",
    "import torch": "import torch",
    "import torch, load every finished model": (
        "import pretrained; [pretrained.load(entry.name) for entry in pretrained.ENTRIES if entry.finished]"
    ),
    "the same, and one sentence through each translator": (
        "import pretrained;"
        "models = [pretrained.load(entry.name) for entry in pretrained.ENTRIES if entry.finished];"
        "[model.run('I am happy.') for model in models if model.entry.task.startswith('translation')]"
    ),
}


def report() -> Iterator[str]:
    """Yield a line a part: median seconds of a fresh process, and its multiple of an empty one."""
    import time

    empty = 0.0
    for name, code in PARTS.items():
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds.append(time.perf_counter() - started)
        median = statistics.median(seconds)
        empty = empty or median
        yield f"cold start       {name:40} {median:5.2f} s = {median / empty:.0f} x an empty process"
