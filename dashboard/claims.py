"""Every claim of the story in one list: the slogan, what measures it on which models, the rule that judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard import cards, controls, measure, runs
from pretrained import registry
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
from viz.bars import percent
from viz.matrix import number

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pretrained.analysis.bottleneck import Remembered

TASK = "translation en-fr"
RNN, LSTM, GRU = ({"task": TASK, "cell": cell, "attention": ()} for cell in ("rnn", "lstm", "gru"))
RECURRENT = {"task": TASK, "family": "recurrent", "attention": ()}
LOOKING_BACK = {"task": TASK, "cell": "gru", "architecture": "bahdanau:Bahdanau"}
CONVOLUTION = {"task": TASK, "family": "convolutional"}
TRANSFORMER = {"task": TASK, "family": "attention", "positions": "sinusoidal", "parent": None}
EFFICIENT = {"task": TASK, "parent": "transformer"}
LARGER, SHIFT, ORDER = 2.0, 10, 1  # as the chapters have them, so that nothing is measured twice
BY_PAIRS = "score MODEL pairs.tsv.gz"


@dataclass(frozen=True)
class Outcome:
    """What a measurement gave, in words of our own, and what it says of the claim; ``None`` where it cannot tell."""

    figure: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Claim:
    """One claim of the story.

    Attributes:
        title: short; no two are the same.
        slogan: as textbooks say it.
        part: of the page on which it stands.
        url: of the chapter that it comes from.
        models: chooses their names, none while one of them is not finished.
        judge: makes an outcome of what was measured and of the models' names.
        rule: by which it judges, for a reader.
        question, answer: as an interviewer asks it, and in two lines.
        function: what measures, given the models and then the arguments; without one all is read from cards.
        arguments: what else it is given, of the text.
        what: on what it measures.
        label: of the button that starts it, if it takes long.
        command: the command that measured what is read from cards, after ``python -m pretrained``.
    """

    title: str
    slogan: str
    part: str
    url: str
    models: Callable[[], tuple[str, ...]]
    judge: Callable[[Any, tuple[str, ...]], Outcome]
    rule: str
    question: str
    answer: str
    function: Callable[..., Any] | None = None
    arguments: Callable[[str], tuple[Hashable, ...]] = lambda text: (text,)
    what: str = "this sentence"
    label: str = ""
    command: str = ""

    @property
    def key(self) -> str:
        """For widgets."""
        return self.title.lower().replace(" ", "-")


def so_far(text: str) -> dict[str, Outcome | None]:
    """Judge by title every claim whose models are finished, as far as it is measured; nothing is measured for it."""
    return {claim.title: _so_far(claim, text) for claim in CLAIMS if claim.models()}


def _so_far(claim: Claim, text: str) -> Outcome | None:
    names = claim.models()
    if claim.function is None:
        return claim.judge(None, names)
    kept = measure.kept(claim.function, names, *claim.arguments(text))
    return None if kept is None else claim.judge(kept.value, names)


def requests(text: str) -> list[measure.Request]:
    """List all that can be measured on a text."""
    return [
        measure.Request(claim.title, claim.function, claim.models(), claim.arguments(text))
        for claim in CLAIMS
        if claim.function is not None and claim.models()
    ]


def standing(titles: Sequence[str], found: Mapping[str, Outcome | None]) -> str:
    """Tell how claims stand, for a table: ``Vanishing: holds; Gradient path: not measured yet``."""
    return "; ".join(f"{title}: {_word(title, found)}" for title in titles)


def _word(title: str, found: Mapping[str, Outcome | None]) -> str:
    if title not in found:
        return "waits for a model"
    outcome = found[title]
    return "not measured yet" if outcome is None else outcome.verdict or "this sentence cannot tell"


def finished(*needs: Mapping[str, object]) -> Callable[[], tuple[str, ...]]:
    """Make a choice of all finished models with each of these facts, or of none where one is missing."""

    def choose() -> tuple[str, ...]:
        found = [registry.finished(**facts) for facts in needs]
        return tuple(known.name for part in found for known in part) if all(found) else ()

    return choose


def with_ablations() -> tuple[str, ...]:
    """Choose the Transformer and what was trained without a part of it."""
    whole, parts = finished(TRANSFORMER)(), tuple(cards.ablations())
    return whole + parts if whole and parts else ()


def all_translators() -> tuple[str, ...]:
    """Choose the Transformer, then the other translators trained from nothing, if there is one."""
    whole = finished(TRANSFORMER)()
    others = tuple(name for name in cards.from_nothing() if name not in whole)
    return whole + others if whole and others else ()


# What is measured, and what it says


def vanishing(norms: NDArray[np.float32], _: tuple[str, ...]) -> Outcome:
    """Judge the plain RNN's gradient as trained."""
    return Outcome(
        f"At the first token the gradient's norm is {norms[0]:.2g}, at the last {norms[-1]:.2g}: times "
        f"{recurrent.factor_a_step(norms):.2f} for every step back.",
        judged(recurrent.fate(norms) == "vanishes"),
    )


