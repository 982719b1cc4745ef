"""Hugging Face models: what is loaded and what is refused, and that a run shows what the library itself computes."""

import concurrent.futures
import dataclasses
import json
import math
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import safetensors.torch
import torch
import transformers
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pretrained import hub, registry
from pretrained.architectures.transformer import sinusoids
from pretrained.language import DecoderOnly, EncoderDecoder, EncoderOnly, LanguageModel, next_distribution
from pretrained.model import TextError
from pretrained.trace import Trace
from tests.models import hub_models, tiny
from tests.models.hub_models import DECODERS, ENCODER_DECODERS, FAMILIES

SENTENCES = (
    "The cat drank the milk.",
    "  Where is   the bank?\n",
    "I can't see it, can you 👍🏽 é?",
    "She",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(hub_models.folders(tmp_path_factory.mktemp("hub")))


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, LanguageModel]:
    return {family: hub.load(folder) for family, folder in folders.items()}


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, models: dict[str, LanguageModel]) -> LanguageModel:
    return models[request.param]


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest, models: dict[str, LanguageModel]) -> DecoderOnly:
    found = models[request.param]
    assert isinstance(found, DecoderOnly)
    return found


@pytest.fixture
def bert(models: dict[str, LanguageModel]) -> EncoderOnly:
    found = models["bert"]
    assert isinstance(found, EncoderOnly)
    return found


@pytest.fixture(params=ENCODER_DECODERS)
def writer(request: pytest.FixtureRequest, models: dict[str, LanguageModel]) -> EncoderDecoder:
    found = models[request.param]
    assert isinstance(found, EncoderDecoder)
    return found


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A folder of the smallest GPT-2 that a test may spoil."""
    for file in folders["gpt2"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def ids_of(model: LanguageModel, text: str) -> torch.Tensor:
    return torch.tensor([model.tokenizer.encode(text).ids])


def generated(model: LanguageModel, text: str, **options: Any) -> list[int]:
    """What the library's own greedy decoding writes."""
    ids = ids_of(model, text)
    output = model.network.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        num_beams=1,
        pad_token_id=0,
        # Its cache takes a T5's decoder to be as deep as its encoder.
        use_cache=model.entry.name != "t5",
        **options,
    )
    written: list[int] = output[0].tolist()
    return written[1:] if isinstance(model, EncoderDecoder) else written[ids.shape[1] :]


# What a run shows


@pytest.mark.parametrize("text", SENTENCES)
def test_attention_is_attention(model: LanguageModel, text: str) -> None:
    trace = model.run(text)
    assert {attended.kind for attended in trace.attention} == set(model.entry.attention)
    for attended in trace.attention:
        np.testing.assert_allclose(attended.weights.sum(-1), 1, atol=1e-5)
        if attended.kind == "decoder-self":
            later = ~np.tri(len(attended.query_tokens), dtype=bool)
            assert (attended.weights[:, later] == 0).all()
            assert attended.may_attend is not None
            np.testing.assert_array_equal(attended.may_attend, ~later)
        else:
            assert (attended.weights > 0).all()
    assert max(attended.weights.std() for attended in trace.attention) > 0.05


def test_every_layer_and_query_head_has_its_map(models: dict[str, LanguageModel]) -> None:
    layers = {
        family: [(a.kind, a.layer, a.n_heads) for a in model.run(SENTENCES[0]).attention]
        for family, model in models.items()
    }
    assert layers["gpt2"] == layers["llama"] == [("decoder-self", 0, 4), ("decoder-self", 1, 4)]
    assert layers["bert"] == [("encoder-self", 0, 4), ("encoder-self", 1, 4)]
    for family, heads, decoder_layers in (("t5", 4, 3), ("marian", 2, 2)):
        assert layers[family] == [
            *(("encoder-self", layer, 4) for layer in range(2)),
            *((kind, layer, heads) for kind in ("decoder-self", "cross") for layer in range(decoder_layers)),
        ]


