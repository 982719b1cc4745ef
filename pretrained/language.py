"""Language models: text in, trace out; what each of three families of Hugging Face models does with a text.

Decoder-only (GPT-2 and LLaMA-like models) continue it, encoder-only (BERT-like) fill its masks, encoder-decoder (T5,
Marian) write another. Attention is ``eager``: the quicker kinds never make the weights that are shown. Heads that share
their keys and values have a map each. The library collects attention in a variable of the running thread and returns
it, so two runs at once do not mix.
"""

from __future__ import annotations

import abc
import itertools
import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pretrained.model import Model, TextError, as_array
from pretrained.shapes import Float
from pretrained.trace import AttentionMap, Candidate, StateMap, Trace
from pretrained.translation import N_CANDIDATES, longest_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.hub import HubTokenizer
    from pretrained.intervention import Intervention
    from pretrained.registry import Entry
    from pretrained.tokenization import Pieces


class LanguageModel(Model, abc.ABC):
    """A loaded network of the library and its tokenizer: what all families share.

    Attributes:
        unused: names of tensors in the weights file that are not the network's (a head for another task, say).
    """

    TASK: ClassVar[str]
    ATTENTION: ClassVar[tuple[str, ...]]
    STATES: ClassVar[tuple[str, ...]]

    tokenizer: HubTokenizer  # type: ignore[assignment]

    def __init__(
        self,
        entry: Entry,
        network: Any,
        tokenizer: HubTokenizer,
        load_milliseconds: float,
        *,
        unused: tuple[str, ...] = (),
    ) -> None:
        """Take a network in evaluation mode."""
        self.entry = entry
        self.network = network
        self.tokenizer = tokenizer
        self.unused = unused
        self._load_milliseconds = load_milliseconds
        settings = network.generation_config if network.can_generate() else None
        if settings is None:
            never, ends = [*tokenizer.special], None
        else:
            alone = [ids[0] for ids in settings.bad_words_ids or () if len(ids) == 1]
            never, ends = [*(settings.suppress_tokens or ()), *alone], settings.eos_token_id
        self._never_written = torch.tensor(never, dtype=torch.long)
        self._ends = frozenset(ends if isinstance(ends, list) else () if ends is None else (ends,))

    def read(self, text: str, *, room: int = 0) -> Pieces:
        """Cut a text into the pieces that the model will read, with ``room`` for so many more.

        Raises:
            TextError: empty, too long, or without a single known piece.
        """
        if not text.strip():
            raise TextError("expected a sentence, got an empty text")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise TextError("expected a sentence, got bytes that are no text: half of a surrogate pair")
        pieces = self.tokenizer.encode(text)
        most = self.entry.max_tokens - room
        if len(pieces.ids) > most:
            why = f" ({self.entry.max_tokens} less the {room} to be written)" if room else ""
            raise TextError(f"expected at most {max(most, 0)} tokens{why}, got {len(pieces.ids)}")
        unknown = self.tokenizer.special.keys() - {self.tokenizer.mask}
        if all(index in unknown or start == end for index, (start, end) in zip(pieces.ids, pieces.spans, strict=True)):
            raise TextError(f"expected a text that {self.entry.name} knows a piece of, got {text.strip()[:40]!r}")
        return pieces

    def _attention(
        self,
        kind: str,
        layers: Sequence[Tensor] | None,
        rows: tuple[str, ...],
        keys: tuple[str, ...],
        consumed: tuple[str, ...] | None = None,
    ) -> tuple[AttentionMap, ...]:
        """Check and label attention, ``[batch, head, query, key]`` a layer.

        Raises:
            ValueError: none of it, or weights that are no attention between these tokens.
        """
        if not layers or any(weights is None for weights in layers):
            raise ValueError(f"{self.entry.name} returned no {kind} attention: it has none, or does not show it")
        expected = (len(rows), len(keys))
        may_attend = np.tri(*expected, dtype=np.bool_) if kind == "decoder-self" else None
        maps = []
        for layer, weights in enumerate(layers):
            where = f"{self.entry.name}, {kind} attention of layer {layer}"
            if tuple(weights.shape[2:]) != expected:
                raise ValueError(f"{where}: expected {expected} weights a head, got {tuple(weights.shape[2:])}")
            array = as_array(weights[0])
            if not np.allclose(array.sum(-1), 1, atol=1e-3):
                raise ValueError(f"{where}: expected rows that sum to 1, got {array.sum(-1).min()}")
            if may_attend is not None and array[:, ~may_attend].any():
                raise ValueError(f"{where}: expected no weight on later tokens, got {array[:, ~may_attend].max()}")
            maps.append(AttentionMap(kind, layer, array, rows, keys, consumed, may_attend=may_attend))
        return tuple(maps)

    def _states(self, kind: str, layers: Sequence[Tensor], tokens: tuple[str, ...]) -> tuple[StateMap, ...]:
        """Label what every layer gives on; the first of ``layers`` is what the first of them was given."""
        return tuple(StateMap(kind, layer, as_array(values[0]), tokens) for layer, values in enumerate(layers[1:]))

    def _embedding(self, kind: str, ids: Tensor, tokens: tuple[str, ...]) -> StateMap:
        """Give every token's own vector, which is the same in every context and at every place."""
        return StateMap(kind, 0, as_array(self.network.get_input_embeddings()(ids)[0]), tokens)

    def allowed(self, logits: Tensor) -> Tensor:
        """Make what is never written impossible."""
        return logits.index_fill(-1, self._never_written, -torch.inf)

    def candidates(
        self, log_p: Tensor, ids: Sequence[int] = (), drawn_with: Tensor | None = None
    ) -> tuple[tuple[Candidate, ...], ...]:
        """Name the ten likeliest pieces of every step, ``[step, piece]``, and the one written if it is another."""
        steps = []
        for step, row in enumerate(log_p):
            best = row.topk(N_CANDIDATES).indices.tolist()
            written = ids[step : step + 1]
            best += [index for index in written if index not in best]
            drawn = [None] * len(best) if drawn_with is None else drawn_with[step, best].tolist()
            steps.append(
                tuple(
                    Candidate(self.tokenizer.label(index), p, sampled, index in written)
                    for index, p, sampled in zip(best, row[best].exp().tolist(), drawn, strict=True)
                )
            )
        return tuple(steps)

    def _unknown(self, pieces: Pieces) -> tuple[str, ...]:
        shown = zip(pieces.ids, pieces.labels, strict=True)
        return tuple(dict.fromkeys(label for index, label in shown if index == self.tokenizer.unknown))

    def _milliseconds(self, clock: Sequence[float]) -> dict[str, float]:
        encode, decode, trace = (1000 * (end - start) for start, end in itertools.pairwise(clock))
        return {"load": self._load_milliseconds, "encode": encode, "decode": decode, "trace": trace}


