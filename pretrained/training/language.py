"""What the language models read: whole documents as one stream, or paragraphs with words masked out.

Both are cut by one English byte-pair encoding. The order of a pass, and what is masked in it, is a function of
``(seed, number)`` alone, as for the translation models.

    causal: the network reads pieces 1 to n of a window and is asked for pieces 2 to n + 1
    masked: it reads ``[CLS] the cat [MASK] on the mat . [SEP]`` and is asked for ``sat``
            (Devlin et al. 2019, section 3.1; words are masked whole, as in the authors' later models, and frequent
            words less often than rare ones, by the rule of Mikolov et al. 2013, section 2.3)
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from torch import Tensor

from pretrained import tokenization
from pretrained.shapes import Bool, Float, Int
from pretrained.tokenization import WORD_MARK
from pretrained.training.data import open_text, pad, read_pairs
from pretrained.training.loss import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import tokenizers
    from torch import nn

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<|endoftext|>")
PAD, UNKNOWN, CLASS, SEPARATOR, MASK, END_OF_TEXT = range(len(SPECIAL))
CAUSAL_ROLES = {
    "unk_token": SPECIAL[UNKNOWN],
    "pad_token": SPECIAL[PAD],
    "bos_token": SPECIAL[END_OF_TEXT],
    "eos_token": SPECIAL[END_OF_TEXT],
}
MASKED_ROLES = {
    "unk_token": SPECIAL[UNKNOWN],
    "pad_token": SPECIAL[PAD],
    "cls_token": SPECIAL[CLASS],
    "sep_token": SPECIAL[SEPARATOR],
    "mask_token": SPECIAL[MASK],
}
VOCABULARY, CHARACTERS = 8000, 160
# Words as English treebanks cut them ("do" and "n't", "Mary" and "'s"), numbers, or one sign; each with its mark.
PIECE_BORDERS = (
    rf"{WORD_MARK}?[\p{{L}}\p{{M}}]+?(?=n't(?!\p{{L}}))|n't(?!\p{{L}})|'(?:s|re|ve|m|ll|d)(?!\p{{L}})|"
    rf"{WORD_MARK}?[\p{{L}}\p{{M}}]+|{WORD_MARK}?\p{{N}}+|{WORD_MARK}?[^\p{{L}}\p{{M}}\p{{N}}{WORD_MARK}]|{WORD_MARK}"
)
FILES = {split: f"lm/{split}.tsv.gz" for split in ("train", "valid", "test")}
PAIRS, CONVERSATION = "enfr/train.tsv.gz", "tatoeba"
SINGLE = "wiki"  # the source whose lines are sentences that have nothing to do with each other
LENGTH = 256  # pieces that both networks have positions for
BUDGETS = (32, 64, 128, 254)  # pieces that paragraphs are joined up to for the masked model, drawn for each row
MASKED_SHARE, FREQUENT = 0.4, 3e-4  # of rare words; a word is frequent if it is more than this share of the text
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1


@dataclass(frozen=True)
class Batch:
    """Rows of pieces, and what is asked for.

    Attributes:
        ids: what is read.
        target: the piece that is asked for at a place, else ``[PAD]``.
        target_tokens: how many pieces are asked for.
    """

    ids: Int[Tensor, "batch token"]
    target: Int[Tensor, "batch token"]
    target_tokens: int


class CausalMaterial:
    """Windows of a stream of documents, every piece of which is asked for."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, folder: Path, *, seed: int, batch_tokens: int) -> None:
        """Read and cut all text."""
        self._documents = cut(tokenizer, training_documents(folder))
        self._seed = seed
        self._rows = max(1, batch_tokens // LENGTH)
        documents = cut(tokenizer, read_documents(folder / FILES["valid"]))
        self.validation = list(self._batches(documents, random.Random(0), 0))

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield one pass; the windows of each begin at other places."""
        chance = random.Random(f"{self._seed}/{number}")
        yield from self._batches(self._documents, chance, chance.randrange(LENGTH))

    def loss(self, network: nn.Module, batch: Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of every next piece."""
        logits = network(batch.ids.to(_device(network)), use_cache=False).logits
        return cross_entropy(logits, batch.target, label_smoothing=label_smoothing)

    def _batches(self, documents: Sequence[Sequence[list[int]]], chance: random.Random, first: int) -> Iterator[Batch]:
        windows = [*windows_of(stream(chance.sample(documents, len(documents))), LENGTH, first=first)]
        chance.shuffle(windows)
        for start in range(0, len(windows), self._rows):
            rows = torch.stack(windows[start : start + self._rows])
            yield Batch(rows[:, :-1], rows[:, 1:], rows[:, 1:].numel())


class MaskedMaterial:
    """Paragraphs of near-equal length, some words of which are hidden and asked for."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, folder: Path, *, seed: int, batch_tokens: int) -> None:
        """Read and cut all text."""
        self._begins = begins_word(tokenizer)
        self._documents = cut(tokenizer, training_documents(folder))
        self._shares = shares_to_hide(self._documents, len(self._begins))
        self._seed = seed
        self._batch_tokens = batch_tokens
        documents = cut(tokenizer, read_documents(folder / FILES["valid"]))
        self.validation = list(self._batches(documents, random.Random(0)))

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield one pass."""
        yield from self._batches(self._documents, random.Random(f"{self._seed}/{number}"))

    def loss(self, network: Any, batch: Batch, *, label_smoothing: float) -> Tensor:
        """Cross-entropy of the hidden pieces; the vocabulary is scored at their places alone."""
        ids = batch.ids.to(_device(network))
        asked = batch.target != PAD
        hidden = network.base_model(ids, attention_mask=(ids != PAD).long()).last_hidden_state
        logits = network.get_submodule("cls")(hidden[asked.to(ids.device)])
        return cross_entropy(logits, batch.target[asked], label_smoothing=label_smoothing)

    def _batches(self, documents: Sequence[Sequence[list[int]]], chance: random.Random) -> Iterator[Batch]:
        rows = [[CLASS, *row, SEPARATOR] for document in documents for row in joined(document, chance)]
        draw = torch.Generator().manual_seed(chance.getrandbits(62))
        for group in by_length(rows, chance, self._batch_tokens):
            ids, target = mask_words(pad(group), self._begins, self._shares, draw)
            yield Batch(ids, target, int((target != PAD).sum()))


def training_documents(folder: Path) -> list[list[str]]:
    """Read all text for training: the documents, and every distinct sentence of conversation as one of its own."""
    pairs = read_pairs(folder / PAIRS, tags={CONVERSATION: LENGTH})
    return [
        *read_documents(folder / FILES["train"]),
        *([text] for text in dict.fromkeys(pair.source for pair in pairs)),
    ]


def read_documents(path: Path) -> list[list[str]]:
    """Read ``text <TAB> source <TAB> document`` lines: the paragraphs of every document, in their order.

    Raises:
        ValueError: a line without a text, a source and a document, naming file and line.
    """
    documents: dict[tuple[str, str], list[str]] = {}
    for number, line in enumerate(open_text(path), start=1):
        fields = line.split("\t")
        if len(fields) != 3 or not fields[0].strip():
            raise ValueError(f"{path}, line {number}: expected text<TAB>source<TAB>document, got {line[:60]!r}")
        text, source, name = fields
        documents.setdefault((source, str(number) if source == SINGLE else name), []).append(text)
    return list(documents.values())


def train_tokenizer(texts: Sequence[str], *, size: int = VOCABULARY, path: Path) -> None:
    """Learn an English byte-pair encoding of ``size`` pieces and write it to ``path``."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = tokenization.blank()
    tokenizer.model = models.BPE(unk_token=SPECIAL[UNKNOWN])
    typography = (normalizers.Replace(typed, trained) for typed, trained in tokenization.FOLDED.items())
    # A special piece cuts a text in two: what follows it keeps its space, or its want of one, and gets no mark.
    normalizer = normalizers.Sequence(
        [normalizers.NFC(), *typography, normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(left=False)]
    )
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=WORD_MARK, prepend_scheme="first", split=False),
            pre_tokenizers.Split(Regex(PIECE_BORDERS), behavior="isolated"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_MARK)
    # Left alone, the trainer would choose among equally rare characters by chance.
    seen = Counter(character for text in texts for character in normalizer.normalize_str(text))
    alphabet = [WORD_MARK, *sorted(seen.keys() - {" "}, key=lambda character: (-seen[character], character))]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet[:CHARACTERS],
        limit_alphabet=CHARACTERS,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path), pretty=False)


def load_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Read the tokenizer; special pieces that stand in a text are text."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def write_folder(network: Any, tokenizer: Path, folder: Path) -> None:
    """Write a network as the ``transformers`` library does, in half precision: weights, configuration, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    # A tensor that is used twice is named once.
    half = {name: parameter.detach().half().contiguous() for name, parameter in network.named_parameters()}
    safetensors.torch.save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    network.config.architectures = [type(network).__name__]
    network.config.dtype = "float32"  # what the library computes in, unless told otherwise
    network.config.save_pretrained(folder)
    causal = network.can_generate()
    if causal:
        # Most texts that it learns from are single sentences: left alone, it would end at every full stop.
        network.generation_config.suppress_tokens = [*range(len(SPECIAL))]
        network.generation_config.save_pretrained(folder)
    roles = CAUSAL_ROLES if causal else MASKED_ROLES
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    # What is not special to this model and stands in a text is text.
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] in roles.values()]
    if not causal:
        content["post_processor"] = json.loads(_framed().__getstate__())
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LENGTH, **roles}
    for name, part in (("tokenizer.json", content), ("tokenizer_config.json", settings)):
        text = json.dumps(part, ensure_ascii=False, separators=(",", ":"))
        (folder / name).write_text(f"{text}\n", encoding="utf-8")


