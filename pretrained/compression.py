"""A model that compresses a sentence: text in, the words that it keeps out, and a trace.

The model was trained on words in lower case, with one mark for whatever holds a digit. Words are found here, in the
text as typed, the way its treebank cut them: signs and endings such as ``'s`` and ``n't`` are words of their own.
"""

from __future__ import annotations

import itertools
import math
import re
import time
from typing import TYPE_CHECKING

import torch

from pretrained.model import Model, as_array, unknown_characters
from pretrained.tokenization import END, PAD, SPECIAL, Pieces
from pretrained.trace import AttentionMap, Candidate, StateMap, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.architectures.tagger import Tagger
    from pretrained.intervention import Intervention

NUMBER = "##"
KEEP, DROP = "keep", "drop"
LIKELIER = 0.5
BATCH_PIECES = 4000  # pieces read together when many sentences are compressed

_LETTERS = r"(?:[^\W\d_][\u0300-\u036f]*)+"
_ENDING = r"['’](?:s|re|ve|ll|m|d)\b"
_SHORT = "inc|st|gov|corp|sen|calif|co|rep|ltd|dr|jr|mr|mrs|ms|lt|vs|jan|feb|aug|sept|oct|nov|dec"
WORD = re.compile(
    "|".join(
        (
            rf"(?:{_LETTERS}[-.])*(?:{_LETTERS})?\d(?:\w|[-.,:/](?=\w))*",  # whatever holds a digit
            # A stop that belongs to its word, unless it may end the sentence as well.
            rf"(?:{_SHORT}|(?:[^\W\d_]\.)*[^\W\d_])\.(?!\w)(?=\s*\S)",
            rf"{_LETTERS}?(?=n['’]t\b)|n['’]t\b",
            _ENDING,
            rf"{_LETTERS}(?:(?:[-&.]|(?!{_ENDING})['’]){_LETTERS})*",
            r"--+|\.\.+|#+|\S",
        )
    ),
    re.IGNORECASE,
)


class Compressor(Model):
    """A loaded tagger and its tokenizer."""

    network: Tagger

    def cut(self, text: str) -> Pieces:
        """Cut a text into the pieces of its words, ``</s>`` at the end."""
        places = words_of(text)
        (cut,) = self.tokenizer.encode_words([[as_read(text[start:end]) for start, end in places]])
        spans = []
        for word, (start, end) in zip(cut.words, cut.spans, strict=True):
            first, last = places[word]
            # The one piece of a number stands for all of its characters.
            spans.append((first, last) if as_read(text[first:last]) == NUMBER else (first + start, first + end))
        labels = (*(text[start:end] or " " for start, end in spans), SPECIAL[END])
        return Pieces(cut.ids, (*spans, (len(text), len(text))), labels)

    @torch.inference_mode()
    def run(self, text: str, *, interventions: Sequence[Intervention] = ()) -> Trace:
        """Compress a sentence and return all that the model did.

        A word is kept where its first piece is likelier kept than not. Candidates are ``keep`` and ``drop`` for every
        source token but ``</s>``: those of its word.

        Raises:
            TextError: a text that the model cannot read.
        """
        self.refuse(interventions)
        pieces = self.read(text)
        places = words_of(text)
        clock = [time.perf_counter()]
        tagged = self.network(torch.tensor([pieces.ids]))
        clock.append(time.perf_counter())
        starts = [start for start, _ in pieces.spans]
        first = torch.tensor([starts.index(start) for start, _ in places])
        keeping = torch.sigmoid(tagged.logits[0, first].float()).tolist()
        kept = [place for place, p in zip(places, keeping, strict=True) if p > LIKELIER]
        output, spans = spell(text, kept)
        clock.append(time.perf_counter())
        pieces_of_word = (*first.diff(append=torch.tensor([len(starts) - 1])).tolist(),)
        candidates = tuple(
            _keep_or_drop(p) for p, count in zip(keeping, pieces_of_word, strict=True) for _ in range(count)
        )
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
            for attended in tagged.attention
        )
        states = tuple(StateMap(part.kind, part.layer, as_array(part.values[0]), labels) for part in tagged.states)
        clock.append(time.perf_counter())
        encode, decode, trace = (1000 * (end - start) for start, end in itertools.pairwise(clock))
        return Trace(
            model=self.entry.name,
            text=text,
            source_tokens=labels,
            target_tokens=tuple(text[start:end] for start, end in kept),
            output=output,
            source_spans=pieces.spans,
            target_spans=spans,
            attention=attention,
            states=states,
            candidates=candidates,
            log_probability=sum(math.log(max(p, 1 - p)) for p in keeping),
            milliseconds={"load": self._load_milliseconds, "encode": encode, "decode": decode, "trace": trace},
            unknown=unknown_characters(pieces),
        )

    @torch.inference_mode()
    def keep(self, sentences: Sequence[Sequence[str]]) -> list[list[int]]:
        """Choose which words to keep of many sentences that are cut into words already, by their numbers."""
        cut = self.tokenizer.encode_words([[as_read(word) for word in words] for words in sentences])
        order = sorted(range(len(cut)), key=lambda i: -len(cut[i].ids))
        kept: list[list[int]] = [[] for _ in cut]
        while order:
            size = max(1, BATCH_PIECES // len(cut[order[0]].ids))
            group, order = order[:size], order[size:]
            width = len(cut[group[0]].ids)
            ids = torch.tensor([[*cut[index].ids, *[PAD] * (width - len(cut[index].ids))] for index in group])
            for index, row in zip(group, self.network(ids, ids != PAD).logits, strict=True):
                kept[index] = (row[[*cut[index].first]] > 0).nonzero()[:, 0].tolist()
        return kept


def words_of(text: str) -> tuple[tuple[int, int], ...]:
    """Find the words of a text as typed, ``(start, end)`` of each, in characters."""
    return tuple(found.span() for found in WORD.finditer(text))


def as_read(word: str) -> str:
    """Give what the model reads for a word: one and the same mark for whatever holds a digit."""
    return NUMBER if any(character.isdecimal() for character in word) else word


def spell(text: str, kept: Sequence[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Write the kept words of a text one after the other, apart where they were typed apart.

    A sign or an ending that was typed close to a word that is gone moves up to the one before it.

    Returns:
        The words as one text, and where in it each of them is.
    """
    output, spans, before = "", [], 0
    for start, end in kept:
        # What was typed close to something and is no word itself stays close, whatever stands before it now.
        close = start == before or not (text[start - 1].isspace() or text[start].isalnum())
        output += "" if close or not output else " "
        spans.append((len(output), len(output) + end - start))
        output += text[start:end]
        before = end
    return output, tuple(spans)


def _keep_or_drop(p: float) -> tuple[Candidate, Candidate]:
    """Name both decisions on a word that is kept with probability ``p``, the likelier one first."""
    keep, drop = Candidate(KEEP, p), Candidate(DROP, 1 - p)
    return (keep, drop) if p > LIKELIER else (drop, keep)