def test_heads_that_share_keys_have_maps_of_their_own(models: dict[str, LanguageModel]) -> None:
    model = models["llama"]
    assert model.network.config.num_key_value_heads == hub_models.KV_HEADS
    weights = model.run(SENTENCES[0]).attention[0].weights
    assert all(np.abs(weights[a] - weights[b]).max() > 0.01 for a in range(4) for b in range(a))


def test_a_row_of_a_decoder_only_model_is_the_token_there(decoder: DecoderOnly) -> None:
    trace = decoder.run(SENTENCES[0], length=5)
    assert len(trace.target_tokens) == 5
    for attended in trace.attention:
        assert attended.query_tokens == attended.key_tokens == trace.source_tokens + trace.target_tokens
        assert attended.consumed_tokens is None


def test_a_row_of_a_writer_is_the_predicted_piece(writer: EncoderDecoder) -> None:
    trace = writer.run(SENTENCES[0])
    read = ("<pad>", *trace.target_tokens[:-1])
    assert trace.source_tokens[-1] == "</s>"
    for attended in trace.attention:
        if attended.kind == "encoder-self":
            assert attended.query_tokens == attended.key_tokens == trace.source_tokens
            continue
        assert attended.query_tokens == trace.target_tokens
        assert attended.consumed_tokens == read
        assert attended.key_tokens == (read if attended.kind == "decoder-self" else trace.source_tokens)


@pytest.mark.parametrize("text", SENTENCES)
def test_a_run_is_one_forward_pass(model: LanguageModel, text: str) -> None:
    """Step by step with a cache or all at once: the same attention, states and probabilities."""
    trace, shown = model.run(text), {"output_attentions": True, "output_hidden_states": True}
    ids = ids_of(model, text)
    if isinstance(model, EncoderDecoder):
        written = generated(model, text, max_new_tokens=len(trace.target_tokens))
        output = model.network(input_ids=ids, decoder_input_ids=torch.tensor([[0, *written[:-1]]]), **shown)
        layers = [*output.encoder_attentions, *output.decoder_attentions, *output.cross_attentions]
        states = [*output.encoder_hidden_states[1:], *output.decoder_hidden_states[1:]]
        logits = model.allowed(output.logits[0])
    elif isinstance(model, DecoderOnly):
        written = generated(model, text, max_new_tokens=20)
        output = model.network(input_ids=torch.cat([ids, torch.tensor([written])], 1), **shown)
        layers, states = [*output.attentions], [*output.hidden_states[1:]]
        logits = output.logits[0, ids.shape[1] - 1 : -1]
    else:
        output = model.network(input_ids=ids, **shown)
        layers, states = [*output.attentions], [*output.hidden_states[1:]]
        ordinary = [place for place, index in enumerate(ids[0].tolist()) if index not in model.tokenizer.special]
        logits = model.allowed(output.logits[0, ordinary])
    for attended, weights in zip(trace.attention, layers, strict=True):
        np.testing.assert_allclose(attended.weights, weights[0], atol=1e-6)
    hidden = [part for part in trace.states if part.kind.endswith("hidden")]
    for part, values in zip(hidden, states, strict=True):
        np.testing.assert_allclose(part.values, values[0], atol=1e-5)
    best = logits.softmax(-1).topk(10)
    for step, p, indices in zip(trace.candidates, best.values.tolist(), best.indices.tolist(), strict=True):
        np.testing.assert_allclose([candidate.probability for candidate in step], p, atol=1e-5)
        assert [candidate.token for candidate in step] == [model.tokenizer.label(index) for index in indices]


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("family", [*DECODERS, *ENCODER_DECODERS])
def test_greedy_writing_equals_the_librarys(models: dict[str, LanguageModel], family: str, text: str) -> None:
    model = models[family]
    trace = model.run(text)
    after = () if isinstance(model, EncoderDecoder) else model.tokenizer.encode(text).ids
    written = generated(model, text, max_new_tokens=len(trace.target_tokens))
    assert model.tokenizer.decode(written, after=after).labels == trace.target_tokens
    assert trace.output == model.tokenizer.text(written, after=after)