def cut(tokenizer: tokenizers.Tokenizer, documents: Sequence[Sequence[str]]) -> list[list[list[int]]]:
    """Cut the paragraphs of documents into pieces."""
    paragraphs = [text for document in documents for text in document]
    pieces = iter(tokenizer.encode_batch_fast(paragraphs))
    return [[next(pieces).ids for _ in document] for document in documents]


def stream(documents: Sequence[Sequence[list[int]]]) -> Int[Tensor, " token"]:
    """Write documents one after the other, an end of text before each and after the last."""
    pieces = [END_OF_TEXT]
    for document in documents:
        for paragraph in document:
            pieces += paragraph
        pieces.append(END_OF_TEXT)
    return torch.tensor(pieces)


def windows_of(pieces: Int[Tensor, " token"], length: int, *, first: int = 0) -> Int[Tensor, "window place"]:
    """Cut a stream into windows of ``length`` pieces and the one after them, which is the next one's first."""
    starts = torch.arange(first, len(pieces) - length, length)
    return pieces[starts[:, None] + torch.arange(length + 1)]


def joined(document: Sequence[list[int]], chance: random.Random) -> Iterator[list[int]]:
    """Join the paragraphs of a document to rows, each up to a length that is drawn for it; cut what is too long."""
    row: list[int] = []
    budget = chance.choice(BUDGETS)
    for paragraph in document:
        for start in range(0, len(paragraph), BUDGETS[-1]):
            part = paragraph[start : start + BUDGETS[-1]]
            if row and len(row) + len(part) > budget:
                yield row
                row, budget = [], chance.choice(BUDGETS)
            row = row + part
    if row:
        yield row


