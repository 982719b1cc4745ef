"""A translation model: text in, trace out.

The same few lines run every encoder-decoder; what differs is in ``architectures/``. Nothing of a run stays on the
model, so one model serves many readers at once.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pretrained.model import Model, as_array, unknown_characters
from pretrained.shapes import Float
from pretrained.tokenization import END, PAD, START, UNKNOWN
from pretrained.trace import AttentionMap, Candidate, StateMap, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pretrained.architectures.record import Attended, EncoderDecoder
    from pretrained.intervention import Intervention
    from pretrained.tokenization import Pieces

N_CANDIDATES = 10
BATCH_PIECES = 4000  # source pieces decoded together when many texts are translated
PAINTED = ("alignment",)  # kinds of attention whose rows can be painted


def longest_output(source_length: int) -> int:
    """Give the number of pieces after which decoding stops: twice the source and ten more."""
    return 2 * source_length + 10


class Translator(Model):
    """A loaded encoder-decoder and its tokenizer."""

    network: EncoderDecoder

    @torch.inference_mode()
    def run(self, text: str, *, interventions: Sequence[Intervention] = ()) -> Trace:
        """Translate a text greedily and return all that the model did.

        Args:
            text: what is translated.
            interventions: rows of attention that are painted: what is written from them on follows them, the trace's
                weights are those painted, and its scores the model's own. Or heads that are switched off: in the trace
                they look as they would, and what they saw goes nowhere.

        Raises:
            TextError: a text that the model cannot read.
            ValueError: an intervention that this model does not know, or at a place that it does not have.
        """
        pieces = self.read(text)
        self._expect_places(interventions, pieces)
        clock = [time.perf_counter()]
        source = torch.tensor([pieces.ids])
        # A row is painted while writing; a head is off from the first token read.
        encoding = self.network.encode(source, None, **_given([one for one in interventions if one.position is None]))
        clock.append(time.perf_counter())
        ids, states, logits = self.greedy(encoding, longest_output(len(pieces.ids)), interventions)
        clock.append(time.perf_counter())
        consumed = [START, *ids[:-1]]
        for one in interventions:
            if one.position is not None and one.position not in range(len(ids)):
                raise ValueError(f"{self.entry.name}: expected a row from 0 to {len(ids) - 1} painted, got {one}")
        record = self.network.record(encoding, torch.tensor([consumed]), states, **_given(interventions))
        target = self.tokenizer.decode(ids)
        read = ("<s>", *target.labels[:-1])
        log_p = torch.log_softmax(torch.stack(logits), -1)
        candidates = self.candidates(log_p)
        attention = tuple(attention_map(attended, pieces.labels, target.labels, read) for attended in record.attention)
        state_maps = tuple(
            StateMap(
                states.kind,
                states.layer,
                as_array(states.values[0]),
                _state_tokens(states.kind, pieces.labels, target.labels),
            )
            for states in record.states
        )
        clock.append(time.perf_counter())
        encode, decode, trace = (1000 * (end - start) for start, end in itertools.pairwise(clock))
        return Trace(
            model=self.entry.name,
            text=text,
            source_tokens=pieces.labels,
            target_tokens=target.labels,
            output=self.tokenizer.text(ids),
            source_spans=pieces.spans,
            target_spans=target.spans,
            attention=attention,
            states=state_maps,
            candidates=candidates,
            log_probability=float(log_p[torch.arange(len(ids)), torch.tensor(ids)].sum()),
            milliseconds={"load": self._load_milliseconds, "encode": encode, "decode": decode, "trace": trace},
            unknown=unknown_characters(pieces),
        )

    def greedy(
        self, encoding: Any, limit: int, interventions: Sequence[Intervention] = ()
    ) -> tuple[list[int], list[Any], list[Tensor]]:
        """Write the likeliest piece until ``</s>`` or ``limit``, each with the interventions at its own step.

        Returns:
            The pieces; the state before every step and after the last; the logits of every step, ``[piece]`` each.
        """
        state = self.network.start(encoding)
        ids, states = [START], [state]
        logits: list[Tensor] = []
        while len(ids) <= limit and ids[-1] != END:
            now = [one for one in interventions if one.position in (None, len(logits))]
            step = self.network.step(torch.tensor(ids[-1:]), states[-1], encoding, **_given(now))
            forbid_specials(step.logits)
            logits.append(step.logits[0])
            states.append(step.state)
            ids.append(int(step.logits[0].argmax()))
        return ids[1:], states, logits

    @torch.inference_mode()
    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translate many texts greedily, in batches of near-equal length; any length is read."""
        sources = self.tokenizer.encode_ids(texts)
        # Longest first: the first of a group tells how wide all of it will be.
        order = sorted(range(len(texts)), key=lambda i: -len(sources[i]))
        outputs = [""] * len(texts)
        while order:
            size = max(1, BATCH_PIECES // len(sources[order[0]]))
            group, order = order[:size], order[size:]
            for index, ids in zip(group, self._greedy_batch([sources[index] for index in group]), strict=True):
                outputs[index] = self.tokenizer.text(ids)
        return outputs

    def _greedy_batch(self, sources: Sequence[Sequence[int]]) -> list[list[int]]:
        width = max(len(source) for source in sources)
        source = torch.tensor([[*ids, *[PAD] * (width - len(ids))] for ids in sources])
        encoding = self.network.encode(source, source != PAD)
        state = self.network.start(encoding)
        limits = torch.tensor([longest_output(len(ids)) for ids in sources])
        outputs: list[list[int]] = [[] for _ in sources]
        rows = torch.arange(len(sources))
        token = torch.full((len(sources),), START)
        while len(rows):
            step = self.network.step(token, state, encoding)
            token, state = forbid_specials(step.logits).argmax(-1), step.state
            for row, index in zip(rows.tolist(), token.tolist(), strict=True):
                outputs[row].append(index)
            length = len(outputs[int(rows[0])])
            going = ((token != END) & (limits[rows] > length)).nonzero()[:, 0]
            if len(going) < len(rows):
                rows, token = rows[going], token[going]
                state, encoding = self.network.select(state, going), self.network.select(encoding, going)
        return outputs

    def _expect_places(self, interventions: Sequence[Intervention], pieces: Pieces) -> None:
        """Raise ``ValueError`` for an intervention that is known at once to have no place here."""
        painted = [kind for kind in self.entry.attention if kind in PAINTED]
        heads: Mapping[str, tuple[int, int]] = getattr(self.network, "heads", {})
        if not painted and not heads:
            self.refuse(interventions)
        for one in interventions:
            if heads:
                self._expect_head(one, heads)
                continue
            if one.action != "paint" or one.kind not in painted or (one.layer, one.head) != (0, 0):
                raise ValueError(
                    f"{self.entry.name}: expected a row painted in {' or '.join(painted)}, layer 0, head 0, got {one}"
                )
            if len(one.weights or ()) != len(pieces.ids):
                raise ValueError(
                    f"{self.entry.name}: expected a weight for each of {len(pieces.ids)} tokens, got {one}"
                )

    def _expect_head(self, one: Intervention, heads: Mapping[str, tuple[int, int]]) -> None:
        if one.action != "switch-off" or one.kind not in heads:
            raise ValueError(f"{self.entry.name}: expected a head of {', '.join(heads)} switched off, got {one}")
        layers, count = heads[str(one.kind)]
        if one.layer >= layers or one.head >= count:
            raise ValueError(f"{self.entry.name}: expected a layer below {layers}, a head below {count}, got {one}")

    def candidates(self, log_p: Float[Tensor, "step piece"]) -> tuple[tuple[Candidate, ...], ...]:
        """Name the likeliest pieces of every step, best first."""
        best = log_p.exp().topk(N_CANDIDATES)
        return tuple(
            tuple(
                Candidate(self.tokenizer.decode([index]).labels[0], probability)
                for index, probability in zip(indices, probabilities, strict=True)
            )
            for indices, probabilities in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        )


def _given(interventions: Sequence[Intervention]) -> dict[str, Sequence[Intervention]]:
    """Name interventions as an argument; where there are none it is left out, as not every network knows it."""
    return {"interventions": interventions} if interventions else {}


def forbid_specials(logits: Tensor) -> Tensor:
    """Make ``<pad>``, ``<s>`` and ``<unk>`` impossible outputs, in place."""
    logits[..., [PAD, START, UNKNOWN]] = -torch.inf
    return logits


def attention_map(
    attended: Attended, source: tuple[str, ...], target: tuple[str, ...], consumed: tuple[str, ...]
) -> AttentionMap:
    """Label one layer's attention: a decoder's rows are the pieces it predicted, its own keys those it read."""
    encoder = attended.kind == "encoder-self"
    tokens = consumed if attended.kind == "decoder-self" else source
    return AttentionMap(
        kind=attended.kind,
        layer=attended.layer,
        weights=as_array(attended.weights[0]),
        query_tokens=source if encoder else target,
        key_tokens=attended.keys or tokens,
        consumed_tokens=None if encoder else consumed,
        scores=None if attended.scores is None else as_array(attended.scores[0]),
        may_attend=None if attended.may_attend is None else attended.may_attend[0].numpy().copy(),
    )


def _state_tokens(kind: str, source: tuple[str, ...], target: tuple[str, ...]) -> tuple[str, ...]:
    """Label the rows of states; the one context vector is made when the last source piece has been read."""
    if kind == "context":
        return source[-1:]
    return source if kind.startswith("encoder") else target
