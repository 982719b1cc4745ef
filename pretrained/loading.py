"""Weights on disk to a model in memory: strictly, as float32."""

from __future__ import annotations

import importlib
import json
import time
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from torch import nn

from pretrained import hub, registry, tokenization

if TYPE_CHECKING:
    from pathlib import Path

    from pretrained.model import Model
    from pretrained.registry import Entry

# First word of a task to ``module:class``; whatever answers with a text of its own is run as a translator.
RUNNERS = {
    "compression": "compression:Compressor",
    "recall": "recall:Recaller",
    "language": "language:DecoderOnly",
    "masked": "language:EncoderOnly",
}
TRANSLATOR = "translation:Translator"
CHECKPOINTS = "checkpoints.safetensors"  # tensors ``target tokens/name`` of every checkpoint but the last


def build(entry: Entry, sizes: dict[str, Any] | None = None) -> nn.Module:
    """Make a model's network with random weights, of its usual sizes unless others are given."""
    if entry.is_hugging_face:
        return hub.build(entry, sizes)
    module_name, class_name = entry.architecture.split(":")
    module = importlib.import_module(f"pretrained.architectures.{module_name}")
    network: nn.Module = getattr(module, class_name)(module.Config(**(entry.sizes if sizes is None else sizes)))
    return network


def load_model(entry: Entry, *, checkpoint: int | None = None) -> Model:
    """Load a shipped model as it is, or as it was at a checkpoint along its training.

    Raises:
        FileNotFoundError: a model that is not there.
        ValueError: a checkpoint that is not there.
    """
    started = time.perf_counter()
    if entry.is_hugging_face and checkpoint is None:
        weights_file(entry)
        return hub.load_entry(entry)
    weights = read_model(entry) if checkpoint is None else read_checkpoint(entry, checkpoint)
    config = json.loads((entry.folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = tokenization.load(config.pop("tokenizer"))
    with torch.device("meta"):
        network = build(entry, config)
    network.load_state_dict(weights, strict=True, assign=True)
    network.eval().requires_grad_(requires_grad=False)
    return runner(entry)(entry, network, tokenizer, 1000 * (time.perf_counter() - started))


def runner(entry: Entry) -> type[Model]:
    """Find the class that runs a network of this entry's task."""
    module_name, class_name = RUNNERS.get(entry.task.split()[0], TRANSLATOR).split(":")
    found: type[Model] = getattr(importlib.import_module(f"pretrained.{module_name}"), class_name)
    return found


def read_model(entry: Entry) -> dict[str, torch.Tensor]:
    """Read all tensors of a shipped model: its own, and those that it takes from its parent.

    Raises:
        FileNotFoundError: weights that are not there, its own or its parent's.
        ValueError: a tensor among its own that is its parent's to give; a model of which only the card is kept.
    """
    path = weights_file(entry)
    if entry.is_hugging_face:
        return dict(hub.load_entry(entry).network.state_dict())
    own = read_weights(path)
    strange = [name for name in own if not name.startswith(entry.own)]
    if strange:
        raise ValueError(f"{path}: expected tensors named {entry.own}... alone, got {', '.join(strange)}")
    return inherited(entry) | own


def weights_file(entry: Entry) -> Path:
    """Find a model's own weights; raises what ``read_model`` raises where there are none."""
    if entry in registry.ABLATIONS:
        raise ValueError(f"{entry.name} is trained for its learning curve alone: no weights of it are kept")
    path = entry.folder / "model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(
            f"{entry.name} has no weights in {entry.folder}; python -m pretrained train {entry.name}"
        )
    return path


def read_checkpoint(entry: Entry, number: int) -> dict[str, torch.Tensor]:
    """Read all tensors of a model at one of its checkpoints, counted from 0; the last is the shipped model itself.

    Raises:
        FileNotFoundError: a model that is not there.
        ValueError: a model without checkpoints, or a number that none of them has.
    """
    finished = read_model(entry)
    path = entry.folder / CHECKPOINTS
    if not path.is_file():
        raise ValueError(f"{entry.name} has no checkpoints along its training")
    earlier: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in read_weights(path).items():
        target_tokens, name = key.split("/")
        earlier.setdefault(int(target_tokens), {})[name] = tensor
    checkpoints = [*(earlier[target_tokens] for target_tokens in sorted(earlier)), finished]
    if not 0 <= number < len(checkpoints):
        raise ValueError(f"expected a checkpoint of {entry.name} from 0 to {len(checkpoints) - 1}, got {number}")
    return checkpoints[number]


def inherited(entry: Entry) -> dict[str, torch.Tensor]:
    """Read the tensors that a model takes from its parent as they are; none without a parent."""
    if entry.parent is None:
        return {}
    parent = read_model(registry.entry(entry.parent))
    return {name: tensor for name, tensor in parent.items() if not name.startswith(entry.own)}


def begin_from_parent(network: nn.Module, entry: Entry) -> None:
    """Give a new network its parent's weights; what the parent does not have of the network's own stays as it is.

    Raises:
        FileNotFoundError: a parent without weights.
        ValueError: other tensors that only one of the two has.
    """
    assert entry.parent is not None
    found = network.load_state_dict(read_model(registry.entry(entry.parent)), strict=False)
    strange = [*found.unexpected_keys, *(name for name in found.missing_keys if not name.startswith(entry.own))]
    if strange:
        raise ValueError(f"{entry.name} and {entry.parent} differ in more than {entry.own}...: {', '.join(strange)}")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a weights file as float32."""
    return {name: tensor.float() for name, tensor in safetensors.torch.load_file(path).items()}
