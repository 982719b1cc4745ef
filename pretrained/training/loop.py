"""One training loop for every architecture.

bf16 autocast where the machine has it, AdamW, warm-up and cosine decay over target tokens, clipping, label smoothing;
a checkpoint every few minutes, from which the next call goes on as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pretrained.training.recipes import Recipe

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
CHECKPOINT_SECONDS = 180.0
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of glibc's malloc.h
RUN_IN_STEPS = 200  # in which an optimizer that has lost its moments comes back to the schedule's rate
VALIDATIONS = 28  # points on the learning curve of a whole run


@dataclass
class Progress:
    """Where a run is; goes into the checkpoint, and from there into the card.

    Attributes:
        epoch, batch: the next batch to train on.
        steps: optimizer steps made.
        target_tokens: pieces predicted, padding left out.
        seconds: time spent training, over all sessions: the processor's own on a CPU, where other work may hold a run
            up; the clock's on a GPU.
        curve: one ``{target_tokens, minutes, train_loss, valid_loss}`` a validation, in nats a piece; only the training
            loss is smoothed; ``None`` stands for a loss that is no number any more.
        best: the lowest validation loss so far.
        diverged: whether the loss has become no number, which ends a run for good.
        resumed_step: the step at which the optimizer began anew because only the shipped weights were left of the run.
        earlier_steps, earlier_tokens, earlier_minutes: what the weights had gone through before this run began.
    """

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    target_tokens: int = 0
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: float = math.inf
    diverged: bool = False
    resumed_step: int = 0
    earlier_steps: int = 0
    earlier_tokens: int = 0
    earlier_minutes: float = 0.0

    @classmethod
    def after(cls, card: Mapping[str, Any], recipe: Recipe) -> Progress:
        """Begin from shipped weights: a run of this schedule that stopped short goes on, else a new one begins.

        What the card of an earlier run says of its training is carried on.
        """
        steps, tokens, minutes = card["steps"], card["target_tokens"], card["minutes"]
        curve = list(card["learning_curve"])
        same = card["schedule"] == json.loads(json.dumps(recipe.schedule())) and not card.get("earlier_target_tokens")
        if same and tokens < recipe.length:
            # One step a batch: so many batches from the first pass on are behind it.
            return cls(
                batch=steps, steps=steps, target_tokens=tokens, seconds=60 * minutes, curve=curve, resumed_step=steps
            )
        return cls(curve=curve, earlier_steps=steps, earlier_tokens=tokens, earlier_minutes=minutes)

    @classmethod
    def saved_in(cls, checkpoint: Path) -> Progress:
        """Read where a run is from its checkpoint, and no weights."""
        return cls(**torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["progress"])

    def to_go(self, length: int) -> int:
        """Count the target tokens that are still to be seen; a run that diverged sees no more."""
        return 0 if self.diverged else max(length - self.target_tokens, 0)

    @property
    def from_shipped(self) -> bool:
        """Whether the run began with shipped weights."""
        return bool(self.earlier_tokens or self.resumed_step)

    @property
    def minutes(self) -> float:
        """Minutes of training that the weights have gone through, earlier runs included."""
        return self.earlier_minutes + self.seconds / 60


@runtime_checkable
class Material(Protocol):
    """What a model is trained on, opened once a run: batches that tell their ``target_tokens``, and their loss."""

    @property
    def validation(self) -> Sequence[Any]:
        """The batches by which the best weights are chosen."""

    def batches(self, number: int) -> Iterator[Any]:
        """Yield one pass; the same number gives the same batches in the same order, in every process."""

    def loss(self, network: nn.Module, batch: Any, *, label_smoothing: float) -> torch.Tensor:
        """Give the mean loss over the batch's target tokens, in nats."""


