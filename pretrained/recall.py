"""A model that remembers: facts go in, a key and its value each, then a question; the value that it answers comes out.

a3 c7 a5 ? a     ->  5
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import torch

from pretrained.model import Model, TextError, as_array, unknown_characters
from pretrained.tokenization import PAD, SPECIAL, Pieces
from pretrained.trace import AttentionMap, Candidate, StateMap, Trace
from pretrained.translation import N_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pretrained.architectures.causal_transformer import CausalTransformer
    from pretrained.architectures.recurrent_reader import RecurrentReader
    from pretrained.intervention import Intervention

QUESTION = "?"
BATCH_TOKENS = 20_000  # tokens read together when many texts are answered


class Recaller(Model):
    """A loaded reader and its tokenizer."""

    network: RecurrentReader | CausalTransformer

    def cut(self, text: str) -> Pieces:
        """Cut a text into its facts and signs; the answer is due at the last of them."""
        pieces = self.tokenizer.encode(text)
        return Pieces(pieces.ids[:-1], pieces.spans[:-1], pieces.labels[:-1])

    def read(self, text: str) -> Pieces:
        """Cut a text into the tokens that the model will read.

        Raises:
            TextError: empty, too long, or without a question at its end.
        """
        pieces = super().read(text)
        if pieces.labels[-2:-1] != (QUESTION,):
            raise TextError(
                f"expected facts and a question about one of them, as in 'a3 c7 ? a', "
                f"got {text.strip()[-20:]!r} at the end"
            )
        return pieces

    @torch.inference_mode()
    def run(self, text: str, *, interventions: Sequence[Intervention] = ()) -> Trace:
        """Answer a question and return all that the model did.

        The one row of candidates belongs to the last token, where the answer is due.

        Raises:
            TextError: a text that the model cannot read.
        """
        self.refuse(interventions)
        pieces = self.read(text)
        clock = [time.perf_counter()]
        ids = torch.tensor([pieces.ids])
        output = self.network(ids)
        clock.append(time.perf_counter())
        log_p = torch.log_softmax(answers_alone(output.logits[0, -1]), -1)
        best = log_p.topk(N_CANDIDATES)
        candidates = tuple(
            Candidate(self.tokenizer.decode([index]).labels[0], probability)
            for index, probability in zip(best.indices.tolist(), best.values.exp().tolist(), strict=True)
        )
        answer = self.tokenizer.decode(best.indices[:1].tolist())
        clock.append(time.perf_counter())
        record = self.network.record(ids)
        labels = pieces.labels
        attention = tuple(
            AttentionMap(
                kind=attended.kind,
                layer=attended.layer,
                weights=as_array(attended.weights[0]),
                query_tokens=labels,
                key_tokens=labels,
                scores=None if attended.scores is None else as_array(attended.scores[0]),
                may_attend=None if attended.may_attend is None else attended.may_attend[0].numpy().copy(),
            )
            for attended in record.attention
        )
        states = tuple(StateMap(part.kind, part.layer, as_array(part.values[0]), labels) for part in record.states)
        clock.append(time.perf_counter())
        encode, decode, trace = (1000 * (end - start) for start, end in itertools.pairwise(clock))
        return Trace(
            model=self.entry.name,
            text=text,
            source_tokens=labels,
            target_tokens=answer.labels,
            output=self.tokenizer.text(answer.ids),
            source_spans=pieces.spans,
            target_spans=answer.spans,
            attention=attention,
            states=states,
            candidates=(candidates,),
            log_probability=float(best.values[0]),
            milliseconds={"load": self._load_milliseconds, "encode": encode, "decode": decode, "trace": trace},
            unknown=unknown_characters(pieces),
        )

    @torch.inference_mode()
    def answer(self, texts: Sequence[str]) -> list[str]:
        """Answer many questions, each at the end of its text, in batches of near-equal length."""
        rows = [ids[:-1] for ids in self.tokenizer.encode_ids(texts)]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        answers = [""] * len(rows)
        while order:
            width = len(rows[order[0]])
            size = max(1, BATCH_TOKENS // width)
            group, order = order[:size], order[size:]
            ids = torch.tensor([[*rows[index], *[PAD] * (width - len(rows[index]))] for index in group])
            last = torch.tensor([len(rows[index]) - 1 for index in group])
            logits = answers_alone(self.network(ids).logits[torch.arange(len(group)), last])
            for index, best in zip(group, logits.argmax(-1).tolist(), strict=True):
                answers[index] = self.tokenizer.text([best])
        return answers


def answers_alone(logits: Tensor) -> Tensor:
    """Make special tokens, ``</s>`` among them, impossible answers, in place."""
    logits[..., : len(SPECIAL)] = -torch.inf
    return logits