def exploding(norms: NDArray[np.float32], _: tuple[str, ...]) -> Outcome:
    """Judge it with a larger recurrent matrix."""
    return Outcome(
        f"With U times {LARGER:g} the norm is {norms[0]:.2g} at the first token and {norms[-1]:.2g} at the last: times "
        f"{recurrent.factor_a_step(norms):.2f} for every step back.",
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
        f"by {found.without:.0e} of it without.",
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


RECURRENCE, ATTENTION, TRANSFORMERS, COST, TABLES = PARTS = (
    "Recurrence", "Attention", "Transformer", "Cost", "Tables",
)  # fmt: skip
TENTH = f"below 1/{recurrent.CHANGE:g} of its norm at the last token a gradient vanishes, above {recurrent.CHANGE:g}"

CLAIMS = (
    Claim(
        "Vanishing",
        "In a plain RNN gradients vanish over many steps.",
        RECURRENCE,
        "rnn",
        finished(RNN),
        vanishing,
        f"{TENTH} times it explodes.",
        "Why do gradients vanish in a recurrent network?",
        "Going back, a gradient is multiplied by one Jacobian a step. If these shrink it on average, it falls like a "
        "power of the distance, so that what stands far back hardly teaches the network.",
        recurrent.gradient_norms,
    ),
    Claim(
        "Exploding",
        "With large recurrent weights gradients explode.",
        RECURRENCE,
        "rnn",
        finished(RNN),
        exploding,
        f"{TENTH} times it explodes; measured with the recurrent matrix U times {LARGER:g}.",
        "When do gradients explode, and what is done about it?",
        "They can where the recurrent matrix stretches more than the slope of tanh shrinks; in the long run that takes "
        "a spectral radius above 1, which is not enough. In training the gradient is clipped to a largest norm.",
        recurrent.gradient_norms,
        lambda text: (text, LARGER),
    ),
    Claim(
        "Forgetting",
        "An RNN forgets what it read first.",
        RECURRENCE,
        "rnn",
        finished(RNN),
        forgetting,
        "it forgets if blanking a token of the later half moves the last state more.",
        "What does short memory mean in a plain RNN?",
        "The whole state is made anew at every token, so an early word survives only as far as every later step "
        "happens to pass it on. Nothing in the network can choose to keep it.",
        recurrent.moved_by_a_blank,
    ),
    Claim(
        "GRU against LSTM",
        "A GRU is faster than an LSTM and about as good.",
        RECURRENCE,
        "lstm-gru",
        finished(LSTM, GRU),
        gru_and_lstm,
        f"faster by more than {recurrent.AS_FAST:.0%}, and not worse by more than {cards.AS_GOOD:g} point of chrF; one "
        "of both is in part.",
        "GRU or LSTM?",
        "A GRU has two gates and one state, an LSTM three and two; with as many units a GRU has three quarters of the "
        "parameters. Which is better depends on the task: try both.",
        recurrent.reading_speeds,
        command=BY_PAIRS,
    ),
    Claim(
        "The bottleneck",
        "One vector cannot hold a long sentence.",
        RECURRENCE,
        "encoder-decoder",
        finished(GRU),
        narrow,
        f"it holds if less than {bottleneck.HALF:.0%} is left, in part below {bottleneck.NEARLY_ALL:.0%}.",
        "What is the bottleneck of an encoder-decoder?",
        "All that the decoder is told of the source is one vector of a fixed length, whether three words were read or "
        "thirty. The more is read, the less of each word is left in it.",
        bottleneck.remembered,
        lambda text: (text, controls.behind(text)),
        command=BY_PAIRS,
    ),
    Claim(
        "Receptive field",
        "Convolutions connect distant words over shorter paths than recurrence.",
        RECURRENCE,
        "convolution",
        finished(CONVOLUTION, GRU, TRANSFORMER),
        receptive_field,
        "fewer layers than steps on the longest path, and to bring tokens together; one of both is in part.",
        "How far does a stack of convolutions see?",
        "Windows of k tokens reach (k − 1) / 2 further to each side with every layer, so n tokens come together in "
        "about n / k layers. Dilation doubles the reach with each layer, and so needs only about log n.",
        reach.paths,
    ),
    Claim(
        "Attention eases the bottleneck",
        "Attention helps most where sentences are long.",
        ATTENTION,
        "attention",
        finished(LOOKING_BACK, GRU),
        eased,
        "it holds if attention's lead is larger on the longest sentences than on the shortest.",
        "What did attention change in 2015?",
        "The decoder no longer writes from one vector: before each token it mixes all encoder states anew, weighted by "
        "how well they fit its own state. What it may read grows with the sentence.",
        command=BY_PAIRS,
    ),
    Claim(
        "Attention aligns",
        "Attention learns which words belong together.",
        ATTENTION,
        "attention",
        finished(LOOKING_BACK),
        aligns,
        "a row looks at less than half of the tokens, and links are better than word order's; one of both is in part.",
        "Does attention learn word alignment?",
        "Largely, though nobody tells it: to write a word it helps to read its source. But it is soft, may look at a "
        "neighbour, and is judged by alignment error rate against people's links.",
        rows.alignment_spread,
        command="score MODEL --alignments gold.jsonl.gz",
    ),
    Claim(
        "Nothing is lost",
        "With attention no information is lost.",
        ATTENTION,
        "attention",
        finished(LOOKING_BACK),
        nothing_lost,
        f"it holds if at least {bottleneck.NEARLY_ALL:.0%} is left, in part from {bottleneck.HALF:.0%} on; measured as "
        "the bottleneck is.",
        "Is attention lossless?",
        "That all states can be reached does not mean that all they say arrives: what is read is a weighted mean, and "
        "the states themselves were made by a network that may have dropped something.",
        bottleneck.remembered,
        lambda text: (text, controls.behind(text)),
    ),
    Claim(
        "Heads differ",
        "Each head looks at something else.",
        ATTENTION,
        "multi-head",
        finished(TRANSFORMER),
        heads_differ,
        f"they differ if two heads agree in less than {heads.AGREE:.0%} of the rows.",
        "Why several heads?",
        "One softmax gives one mixture for each token. Several heads in smaller spaces give several at about the same "
        "cost, so that a token can take its subject from one and its neighbour from another.",
        heads.agreed,
        lambda text: (text, "encoder-self"),
    ),
    Claim(
        "Heads are redundant",
        "Many heads can be switched off at little cost.",
        ATTENTION,
        "multi-head",
        finished(TRANSFORMER),
        redundant,
        "it holds if at least a third can be off with the same translation, in part if some can.",
        "Are all heads needed?",
        "Michel et al. and Voita et al. (both 2019) pruned many heads of trained models with little loss. It does not "
        "follow that training could do without them.",
        heads.pruned,
        label="Switch every head off in turn",
    ),
    Claim(
        "Heads know syntax",
        "Some heads follow the grammar of a sentence.",
        ATTENTION,
        "multi-head",
        finished(TRANSFORMER),
        know_syntax,
        "it holds if heads beat fixed distances in more than half of the relations.",
        "Do heads learn syntax?",
        "Single heads find single relations, as from an article to its noun, better than a fixed distance does. None "
        "draws the whole tree, and some relations are found by no head.",
        command="score MODEL --relations gold.conllu.gz",
    ),
    Claim(
        "It finds its noun",
        "From “it” attention looks at the word that “it” stands for.",
        ATTENTION,
        "self-attention",
        finished(TRANSFORMER),
        finds_its_noun,
        "in part if a head looks more at the right noun in both sentences; it holds if both French pronouns are right "
        "as well.",
        "Does self-attention resolve pronouns?",
        "The famous picture is one head of a large model on one sentence. A fair test needs a pair of sentences in "
        "which the noun changes and nothing else does.",
        self_attention.referents,
        lambda _: (),
        what="two fixed sentences",
    ),
    Claim(
        "Gradient path",
        "Its gradient path is direct, so gradients do not fall with distance.",
        TRANSFORMERS,
        "transformer",
        finished(RECURRENT, TRANSFORMER),
        direct,
        "it holds if no recurrent encoder's gradient falls less with distance.",
        "Why are long dependencies easier for a Transformer?",
        "Any two tokens are one layer apart, whatever their distance, where a recurrent network takes a step for each "
        "token between them. A short path is a chance for a strong gradient, no promise of one.",
        recurrent.relative_gradient_norms,
    ),
    Claim(
        "Order without positions",
        "Without positional encoding attention knows no order.",
        TRANSFORMERS,
        "positions",
        finished(TRANSFORMER),
        order,
        f"it holds if, without positions, vectors move by less than {positions.ROUNDING:g} of their length: rounding.",
        "Why does a Transformer need positional encodings?",
        "Attention is a sum over tokens and a sum has no order: shuffle the tokens, and each gets the same vector as "
        "before. So each token's place is put into its vector beforehand.",
        positions.moved_when_shuffled,
        lambda text: (text, ORDER),
    ),
    Claim(
        "Indifferent to place",
        "Sinusoids make a model indifferent to where a phrase stands.",
        TRANSFORMERS,
        "positions",
        finished(TRANSFORMER),
        indifferent,
        f"it holds if vectors move by less than {positions.ROUNDING:g} of their length: rounding.",
        "Are sinusoidal encodings translation-invariant?",
        "The dot product of two of them depends on their distance alone. But they are added to embeddings and "
        "projected, which mixes words with absolute places; relative and rotary encodings mend that.",
        positions.moved_along,
        lambda text: (text, SHIFT),
    ),
    Claim(
        "Residual and normalisation",
        "Residual connections and normalisation make it trainable.",
        TRANSFORMERS,
        "transformer",
        with_ablations,
        trainable,
        "it holds if without either the loss stays larger after as much training.",
        "What are residual connections and layer normalisation for?",
        "A residual connection gives the gradient a way past every block, and normalisation keeps vectors at one scale "
        "however many blocks have added to them.",
        command="train MODEL",
    ),
    Claim(
        "Variable-length output",
        "The output may be of any length.",
        TRANSFORMERS,
        "encoder-decoder",
        finished(GRU, TRANSFORMER),
        any_length,
        "it holds if both models end by writing </s> themselves, in part if one does.",
        "How does a model know when to stop?",
        "The end sign </s> is a token as any other, and writing it ends the output. This came with the "
        "encoder-decoder of 2014, not with the Transformer.",
        writing.lengths,
    ),
    Claim(
        "Data efficiency",
        "A Transformer learns from less data.",
        TRANSFORMERS,
        "transformer",
        all_translators,
        learns_from_less,
        "it holds if the Transformer is first to predict as well as the last of all translators in the end.",
        "Are Transformers more data-efficient?",
        "On large data they scale better. On little data a recurrent or convolutional network, which has locality "
        "built in, may learn faster; it has to be measured.",
        command="train MODEL",
    ),
    Claim(
        "Sequential against parallel",
        "Recurrence is sequential; Transformers train in parallel, so faster.",
        COST,
        "transformer",
        finished(GRU, TRANSFORMER),
        parallel,
        "it holds if a training step is faster at every length, in part at some.",
        "Why do Transformers train faster?",
        "All positions of a layer are computed at once, where a recurrent layer waits for its own last state. It takes "
        "a processor with much to do in parallel; and writing is still one token at a time.",
        cost.speeds,
        lambda _: (),
        what="random tokens",
        label="Time reading and training (about 20 s)",
    ),
    Claim(
        "Faster at any length",
        "Self-attention is faster than recurrence.",
        COST,
        "transformer",
        finished(GRU, TRANSFORMER),
        faster,
        "it holds if, on one core, a sentence is read faster at every length, in part at some.",
        "Is self-attention always faster than recurrence?",
        "In operations it is cheaper only while n is smaller than d (Vaswani et al. 2017, table 1). In seconds, "
        "the number of layers and what the machine does at once decide.",
        cost.speeds,
        lambda _: (),
        what="random tokens",
        label="Time reading and training (about 20 s)",
    ),
    Claim(
        "Time",
        "Recurrence takes O(n d²) time, self-attention O(n² d).",
        COST,
        "efficient",
        finished(TRANSFORMER, EFFICIENT, GRU),
        time,
        f"like n² if the exponent is above {efficient.QUADRATIC:g}, like n below {efficient.LINEAR:g}; one of both is "
        "in part. The width d stays as it is.",
        "What is the complexity of self-attention, and of a recurrent layer?",
        "Self-attention compares n² pairs at d multiplications each. A recurrent layer multiplies its state by a d × d "
        "matrix at each of n steps. Where n is small, projections at n d² outweigh the pairs.",
        efficient.scaling,
        lambda _: (),
        what="random vectors",
        label="Time one layer up to 2,048 tokens",
    ),
    Claim(
        "Memory",
        "Recurrence needs O(n) memory, self-attention O(n²).",
        COST,
        "efficient",
        finished(TRANSFORMER, EFFICIENT, GRU),
        memory,
        f"like n² if the exponent is above {efficient.QUADRATIC:g}, like n below {efficient.LINEAR:g}; one of both is "
        "in part.",
        "How does the memory of self-attention grow?",
        "Kept as a whole, the weights are n² numbers for each head. They need not be: computed block by block, as "
        "in FlashAttention (Dao et al. 2022), they are never all there at once.",
        efficient.scaling,
        lambda _: (),
        what="random vectors",
        label="Time one layer up to 2,048 tokens",
    ),
    Claim(
        "Sparse attention",
        "Sparse attention is faster than full attention.",
        COST,
        "efficient",
        finished(TRANSFORMER, EFFICIENT, GRU),
        sparse,
        "it holds if one of them is faster at every length, in part at some.",
        "When does sparse attention pay?",
        "Only beyond a length that depends on the machine. Leaving pairs out costs gathering and masking, while the "
        "full product is one large multiplication, which processors are best at.",
        efficient.scaling,
        lambda _: (),
        what="random vectors",
        label="Time one layer up to 2,048 tokens",
    ),
)


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
