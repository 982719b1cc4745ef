"""The one list of models.

An entry says what pages choose by; everything measured about a model stands in its ``card.json``. Nothing heavy is
imported here: an architecture is named by its module, and imported when the model is loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Entry:
    """What is known of a model without loading it.

    Attributes:
        name: as in the command line, URLs and ``weights/<name>/``.
        family: ``recurrent``, ``convolutional``, ``attention``.
        task: ``translation en-fr``, ``recall``, ``dates``, ``compression``, ``language model en`` (which continues a
            text), ``masked language model en`` (which fills one in).
        paper, year: where the architecture comes from.
        architecture: ``module:class`` in ``pretrained.architectures``; its ``Config`` stands in the same module. Or
            ``transformers:class``: a Hugging Face model, whose folder is as that library writes it.
        max_tokens: longest source, in pieces, ``</s>`` included.
        cell: ``rnn``, ``lstm``, ``gru`` or none.
        sizes: what differs from the defaults of the architecture's ``Config``.
        attention: kinds of attention maps that a run returns.
        states: kinds of state maps that a run returns.
        positions: how order gets in: ``recurrence``, ``learned``, ``sinusoidal``, ``rotary``; ``none`` if it does not.
        summary: one sentence for a reader.
        parent: the model that it was adapted from, and whose weights it uses but for its own; or none.
        own: how the names of its own tensors begin, where it has a parent.
    """

    name: str
    family: str
    task: str
    paper: str
    year: int
    architecture: str
    max_tokens: int
    attention: tuple[str, ...]
    states: tuple[str, ...]
    positions: str
    summary: str
    cell: str | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    parent: str | None = None
    own: str = ""

    @property
    def folder(self) -> Path:
        """Where the weights are shipped."""
        return WEIGHTS / self.name

    @property
    def is_hugging_face(self) -> bool:
        """Whether the network is the ``transformers`` library's, and ``hub.py`` runs it."""
        return self.architecture.startswith("transformers:")

    @property
    def finished(self) -> bool:
        """Whether it saw all its target tokens and reached its bar; pages show finished models only."""
        return (self.folder / "card.json").is_file() and bool(self.card()["finished"])

    def card(self) -> dict[str, Any]:
        """Read what was measured when the model was trained; raises ``FileNotFoundError``."""
        card: dict[str, Any] = json.loads((self.folder / "card.json").read_text(encoding="utf-8"))
        return card


# Of both language models. Nothing is dropped out: with a tenth, 24 M pieces brought the causal one to a perplexity of
# 113.9 on the test, without to 108.7.
LANGUAGE_SIZES = {"d_vocab": 8000, "n_positions": 256, "d_model": 192, "n_layers": 5, "n_heads": 6}


def _efficient(name: str, paper: str, year: int, architecture: str, summary: str) -> Entry:
    """Describe a relative of the Transformer with another self-attention in its encoder, adapted from it."""
    return Entry(
        name=name,
        family="attention",
        task="translation en-fr",
        paper=paper,
        year=year,
        architecture=architecture,
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="sinusoidal",
        summary=summary,
        parent="transformer",
        own="encoder",
    )


CELL_STATES = {
    "rnn": ("hidden",),
    "lstm": ("hidden", "gate-i", "gate-f", "gate-o", "gate-g", "cell"),
    "gru": ("hidden", "gate-r", "gate-z", "gate-n"),
}


def _states(cell: str, *prefixes: str) -> tuple[str, ...]:
    return tuple(f"{prefix}-{part}" for prefix in prefixes for part in CELL_STATES[cell])


def _recall(cell: str, paper: str, year: int, summary: str) -> Entry:
    """Describe a recurrent reader that remembers pairs; the cells differ in width, so as to be of one size."""
    return Entry(
        name=f"recall-{cell}",
        family="recurrent",
        task="recall",
        paper=paper,
        year=year,
        architecture="recurrent_reader:RecurrentReader",
        max_tokens=210,
        attention=(),
        states=_states(cell, "encoder"),
        positions="recurrence",
        summary=summary,
        cell=cell,
        sizes={"cell": cell, "d_hidden": {"rnn": 228, "lstm": 110, "gru": 128}[cell]},
    )


