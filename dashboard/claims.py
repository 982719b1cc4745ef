"""Every claim of the story in one list: the slogan, what measures it on which models, the rule that judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard import cards, controls, measure, outcomes
from pretrained import registry
from pretrained.analysis import (
    bottleneck,
    cost,
    efficient,
    heads,
    positions,
    reach,
    recurrent,
    rows,
    self_attention,
    writing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from dashboard.outcomes import Outcome

TASK = "translation en-fr"
RNN, LSTM, GRU = ({"task": TASK, "cell": cell, "attention": ()} for cell in ("rnn", "lstm", "gru"))
RECURRENT = {"task": TASK, "family": "recurrent", "attention": ()}
LOOKING_BACK = {"task": TASK, "cell": "gru", "architecture": "bahdanau:Bahdanau"}
CONVOLUTION = {"task": TASK, "family": "convolutional"}
TRANSFORMER = {"task": TASK, "family": "attention", "positions": "sinusoidal", "parent": None}
EFFICIENT = {"task": TASK, "parent": "transformer"}
ORDER = 1  # as its chapter has it, so that nothing is measured twice
BY_PAIRS = "score MODEL pairs.tsv.gz"


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
        outcomes.vanishing,
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
        outcomes.exploding,
        f"{TENTH} times it explodes; measured with the recurrent matrix U times {outcomes.LARGER:g}.",
        "When do gradients explode, and what is done about it?",
        "They can where the recurrent matrix stretches more than the slope of tanh shrinks; in the long run that takes "
        "a spectral radius above 1, which is not enough. In training the gradient is clipped to a largest norm.",
        recurrent.gradient_norms,
        lambda text: (text, outcomes.LARGER),
    ),
    Claim(
        "Forgetting",
        "An RNN forgets what it read first.",
        RECURRENCE,
        "rnn",
        finished(RNN),
        outcomes.forgetting,
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
        outcomes.gru_and_lstm,
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
        outcomes.narrow,
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
        outcomes.receptive_field,
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
        outcomes.eased,
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
        outcomes.aligns,
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
        outcomes.nothing_lost,
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
        outcomes.heads_differ,
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
        outcomes.redundant,
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
        outcomes.know_syntax,
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
        outcomes.finds_its_noun,
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
        outcomes.direct,
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
        outcomes.order,
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
        outcomes.indifferent,
        f"it holds if vectors move by less than {positions.ROUNDING:g} of their length: rounding.",
        "Are sinusoidal encodings translation-invariant?",
        "The dot product of two of them depends on their distance alone. But they are added to embeddings and "
        "projected, which mixes words with absolute places; relative and rotary encodings mend that.",
        positions.moved_along,
        lambda text: (text, outcomes.SHIFT),
    ),
    Claim(
        "Residual and normalisation",
        "Residual connections and normalisation make it trainable.",
        TRANSFORMERS,
        "transformer",
        with_ablations,
        outcomes.trainable,
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
        outcomes.any_length,
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
        outcomes.learns_from_less,
        "it holds if the Transformer is first to predict as well as the last of all translators in the end; between "
        "two measurements a learning curve is taken to be straight.",
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
        outcomes.parallel,
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
        outcomes.faster,
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
        outcomes.time,
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
        outcomes.memory,
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
        outcomes.sparse,
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
