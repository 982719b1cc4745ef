"""What reading and training cost on this machine, now: tokens a second against length.

Vaswani et al. 2017, section 4 and table 1: a recurrent layer takes n steps one after the other, self-attention takes
one, but compares n x n pairs.
"""

from __future__ import annotations

import copy
import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pretrained.analysis.verdict import Verdict, judged
from pretrained.shapes import Int
from pretrained.tokenization import SPECIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pretrained.model import Model

Pair = tuple[tuple[float, ...], tuple[float, ...]]  # one number a length: the first model's, then the second's
LENGTHS = (8, 16, 32, 64, 128, 256)
SENTENCES = 8  # in one training step
FEWEST_PASSES, TIMED_SECONDS = 3, 0.15


@dataclass(frozen=True)
class Speeds:
    """Tokens a second of two models, one number for every length.

    Attributes:
        lengths: source tokens of a sentence, and target tokens in training.
        cores: how many worked on it, where it was not one.
        reading: of encoding one sentence on one core; the first model's, then the second's.
        reading_on_all: likewise, on all cores.
        training: of a forward and a backward pass over ``SENTENCES`` sentences on all cores, counted in target tokens;
            likewise.
    """

    lengths: tuple[int, ...]
    cores: int
    reading: Pair
    reading_on_all: Pair
    training: Pair

    @property
    def gains(self) -> tuple[float, float]:
        """How many times as fast each reads at best with all cores as with one."""
        one, other = (
            max(many / alone for many, alone in zip(*both, strict=True))
            for both in zip(self.reading_on_all, self.reading, strict=True)
        )
        return one, other

    def faster(self, pair: Pair) -> tuple[int, ...]:
        """List the lengths at which the second model is the faster one."""
        return tuple(length for length, one, other in zip(self.lengths, *pair, strict=True) if other > one)

    def at_every_length(self, pair: Pair) -> Verdict:
        """Judge that the second is faster: at every length, or in part at some."""
        return judged(*(length in self.faster(pair) for length in self.lengths))


def speeds(one: Model, other: Model, lengths: tuple[int, ...] = LENGTHS) -> Generator[float, None, Speeds]:
    """Time two encoder-decoders on sentences of random tokens, in turns, by the median of several passes.

    What is trained is a copy: its gradients are thrown away and its weights stay.

    Yields:
        The share that is done, 0 to 1; the generator returns ``Speeds``.
    """
    copies = [copy.deepcopy(model.network).requires_grad_().train() for model in (one, other)]
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    found: list[tuple[tuple[float, float], ...]] = []
    try:
        for done, length in enumerate(lengths):
            yield done / len(lengths)
            source = _tokens(1, length, one)
            sources, targets = _tokens(SENTENCES, length, one), _tokens(SENTENCES, length + 1, one)
            read = [_encoding(model.network, source) for model in (one, other)]
            trained = [_training(network, sources, targets) for network in copies]
            torch.set_num_threads(1)
            alone = _tokens_a_second(length, *read)
            torch.set_num_threads(cores)
            found.append((alone, _tokens_a_second(length, *read), _tokens_a_second(SENTENCES * length, *trained)))
    finally:
        # Whoever stops this at a yield gets the threads back too.
        torch.set_num_threads(threads)
    reading, reading_on_all, training = (_by_model(kind) for kind in zip(*found, strict=True))
    return Speeds(lengths, cores, reading, reading_on_all, training)


def _by_model(pairs: tuple[tuple[float, float], ...]) -> Pair:
    return tuple(one for one, _ in pairs), tuple(other for _, other in pairs)


def _tokens(sentences: int, length: int, model: Model) -> Int[Tensor, "sentence token"]:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(len(SPECIAL), model.network.config.d_vocab, (sentences, length), generator=draw)


def _encoding(network: Any, source: Int[Tensor, "1 token"]) -> Callable[[], None]:
    def encode() -> None:
        with torch.inference_mode():
            network.encode(source)

    return encode


def _training(
    network: Any, source: Int[Tensor, "sentence token"], target: Int[Tensor, "sentence written"]
) -> Callable[[], None]:
    def step() -> None:
        with torch.enable_grad():
            logits = network.forward(source, target[:, :-1]).logits
            nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten()).backward()
        network.zero_grad(set_to_none=True)

    return step


def _tokens_a_second(tokens: int, *work: Callable[[], None]) -> tuple[float, float]:
    """Time pieces of work in turns, so that whatever else the machine does falls on all of them."""
    for piece in work:
        piece()  # the first pass pays for torch's own start
    seconds: list[list[float]] = []
    started = time.perf_counter()
    while len(seconds) < FEWEST_PASSES or time.perf_counter() - started < TIMED_SECONDS:
        seconds.append([_seconds(piece) for piece in work])
    first, second = (tokens / statistics.median(passes) for passes in zip(*seconds, strict=True))
    return first, second


def _seconds(piece: Callable[[], None]) -> float:
    started = time.perf_counter()
    piece()
    return time.perf_counter() - started