class DecoderOnly(LanguageModel):
    """A model that continues a text; a row of its attention is the token at that position."""

    TASK = "language model"
    ATTENTION = ("decoder-self",)
    STATES = ("decoder-embedding", "decoder-hidden")

    @torch.inference_mode()
    def run(
        self,
        text: str,
        *,
        length: int = 20,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
        interventions: Sequence[Intervention] = (),
    ) -> Trace:
        """Continue a text one token at a time and return all that the model did.

        Args:
            text: what is continued; its tokens are the trace's source, those written its target.
            length: most tokens to write; the model may end the text sooner.
            temperature: as in ``next_distribution``; at 0 the likeliest token is taken.
            top_k: as there.
            top_p: as there.
            seed: the same one draws the same tokens.
            interventions: as in ``Model.run``.

        Raises:
            TextError: a text that the model cannot read.
            ValueError: a setting out of its range, or any intervention: none is known.
        """
        self.refuse(interventions)
        if length < 1:
            raise ValueError(f"expected a length of at least 1, got {length}")
        pieces = self.read(text, room=length)
        chance = torch.Generator().manual_seed(seed)
        ids: list[int] = []
        logits, drawn_with, cache_bytes = [], [], []
        clock = [time.perf_counter()]
        output = self.network(torch.tensor([pieces.ids]), use_cache=True)
        clock.append(time.perf_counter())
        while True:
            logits.append(self.allowed(output.logits[0, -1]))
            drawn_with.append(next_distribution(logits[-1], temperature=temperature, top_k=top_k, top_p=top_p))
            cache_bytes.append(_bytes(output.past_key_values))
            ids.append(int(torch.multinomial(drawn_with[-1], 1, generator=chance)))
            if len(ids) == length or ids[-1] in self._ends:
                break
            output = self.network(torch.tensor([ids[-1:]]), past_key_values=output.past_key_values, use_cache=True)
        clock.append(time.perf_counter())
        whole = torch.tensor([[*pieces.ids, *ids]])
        record = self.network(whole, use_cache=False, output_attentions=True, output_hidden_states=True)
        target = self.tokenizer.decode(ids, after=pieces.ids)
        labels = pieces.labels + target.labels
        log_p = torch.log_softmax(torch.stack(logits), -1)
        return Trace(
            model=self.entry.name,
            text=text,
            source_tokens=pieces.labels,
            target_tokens=target.labels,
            output=self.tokenizer.text(ids, after=pieces.ids),
            source_spans=pieces.spans,
            target_spans=target.spans,
            attention=self._attention("decoder-self", record.attentions, labels, labels),
            states=(
                self._embedding("decoder-embedding", whole, labels),
                *self._states("decoder-hidden", record.hidden_states, labels),
            ),
            candidates=self.candidates(log_p, ids, torch.stack(drawn_with)),
            log_probability=float(log_p[torch.arange(len(ids)), torch.tensor(ids)].sum()),
            milliseconds=self._milliseconds([*clock, time.perf_counter()]),
            unknown=self._unknown(pieces),
            cache_bytes=tuple(cache_bytes),
        )