@dataclass
class Run:
    """A model in training with all that a checkpoint holds.

    Attributes:
        snapshots: the weights as they were after so many target tokens.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    progress: Progress
    best_weights: dict[str, torch.Tensor]
    snapshots: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)

    def keep_if_best(self, loss: float) -> None:
        """Remember the weights as they are now, if no validation loss was lower than this one."""
        if loss < self.progress.best:
            self.progress.best = loss
            self.best_weights = self._weights()

    def keep_if_due(self, snapshots: Sequence[int]) -> None:
        """Remember the weights as they are now, if the next of the wanted snapshots is due."""
        wanted = snapshots[len(self.snapshots) :]
        if wanted and self.progress.target_tokens >= wanted[0]:
            self.snapshots[self.progress.target_tokens] = self._weights()

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash while writing leaves the old one whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "progress": asdict(self.progress),
                "best_weights": self.best_weights,
                "snapshots": self.snapshots,
                "random": torch.get_rng_state(),
            },
            part := path.with_suffix(".part"),
        )
        part.replace(path)

    def load(self, path: Path, device: torch.device) -> None:
        """Go on from a checkpoint."""
        saved = torch.load(path, map_location=device, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.progress = Progress(**saved["progress"])
        self.best_weights = saved["best_weights"]
        self.snapshots = saved.get("snapshots", {})
        if "random" in saved:
            torch.set_rng_state(saved["random"].cpu())


def rate_at(target_tokens: int, recipe: Recipe) -> float:
    """Learning rate after so many target tokens: a linear rise, then a cosine down to a hundredth of the peak."""
    done = min(target_tokens / recipe.target_tokens, 1.0)
    if done < recipe.warm_up:
        return recipe.peak_rate * (done + 1e-3) / (recipe.warm_up + 1e-3)
    fallen = (done - recipe.warm_up) / (1 - recipe.warm_up)
    return recipe.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fallen)))


def run_in(progress: Progress) -> float:
    """Share of the rate that a resumed run may use: a linear rise while the optimizer gathers its moments anew."""
    if not progress.resumed_step:
        return 1.0
    return min(1.0, (progress.steps - progress.resumed_step + 1) / RUN_IN_STEPS)


@torch.inference_mode()
def validation_loss(network: nn.Module, material: Material) -> float:
    """Loss per piece over all validation batches."""
    network.eval()
    total = sum(float(_loss(network, material, batch)) * batch.target_tokens for batch in material.validation)
    network.train()
    return total / sum(batch.target_tokens for batch in material.validation)


def _loss(network: nn.Module, material: Material, batch: Any, *, label_smoothing: float = 0.0) -> torch.Tensor:
    with torch.autocast(next(network.parameters()).device.type, dtype=torch.bfloat16):
        return material.loss(network, batch, label_smoothing=label_smoothing)


def train(
    network: nn.Module,
    recipe: Recipe,
    *,
    folder: Path,
    checkpoint: Path,
    minutes: float | None = None,
    start: Progress | None = None,
    report: Callable[[str], None] | None = None,
) -> Run:
    """Train until the recipe's target tokens are seen, ``minutes`` are over or the loss is no number any more.

    Args:
        network: a checkpoint at ``checkpoint``, if there is one, replaces its weights; those that require no
            gradient stay as they are.
        recipe: data, loss, schedule and length.
        folder: the data.
        checkpoint: where the run is kept.
        minutes: stop after so many, ready to go on.
        start: what the network's weights have gone through, where there is no checkpoint yet.
        report: receives a line of progress now and then; the terminal's standard error if not given.

    Returns:
        The run with its best weights, and ``progress.target_tokens`` to tell whether it is finished.
    """
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    tell = report or _progress_line
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).train()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.0, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True)
    run = Run(network, optimizer, start or Progress(), {})
    if checkpoint.is_file():
        run.load(checkpoint, device)
    material = recipe.material(folder)
    if run.progress.from_shipped and not run.best_weights:
        # What is shipped already is only to be replaced by something better.
        run.keep_if_best(validation_loss(network, material))
    progress, started = run.progress, time.monotonic()
    saved, spend = started, time.process_time if device.type == "cpu" else time.monotonic
    spent = progress.seconds - spend()
    between = recipe.target_tokens / VALIDATIONS
    next_validation = between * (progress.target_tokens // between + 1)
    losses: list[float] = []
    for batch in _remaining_batches(material, progress):
        if progress.diverged or progress.target_tokens >= recipe.length:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress.target_tokens, recipe) * run_in(progress)
        if not progress.from_shipped:  # else the beginning is over
            run.keep_if_due(recipe.snapshots)
        loss = _loss(network, material, batch, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, recipe.clip)
        optimizer.step()
        losses.append(float(loss.detach()))
        progress.diverged = not math.isfinite(losses[-1])
        progress.batch += 1
        progress.steps += 1
        progress.target_tokens += batch.target_tokens
        now = time.monotonic()
        progress.seconds = spent + spend()
        if progress.steps % 50 == 0:
            tell(_status(progress, recipe, losses[-50:], (now - started)))
        finished = progress.diverged or progress.target_tokens >= recipe.length
        stopped = minutes is not None and now - started >= minutes * 60
        if progress.target_tokens >= next_validation or finished or stopped:
            _validate(run, material, losses)
            next_validation = between * (progress.target_tokens // between + 1)
            losses = []
        if finished or stopped or now - saved >= CHECKPOINT_SECONDS:
            run.save(checkpoint)
            saved = now
        if stopped:
            break
    return run


def keep_freed_memory() -> None:
    """Let glibc keep what a step frees: handing 40 MB blocks back and fetching them zeroed doubles a step on a CPU."""
    with contextlib.suppress(OSError, AttributeError):
        c_library = ctypes.CDLL(None)
        c_library.mallopt(M_MMAP_MAX, 0)
        c_library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def _remaining_batches(material: Material, progress: Progress) -> Iterator[Any]:
    while True:
        behind, number = progress.batch, 0
        for number, batch in enumerate(material.batches(progress.epoch), start=1):
            if number > behind:
                yield batch
        # A resumed run counts all its batches from the first pass on.
        progress.epoch, progress.batch = progress.epoch + 1, max(behind - number, 0)


def _validate(run: Run, material: Material, losses: Sequence[float]) -> None:
    progress = run.progress
    loss = validation_loss(run.network, material)
    point = {
        "target_tokens": progress.earlier_tokens + progress.target_tokens,
        "minutes": round(progress.minutes, 2),
        "train_loss": _number(sum(losses) / max(len(losses), 1)),
        "valid_loss": _number(loss),
    }
    progress.curve.append(point)
    run.keep_if_best(loss)
    print(f"\n{point}", file=sys.stderr, flush=True)


def _number(loss: float) -> float | None:
    return round(loss, 4) if math.isfinite(loss) else None


def _status(progress: Progress, recipe: Recipe, losses: Sequence[float], seconds: float) -> str:
    done = progress.target_tokens / recipe.length
    rate = progress.target_tokens / max(progress.seconds, 1e-9)
    left = (recipe.length - progress.target_tokens) / max(rate, 1e-9) / 60
    bar = "#" * int(30 * done)
    return (
        f"[{bar:30}] {done:6.1%}  {progress.target_tokens / 1e6:.2f} M tokens  loss {sum(losses) / len(losses):.3f}"
        f"  {rate:,.0f} tokens/s  {seconds / 60:.1f} min here, {left:.0f} min left"
    )


def _progress_line(line: str) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    print(line, end=end, file=sys.stderr, flush=True)
