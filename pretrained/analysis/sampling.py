"""How the next token is drawn, and what is kept of those before it.

Temperature: with scores ``z`` a token's probability is ``softmax(z / T)``, which is in proportion to ``p^(1/T)`` where
``p`` is the one at ``T = 1``. Top-k: Fan, Lewis and Dauphin 2018, "Hierarchical neural story generation". Top-p:
Holtzman et al. 2020, "The curious case of neural text degeneration", section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pretrained.language import DecoderOnly
    from pretrained.trace import Candidate, Trace

FLOAT_BYTES = 4


def written(candidates: Sequence[Candidate]) -> int:
    """Find the candidate that was drawn; raises ``StopIteration`` where none ever is."""
    return next(place for place, one in enumerate(candidates) if one.written)


@dataclass(frozen=True)
class Worked:
    """How likely one token was to be drawn, worked out.

    Attributes:
        before: its probability ``p`` as the model gives it.
        power: ``p^(1/T)``.
        total: the sum of these powers over all tokens that top-k and top-p keep.
        after: the quotient of the two, with which it was drawn.
    """

    before: float
    power: float
    total: float
    after: float


def worked(candidate: Candidate, temperature: float) -> Worked:
    """Work out a candidate that could be drawn, at a temperature above 0; raises ``ValueError`` for any other."""
    if not candidate.sampled or temperature <= 0:
        raise ValueError(f"expected a temperature above 0 and a token that was kept, got {temperature}, {candidate}")
    power = candidate.probability ** (1 / temperature)
    return Worked(candidate.probability, power, power / candidate.sampled, candidate.sampled)


@dataclass(frozen=True)
class Cache:
    """The keys and values kept at one output step, and the work that they save.

    Attributes:
        n_layers: of the model, each of which keeps both.
        n_tokens: whose keys and values are kept.
        d_model: numbers of a key or a value, over all heads.
        measured: bytes that the model really kept.
        read: tokens that went through the model by then.
        reread: tokens that would have, were nothing kept and all read again at every step.
    """

    n_layers: int
    n_tokens: int
    d_model: int
    measured: int
    read: int
    reread: int

    @property
    def expected(self) -> int:
        """Bytes of a key and a value a layer and token, in float32."""
        return 2 * self.n_layers * self.n_tokens * self.d_model * FLOAT_BYTES


def cache(model: DecoderOnly, trace: Trace, step: int) -> Cache:
    """Tell what was kept when the token of one output step was drawn, counted from 0."""
    config: Any = model.network.config
    n_tokens = len(trace.source_tokens) + step
    return Cache(
        n_layers=config.num_hidden_layers,
        n_tokens=n_tokens,
        d_model=config.hidden_size,
        measured=trace.cache_bytes[step],
        read=n_tokens,
        reread=sum(range(len(trace.source_tokens), n_tokens + 1)),
    )
