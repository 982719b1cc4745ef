"""How likely a model holds a text: the sum of its own steps, whoever wrote it."""

from typing import cast

import pytest

import pretrained
from pretrained import entry
from pretrained.analysis import scoring
from pretrained.translation import Translator
from tests.models import tiny


@pytest.mark.parametrize("name", ["gru-seq2seq", "gru-bahdanau", "transformer"])
def test_its_own_output_is_as_likely_as_its_trace_says(name: str) -> None:
    model = cast("Translator", pretrained.load(name))
    trace = model.run("I am happy.")
    (found,) = scoring.log_probabilities(model, "I am happy.", trace.output)
    assert found == pytest.approx(trace.log_probability, abs=1e-4)


def test_outputs_are_scored_by_themselves() -> None:
    model = tiny.translator(entry("gru-bahdanau"))
    outputs = ("Je suis heureux.", "", "Non")
    together = scoring.log_probabilities(model, "I am happy.", *outputs)
    alone = [scoring.log_probabilities(model, "I am happy.", output)[0] for output in outputs]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 3
    assert max(together) < 0


@pytest.mark.parametrize(("ahead", "behind", "by"), [([-1, -2], [-3], 1.5), ([-2], [-1], -1), ([-1], [-1.00001], 0)])
def test_the_lead_is_the_difference_of_means(ahead: list[float], behind: list[float], by: float) -> None:
    assert scoring.lead(ahead, behind) == by