def by_length(rows: Sequence[list[int]], chance: random.Random, batch_tokens: int) -> list[list[list[int]]]:
    """Group rows of near-equal length, at most ``batch_tokens`` padded pieces a group, in random order."""
    groups: list[list[list[int]]] = [[]]
    for row in sorted(rows, key=lambda row: (len(row), chance.random())):
        # The last row is the longest: it tells how wide all of its group will be.
        if groups[-1] and (len(groups[-1]) + 1) * len(row) > batch_tokens:
            groups.append([])
        groups[-1].append(row)
    chance.shuffle(groups)
    return groups


def begins_word(tokenizer: tokenizers.Tokenizer) -> Bool[Tensor, " vocab"]:
    """Tell for every piece whether it begins a word: it has the mark, or is no letter."""
    pieces = [str(tokenizer.id_to_token(index)) for index in range(tokenizer.get_vocab_size())]
    return torch.tensor([not piece[0].isalpha() for piece in pieces])


def shares_to_hide(documents: Sequence[Sequence[list[int]]], d_vocab: int) -> Float[Tensor, " vocab"]:
    """Tell how often a word with a piece is to be hidden: less by the square root of how frequent the piece is.

    Asked for all words alike, a model learns above all where commas and articles stand.
    """
    pieces = torch.tensor([piece for document in documents for paragraph in document for piece in paragraph])
    frequency = pieces.bincount(minlength=d_vocab) / len(pieces)
    return MASKED_SHARE * (FREQUENT / frequency).sqrt().clamp(max=1)


def mask_words(
    ids: Int[Tensor, "batch token"],
    begins: Bool[Tensor, " vocab"],
    shares: Float[Tensor, " vocab"],
    draw: torch.Generator,
) -> tuple[Int[Tensor, "batch token"], Int[Tensor, "batch token"]]:
    """Hide words, each by the share of its rarest piece; 80 % of their pieces become ``[MASK]``, 10 % a random piece.

    Returns:
        What is read, and the hidden pieces at their places with ``[PAD]`` elsewhere; at least one piece is hidden.
    """
    ordinary = ids >= len(SPECIAL)
    word = (begins[ids] | ~ordinary).cumsum(1)
    chances = torch.rand(len(ids), ids.shape[1] + 1, generator=draw)
    rarest = torch.zeros_like(chances).scatter_reduce(1, word, shares[ids], "amax")
    hidden = (chances < rarest).gather(1, word) & ordinary
    if not hidden.any():
        hidden.view(-1)[ordinary.view(-1).nonzero()[0]] = True
    fate = torch.rand(ids.shape, generator=draw)
    other = torch.randint(len(SPECIAL), len(begins), ids.shape, generator=draw)
    read = torch.where(hidden & (fate < MASK_SHARE), MASK, ids)
    read = torch.where(hidden & (fate >= 1 - RANDOM_SHARE), other, read)
    return read, torch.where(hidden, ids, PAD)


def _framed() -> tokenizers.processors.TemplateProcessing:
    from tokenizers import processors

    return processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(SPECIAL[CLASS], CLASS), (SPECIAL[SEPARATOR], SEPARATOR)],
    )


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
