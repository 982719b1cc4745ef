"""From text to trace: which rows mean what, what is refused and why, many texts at once, many readers at once."""

import concurrent.futures
import itertools
import math
import statistics
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pretrained import tokenization, translation
from pretrained.model import TextError
from pretrained.registry import ENTRIES, Entry
from pretrained.tokenization import END, PAD, SPECIAL, START, UNKNOWN
from pretrained.trace import Trace
from pretrained.translation import Translator, longest_output
from tests.models import tiny

SENTENCES = [
    "I am happy.",
    "Go!",
    "Where is the station, please?",
    "The cat that we saw yesterday is sleeping on my bed again.",
    "No.",
    "She has never been so far away from her home and from all her friends before.",
    "We have to go now.",
    "It is raining 👍.",
]


@pytest.fixture
def ending(entry: Entry) -> Translator:
    """A model that ends half of the sentences and runs into the limit with the others."""
    model = tiny.translator(entry)
    leads = []
    for text in SENTENCES:
        ids = model.tokenizer.encode(text).ids
        _, _, logits = model.greedy(model.network.encode(torch.tensor([ids])), longest_output(len(ids)))
        leads.append(min(float(step.max() - step[END]) for step in logits))
    tiny.favour_end(model, statistics.median(leads))
    return model


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_a_row_is_the_predicted_piece(model: Translator) -> None:
    trace = model.run("I am happy.")
    read = ("<s>", *trace.target_tokens[:-1])
    for attended in trace.attention:
        if attended.kind == "encoder-self":
            slots = tuple(f"slot {number}" for number in range(tiny.SIZES["n_slots"]))
            assert attended.query_tokens == trace.source_tokens
            assert attended.key_tokens == (slots if trace.model == "transformer-linformer" else trace.source_tokens)
            assert attended.consumed_tokens is None
            continue
        assert attended.query_tokens == trace.target_tokens
        assert attended.consumed_tokens == read
        assert attended.consumed_tokens[1:] == attended.query_tokens[:-1]
        if attended.kind == "decoder-self":
            assert attended.key_tokens == read
            assert attended.weights.shape[1] == attended.weights.shape[2]
        else:
            assert attended.key_tokens == trace.source_tokens


def test_states_are_labelled_by_what_they_read_or_wrote(model: Translator) -> None:
    trace = model.run("I am happy.")
    for states in trace.states:
        side = states.kind.partition("-")[0]
        # The one vector between the two is made when the end of the source has been read.
        labels = {"encoder": trace.source_tokens, "context": ("</s>",), "decoder": trace.target_tokens}
        assert states.tokens == labels[side]


def test_a_run_is_the_forward_pass(ending: Translator) -> None:
    """The pieces, their probabilities and all attention are those of scoring the finished output all at once."""
    for text in SENTENCES:
        trace = ending.run(text)
        ids = written(ending, trace)
        output = ending.network.forward(
            torch.tensor([ending.tokenizer.encode(text).ids]), torch.tensor([[START, *ids[:-1]]])
        )
        p = translation.forbid_specials(output.logits[0]).softmax(-1)
        assert p.argmax(-1).tolist() == ids
        np.testing.assert_allclose([step[0].probability for step in trace.candidates], p.amax(-1), atol=1e-5)
        assert trace.log_probability == pytest.approx(float(p.amax(-1).log().sum()), abs=1e-3)
        for ours, theirs in zip(trace.attention, output.attention, strict=True):
            assert (ours.kind, ours.layer) == (theirs.kind, theirs.layer)
            np.testing.assert_allclose(ours.weights, theirs.weights[0], atol=1e-5)


def test_every_step_has_ten_candidates(model: Translator) -> None:
    trace = model.run("I am happy.")
    assert len(trace.candidates) == len(trace.target_tokens)
    for token, step in zip(trace.target_tokens, trace.candidates, strict=True):
        probabilities = [candidate.probability for candidate in step]
        assert len(step) == 10
        assert probabilities == sorted(probabilities, reverse=True)
        assert 0 < sum(probabilities) <= 1 + 1e-6
        assert step[0].token.strip() == token.strip()


def test_special_pieces_are_never_written(model: Translator) -> None:
    network: Any = model.network
    network.output_bias -= 1e4
    network.output_bias[[PAD, START, UNKNOWN]] += 2e4
    trace = model.run("I am happy.")
    offered = {candidate.token for step in trace.candidates for candidate in step}
    assert not {*trace.target_tokens, *offered} & (set(SPECIAL) - {"</s>"})
    assert model.translate(["I am happy."]) == [trace.output]


def test_the_output_is_spelled_by_the_target(ending: Translator) -> None:
    for text in SENTENCES:
        trace = ending.run(text)
        for label, (start, end) in zip(trace.target_tokens, trace.target_spans, strict=True):
            assert label in (trace.output[start:end] or " ", "</s>")
        for label, (start, end) in zip(trace.source_tokens, trace.source_spans, strict=True):
            assert label in (text[start:end] or " ", "</s>")
        assert trace.source_tokens[-1] == "</s>"
        assert trace.text == text
        assert trace.model == ending.entry.name


