"""What a measurement gave, in words, and the verdict on the claim that it tests: one function a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard import cards, runs
from pretrained.analysis import (
    bottleneck,
    cost,
    efficient,
    heads,
    lengths,
    positions,
    reach,
    recurrent,
    rows,
    self_attention,
    writing,
)
from pretrained.analysis.verdict import Verdict, judged
from viz.numbers import number, percent, rough

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pretrained.analysis.bottleneck import Remembered

LARGER, SHIFT = 2.0, 10  # as the chapters have them, so that nothing is measured twice


@dataclass(frozen=True)
class Outcome:
    """What a measurement gave, in words of our own, and what it says of the claim; ``None`` where it cannot tell."""

    figure: str
    verdict: Verdict | None


def vanishing(norms: NDArray[np.float32], _: tuple[str, ...]) -> Outcome:
    """Judge the plain RNN's gradient as trained."""
    return Outcome(
        f"At the first token the gradient's norm is {rough(norms[0], 2)}, at the last {rough(norms[-1], 2)}: times "
        f"{recurrent.factor_a_step(norms):.2f} for every step back.",
        judged(recurrent.fate(norms) == "vanishes"),
    )


def exploding(norms: NDArray[np.float32], _: tuple[str, ...]) -> Outcome:
    """Judge it with a larger recurrent matrix."""
    return Outcome(
        f"With U times {LARGER:g} the norm is {rough(norms[0], 2)} at the first token and {rough(norms[-1], 2)} at the "
        f"last: times {recurrent.factor_a_step(norms):.2f} for every step back.",
        judged(recurrent.fate(norms) == "explodes"),
    )


def forgetting(moved: NDArray[np.float32], _: tuple[str, ...]) -> Outcome:
    """Judge how far blanks move the last state."""
    earlier, later = recurrent.halves(moved)
    return Outcome(
        f"A blanked token of the earlier half moves the last state by {percent(earlier)} of its length, one of the "
        f"later half by {percent(later)}; both means.",
        judged(recurrent.forgets(moved)),
    )


def gru_and_lstm(speeds: tuple[float, float], names: tuple[str, ...]) -> Outcome:
    """Judge a GRU's speed on the text, and its score in training."""
    lstm, gru = (cards.chrf(name) for name in names)
    return Outcome(
        f"The GRU reads {speeds[1]:,.0f} tokens a second, the LSTM {speeds[0]:,.0f}: {recurrent.pace(speeds)}. Its "
        f"chrF is {gru:.1f} against {lstm:.1f}: {cards.quality(lstm, gru)}.",
        judged(recurrent.pace(speeds) == "faster", cards.quality(lstm, gru) != "worse"),
    )


def narrow(found: tuple[Remembered, ...], names: tuple[str, ...]) -> Outcome:
    """Judge what is left in one vector once more is read."""
    ranges = lengths.by_length(runs.card(names[0]))
    outcome = _remembered(found, bottleneck.is_lost)
    trained = (
        f" In training: chrF {ranges[0].chrf:.0f} at {ranges[0].name} words, {ranges[-1].chrf:.0f} at "
        f"{ranges[-1].name}."
    )
    return Outcome(outcome.figure + trained, outcome.verdict)


def nothing_lost(found: tuple[Remembered, ...], _: tuple[str, ...]) -> Outcome:
    """Judge what is left where the decoder looks back at all rows."""
    return _remembered(found, bottleneck.is_kept)


def _remembered(found: tuple[Remembered, ...], judge: Callable[[Sequence[Remembered]], Verdict]) -> Outcome:
    if len(found) < 2:
        return Outcome("The model writes no word for this sentence, or no other fits behind it.", None)
    return Outcome(
        f"A token of its own translation has {percent(found[0].probability)} when your sentence is read alone, "
        f"{percent(found[-1].probability)} with {found[-1].tokens - found[0].tokens} more tokens behind it: "
        f"{percent(bottleneck.left(found))} of it is left.",
        judge(found),
    )