def test_an_end_ends_it(decoder: DecoderOnly, monkeypatch: pytest.MonkeyPatch) -> None:
    written = generated(decoder, SENTENCES[0], max_new_tokens=20)
    monkeypatch.setattr(decoder, "_ends", frozenset({written[3]}))
    length = written.index(written[3]) + 1
    assert len(decoder.run(SENTENCES[0]).target_tokens) == length


def test_what_the_library_suppresses_is_not_written(decoder: DecoderOnly, monkeypatch: pytest.MonkeyPatch) -> None:
    first = generated(decoder, SENTENCES[0], max_new_tokens=1)
    monkeypatch.setattr(decoder.network.generation_config, "suppress_tokens", first)
    again = DecoderOnly(decoder.entry, decoder.network, decoder.tokenizer, 0.0)
    trace = again.run(SENTENCES[0])
    assert trace.output == again.tokenizer.text(
        generated(decoder, SENTENCES[0], max_new_tokens=20), after=again.tokenizer.encode(SENTENCES[0]).ids
    )
    assert decoder.tokenizer.label(first[0]) not in [candidate.token for candidate in trace.candidates[0]]


def test_states_of_words_in_context(bert: EncoderOnly, decoder: DecoderOnly) -> None:
    for model in (bert, decoder):
        places = []
        for text in ("the bank of the river", "i can't see the bank"):
            trace = model.run(text)
            embedding, *hidden = trace.states
            places.append((embedding.values[labelled(trace, " bank")], hidden[-1].values[labelled(trace, " bank")]))
            assert [(part.kind, part.layer) for part in trace.states] == [
                (model.STATES[0], 0),
                *((model.STATES[1], layer) for layer in range(2)),
            ]
        (own, in_one), (again, in_other) = places
        np.testing.assert_array_equal(own, again)
        assert np.abs(in_one - in_other).max() > 0.01


def labelled(trace: Trace, word: str) -> int:
    """Where the first piece of a word stands."""
    start = f" {trace.text}".index(word)
    return next(place for place, span in enumerate(trace.source_spans) if span[0] == start and span[1] > start)


