"""What summaries say: two tables of theirs with the claims that test each row, and what is wrong or loose in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row of a textbook's table, and the claims that test it."""

    cells: tuple[str, str] | tuple[str, str, str]
    claims: tuple[str, ...]


ASPECTS = (
    Row(("processing", "sequential", "parallel"), ("Sequential against parallel",)),
    Row(("context", "fixed bottleneck", "full attention"), ("The bottleneck", "Attention eases the bottleneck")),
    Row(("long dependencies", "exponential decay", "direct connections"), ("Vanishing", "Gradient path")),
    Row(("training speed", "slow", "fast"), ("Sequential against parallel",)),
    Row(("memory", "O(n)", "O(n²)"), ("Memory",)),
    Row(("gradient path", "long", "direct"), ("Gradient path", "Receptive field")),
    Row(("time", "O(n d²)", "O(n² d)"), ("Time",)),
)
PROBLEMS = (
    Row(("sequential processing", "self-attention in parallel"), ("Sequential against parallel",)),
    Row(("long-term dependencies", "attending to any part directly"), ("Gradient path", "Nothing is lost")),
    Row(("order", "positional encoding"), ("Order without positions",)),
    Row(("training instability", "residuals and normalisation"), ("Residual and normalisation",)),
    Row(("fixed length", "variable-length output"), ("Variable-length output",)),
)


@dataclass(frozen=True)
class Loose:
    """A sentence that summaries have, what is right, the claims that test it, and the chapter that shows it."""

    said: str
    right: str
    claims: tuple[str, ...]
    url: str


LOOSE = (
    Loose(
        "A plain RNN has input and output gates.",
        "Those are the LSTM's. A plain RNN has none: it makes its whole state anew at every token.",
        (),
        "lstm-gru",
    ),
    Loose(
        "The encoder outputs keys, values and queries.",
        "It outputs one vector a token. Each decoder layer projects its keys and values from these; the queries come "
        "from the decoder.",
        (),
        "transformer",
    ),
    Loose(
        "Gradients vanish because the context has a fixed length.",
        "They vanish with the length of the path, by a factor for every step. The vector of fixed length is another "
        "trouble, the bottleneck.",
        ("Vanishing", "The bottleneck"),
        "rnn",
    ),
    Loose(
        "A GRU is as good as an LSTM, and faster.",
        "It has fewer parameters with as many units; the rest depends on the task, the size and the machine.",
        ("GRU against LSTM",),
        "lstm-gru",
    ),
    Loose(
        "A Transformer works in parallel.",
        "It reads and trains in parallel. It still writes one token after the other, since each is read before the "
        "next can be written.",
        ("Sequential against parallel",),
        "masks",
    ),
    Loose(
        "Sinusoids keep translation invariance.",
        "Only the dot product of two positions does not care where they stand; what the model makes of their sums with "
        "words does.",
        ("Indifferent to place",),
        "positions",
    ),
    Loose(
        "Sparse attention makes it faster.",
        "It pays beyond some length, and not below.",
        ("Sparse attention",),
        "efficient",
    ),
    Loose(
        "With attention there is no loss of information.",
        "That does not follow: every token can be reached, but what is read is a mixture. Of a short text as good as "
        "all may arrive all the same.",
        ("Nothing is lost",),
        "attention",
    ),
    Loose(
        "Attention weights explain what the model does.",
        "A weight says how much was mixed in, not what it held nor whether it mattered: heads that look may be "
        "switched off, and the same is written.",
        ("Heads are redundant", "It finds its noun"),
        "multi-head",
    ),
    Loose(
        "Self-attention is faster than recurrence.",
        "Not for short sentences as such: there the square is small, and so is what could run in parallel.",
        ("Faster at any length",),
        "transformer",
    ),
    Loose(
        "The Transformer brought variable-length output.",
        "The encoder-decoder of 2014 had it: whoever writes </s> ends its output.",
        ("Variable-length output",),
        "encoder-decoder",
    ),
)
