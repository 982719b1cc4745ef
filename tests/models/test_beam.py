"""A beam one wide is greedy, every hypothesis is as likely as scoring it says, and a beam of all finds the best."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from pretrained import beam
from pretrained.model import TextError
from pretrained.registry import ENTRIES, entry
from pretrained.tokenization import END, START
from pretrained.translation import Translator, forbid_specials, longest_output
from tests.models import tiny

TEXTS = ["I am happy.", "Go!", "The cat that we saw is sleeping again."]
# A few pieces that start words, as many as can be gone through in every order.
PIECES = 4


@pytest.fixture
def ending(model: Translator) -> Translator:
    """A model whose outputs are of several lengths."""
    ids = model.tokenizer.encode(TEXTS[0]).ids
    _, _, logits = model.greedy(model.network.encode(torch.tensor([ids])), longest_output(len(ids)))
    tiny.favour_end(model, min(float(step.max() - step[END]) for step in logits[1:]) + 0.05)
    return model


def log_probability(model: Translator, text: str, ids: list[int]) -> float:
    """Of a whole output, by decoding it whatever the model would rather write."""
    source, read = torch.tensor([model.read(text).ids]), torch.tensor([[START, *ids[:-1]]])
    log_p = forbid_specials(model.network.forward(source, read).logits[0]).log_softmax(-1)
    return float(log_p[torch.arange(len(ids)), torch.tensor(ids)].sum())


def spelled(model: Translator, found: beam.Beam, hypothesis: beam.Hypothesis) -> list[int]:
    """The pieces of a hypothesis; the tokenizer of these tests gives every label one piece."""
    labels = {model.tokenizer.decode([index]).labels[0]: index for index in allowed(model)}
    return [labels[found.nodes[node].token] for node in beam.path_to(found.nodes, hypothesis.node)]


def allowed(model: Translator) -> list[int]:
    """``</s>`` and the first few pieces of several letters, no two of which look the same."""
    words: dict[str, int] = {}
    for index in range(300, len(model.tokenizer)):
        words.setdefault(model.tokenizer.decode([index]).labels[0].strip(), index)
    return [END, *list(words.values())[: PIECES - 1]]


def unsure(model: Translator) -> Translator:
    """Let a model know a few pieces only, none of which it is sure of: a beam grows from all of its hypotheses then."""
    network: Any = model.network
    pieces = allowed(model)
    network.output_bias[:] = -torch.inf
    network.output_bias[pieces] = 0
    network.output_bias[END] = -1
    network.embedding.weight[pieces] *= 0.2
    return model


@pytest.fixture(params=["gru-seq2seq", "gru-luong", "conv-seq2seq", "transformer"])
def few(request: pytest.FixtureRequest) -> Translator:
    return unsure(tiny.translator(entry(request.param)))


@pytest.mark.parametrize("text", TEXTS)
def test_a_beam_one_wide_is_greedy(ending: Translator, text: str) -> None:
    trace = ending.run(text)
    (found,) = beam.search(ending, text, width=1).hypotheses
    assert (found.tokens, found.output) == (trace.target_tokens, trace.output)
    assert found.finished == (trace.target_tokens[-1] == "</s>")
    assert found.log_probability == pytest.approx(trace.log_probability, abs=1e-4)
    for ours, theirs in zip(found.attention, trace.attention, strict=True):
        assert (ours.kind, ours.layer, ours.query_tokens) == (theirs.kind, theirs.layer, theirs.query_tokens)
        np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-5)


def test_every_hypothesis_is_as_likely_as_scoring_it_says(model: Translator) -> None:
    few, parents = unsure(model), set()
    for text in TEXTS[:2]:
        found = beam.search(few, text, width=3)
        assert len(found.hypotheses) == len({one.tokens for one in found.hypotheses}) == 3
        parents |= {(text, node.step, node.parent) for node in found.nodes if node.kept}
        for one in found.hypotheses:
            ids = spelled(few, found, one)
            assert few.tokenizer.text(ids) == one.output
            assert one.log_probability == pytest.approx(log_probability(few, text, ids), abs=1e-3)
            output = few.network.forward(torch.tensor([few.read(text).ids]), torch.tensor([[START, *ids[:-1]]]))
            for ours, theirs in zip(one.attention, output.attention, strict=True):
                np.testing.assert_allclose(ours.weights, theirs.weights[0], atol=1e-5)
    steps = [(text, step) for text, step, _ in parents]
    assert len(steps) > len(set(steps)), "expected hypotheses that do not all grow from one"


def test_a_beam_wide_enough_for_everything_finds_the_best(few: Translator) -> None:
    limit, words = 3, allowed(few)
    outputs = [
        list(ids)
        for length in range(1, limit + 1)
        for ids in itertools.product(words, repeat=length)
        if END not in ids[:-1] and (ids[-1] == END or length == limit)
    ]
    scores = {tuple(ids): log_probability(few, TEXTS[0], ids) for ids in outputs}
    found = beam.search(few, TEXTS[0], width=len(outputs), limit=limit, by_length=False)
    assert len(found.hypotheses) == len(outputs)
    ended = {ids: score for ids, score in scores.items() if ids[-1] == END}
    finished = [one.finished for one in found.hypotheses]
    assert finished == sorted(finished, reverse=True)
    assert set(finished) == {True, False}
    best = found.hypotheses[0]
    assert tuple(spelled(few, found, best)) == max(ended, key=lambda ids: ended[ids])
    assert best.log_probability == pytest.approx(max(ended.values()), abs=1e-3)


def test_ranks_are_of_the_whole_or_of_the_piece(few: Translator) -> None:
    whole, piece = (beam.search(few, TEXTS[2], width=5, by_length=by_length) for by_length in (False, True))
    assert {one.tokens for one in whole.hypotheses} == {one.tokens for one in piece.hypotheses}
    for found, score in ((whole, "log_probability"), (piece, "per_token")):
        finished = [getattr(one, score) for one in found.hypotheses if one.finished]
        assert finished == sorted(finished, reverse=True)
        assert [one.finished for one in found.hypotheses] == sorted(
            (o.finished for o in found.hypotheses), reverse=True
        )
    assert piece.hypotheses[0].per_token == piece.hypotheses[0].log_probability / len(piece.hypotheses[0].tokens)


@pytest.mark.parametrize("width", [2, 3])
def test_the_tree_is_a_tree(few: Translator, width: int) -> None:
    nodes = beam.search(few, TEXTS[0], width=width).nodes
    ended = 0
    for step, found in itertools.groupby(enumerate(nodes), key=lambda item: item[1].step):
        level = list(found)
        assert [node.rank for _, node in level] == list(range(len(level)))
        assert [node.log_probability for _, node in level] == sorted(
            (n.log_probability for _, n in level), reverse=True
        )
        kept = [node.kept for _, node in level]
        assert kept == sorted(kept, reverse=True)
        assert sum(kept) == width - ended, "a finished hypothesis leaves its place empty"
        assert len(kept) - sum(kept) <= width
        for number, node in level:
            if node.parent is None:
                assert step == 0
                assert node.log_probability == pytest.approx(np.log(node.probability), abs=1e-5)
                continue
            parent = nodes[node.parent]
            assert node.parent < number
            assert parent.step == step - 1
            assert parent.kept
            assert not parent.finished
            expected = parent.log_probability + np.log(node.probability)
            assert node.log_probability == pytest.approx(expected, abs=1e-4)
        ended += sum(node.kept and node.finished for _, node in level)


def test_the_longest_text_and_one_word(model: Translator) -> None:
    for text in ("Go", " ".join(itertools.islice(itertools.cycle(["the", "cat"]), 63))):
        found = beam.search(model, text, width=2)
        assert len(found.hypotheses) == 2
        assert all(1 <= len(one.tokens) <= longest_output(len(model.read(text).ids)) for one in found.hypotheses)


def test_an_output_of_nothing_is_a_hypothesis(model: Translator) -> None:
    tiny.favour_end(model, 1e4)
    found = beam.search(model, TEXTS[0], width=2)
    assert ("</s>",) in [one.tokens for one in found.hypotheses]
    assert all(one.attention or not model.entry.attention for one in found.hypotheses)


def test_what_cannot_be_searched_is_refused() -> None:
    model = tiny.translator(ENTRIES[0])
    with pytest.raises(ValueError, match="at least 1 wide, got 0"):
        beam.search(model, TEXTS[0], width=0)
    with pytest.raises(TextError, match="empty text"):
        beam.search(model, "", width=2)