def test_the_cache_grows_by_keys_and_values(models: dict[str, LanguageModel]) -> None:
    a_number = 4
    for family, heads in (("gpt2", hub_models.HEADS), ("llama", hub_models.KV_HEADS)):
        trace = models[family].run(SENTENCES[0])
        a_token = hub_models.LAYERS * 2 * heads * (hub_models.D_MODEL // hub_models.HEADS) * a_number
        read = range(len(trace.source_tokens), len(trace.source_tokens) + len(trace.target_tokens))
        assert trace.cache_bytes == tuple(a_token * tokens for tokens in read)
    trace = models["t5"].run(SENTENCES[0])
    a_token = 3 * 2 * hub_models.D_MODEL * a_number
    read = range(1, len(trace.target_tokens) + 1)
    assert trace.cache_bytes == tuple(a_token * (len(trace.source_tokens) + tokens) for tokens in read)
    assert models["bert"].run(SENTENCES[0]).cache_bytes == ()


def test_the_clock_is_read(model: LanguageModel) -> None:
    milliseconds = model.run(SENTENCES[0]).milliseconds
    assert set(milliseconds) == {"load", "encode", "decode", "trace"}
    assert all(part > 0 for part in milliseconds.values())


@pytest.mark.usefixtures("frequent_switches")
def test_readers_do_not_disturb_each_other(model: LanguageModel) -> None:
    alone = {text: model.run(text) for text in SENTENCES}
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        together = list(pool.map(model.run, SENTENCES * 4))
    for trace in together:
        expected = alone[trace.text]
        assert trace.target_tokens == expected.target_tokens
        assert trace.arrays().keys() == expected.arrays().keys()
        for name, array in expected.arrays().items():
            np.testing.assert_allclose(trace.arrays()[name], array, atol=1e-6, err_msg=name)


def test_a_padded_row_is_a_row_alone(bert: EncoderOnly) -> None:
    rows = [ids_of(bert, text)[0] for text in SENTENCES[:3]]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    output = bert.network(ids, attention_mask=(ids != 0).long(), output_attentions=True)
    for row, text in enumerate(SENTENCES[:3]):
        length = len(rows[row])
        for attended, weights in zip(bert.run(text).attention, output.attentions, strict=True):
            tiny.close(torch.tensor(attended.weights), weights[row, :, :length, :length])
            assert (weights[row, :, :, length:] == 0).all()


# Labels


@pytest.mark.parametrize("text", SENTENCES)
def test_labels_are_what_was_typed_and_what_was_written(model: LanguageModel, text: str) -> None:
    trace = model.run(text)
    special = {"[CLS]", "[SEP]", "<s>", "</s>", "<|endoftext|>", "<pad>", "<unk>"}
    for tokens, spans, spelled in (
        (trace.source_tokens, trace.source_spans, text),
        (trace.target_tokens, trace.target_spans, trace.output),
    ):
        assert len(tokens) == len(spans)
        for label, (start, end) in zip(tokens, spans, strict=True):
            assert label == (spelled[start:end] or " ") or (start == end and label in special)
            assert label == " " or label == label.strip()
            assert not label.startswith(("##", "\u2581", "\u0120"))
        if isinstance(model, EncoderOnly) and tokens is trace.target_tokens and trace.unknown:
            continue  # what it does not know is no target
        covered = {place for start, end in spans for place in range(start, end)}
        assert not "".join(c for place, c in enumerate(spelled) if place not in covered).strip()


def test_special_tokens_have_their_own_names(models: dict[str, LanguageModel]) -> None:
    ends = {family: models[family].run("the cat").source_tokens for family in FAMILIES}
    assert (ends["bert"][0], ends["bert"][-1]) == ("[CLS]", "[SEP]")
    assert ends["llama"][0] == "<s>"
    assert ends["t5"][-1] == ends["marian"][-1] == "</s>"
    assert not {"<|endoftext|>"} & set(ends["gpt2"])


def test_half_a_character_is_shown_with_its_other_half(models: dict[str, LanguageModel]) -> None:
    tokenizer = models["gpt2"].tokenizer
    ids = tokenizer.encode("a 👍b").ids
    assert len(ids) > 4
    pieces = tokenizer.decode(ids)
    assert pieces.labels[-2:] == ("👍", "b")
    assert set(pieces.labels[:-2]) == {"a", " "}
    assert tokenizer.text(ids) == "a 👍b"


def test_a_label_alone_is_the_label_in_a_text(model: LanguageModel) -> None:
    for index in model.tokenizer.encode("The cat drank the milk.").ids:
        shown = model.tokenizer.label(index)
        assert shown == model.tokenizer.decode([index, index]).labels[1]
        assert not shown.startswith(("##", "\u2581", "\u0120"))


@pytest.mark.parametrize("text", ["!?", "a hill", " !"])
def test_a_mark_that_stands_for_no_space_is_not_shown_as_the_first_character(
    models: dict[str, LanguageModel], text: str
) -> None:
    pieces = models["t5"].tokenizer.encode(text)
    shown = [label for label, (start, end) in zip(pieces.labels, pieces.spans, strict=True) if start < end]
    assert "".join(shown) == text.replace(" ", "")


def test_unknown_characters_are_listed_once_in_order(models: dict[str, LanguageModel]) -> None:
    assert models["bert"].run("the 你 cat 👍 你").unknown == ("你", "👍")
    assert models["gpt2"].run("the 你 cat 👍 你").unknown == ()


# What a reader may ask for


@pytest.mark.parametrize("text", ["the [MASK] drank the milk .", "[MASK] cat [MASK] the [MASK]."])
def test_masks_are_filled_with_the_likeliest(bert: EncoderOnly, text: str) -> None:
    trace = bert.run(text)
    ids = ids_of(bert, text)
    masks = [place for place, index in enumerate(ids[0].tolist()) if index == bert.tokenizer.mask]
    logits = bert.network(ids).logits[0, masks]
    logits[:, list(bert.tokenizer.special)] = -torch.inf
    assert trace.target_tokens == tuple(bert.tokenizer.label(index) for index in logits.argmax(-1).tolist())
    assert trace.target_tokens == tuple(step[0].token for step in trace.candidates)
    filled = text
    for label, (start, end) in zip(trace.target_tokens, trace.target_spans, strict=True):
        filled = filled.replace("[MASK]", label, 1)
        assert trace.output[start:end] == label
    assert trace.output == filled
    assert trace.log_probability == pytest.approx(float(logits.log_softmax(-1).amax(-1).sum()), abs=1e-4)
    assert trace.source_tokens.count("[MASK]") == len(masks)


def test_a_text_without_a_mask_is_its_own_output(bert: EncoderOnly) -> None:
    trace = bert.run("The cat drank.")
    assert trace.output == "The cat drank."
    assert trace.target_tokens == trace.source_tokens[1:-1]
    assert trace.target_spans == trace.source_spans[1:-1]
    assert len(trace.candidates) == len(trace.target_tokens)


def test_length_is_how_many_tokens_are_written(decoder: DecoderOnly) -> None:
    for length in (1, 7):
        trace = decoder.run(SENTENCES[0], length=length)
        assert len(trace.target_tokens) == len(trace.candidates) == len(trace.cache_bytes) == length
    with pytest.raises(ValueError, match="length of at least 1, got 0"):
        decoder.run(SENTENCES[0], length=0)


def test_drawing_is_a_function_of_the_seed(decoder: DecoderOnly) -> None:
    runs = [decoder.run(SENTENCES[0], temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    assert runs[0].target_tokens == runs[1].target_tokens != runs[2].target_tokens


def test_what_a_token_was_drawn_with_stands_beside_what_the_model_gives_it(models: dict[str, LanguageModel]) -> None:
    decoder = models["llama"]
    assert isinstance(decoder, DecoderOnly)
    trace = decoder.run(SENTENCES[0], temperature=0.7, top_k=3, seed=1)
    raw = decoder.run(SENTENCES[0], length=1)
    assert [c.probability for c in trace.candidates[0][:10]] == [c.probability for c in raw.candidates[0]]
    for token, step in zip(trace.target_tokens, trace.candidates, strict=True):
        sampled = [candidate.sampled or 0.0 for candidate in step]
        assert sum(p > 0 for p in sampled) == 3
        assert sum(sampled) == pytest.approx(1, abs=1e-5)
        assert token in [candidate.token for candidate in step[:3]]
        assert sampled[0] > step[0].probability
    assert any(token != step[0].token for token, step in zip(trace.target_tokens, trace.candidates, strict=True))
    assert [c.sampled for c in raw.candidates[0]] == [1.0] + [0.0] * 9


def test_a_token_drawn_from_afar_is_listed_too(models: dict[str, LanguageModel]) -> None:
    decoder = models["llama"]
    assert isinstance(decoder, DecoderOnly)
    trace = decoder.run(SENTENCES[0], temperature=50.0, seed=1)
    assert {len(step) for step in trace.candidates} == {10, 11}
    total = 0.0
    for token, step in zip(trace.target_tokens, trace.candidates, strict=True):
        probabilities = [candidate.probability for candidate in step]
        assert probabilities == sorted(probabilities, reverse=True)
        drawn = step[-1] if len(step) == 11 else next(c for c in step if c.token == token)
        assert drawn.token == token
        total += math.log(drawn.probability)
    assert trace.log_probability == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [0, 1, 7])
@pytest.mark.parametrize("top_p", [0.1, 0.9, 1.0])
def test_the_next_distribution_equals_the_librarys(temperature: float, top_k: int, top_p: float) -> None:
    logits = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * 3
    ids: Any = None
    scores = TemperatureLogitsWarper(temperature)(ids, logits.clone())
    if top_k:
        scores = TopKLogitsWarper(top_k)(ids, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(ids, scores)
    given = next_distribution(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    tiny.close(given, scores.softmax(-1))
    tiny.close(given[0], next_distribution(logits[0], temperature=temperature, top_k=top_k, top_p=top_p))


def test_at_temperature_zero_the_best_is_certain() -> None:
    assert next_distribution(torch.tensor([1.0, 3.0, 2.0])).tolist() == [0, 1, 0]
    near = next_distribution(torch.tensor([1.0, 3.0, 2.0]), temperature=1e-3)
    tiny.close(near, next_distribution(torch.tensor([1.0, 3.0, 2.0])))


@pytest.mark.parametrize("setting", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_a_setting_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected temperature >= 0, top_k >= 0 and 0 < top_p <= 1, got"):
        next_distribution(torch.zeros(3), **setting)
    with pytest.raises(ValueError, match="expected temperature"):
        next_distribution(torch.zeros(3), temperature=float("nan"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty text"), (" \t\n\u00a0\u3000", "empty text"), ("half \ud83d of an emoji", "no text")],
)
def test_a_text_that_cannot_be_read_is_refused(model: LanguageModel, text: str, reason: str) -> None:
    with pytest.raises(TextError, match=f"^expected .*{reason}"):
        model.run(text)


@pytest.mark.parametrize("text", ["你好", "👍"])
def test_a_text_without_a_known_piece_is_refused(bert: EncoderOnly, text: str) -> None:
    with pytest.raises(TextError, match="expected a text that bert knows a piece of, got"):
        bert.run(text)


def test_a_text_longer_than_the_model_is_refused(models: dict[str, LanguageModel]) -> None:
    gpt2, bert = models["gpt2"], models["bert"]
    assert isinstance(gpt2, DecoderOnly)
    assert gpt2.entry.max_tokens == bert.entry.max_tokens == hub_models.POSITIONS
    longest = "a" * 44
    assert len(gpt2.tokenizer.encode(longest).ids) == 44
    assert len(gpt2.run(longest).attention[0].query_tokens) == 64
    with pytest.raises(TextError, match=r"at most 44 tokens \(64 less the 20 to be written\), got 45"):
        gpt2.run(longest + "a")
    assert len(gpt2.run(longest + "a", length=19).source_tokens) == 45
    with pytest.raises(TextError, match="at most 64 tokens, got 65"):
        bert.run("the " * 63)
    assert models["t5"].entry.max_tokens == 512


# Loading


def test_a_folder_is_loaded_without_the_network(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a folder needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for family, folder in folders.items():
        assert hub.load(folder).entry.name == family
        assert hub.load(str(folder)).unused == ()


def test_models_are_loaded_as_float32_in_evaluation(folders: dict[str, Path], copy: Path) -> None:
    weights = safetensors.torch.load_file(folders["gpt2"] / "model.safetensors")
    half = {name: tensor.half() for name, tensor in weights.items()}
    safetensors.torch.save_file(half, copy / "model.safetensors", metadata={"format": "pt"})
    network = hub.load(copy).network
    assert not network.training
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in network.parameters())


def respell(copy: Path, **changes: torch.Tensor | None) -> None:
    """Change tensors of a weights file, or take them out."""
    weights: dict[str, Any] = safetensors.torch.load_file(copy / "model.safetensors")
    weights |= changes
    kept = {name: tensor for name, tensor in weights.items() if tensor is not None}
    safetensors.torch.save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})


def test_missing_weights_are_named(copy: Path) -> None:
    respell(copy, **{"transformer.h.1.attn.c_attn.weight": None, "transformer.h.0.ln_1.bias": torch.zeros(3)})
    told = r"2 tensors: transformer\.h\.0\.ln_1\.bias, transformer\.h\.1\.attn\.c_attn\.weight$"
    with pytest.raises(ValueError, match=told):
        hub.load(copy)


def test_weights_that_are_not_used_are_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    respell(copy, stray=torch.zeros(1))
    assert hub.load(copy).unused == ("stray",)
    monkeypatch.setattr(registry, "WEIGHTS", copy.parent)
    with pytest.raises(ValueError, match="unexpected keys stray"):
        hub.load_entry(dataclasses.replace(registry.entry("gpt-mini"), name=copy.name))


def test_pickles_are_never_opened(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"expected weights in \*\.safetensors, .*pickles .* never opened"):
        hub.load(copy)


def test_code_of_a_folder_is_never_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text("utf-8"))
    config |= {"model_type": "homemade", "auto_map": {"AutoConfig": "homemade.Config"}}
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    (copy / "homemade.py").write_text("raise SystemExit('this was run')", "utf-8")
    with pytest.raises(ValueError, match=r"cannot be loaded: .*homemade|cannot be loaded: .*code"):
        hub.load(copy)


def test_what_is_no_language_model_is_refused(copy: Path) -> None:
    transformers.ViTConfig(architectures=["ViTForImageClassification"]).save_pretrained(copy)
    with pytest.raises(ValueError, match=r"expected a language model, got vit \(ViTForImageClassification\)"):
        hub.load(copy)


def test_a_tokenizer_that_knows_no_places_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a fast tokenizer"):
        hub.HubTokenizer(SimpleNamespace(is_fast=False))


def test_a_head_of_another_task_is_no_language_model(folders: dict[str, Path], tmp_path: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(folders["bert"])
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folders["bert"]).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"no weights.*cls\.predictions"):
        hub.load(tmp_path)


def test_hidden_attention_is_told(folders: dict[str, Path]) -> None:
    model = hub.load(folders["gpt2"])
    model.network.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="gpt2 returned no decoder-self attention"):
        model.run(SENTENCES[0])


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (torch.full((1, 2, 3, 3), 0.5).tril(), "rows that sum to 1"),
        (torch.full((1, 2, 3, 3), 1 / 3), "no weight on later tokens"),
        (torch.full((1, 2, 3, 4), 0.25), r"expected \(3, 3\) weights a head, got \(3, 4\)"),
    ],
)
def test_what_is_no_attention_is_told(decoder: DecoderOnly, weights: torch.Tensor, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{decoder.entry.name}, decoder-self attention of layer 0: .*{reason}"):
        decoder._attention("decoder-self", (weights,), ("a", "b", "c"), ("a", "b", "c"))


# The Hub


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path]) -> list[dict[str, Any]]:
    """A Hub that holds one model, and what it was asked for."""
    questions: list[dict[str, Any]] = []

    def snapshot_download(name: str, **options: Any) -> Any:
        questions.append({"name": name, **options})
        if options.get("local_files_only"):
            raise huggingface_hub.errors.LocalEntryNotFoundError("not fetched yet")
        if options.get("dry_run"):
            return [SimpleNamespace(file_size=5e9 if name == "big/model" else 1e6)]
        return str(folders["gpt2"])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return questions