def receptive_field(found: reach.Paths, _: tuple[str, ...]) -> Outcome:
    """Judge a convolution's paths beside a recurrent network's."""
    far, gathered = reach.farthest(found.convolutional), int(found.gathered[-1])
    last = len(found.recurrent) - 1
    return Outcome(
        f"From end to end, {last} tokens: {found.recurrent[last]} recurrent steps, "
        + ("no path by convolution. " if far < last else f"{found.convolutional[last]} layers. ")
        + f"{far} tokens back, the farthest that it reaches: {found.convolutional[far]} layers against "
        f"{found.recurrent[far]} recurrent steps. To bring {gathered} tokens together: {found.layers_to_gather} layers "
        f"against {found.recurrent[gathered - 1]} steps.",
        judged(found.is_shorter, found.gathers_sooner),
    )


def eased(_: None, names: tuple[str, ...]) -> Outcome:
    """Judge the lead of attention over one vector, by length."""
    lead = lengths.lead(*(lengths.by_length(runs.card(name)) for name in names))
    return Outcome(
        f"Attention is ahead by {number(lead.points[0], 1)} points of chrF at {lead.names[0]} words and by "
        f"{number(lead.points[-1], 1)} at {lead.names[-1]}.",
        judged(lead.grows),
    )


def aligns(spread: rows.Spread, names: tuple[str, ...]) -> Outcome:
    """Judge an alignment against people's links, and how concentrated it is on the text."""
    figure = (
        f"A row looks at {number(float(spread.looked_at.mean()), 1)} of {spread.keys} tokens in effect, "
        f"{number(spread.distance, 1)} away from the diagonal (by chance {number(spread.by_chance, 1)})."
    )
    told = cards.aligned(names[0])
    if told is None:
        return Outcome(figure, judged(spread.is_concentrated))
    return Outcome(
        f"{figure} Against links that people made in {told.pairs} pairs of sentences its error rate is "
        f"{number(told.error, 2)}, that of word order alone {number(told.by_place, 2)}, that of counting which words "
        f"occur together (IBM model 1) {number(told.by_counting, 2)}.",
        judged(spread.is_concentrated, told.beats_word_order),
    )


def heads_differ(agreed: float, _: tuple[str, ...]) -> Outcome:
    """Judge how often heads look most at the same token."""
    return Outcome(
        f"Two heads of the encoder look most at the same token in {percent(agreed)} of the rows, on average over all "
        "pairs of heads.",
        judged(heads.differ(agreed)),
    )


def redundant(found: heads.Pruned, _: tuple[str, ...]) -> Outcome:
    """Judge how many heads can be off."""
    alone = found.importance
    return Outcome(
        f"{found.spared} of {alone.n_heads} heads can be off together before the translation changes; alone, "
        f"{alone.n_needed} of them change it.",
        found.are_redundant,
    )


def know_syntax(_: None, names: tuple[str, ...]) -> Outcome:
    """Judge heads against trees that people drew."""
    told = cards.syntax(names[0])
    if told is None:
        return Outcome("This model was not tried on parsed sentences.", None)
    return Outcome(
        f"In {told.better} of {len(told.relations)} relations the best head finds the word that a word depends on more "
        f"often than the best fixed distance does ({told.sentences} sentences).",
        judged(told.is_known),
    )


def finds_its_noun(found: self_attention.Referents, _: tuple[str, ...]) -> Outcome:
    """Judge where heads look from a pronoun."""
    return Outcome(
        f"{len(found.in_both)} of {len(found.heads)} heads look more at the right noun in both sentences, "
        f"{found.right[0]} in the first, {found.right[1]} in the second. The French pronoun is right in "
        f"{found.right_pronouns} of {len(self_attention.READINGS)}.",
        found.follow_the_meaning,
    )


def direct(shares: tuple[NDArray[np.float32], ...], names: tuple[str, ...]) -> Outcome:
    """Judge how gradients fall with distance, the Transformer's last."""
    return Outcome(
        "For every token back the gradient is multiplied by "
        + ", ".join(f"{recurrent.by_distance(one):.2f} ({name})" for name, one in zip(names, shares, strict=True))
        + ".",
        judged(recurrent.falls_least(shares)),
    )


def order(found: positions.Moved, _: tuple[str, ...]) -> Outcome:
    """Judge what a new order of the tokens changes."""
    if not found.order_is_read:
        return Outcome("This sentence has too few tokens to stand in another order.", None)
    return Outcome(
        f"In another order a token's vector moves by {percent(found.with_positions)} of its length with positions, and "
        f"by {rough(found.without)} of it without.",
        judged(found.order_is_lost),
    )


