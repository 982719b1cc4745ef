"""Text to pieces and back, with the character span of every piece.

A joint byte-pair encoding (Sennrich, Haddow and Birch 2016, section 3.2) by the ``tokenizers`` library. A word starts
with the mark U+2581, as in SentencePiece, so that decoding loses no space; the mark never reaches a reader, who sees
``text[start:end]``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import tokenizers

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
WORD_MARK = "\u2581"
INNER_MARK = "@@"  # begins a piece that does not begin a word, where the words were cut beforehand
FOLDER = Path(__file__).parent / "weights" / "tokenizers"

# Typography that the training text does not have, and what it has instead; each of an ellipsis's stops has its span.
FOLDED = {
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2013": "-", "\u2014": "-",
}  # fmt: skip
# A word with its elision ("l'"), one digit, or one sign, each with the mark before it.
PIECE_BORDERS = (
    rf"{WORD_MARK}?[\p{{L}}\p{{M}}]+'?|{WORD_MARK}?\p{{N}}|{WORD_MARK}?[^\p{{L}}\p{{M}}\p{{N}}{WORD_MARK}]|{WORD_MARK}"
)


@dataclass(frozen=True)
class Pieces:
    """A text cut into pieces.

    Attributes:
        ids: one number a piece; the last is ``</s>`` where asked for.
        spans: ``(start, end)`` of every piece in the text, in characters, leading space left out; ``</s>`` is empty.
        labels: what a reader sees: ``text[start:end]``, a space where that is empty, or ``</s>``.
    """

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class WordPieces:
    """Words cut into pieces.

    Attributes:
        ids: one number a piece; the last is ``</s>``.
        words: which word every piece but the last is of, counted from 0.
        spans: ``(start, end)`` of every piece but the last in its word, in characters; they leave no gap.
    """

    ids: tuple[int, ...]
    words: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def first(self) -> tuple[int, ...]:
        """Where the first piece of every word stands."""
        return tuple(place for place, word in enumerate(self.words) if place == 0 or word != self.words[place - 1])


class Tokenizer:
    """A trained byte-pair encoding; owns nothing that changes."""

    def __init__(self, path: Path) -> None:
        """Read a tokenizer file; raises ``FileNotFoundError`` naming the path."""
        import tokenizers

        if not path.is_file():
            raise FileNotFoundError(f"no tokenizer at {path}")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        # A reader who types "</s>" means these four characters, not the end of the sentence.
        self._tokenizer.encode_special_tokens = True
        self._pieces = tuple(str(self._tokenizer.id_to_token(index)) for index in range(len(self)))

    def __len__(self) -> int:
        """Count the pieces of the vocabulary, special ones included."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> Pieces:
        """Cut a text into pieces and append ``</s>``; a text all in capitals is read in lower case."""
        encoding = self._tokenizer.encode(in_readable_case(text))
        borders = [*(start for start, _ in encoding.offsets), len(text)]
        spans, labels = [], []
        for piece, span, following in zip(encoding.tokens, encoding.offsets, borders[1:], strict=True):
            start, end = _as_seen(text, *span, following)
            # The mark before the first character stands for no space of the text, where it is a piece of its own.
            if piece == WORD_MARK and not text[start:end].isspace():
                end = start
            spans.append((start, end))
            labels.append(text[start:end] or " ")
        return Pieces((*encoding.ids, END), (*spans, (len(text), len(text))), (*labels, SPECIAL[END]))

    def encode_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode many texts, numbers only, each with ``</s>`` at its end."""
        readable = [in_readable_case(text) for text in texts]
        return [[*encoding.ids, END] for encoding in self._tokenizer.encode_batch_fast(readable)]

    def encode_words(self, texts: Sequence[Sequence[str]]) -> list[WordPieces]:
        """Encode many texts that are cut into words already, each with ``</s>`` at its end."""
        found = []
        for words, encoding in zip(texts, self._tokenizer.encode_batch(texts, is_pretokenized=True), strict=True):
            # A piece of no word would be one that the tokenizer put in by itself; it puts in none.
            numbers = tuple(number for number in encoding.word_ids if number is not None)
            starts = [start for start, _ in encoding.offsets]
            found.append(WordPieces((*encoding.ids, END), numbers, _without_gaps(words, numbers, starts)))
        return found

    def decode(self, ids: Sequence[int]) -> Pieces:
        """Name generated pieces by their place in the text that they spell.

        Special pieces keep their names; spans point into ``self.text(ids)``.
        """
        spans, labels, length = [], [], 0
        for index in ids:
            if index in (PAD, START, END):
                spans.append((length, length))
                labels.append(SPECIAL[index])
                continue
            piece = self._pieces[index]
            shown = piece.replace(WORD_MARK, " ")
            if length == 0:
                shown = shown.lstrip(" ")
            start = length + len(shown) - len(shown.lstrip(" ")) if shown.strip(" ") else length
            length += len(shown)
            spans.append((start, length))
            labels.append(shown.strip(" ") or " ")
        return Pieces(tuple(ids), tuple(spans), tuple(labels))

    def text(self, ids: Sequence[int]) -> str:
        """Spell generated pieces as text, special ones left out."""
        pieces = "".join(self._pieces[index] for index in ids if index not in (PAD, START, END))
        return pieces.replace(WORD_MARK, " ").lstrip(" ")


def in_readable_case(text: str) -> str:
    """Turn a text that is all capitals to lower case: else its words fall into letters, which no model learns from."""
    lowered = text.lower()
    capitals = sum(character.isalpha() for character in text) > 1 and text.isupper()
    # Every character keeps its place, so that spans still point into the text as typed.
    return lowered if capitals and len(lowered) == len(text) else text


def _as_seen(text: str, start: int, end: int, following: int) -> tuple[int, int]:
    """Leave out the space before a piece, and take in the accents that normalisation merged into its last letter."""
    while start < end - 1 and text[start].isspace():
        start += 1
    while end < following and not text[end].isspace():
        end += 1
    return start, end


def _without_gaps(words: Sequence[str], numbers: Sequence[int], starts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Let every piece end where the next one starts, so that accents merged by normalisation have their place."""
    following = [*zip(numbers, starts, strict=True), (len(words), 0)][1:]
    return tuple(
        (start, next_start if next_number == number else len(words[number]))
        for number, start, (next_number, next_start) in zip(numbers, starts, following, strict=True)
    )