def test_the_clock_is_read(model: Translator) -> None:
    milliseconds = model.run("I am happy.").milliseconds
    assert set(milliseconds) == {"load", "encode", "decode", "trace"}
    assert all(milliseconds[part] > 0 for part in ("encode", "decode", "trace"))


def test_many_texts_are_translated_as_one_by_one(ending: Translator) -> None:
    traces = [ending.run(text) for text in SENTENCES]
    ends = {trace.target_tokens[-1] == "</s>" for trace in traces}
    assert ends == {True, False}, "expected sentences that end and sentences that are cut off"
    assert len({len(trace.target_tokens) for trace in traces}) > 3
    assert ending.translate(SENTENCES) == [trace.output for trace in traces]


def test_batches_stay_small(model: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def encode(source: torch.Tensor, mask: torch.Tensor) -> Any:
        sizes.append(source.numel())
        return original(source, mask)

    expected = model.translate(SENTENCES)
    original = model.network.encode
    monkeypatch.setattr(model.network, "encode", encode)
    monkeypatch.setattr(translation, "BATCH_PIECES", 24)
    assert model.translate(SENTENCES) == expected
    assert len(sizes) > 2
    assert max(sizes) <= 24


def test_no_text_is_no_work(model: Translator) -> None:
    assert model.translate([]) == []


@pytest.mark.parametrize("text", SENTENCES[:3])
def test_decoding_stops_at_the_limit(model: Translator, text: str) -> None:
    tiny.favour_end(model, -1e4)
    trace = model.run(text)
    assert len(trace.target_tokens) == 2 * len(trace.source_tokens) + 10 == longest_output(len(trace.source_tokens))
    assert "</s>" not in trace.target_tokens
    assert model.translate([text]) == [trace.output]


def test_an_empty_output_is_a_row(model: Translator) -> None:
    tiny.favour_end(model, 1e4)
    trace = model.run("I am happy.")
    assert (trace.target_tokens, trace.output) == (("</s>",), "")
    assert all(attended.weights.shape[1] == 1 for attended in trace.attention if attended.kind != "encoder-self")
    assert model.translate(["I am happy."]) == [""]


def of_tokens(model: Translator, count: int) -> str:
    """A text of exactly so many pieces, ``</s>`` included."""
    text = " ".join(itertools.islice(itertools.cycle(["the", "cat"]), count - 1))
    assert len(model.tokenizer.encode(text).ids) == count
    return text


def test_the_longest_text_runs(model: Translator) -> None:
    trace = model.run(of_tokens(model, model.entry.max_tokens))
    assert len(trace.source_tokens) == model.entry.max_tokens


def test_a_longer_text_is_refused(model: Translator) -> None:
    most = model.entry.max_tokens
    with pytest.raises(TextError, match=rf"expected at most {most} tokens .* got {most + 1}\b"):
        model.run(of_tokens(model, most + 1))
    assert len(model.translate([of_tokens(model, most + 1)])) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty text"),
        (" \t\n\u00a0\u3000", "empty text"),
        ("👍🎉", "Latin alphabet, got .*: 👍, 🎉"),
        ("你好", "Latin alphabet, got .*: 你, 好"),
        ("مرحبا", "Latin alphabet, got .*: م, ر, ح, ب, ا"),
        ("\x00\x07", r"Latin alphabet, got .*: U\+0000, U\+0007"),
        ("\u200b\u200d", r"Latin alphabet, got .*: U\+200B, U\+200D"),
        ("?!...", r"Latin alphabet, got .*: \?, !, \., \., \."),
        ("half \ud83d of an emoji", "no text"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(TextError, match=f"^expected .*{reason}"):
        tiny.translator(ENTRIES[0]).run(text)


def test_unknown_characters_are_listed_once_in_order() -> None:
    trace = tiny.translator(ENTRIES[0]).run("I 👍 you, 你 and 👍 \x00 me")
    assert trace.unknown == ("👍", "你", "\x00")
    assert tiny.translator(ENTRIES[0]).run("I like you.").unknown == ()


@pytest.mark.usefixtures("frequent_switches")
def test_readers_do_not_disturb_each_other(model: Translator) -> None:
    alone = {text: model.run(text) for text in SENTENCES}
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(SENTENCES)) as pool:
        together = list(pool.map(model.run, SENTENCES * 2))
    assert len(SENTENCES) == 8
    for trace in together:
        expected = alone[trace.text]
        assert trace.target_tokens == expected.target_tokens
        assert math.isclose(trace.log_probability, expected.log_probability, rel_tol=1e-5)
        for name, array in expected.arrays().items():
            np.testing.assert_allclose(trace.arrays()[name], array, atol=1e-6, err_msg=name)


def written(model: Translator, trace: Trace) -> list[int]:
    """The pieces of a trace, found again by decoding; a label alone does not tell a word's start from its middle."""
    encoding = model.network.encode(torch.tensor([model.tokenizer.encode(trace.text).ids]))
    ids, _, _ = model.greedy(encoding, longest_output(len(trace.source_tokens)))
    assert model.tokenizer.decode(ids).labels == trace.target_tokens
    return ids


def test_the_tokenizer_is_loaded_once() -> None:
    assert tokenization.load("enfr") is tokenization.load("enfr")