ENTRIES = (
    Entry(
        name="rnn-seq2seq",
        family="recurrent",
        task="translation en-fr",
        paper="Elman 1990, Finding structure in time; Cho et al. 2014 for encoder and decoder",
        year=1990,
        architecture="seq2seq:Seq2Seq",
        max_tokens=64,
        attention=(),
        states=(*_states("rnn", "encoder", "decoder"), "context"),
        positions="recurrence",
        summary="makes its state anew at every token; what was read first fades first",
        cell="rnn",
        sizes={"cell": "rnn", "d_hidden": 544},
    ),
    Entry(
        name="lstm-seq2seq",
        family="recurrent",
        task="translation en-fr",
        paper="Hochreiter and Schmidhuber 1997, Long short-term memory; Sutskever et al. 2014 for encoder and decoder",
        year=1997,
        architecture="seq2seq:Seq2Seq",
        max_tokens=64,
        attention=(),
        states=(*_states("lstm", "encoder", "decoder"), "context"),
        positions="recurrence",
        summary="keeps a second state behind gates, and still passes on one vector",
        cell="lstm",
        sizes={"cell": "lstm", "d_hidden": 304},
    ),
    Entry(
        name="gru-seq2seq",
        family="recurrent",
        task="translation en-fr",
        paper="Cho et al. 2014, Learning phrase representations using RNN encoder-decoder; Sutskever et al. 2014",
        year=2014,
        architecture="seq2seq:Seq2Seq",
        max_tokens=64,
        attention=(),
        states=(*_states("gru", "encoder", "decoder"), "context"),
        positions="recurrence",
        summary="reads the sentence into one vector and writes from that vector alone",
        cell="gru",
    ),
    Entry(
        name="rnn-bahdanau",
        family="recurrent",
        task="translation en-fr",
        paper="Elman 1990, Finding structure in time; Bahdanau et al. 2015 for the attention",
        year=2015,
        architecture="bahdanau:Bahdanau",
        max_tokens=64,
        attention=("alignment",),
        states=_states("rnn", "encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="has no gates, and looks back at every source token before it writes the next one",
        cell="rnn",
        sizes={"cell": "rnn", "d_hidden": 360},
    ),
    Entry(
        name="lstm-bahdanau",
        family="recurrent",
        task="translation en-fr",
        paper="Hochreiter and Schmidhuber 1997, Long short-term memory; Bahdanau et al. 2015 for the attention",
        year=2015,
        architecture="bahdanau:Bahdanau",
        max_tokens=64,
        attention=("alignment",),
        states=_states("lstm", "encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="keeps a second state behind gates, and looks back at every source token",
        cell="lstm",
        sizes={"cell": "lstm", "d_hidden": 208},
    ),
    Entry(
        name="gru-bahdanau",
        family="recurrent",
        task="translation en-fr",
        paper="Bahdanau, Cho and Bengio 2015, Neural machine translation by jointly learning to align and translate",
        year=2015,
        architecture="bahdanau:Bahdanau",
        max_tokens=64,
        attention=("alignment",),
        states=_states("gru", "encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="looks back at every source token before it writes the next one",
        cell="gru",
    ),
    Entry(
        name="gru-luong",
        family="recurrent",
        task="translation en-fr",
        paper="Luong, Pham and Manning 2015, Effective approaches to attention-based neural machine translation",
        year=2015,
        architecture="luong:Luong",
        max_tokens=64,
        attention=("alignment",),
        states=_states("gru", "encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="takes in its last token before it looks back, and is told at the next step what it saw",
        cell="gru",
    ),
    Entry(
        name="conv-seq2seq",
        family="convolutional",
        task="translation en-fr",
        paper="Gehring et al. 2017, Convolutional sequence to sequence learning",
        year=2017,
        architecture="conv_seq2seq:ConvSeq2Seq",
        max_tokens=64,
        attention=("cross",),
        states=("encoder-hidden", "decoder-hidden"),
        positions="learned",
        summary="slides windows over all positions at once, and looks at the source in every decoder block",
    ),
    Entry(
        name="transformer",
        family="attention",
        task="translation en-fr",
        paper="Vaswani et al. 2017, Attention is all you need",
        year=2017,
        architecture="transformer:Transformer",
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="sinusoidal",
        summary="drops recurrence: every token looks at every token, many times at once",
    ),
    Entry(
        name="transformer-unordered",
        family="attention",
        task="translation en-fr",
        paper="Vaswani et al. 2017, Attention is all you need, but for its section 3.5",
        year=2017,
        architecture="transformer:Transformer",
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="none",
        summary="is told no positions: whatever the order of a sentence, it reads the same",
        sizes={"positions": "none"},
    ),
    Entry(
        name="transformer-rotary",
        family="attention",
        task="translation en-fr",
        paper="Su et al. 2021, RoFormer; Ainslie et al. 2023, GQA; Zhang and Sennrich 2019, RMSNorm",
        year=2023,
        architecture="transformer_rotary:TransformerRotary",
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="rotary",
        summary="turns queries and keys by their positions, and lets heads share keys and values",
    ),
    _efficient(
        "transformer-hierarchical",
        "Ren et al. 2021, Combiner; Yang et al. 2016, Hierarchical attention networks",
        2021,
        "hierarchical:TransformerHierarchical",
        "sums tokens up in blocks and looks at the blocks",
    ),
    _efficient(
        "transformer-window",
        "Beltagy, Peters and Cohan 2020, Longformer: the long-document Transformer",
        2020,
        "window:TransformerWindow",
        "lets every source token see its neighbours alone",
    ),
    _efficient(
        "transformer-bigbird",
        "Zaheer et al. 2020, Big Bird: Transformers for longer sequences",
        2020,
        "bigbird:TransformerBigBird",
        "lets a token see its neighbours, both ends of the text and a few drawn by lot",
    ),
    _efficient(
        "transformer-linformer",
        "Wang et al. 2020, Linformer: self-attention with linear complexity",
        2020,
        "linformer:TransformerLinformer",
        "projects all source tokens to a few slots and looks at the slots",
    ),
    _efficient(
        "transformer-performer",
        "Choromanski et al. 2020, Rethinking attention with Performers",
        2020,
        "performer:TransformerPerformer",
        "estimates the softmax by random features, so that no two tokens need be compared",
    ),
    _recall("rnn", "Elman 1990, Finding structure in time", 1990, "keeps its state by making it anew at every token"),
    _recall("lstm", "Hochreiter and Schmidhuber 1997, Long short-term memory", 1997, "has a second state behind gates"),
    _recall("gru", "Cho et al. 2014, Learning phrase representations", 2014, "keeps what a gate leaves of its state"),
    Entry(
        name="recall-transformer",
        family="attention",
        task="recall",
        paper="Vaswani et al. 2017, Attention is all you need, section 3.2.3",
        year=2017,
        architecture="causal_transformer:CausalTransformer",
        max_tokens=210,
        attention=("decoder-self",),
        states=("decoder-hidden",),
        positions="sinusoidal",
        summary="keeps nothing: it looks the answer up among all tokens that it read",
    ),
    Entry(
        name="babi-transformer",
        family="attention",
        task="question answering en",
        paper="Su et al. 2021, RoFormer; Weston et al. 2015 for the stories",
        year=2021,
        architecture="transformer_rotary:TransformerRotary",
        max_tokens=512,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="rotary",
        summary="reads a story and a question about it, and writes the answer",
        sizes={"d_vocab": 170, "d_model": 64, "d_feedforward": 128, "n_heads": 4, "n_layers": 3},
    ),
    Entry(
        name="date-bahdanau",
        family="recurrent",
        task="dates",
        paper="Bahdanau, Cho and Bengio 2015, Neural machine translation by jointly learning to align and translate",
        year=2015,
        architecture="bahdanau:Bahdanau",
        max_tokens=64,
        attention=("alignment",),
        states=_states("gru", "encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="reads a date as people write it, character by character, and writes year, month and day",
        cell="gru",
        sizes={"d_vocab": 46, "d_model": 32, "d_hidden": 64},
    ),
    Entry(
        name="compress-transformer",
        family="attention",
        task="compression",
        paper="Vaswani et al. 2017, Attention is all you need; Filippova et al. 2015 for the task",
        year=2017,
        architecture="tagger:Tagger",
        max_tokens=64,
        attention=("encoder-self",),
        states=("encoder-hidden",),
        positions="sinusoidal",
        summary="keeps or drops every word of a sentence",
        sizes={"d_model": 80, "d_feedforward": 160},
    ),
    Entry(
        name="gru-selfattention",
        family="recurrent",
        task="translation en-fr",
        paper="Chen et al. 2018, The best of both worlds: combining recent advances in neural machine translation",
        year=2018,
        architecture="gru_selfattention:GRUSelfAttention",
        max_tokens=64,
        attention=("encoder-self", "alignment"),
        states=_states("gru", "encoder", "encoder-reverse", "decoder"),
        positions="recurrence",
        summary="reads one token after the other, then lets every source token look at every other",
        cell="gru",
    ),
    Entry(
        name="gpt-mini",
        family="attention",
        task="language model en",
        paper="Radford et al. 2019, Language models are unsupervised multitask learners",
        year=2019,
        architecture="transformers:GPT2LMHeadModel",
        max_tokens=256,
        attention=("decoder-self",),
        states=("decoder-embedding", "decoder-hidden"),
        positions="learned",
        summary="continues a text: every token sees those before it, and the next one is drawn",
        sizes=LANGUAGE_SIZES
        | {"bos_token_id": 5, "eos_token_id": 5, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0},
    ),
    Entry(
        name="bert-mini",
        family="attention",
        task="masked language model en",
        paper="Devlin et al. 2019, BERT: pre-training of deep bidirectional Transformers for language understanding",
        year=2019,
        architecture="transformers:BertForMaskedLM",
        max_tokens=256,
        attention=("encoder-self",),
        states=("encoder-embedding", "encoder-hidden"),
        positions="learned",
        summary="fills in what is masked: every token sees all others, before it and after it",
        sizes=LANGUAGE_SIZES | {"d_feedforward": 768, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    ),
)

# Trained a part of the way, each a part less of the Transformer: only their cards are kept, for the learning curves.
ABLATIONS = (
    Entry(
        name="transformer-no-residual",
        family="attention",
        task="translation en-fr",
        paper="Vaswani et al. 2017, Attention is all you need, but for its residual connections",
        year=2017,
        architecture="transformer_ablated:TransformerNoResidual",
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="sinusoidal",
        summary="hands on what each sub-layer makes, and not what it read",
    ),
    Entry(
        name="transformer-no-norm",
        family="attention",
        task="translation en-fr",
        paper="Vaswani et al. 2017, Attention is all you need, but for its layer normalisation",
        year=2017,
        architecture="transformer_ablated:TransformerNoNorm",
        max_tokens=64,
        attention=("encoder-self", "decoder-self", "cross"),
        states=("encoder-hidden", "decoder-hidden"),
        positions="sinusoidal",
        summary="lets its vectors grow from layer to layer",
    ),
)


def finished(**facts: object) -> tuple[Entry, ...]:
    """List the finished models that have these facts, in their order: ``finished(cell="gru", attention=())``."""
    return tuple(
        known for known in ENTRIES
        if all(getattr(known, name) == value for name, value in facts.items()) and known.finished
    )  # fmt: skip


def entry(name: str) -> Entry:
    """Find a model by name; raises ``ValueError`` naming those that there are."""
    for known in (*ENTRIES, *ABLATIONS):
        if known.name == name:
            return known
    raise ValueError(f"unknown model {name!r}; expected one of {', '.join(known.name for known in ENTRIES)}")
