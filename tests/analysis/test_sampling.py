"""Drawing a token: its share by plain numpy, the bytes that are kept, and the work that they save."""

from typing import Any

import numpy as np
import pytest
import torch

from pretrained.analysis import sampling
from pretrained.registry import entry
from pretrained.trace import Candidate
from tests.models import tiny

TEXT, LENGTH = "The cat saw the other cat.", 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny.language_model(entry("gpt-mini"), tmp_path_factory.mktemp("gpt"))


def test_a_drawn_tokens_share_is_worked_out(model: Any) -> None:
    temperature, top_k, top_p = 0.8, 12, 0.9
    trace = model.run(TEXT, length=LENGTH, temperature=temperature, top_k=top_k, top_p=top_p, seed=3)
    with torch.inference_mode():
        logits = model.allowed(model.network(torch.tensor([model.read(TEXT).ids])).logits[0, -1]).double().numpy()
    p = np.exp(logits - logits.max())
    powers = np.sort((p / p.sum()) ** (1 / temperature))[::-1][:top_k]
    shares = powers / powers.sum()
    powers = powers[np.cumsum(shares) - shares < top_p]
    choices = trace.candidates[0]
    found = sampling.worked(choices[sampling.written(choices)], temperature)
    assert len(powers) < top_k
    assert found.total == pytest.approx(powers.sum(), rel=1e-4)
    assert found.power == pytest.approx(found.before ** (1 / temperature))
    assert found.after == pytest.approx(found.power / powers.sum(), rel=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_what_was_drawn_is_marked_once(model: Any, temperature: float) -> None:
    trace = model.run(TEXT, length=LENGTH, temperature=temperature)
    for choices, token in zip(trace.candidates, trace.target_tokens, strict=True):
        assert sum(one.written for one in choices) == 1
        place = sampling.written(choices)
        assert choices[place].token == token
        assert place == 0 or temperature


@pytest.mark.parametrize(("sampled", "temperature"), [(0.0, 1.0), (None, 1.0), (0.5, 0.0)])
def test_what_cannot_be_drawn_cannot_be_worked_out(sampled: float | None, temperature: float) -> None:
    with pytest.raises(ValueError, match="expected a temperature above 0 and a token that was kept"):
        sampling.worked(Candidate("a", 0.5, sampled), temperature)


def test_what_is_kept_has_the_bytes_of_the_formula(model: Any) -> None:
    trace = model.run(TEXT, length=LENGTH)
    n_source, reread = len(trace.source_tokens), 0
    for step in range(LENGTH):
        found = sampling.cache(model, trace, step)
        reread += n_source + step
        assert found.measured == trace.cache_bytes[step] == found.expected == 2 * 2 * (n_source + step) * 8 * 4
        assert (found.read, found.reread) == (n_source + step, reread)