class EncoderOnly(LanguageModel):
    """A model that sees all of a text at once and fills its masks."""

    TASK = "masked language model"
    ATTENTION = ("encoder-self",)
    STATES = ("encoder-embedding", "encoder-hidden")

    @torch.inference_mode()
    def run(self, text: str, *, interventions: Sequence[Intervention] = ()) -> Trace:
        """Fill the masks of a text, each with its likeliest token, and return all that the model did.

        One pass fills all masks, none knowing of the others; the trace's target is what fills them. A text without a
        mask is its own output and target, special tokens left out: candidates are then what the model would put at a
        place while it sees the token that is there.

        Raises:
            TextError: a text that the model cannot read.
        """
        self.refuse(interventions)
        pieces = self.read(text)
        clock = [time.perf_counter()]
        ids = torch.tensor([pieces.ids])
        record = self.network(ids, output_attentions=True, output_hidden_states=True)
        clock.append(time.perf_counter())
        masks = [place for place, index in enumerate(pieces.ids) if index == self.tokenizer.mask]
        places = masks or [place for place, index in enumerate(pieces.ids) if index not in self.tokenizer.special]
        log_p = torch.log_softmax(self.allowed(record.logits[0, places]), -1)
        written = log_p.argmax(-1) if masks else ids[0, places]
        output, spans = text, tuple(pieces.spans[place] for place in places)
        labels = tuple(pieces.labels[place] for place in places)
        if masks:
            labels = tuple(self.tokenizer.label(index) for index in written.tolist())
            output, spans = _put(text, spans, labels)
        clock.append(time.perf_counter())
        return Trace(
            model=self.entry.name,
            text=text,
            source_tokens=pieces.labels,
            target_tokens=labels,
            output=output,
            source_spans=pieces.spans,
            target_spans=spans,
            attention=self._attention("encoder-self", record.attentions, pieces.labels, pieces.labels),
            states=(
                self._embedding("encoder-embedding", ids, pieces.labels),
                *self._states("encoder-hidden", record.hidden_states, pieces.labels),
            ),
            candidates=self.candidates(log_p),
            log_probability=float(log_p[torch.arange(len(places)), written].sum()),
            milliseconds=self._milliseconds([*clock, time.perf_counter()]),
            unknown=self._unknown(pieces),
        )


