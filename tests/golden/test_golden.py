"""The shipped weights give today what they gave when they were recorded: tokens, attention and states."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pretrained
from pretrained.registry import Entry
from pretrained.trace import Trace
from tests.models.tiny import SHIPPED

TOLERANCE = 1e-4


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_shipped_weights_give_the_recorded_runs(entry: Entry) -> None:
    path = entry.folder / "golden.json"
    assert path.is_file(), f"{entry.name} has no recorded runs: {path} is missing; training writes it"
    golden = json.loads(path.read_text("utf-8"))
    assert golden["runs"], f"{entry.name} has no recorded run in {path}: expected at least one"
    model = pretrained.load(entry.name)
    for recorded in golden["runs"]:
        run: Callable[..., Trace] = model.run
        trace = run(recorded["text"], **recorded.get("options", {}))
        assert list(trace.target_tokens) == recorded["target_tokens"], recorded["text"]
        lead = min(step[0].probability - step[1].probability for step in trace.candidates)
        assert lead > golden["margin"] - TOLERANCE, f"{recorded['text']!r}: rounding could turn a decision"
        compare(recorded["attention"], {f"{a.kind}.{a.layer}": a.weights for a in trace.attention})
        # Of every state the first few units are recorded.
        units = {name: len(rows[0]) for name, rows in recorded["states"].items()}
        states = {f"{s.kind}.{s.layer}": s.values for s in trace.states}
        assert set(units) == set(states)
        compare(recorded["states"], {name: values[:, : units[name]] for name, values in states.items()})


def compare(recorded: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    assert set(recorded) == set(arrays)
    for name, array in arrays.items():
        expected = np.array(recorded[name])
        assert array.size
        assert array.shape == expected.shape, name
        np.testing.assert_allclose(array, expected, atol=TOLERANCE, rtol=0, err_msg=name)
