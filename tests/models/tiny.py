"""Networks of a few thousand random numbers, for whatever does not depend on what a model has learned."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pretrained import hub, loading, tokenization
from pretrained.architectures.record import Record
from pretrained.registry import ENTRIES, Entry
from pretrained.tokenization import END, PAD, START
from pretrained.training import language
from pretrained.translation import Translator

SIZES = {"d_vocab": 50, "d_model": 8, "d_hidden": 6, "d_feedforward": 12, "n_heads": 2, "n_kv_heads": 1, "n_layers": 2}
SIZES |= {"radius": 1, "n_random": 1, "n_slots": 3, "n_features": 8, "block": 2}
# The models with weights; the others are listed, and wait for their training.
SHIPPED = [entry for entry in ENTRIES if (entry.folder / "model.safetensors").is_file()]
# Whatever their task, these read all of a source and then write; the readers and taggers have tests of their own.
ENCODER_DECODERS = [entry for entry in ENTRIES if loading.runner(entry) is Translator]
# Sources of three lengths and a target each; the targets are as long as each other.
SOURCE = torch.tensor([[5, 6, 7, 8, 9, 10, END], [11, 5, 12, END, PAD, PAD, PAD], [13, END, PAD, PAD, PAD, PAD, PAD]])
TARGET = torch.tensor([[START, 20, 21, 22, 23], [START, 24, 20, 25, 26], [START, 27, 27, 28, 20]])
MASK = SOURCE != PAD


def sizes(entry: Entry, **given: Any) -> dict[str, Any]:
    """Those of the tiny sizes that the model's own config knows."""
    module = importlib.import_module(f"pretrained.architectures.{entry.architecture.partition(':')[0]}")
    known = {field.name for field in dataclasses.fields(module.Config)}
    return {name: value for name, value in (dict(entry.sizes) | SIZES | given).items() if name in known}


def network(entry: Entry, *, seed: int = 0, **given: Any) -> Any:
    """Build a tiny network in evaluation mode."""
    torch.manual_seed(seed)
    built = loading.build(entry, sizes(entry, **given))
    for parameter in built.parameters():
        # Wide enough for attention that is far from even, and biases and norms that are not nothing.
        nn.init.normal_(parameter, std=0.6)
    return built.eval().requires_grad_(requires_grad=False)


def translator(entry: Entry, *, seed: int = 0) -> Translator:
    """A tiny network with the shipped tokenizer; as good as never does it write the end of a sentence."""
    tokenizer = tokenization.load("enfr")
    return Translator(entry, network(entry, seed=seed, d_vocab=len(tokenizer)), tokenizer, 0.0)


def language_model(entry: Entry, folder: Path, *, seed: int = 0) -> Any:
    """A tiny network of the library with the shipped English tokenizer, written to a folder and loaded from there."""
    torch.manual_seed(seed)
    built = loading.build(entry, {name: SIZES[name] for name in ("d_model", "d_feedforward", "n_heads", "n_layers")})
    for parameter in built.parameters():
        nn.init.normal_(parameter, std=0.6)
    language.write_folder(built, tokenization.FOLDER / "en.json", folder / entry.name)
    return hub.load(folder / entry.name)


def favour_end(model: Translator, by: float) -> None:
    """Make ``</s>`` a likelier next piece, or with a negative number a less likely one."""
    network: Any = model.network
    network.output_bias[END] += by


class Decoded(NamedTuple):
    """All that decoding a known target step by step gives."""

    encoding: Any
    states: list[Any]
    logits: Tensor  # [batch, target, piece]
    weights: list[Tensor]  # one [batch, head, target, source] a layer that looks at the source
    record: Record


def decode(network: Any, source: Tensor, target: Tensor, mask: Tensor | None = None) -> Decoded:
    """Decode a known target one token at a time."""
    encoding = network.encode(source, mask)
    states, steps = [network.start(encoding)], []
    for token in target.unbind(1):
        steps.append(network.step(token, states[-1], encoding))
        states.append(steps[-1].state)
    return Decoded(
        encoding,
        states,
        torch.stack([step.logits for step in steps], 1),
        [torch.stack(layer, 2) for layer in zip(*(step.weights for step in steps), strict=True)],
        network.record(encoding, target, states),
    )


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """Fail unless two tensors are equal up to a tolerance."""
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)