class EncoderDecoder(LanguageModel):
    """A model that reads a text and writes another; a decoder's row is the piece predicted there."""

    TASK = "text to text"
    ATTENTION = ("encoder-self", "decoder-self", "cross")
    STATES = ("encoder-embedding", "encoder-hidden", "decoder-hidden")

    @torch.inference_mode()
    def run(self, text: str, *, interventions: Sequence[Intervention] = ()) -> Trace:
        """Write the likeliest piece until the end or the limit, and return all that the model did.

        Raises:
            TextError: a text that the model cannot read.
        """
        self.refuse(interventions)
        pieces = self.read(text)
        most = min(longest_output(len(pieces.ids)), self.entry.max_tokens)
        ids = [self.network.generation_config.decoder_start_token_id]
        logits, cache_bytes = [], []
        cache = None
        clock = [time.perf_counter()]
        source = torch.tensor([pieces.ids])
        encoded = self.network.get_encoder()(source, output_attentions=True, output_hidden_states=True)
        clock.append(time.perf_counter())
        while len(ids) <= most and (len(ids) == 1 or ids[-1] not in self._ends):
            output = self.network(
                encoder_outputs=encoded,
                decoder_input_ids=torch.tensor([ids[-1:]]),
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            logits.append(self.allowed(output.logits[0, -1]))
            cache_bytes.append(_bytes(cache))
            ids.append(int(logits[-1].argmax()))
        clock.append(time.perf_counter())
        record = self.network(
            encoder_outputs=encoded,
            decoder_input_ids=torch.tensor([ids[:-1]]),
            use_cache=False,
            output_attentions=True,
            output_hidden_states=True,
        )
        target = self.tokenizer.decode(ids[1:])
        read = (self.tokenizer.label(ids[0]), *target.labels[:-1])
        log_p = torch.log_softmax(torch.stack(logits), -1)
        return Trace(
            model=self.entry.name,
            text=text,
            source_tokens=pieces.labels,
            target_tokens=target.labels,
            output=self.tokenizer.text(ids[1:]),
            source_spans=pieces.spans,
            target_spans=target.spans,
            attention=(
                *self._attention("encoder-self", encoded.attentions, pieces.labels, pieces.labels),
                *self._attention("decoder-self", record.decoder_attentions, target.labels, read, read),
                *self._attention("cross", record.cross_attentions, target.labels, pieces.labels, read),
            ),
            states=(
                self._embedding("encoder-embedding", source, pieces.labels),
                *self._states("encoder-hidden", encoded.hidden_states, pieces.labels),
                *self._states("decoder-hidden", record.decoder_hidden_states, target.labels),
            ),
            candidates=self.candidates(log_p),
            log_probability=float(log_p.amax(-1).sum()),
            milliseconds=self._milliseconds([*clock, time.perf_counter()]),
            unknown=self._unknown(pieces),
            cache_bytes=tuple(cache_bytes),
        )


def next_distribution(
    logits: Float[Tensor, "... vocab"], *, temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0
) -> Float[Tensor, "... vocab"]:
    """Give the probabilities that the next token is drawn with.

    Args:
        logits: scores of every piece.
        temperature: divides the scores; below 1 the likely gain, above 1 the unlikely, and at 0 the best is certain.
        top_k: keep so many of the likeliest; 0 keeps all.
        top_p: then keep the fewest of the likeliest that have so much together (Holtzman et al. 2020, section 3.1).

    Raises:
        ValueError: a setting out of its range.
    """
    if not temperature >= 0 or top_k < 0 or not 0 < top_p <= 1:
        raise ValueError(
            "expected temperature >= 0, top_k >= 0 and 0 < top_p <= 1, "
            f"got temperature {temperature}, top_k {top_k}, top_p {top_p}"
        )
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
    ranked, order = torch.softmax(logits / temperature, -1).sort(-1, descending=True)
    if top_k:
        ranked[..., top_k:] = 0
        ranked /= ranked.sum(-1, keepdim=True)
    # A piece stays while those before it have less than top_p together: the one that crosses the line stays.
    ranked[ranked.cumsum(-1) - ranked >= top_p] = 0
    kept = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return kept / kept.sum(-1, keepdim=True)


def _put(text: str, spans: Sequence[tuple[int, int]], labels: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Replace parts of a text; gives the new text and where in it the new parts are."""
    output, places, done = "", [], 0
    for (start, end), label in zip(spans, labels, strict=True):
        output += text[done:start]
        places.append((len(output), len(output) + len(label)))
        output += label
        done = end
    return output + text[done:], tuple(places)


def _bytes(cache: Any) -> int:
    """Count the bytes of all keys and values that are kept for the next step."""
    both = (
        (cache.self_attention_cache, cache.cross_attention_cache)
        if hasattr(cache, "self_attention_cache")
        else (cache,)
    )
    return sum(layer.keys.nbytes + layer.values.nbytes for one in both for layer in one.layers)