def test_a_name_is_fetched_from_the_hub(asked: list[dict[str, Any]]) -> None:
    model = hub.load("someone/model", revision="v1")
    assert model.entry.name == "someone/model"
    assert model.run("The cat").model == "someone/model"
    assert {(question["name"], question["revision"]) for question in asked} == {("someone/model", "v1")}
    fetched = asked[-1]["allow_patterns"]
    assert not [pattern for pattern in fetched if not pattern.endswith((".json", ".safetensors", ".txt"))]


def test_a_model_too_large_is_not_fetched(asked: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"big/model: .*at most 4\.0 GB, got 5\.0 GB"):
        hub.load("big/model")
    assert all(question.get("dry_run") or question.get("local_files_only") for question in asked)


def test_a_name_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(ValueError, match="no/such: neither a folder nor a model to be had from the Hub: no route"):
        hub.load("no/such")


@pytest.mark.parametrize("name", ["gpt-mini", "bert-mini"])
def test_learned_positions_begin_as_sinusoids_of_the_usual_spread(name: str) -> None:
    known = registry.entry(name)
    network: Any = hub.build(known)
    table = network.transformer.wpe if name == "gpt-mini" else network.bert.embeddings.position_embeddings
    expected = sinusoids(known.max_tokens, network.config.hidden_size)
    torch.testing.assert_close(table.weight.detach() / table.weight.detach().std(), expected / expected.std())
    assert 0.5 < float(table.weight.detach().std() / network.config.initializer_range) < 1.5
    assert table.weight.requires_grad