@functools.cache
def load(name: str) -> Tokenizer:
    """Load a shipped tokenizer once, by name; raises ``FileNotFoundError``."""
    return Tokenizer(FOLDER / f"{name}.json")


def train(texts: Iterator[str], *, size: int, path: Path) -> None:
    """Learn a byte-pair encoding of ``size`` pieces from ``texts`` and write it to ``path``.

    Characters seen fewer than a handful of times are left out of the alphabet and read as ``<unk>``.
    """
    tokenizer = blank()
    from tokenizers import trainers

    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=160, show_progress=True)
    tokenizer.train_from_iterator(texts, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path), pretty=False)


def blank() -> tokenizers.Tokenizer:
    """Make an untrained tokenizer with this project's normalisation and borders."""
    import tokenizers
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN]))
    tokenizer.normalizer = normalizers.Sequence(
        [
            *_typography(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Prepend(WORD_MARK),
            normalizers.Replace(" ", WORD_MARK),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE_BORDERS), behavior="isolated")
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_MARK)
    return tokenizer


def train_on_words(texts: Iterator[str], *, size: int, path: Path) -> None:
    """Learn a lower-case byte-pair encoding from texts whose words stand apart, for ``Tokenizer.encode_words``."""
    import tokenizers
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN], continuing_subword_prefix=INNER_MARK))
    tokenizer.normalizer = normalizers.Sequence([*_typography(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        limit_alphabet=60,
        continuing_subword_prefix=INNER_MARK,
        show_progress=True,
    )
    tokenizer.train_from_iterator(texts, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path), pretty=False)


def train_words(texts: Iterator[str], *, path: Path) -> None:
    """Give every word and every sign of ``texts`` a piece of its own, in lower case, and write the tokenizer."""
    from tokenizers import models, normalizers, trainers

    tokenizer = blank()
    tokenizer.model = models.WordLevel(unk_token=SPECIAL[UNKNOWN])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), tokenizer.normalizer])
    tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=list(SPECIAL), show_progress=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path), pretty=False)


def write_characters(alphabet: str, *, pairs: Sequence[str] = (), path: Path) -> None:
    """Write a tokenizer that has learned nothing: a piece is one character of ``alphabet``, in lower case.

    Two characters that stand in ``pairs`` are one piece where they meet. Where no space is in the alphabet, spaces
    between characters are passed over.
    """
    import tokenizers
    from tokenizers import Regex, models, normalizers

    vocabulary = {piece: index for index, piece in enumerate((*SPECIAL, *alphabet, *pairs))}
    merges = [(pair[0], pair[1]) for pair in pairs]
    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token=SPECIAL[UNKNOWN]))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.normalizer = normalizers.Sequence(
        [
            *_typography(),
            normalizers.Replace(Regex(r"\s+"), " " if " " in alphabet else ""),
            normalizers.Strip(),
            normalizers.Lowercase(),
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path), pretty=False)


def _typography() -> list[tokenizers.normalizers.Normalizer]:
    from tokenizers import normalizers

    return [normalizers.NFC(), *(normalizers.Replace(typed, trained) for typed, trained in FOLDED.items())]
