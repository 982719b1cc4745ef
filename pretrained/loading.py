"""Weights on disk to a model in memory: strictly, as float32."""

from __future__ import annotations

import importlib
import json
import time
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from torch import nn

from pretrained import tokenization
from pretrained.translation import Translator

if TYPE_CHECKING:
    from pathlib import Path

    from pretrained.registry import Entry


def build(entry: Entry, sizes: dict[str, Any] | None = None) -> nn.Module:
    """Make a model's network with random weights, of its usual sizes unless others are given."""
    module_name, class_name = entry.architecture.split(":")
    module = importlib.import_module(f"pretrained.architectures.{module_name}")
    network: nn.Module = getattr(module, class_name)(module.Config(**(entry.sizes if sizes is None else sizes)))
    return network


def load_model(entry: Entry) -> Translator:
    """Load a shipped model; raises ``FileNotFoundError`` if it is not there."""
    started = time.perf_counter()
    if not (entry.folder / "model.safetensors").is_file():
        raise FileNotFoundError(
            f"{entry.name} has no weights in {entry.folder}; python -m pretrained train {entry.name}"
        )
    config = json.loads((entry.folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = tokenization.load(config.pop("tokenizer"))
    with torch.device("meta"):
        network = build(entry, config)
    network.load_state_dict(read_weights(entry.folder / "model.safetensors"), strict=True, assign=True)
    network.eval().requires_grad_(requires_grad=False)
    return Translator(entry, network, tokenizer, 1000 * (time.perf_counter() - started))  # type: ignore[arg-type]


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a weights file as float32."""
    return {name: tensor.float() for name, tensor in safetensors.torch.load_file(path).items()}
