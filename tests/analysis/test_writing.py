"""The probability of an output and of its end, against the run and against a teacher-forced pass."""

import numpy as np
import pytest
import torch

from pretrained import entry
from pretrained.analysis.writing import end_probabilities, lengths, probability_so_far
from pretrained.tokenization import END, START
from pretrained.translation import Translator, forbid_specials
from tests.models import tiny

TEXT = "I am happy and you are not."


@pytest.fixture(params=[-60.0, 60.0], ids=["goes on", "ends at once"])
def model(request: pytest.FixtureRequest) -> Translator:
    made = tiny.translator(entry("gru-seq2seq"))
    tiny.favour_end(made, request.param)
    return made


def test_the_last_product_is_the_probability_of_the_output(model: Translator) -> None:
    trace = model.run(TEXT)
    found = probability_so_far(trace)
    assert len(found) == len(trace.target_tokens)
    assert np.log(found[-1]) == pytest.approx(trace.log_probability, abs=1e-4)
    assert (np.diff(found) <= 0).all()


def test_the_end_is_as_likely_as_in_a_pass_over_the_whole_output(model: Translator) -> None:
    ids = model.read(TEXT).ids
    with torch.inference_mode():
        written, _, _ = model.greedy(model.network.encode(torch.tensor([ids])), 2 * len(ids) + 10)
        logits = model.network.forward(torch.tensor([ids]), torch.tensor([[START, *written[:-1]]])).logits[0]
        expected = torch.softmax(forbid_specials(logits), -1)[:, END]
    np.testing.assert_allclose(end_probabilities(model, TEXT), expected.numpy(), atol=1e-6)


def test_lengths_are_those_of_the_runs(model: Translator) -> None:
    (found,), trace = lengths(model, TEXT), model.run(TEXT)
    assert (found.read, found.written) == (len(trace.source_tokens), len(trace.target_tokens))
    assert found.ended == (found.written == 1), "one of them ends at once, the other is cut off"