def indifferent(change: float, _: tuple[str, ...]) -> Outcome:
    """Judge what changes when the whole sentence moves along."""
    return Outcome(
        f"With the sentence {SHIFT} positions later the vectors of the encoder's last layer move by {change:.1%} of "
        "their length.",
        judged(positions.is_indifferent(change)),
    )


def trainable(_: None, names: tuple[str, ...]) -> Outcome:
    """Judge learning without a part."""
    reached = cards.without_parts(names[0])
    return Outcome(
        f"After {cards.seen(names[1]) / 1e6:.1f} million target tokens: "
        + ", ".join(f"{name} {loss:.2f}" for name, loss in reached.items())
        + " nats a token; less is better.",
        judged(cards.needs_all(names[0], reached)),
    )


def any_length(found: tuple[writing.Length, ...], names: tuple[str, ...]) -> Outcome:
    """Judge whether models end their outputs themselves."""
    return Outcome(
        f"{found[0].read} tokens are read. "
        + ", ".join(
            f"{name} writes {one.written}{'' if one.ended else ' and is cut off'}"
            for name, one in zip(names, found, strict=True)
        )
        + ".",
        judged(*(one.ended for one in found)),
    )


def learns_from_less(_: None, names: tuple[str, ...]) -> Outcome:
    """Judge which translator needs the fewest tokens."""
    goal, until = cards.until_as_good_as_the_last(names)
    first = cards.fastest(until)
    return Outcome(
        f"To reach {goal:.2f} nats a token, {names[0]} took {until[names[0]] / 1e6:.1f} M target tokens; "
        + (
            f"of {len(names)} translators it was the first."
            if first == names[0]
            else f"the first of {len(names)} translators was {first}, with {until[first] / 1e6:.1f} M."
        ),
        judged(first == names[0]),
    )


def parallel(found: cost.Speeds, _: tuple[str, ...]) -> Outcome:
    """Judge training steps."""
    one, other = found.gains
    return Outcome(
        f"A training step of the Transformer is faster at {len(found.faster(found.training))} of {len(found.lengths)} "
        f"lengths. With {found.cores} cores the recurrent encoder reads at best {one:.1f} times as fast as with one, "
        f"the Transformer's {other:.1f} times.",
        found.at_every_length(found.training),
    )


def faster(found: cost.Speeds, _: tuple[str, ...]) -> Outcome:
    """Judge reading on one core."""
    (one, *_rest), (other, *_others) = found.reading
    return Outcome(
        f"At {found.lengths[0]} tokens the recurrent encoder reads {one:,.0f} tokens a second on one core, the "
        f"Transformer's {other:,.0f}; it is faster at {len(found.faster(found.reading))} of {len(found.lengths)} "
        f"lengths up to {found.lengths[-1]}.",
        found.at_every_length(found.reading),
    )


def time(found: efficient.Growth, _: tuple[str, ...]) -> Outcome:
    """Judge how time grows."""
    return _grows("time", found, found.milliseconds)


def memory(found: efficient.Growth, _: tuple[str, ...]) -> Outcome:
    """Judge how what is made on the way grows."""
    return _grows("memory", found, found.megabytes)


def _grows(what: str, found: efficient.Growth, costs: tuple[tuple[float, ...], ...]) -> Outcome:
    full, recurrence = costs[0], costs[-1]
    return Outcome(
        f"Up to {found.lengths[-1]:,} tokens the {what} of full attention grows like n to the "
        f"{found.exponent(full):.2f}, that of the recurrent layer like n to the {found.exponent(recurrence):.2f}.",
        judged(found.is_quadratic(full), found.is_linear(recurrence)),
    )


def sparse(found: efficient.Growth, names: tuple[str, ...]) -> Outcome:
    """Judge from which length on it pays to leave pairs out."""
    cheaper = found.cheaper(len(names) - 2)
    return Outcome(
        f"Of {len(found.lengths)} lengths from {found.lengths[0]} to {found.lengths[-1]:,} tokens one of the "
        f"{len(names) - 2} sparse layers is faster than full attention at {len(cheaper)}"
        + (f", first at {cheaper[0]:,}." if cheaper else "."),
        judged(*(length in cheaper for length in found.lengths)),
    )
