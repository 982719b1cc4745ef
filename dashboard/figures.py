"""From a trace's arrays to figures, with the words that stand under them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from viz.curves import Curve, curves
from viz.matrix import Matrix, Scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from pretrained.analysis.bottleneck import Remembered
    from pretrained.analysis.cost import Speeds
    from pretrained.analysis.efficient import Scaling
    from pretrained.analysis.heads import Importance, Pruned, Update
    from pretrained.analysis.lengths import Scored
    from pretrained.analysis.reach import Paths
    from pretrained.analysis.residual import Stream
    from pretrained.analysis.rows import Spread
    from pretrained.beam import Beam
    from pretrained.trace import AttentionMap, StateMap, Trace
    from viz import tree
    from viz.palette import ThemeName

# Axes with the same id share one cursor on a page. What a decoder reads is its output one step late: not the same axis.
SOURCE, TARGET, CONSUMED, SLOT = "source", "target", "consumed", "slot"
AXES = {
    "alignment": (TARGET, SOURCE),
    "encoder-self": (SOURCE, SOURCE),
    "decoder-self": (TARGET, CONSUMED),
    "cross": (TARGET, SOURCE),
}
AXIS_NAMES = {SOURCE: "English", TARGET: "French, written", CONSUMED: "French, read", SLOT: "slot"}
TITLES = {
    "alignment": "Alignment",
    "encoder-self": "Encoder self-attention",
    "decoder-self": "Decoder self-attention",
    "cross": "Cross-attention",
}
READINGS = {
    "alignment": "Each row is a French token being written; its colours show which English tokens were looked at.",
    "encoder-self": "Each row is an English token; its colours show from which tokens it gathers.",
    "decoder-self": "Each row is a French token being written; it gathers only from what has been written before it.",
    "cross": "Each row is a French token being written; its colours show which English tokens this head looked at.",
}

# A layer has those of its cell: the first five an LSTM's, the others a GRU's.
GATES = {
    "gate-i": ("i · the input gate", "How much of the candidate g enters the cell state: near 0 nothing, near 1 all."),
    "gate-f": ("f · the forget gate", "How much of the cell state stays: near 0 it is wiped out, near 1 it is kept."),
    "gate-o": ("o · the output gate", "How much of the cell state is shown to the rest of the network."),
    "gate-g": (
        "g · the candidate",
        "What would be added to the cell state, between −1 and 1, were the input gate open.",
    ),
    "cell": ("c · the cell state", "What the gates make of it, added up token by token; nothing keeps it below 1."),
    "gate-r": (
        "r · the reset gate",
        "How much of the old state the candidate is made with: near 0 nothing, near 1 all.",
    ),
    "gate-z": (
        "z · the update gate",
        "The share of the old state that stays: near 1 the unit keeps what it held.",
    ),
    "gate-n": ("n · the candidate", "What the unit would hold if nothing of its old state stayed, between −1 and 1."),
}


def attention(attended: AttentionMap, head: int, *, model: str, title: str | None = None) -> Matrix:
    """Describe one head's weights."""
    rows, columns = AXES[attended.kind]
    if attended.kind == "encoder-self" and attended.key_tokens != attended.query_tokens:
        columns = SLOT
    where = f"layer {attended.layer}, head {head}"
    one_of_many = attended.kind != "alignment"
    return Matrix(
        attended.weights[head],
        attended.query_tokens,
        attended.key_tokens,
        title=title or (f"{TITLES[attended.kind]}, {where}" if one_of_many else TITLES[attended.kind]),
        short=f"{attended.layer}.{head}",
        reading=READINGS[attended.kind],
        consumed_tokens=attended.consumed_tokens,
        may_attend=attended.may_attend,
        source=f"{model}, {where}" if one_of_many else f"{model}, layer {attended.layer}",
        query_axis=AXIS_NAMES[rows],
        key_axis=AXIS_NAMES[columns],
        query_id=rows,
        key_id=columns,
    )


def all_heads(maps: tuple[AttentionMap, ...], *, model: str) -> list[Matrix]:
    """Describe every head of every layer of one kind, layer by layer."""
    return [attention(attended, head, model=model) for attended in maps for head in range(attended.n_heads)]


def scores(attended: AttentionMap, head: int, *, model: str, masked: bool) -> Matrix:
    """Describe one head's scores before the softmax, before or after the mask struck out the future.

    Raises:
        ValueError: a map without scores.
    """
    if attended.scores is None:
        raise ValueError(f"{model}: expected scores in {attended.kind} attention of layer {attended.layer}, got none")
    rows, columns = AXES[attended.kind]
    return Matrix(
        attended.scores[head],
        attended.query_tokens,
        attended.key_tokens,
        title="2 · the mask strikes out the future" if masked else "1 · scores, Q Kᵀ / √d_head",
        reading=(
            "The same scores; hatched cells are set to −∞ before the softmax, since those tokens are not written yet."
            if masked
            else "How well each query fits each key, for every pair: without a mask the future would be seen too."
        ),
        scale=Scale.SCORES,
        may_attend=attended.may_attend if masked else None,
        consumed_tokens=attended.consumed_tokens,
        source=f"{model}, layer {attended.layer}, head {head}",
        query_axis=AXIS_NAMES[rows],
        key_axis=AXIS_NAMES[columns],
        query_id=rows,
        key_id=columns,
    )


def masking(attended: AttentionMap, head: int, *, model: str) -> list[Matrix]:
    """Describe how one head's scores become weights: as they are, masked on the same colours, after the softmax."""
    before = scores(attended, head, model=model, masked=False)
    return [
        before,
        replace(scores(attended, head, model=model, masked=True), limit=before.bound),
        attention(attended, head, model=model, title="3 · softmax turns each row into weights"),
    ]


def states(state: StateMap, *, model: str, title: str, reading: str, units: int | None = None) -> Matrix:
    """Describe states over time, one row a token; all units, or the first few."""
    values = state.values if units is None else state.values[:, :units]
    axis = SOURCE if state.kind.startswith("encoder") else TARGET
    return Matrix(
        values,
        state.tokens,
        tuple(str(unit) for unit in range(values.shape[1])),
        title=title,
        reading=reading,
        scale=Scale.DIVERGING,
        limit=1.0,
        source=f"{model}, layer {state.layer}",
        query_axis=AXIS_NAMES[axis],
        key_axis="unit",
        query_id=axis,
        # A unit of the encoder has nothing to do with the decoder's of the same number.
        key_id=f"{state.kind.removesuffix('-hidden').removesuffix('-cell').partition('-gate')[0]}-unit",
    )


def context(state: StateMap, *, model: str) -> Matrix:
    """Describe the one vector that an encoder-decoder passes on: a single row."""
    return Matrix(
        state.values,
        state.tokens,
        tuple(str(unit) for unit in range(state.values.shape[1])),
        title="The context vector",
        reading="One row, made when </s> has been read: all that the decoder will ever know of the sentence.",
        scale=Scale.DIVERGING,
        limit=1.0,
        source=model,
        query_axis=AXIS_NAMES[SOURCE],
        key_axis="number of the vector",
        query_id="context",
        key_id="context-unit",
    )


def gates(trace: Trace, side: str) -> list[Matrix]:
    """Describe the gates and the candidate of a recurrent encoder or decoder, and the cell state where there is one.

    Raises:
        ValueError: a side without gates in this trace.
    """
    found = []
    for part, (title, reading) in GATES.items():
        for state in trace.states_of(f"{side}-{part}"):
            drawn = states(state, model=trace.model, title=title, reading=reading)
            # A cell state may leave −1..1.
            found.append(replace(drawn, limit=None) if part == "cell" else drawn)
    if not found:
        raise ValueError(f"{trace.model}: expected states of kind {side}-gate-…, got none")
    return found


def positional_encoding(
    values: NDArray[np.float32], tokens: tuple[str, ...], *, model: str, units: int | None = None
) -> Matrix:
    """Describe the sinusoids ``[position, unit]`` that are added to the embeddings; all units, or the first few."""
    shown = values if units is None else values[:, :units]
    part = "" if units is None else f", units 0 to {units - 1} of {values.shape[1]}"
    return Matrix(
        shown,
        tokens,
        tuple(str(unit) for unit in range(shown.shape[1])),
        title=f"Positional encoding{part}",
        reading="Each row is a position: fast waves (left) tell neighbours apart, slow ones (right) distant ones.",
        scale=Scale.DIVERGING,
        limit=1.0,
        source=model,
        query_axis="English",
        key_axis="unit",
        query_id=SOURCE,
        key_id="unit",
    )


def position_products(products: NDArray[np.float32], tokens: tuple[str, ...], *, model: str) -> Matrix:
    """Describe the dot products of every position with every other, ``[position, position]``."""
    return Matrix(
        products,
        tokens,
        tokens,
        title="Dot products of positions",
        reading="Each cell multiplies two positions' vectors unit by unit and adds up: large on the diagonal, "
        "smaller away from it, and the same all along every line parallel to it.",
        scale=Scale.DIVERGING,
        source=model,
        query_axis=AXIS_NAMES[SOURCE],
        key_axis=AXIS_NAMES[SOURCE],
        query_id=SOURCE,
        key_id=SOURCE,
    )


def waves(pos: int, unit: int, n_positions: int, d_model: int, *, theme: ThemeName) -> go.Figure:
    """Draw a few units of the encoding against position, the given one first; this sentence's positions are dots."""
    import numpy as np

    from pretrained.analysis.positions import wave, worked

    places, between = np.arange(n_positions, dtype=np.float64), np.linspace(0, n_positions - 1, 400)
    others = [other for other in (0, d_model // 8, d_model // 4, d_model // 2) if other != unit]
    drawn = []
    for place, one in enumerate((unit, *others[:3])):
        name = f"unit {one}, repeats after {worked(0, one, d_model).turn:,.1f} positions"
        drawn.append(Curve(name, between, wave(one, d_model, between), colour=place))
        drawn.append(Curve(name, places, wave(one, d_model, places), colour=place, dots=True, line=False, legend=False))
    return curves(drawn, x_axis="position", y_axis="value", marked=pos, y_range=(-1.1, 1.1), height=380, theme=theme)


def products_by_distance(products: NDArray[np.float32], d_model: int, *, theme: ThemeName) -> go.Figure:
    """Draw the dot product of two positions against their distance: every pair of this sentence, and the formula."""
    import numpy as np

    from pretrained.analysis.positions import dot_product_at, pairs_by_distance

    between = np.linspace(0, len(products) - 1, 400)
    return curves(
        [
            Curve("formula", between, dot_product_at(between, d_model)),
            Curve("each pair of this sentence", *pairs_by_distance(products), dots=True, line=False, colour=0),
        ],
        x_axis="distance, in tokens",
        y_axis="dot product",
        height=420,
        theme=theme,
    )


def date_alignment(trace: Trace) -> Matrix:
    """Describe where a reader of dates looked, character by character."""
    (alignment,) = trace.attention_of("alignment")
    return replace(
        attention(alignment, 0, model=trace.model),
        reading="Each row is a character being written; its colours show which typed characters were looked at.",
        query_axis="written",
        key_axis="typed",
        query_id="date-written",
        key_id="date-typed",
    )


def power(value: float) -> str:
    """Write a number from 0 to 1 as LaTeX, however small it is: ``0.227``, or ``3.1 · 10^-5``."""
    if value >= 0.001 or value == 0:
        return f"{value:.3f}"
    digits, exponent = f"{value:.1e}".split("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}"


def ending(probabilities: NDArray[np.float32], step: int, *, theme: ThemeName) -> go.Figure:
    """Draw how likely the end of the sentence was at every step."""
    import numpy as np

    steps = np.arange(len(probabilities), dtype=np.float32)
    return curves(
        [Curve("probability of </s>", steps, probabilities, dots=True)],
        x_axis="output step",
        y_axis="probability of </s>",
        marked=step,
        y_range=(-0.03, 1.03),
        height=230,
        theme=theme,
    )


def scores_by_length(scored: Mapping[str, Sequence[Scored]], here: int | None, *, theme: ThemeName) -> go.Figure:
    """Draw models' scores against the length of test sentences; ``here`` marks a range, counted from 0."""
    import numpy as np

    drawn = [
        Curve(name, np.arange(len(ranges), dtype=np.float32), np.array([one.chrf for one in ranges]), dots=True)
        for name, ranges in scored.items()
    ]
    return curves(
        drawn,
        x_axis="words in the English sentence",
        y_axis="chrF",
        marked=here,
        y_range=(0, 75),
        x_labels=[one.name for one in next(iter(scored.values()))],
        height=340,
        theme=theme,
    )


def remembered(found: Sequence[Remembered], *, theme: ThemeName) -> go.Figure:
    """Draw how likely a model still finds its own translation, against how much it has read."""
    import numpy as np

    tokens = np.array([one.tokens for one in found], np.float32)
    probability = np.array([one.probability for one in found], np.float32)
    return curves(
        [Curve("this sentence", tokens, probability, dots=True)],
        x_axis="tokens read",
        y_axis="probability of a token",
        y_range=(0, 1.15 * float(probability.max())),
        height=300,
        theme=theme,
    )


def signed_sum(parts: Sequence[float]) -> str:
    """Write a sum's parts as LaTeX, each with its sign."""
    return " ".join(f"{part:+.2f}" for part in parts).removeprefix("+")


def reached(found: NDArray[np.float32], tokens: tuple[str, ...], *, model: str) -> Matrix:
    """Describe on which tokens one token's vector depends, layer by layer: ``[layer, source]``, rows that sum to 1."""
    return Matrix(
        found,
        ("embedding", *(f"layer {layer}" for layer in range(len(found) - 1))),
        tokens,
        title="What has reached this token",
        reading="Each row is the chosen token's vector after one more layer; its colours show how much it depends on "
        "each token, as shares. Masked: a share of exactly 0.",
        may_attend=found > 0,
        source=f"{model}, encoder",
        query_axis="vector",
        key_axis=AXIS_NAMES[SOURCE],
        query_id="depth",
        key_id=SOURCE,
    )


def path_lengths(found: Paths, *, theme: ThemeName) -> go.Figure:
    """Draw how far apart two tokens of an encoder are in layers or steps, against their distance."""
    import numpy as np

    drawn = []
    for name, lengths in (
        ("recurrent, steps", found.recurrent),
        ("convolution, layers", found.convolutional),
        ("convolution spread out, layers", found.spread),
        ("Transformer, layers", found.attention),
    ):
        (distances,) = np.nonzero(lengths >= 0)
        drawn.append(Curve(name, distances.astype(np.float32), lengths[distances], dots=True))
    return curves(drawn, x_axis="distance, in tokens", y_axis="layers or steps between them", height=380, theme=theme)


def over_tokens(
    measured: Mapping[str, NDArray[np.floating]],
    tokens: Sequence[str],
    *,
    y_axis: str,
    theme: ThemeName,
    x_axis: str = "token",
    marked: int | None = None,
    log_y: bool = False,
) -> go.Figure:
    """Draw what was measured at every token, a line with dots for each name."""
    import numpy as np

    places = np.arange(len(tokens), dtype=np.float32)
    drawn = [Curve(name, places, values, dots=True) for name, values in measured.items()]
    return curves(drawn, x_axis=x_axis, y_axis=y_axis, marked=marked, x_labels=tokens, log_y=log_y, theme=theme)


def one_row(attended: AttentionMap, row: int, *, model: str) -> list[Matrix]:
    """Describe how one row of an alignment is made: its energies, on the colours of all rows, and its weights.

    Raises:
        ValueError: a map without scores.
    """
    import numpy as np

    if attended.scores is None:
        raise ValueError(f"{model}: expected scores in {attended.kind} attention of layer {attended.layer}, got none")
    whole = attention(attended, 0, model=model)
    weights = replace(
        whole,
        weights=attended.weights[0, row : row + 1],
        query_tokens=whole.query_tokens[row : row + 1],
        consumed_tokens=None,
        may_attend=None,
        title="2 · weights",
        reading="The softmax of the energies: all positive, and 1 together.",
        query_axis="row",
        query_id="row",
    )
    energies = replace(
        weights,
        weights=attended.scores[0, row : row + 1],
        title="1 · energies",
        reading="How well each English token fits what is to be written next: larger fits better.",
        scale=Scale.SCORES,
        limit=float(np.abs(attended.scores).max()) or 1.0,
    )
    return [energies, weights]


def looked_at(spread: Spread, *, model: str, theme: ThemeName) -> go.Figure:
    """Draw over how many source tokens each row of an alignment is spread, beside an even look at all."""
    import numpy as np

    steps = np.arange(len(spread.looked_at), dtype=np.float32)
    return curves(
        [
            Curve(model, steps, spread.looked_at, dots=True),
            Curve("all tokens alike", np.array([0, steps[-1] or 1]), np.full(2, spread.keys, np.float32)),
        ],
        x_axis="output step",
        y_axis="tokens looked at, in effect",
        y_range=(0, 1.08 * spread.keys),
        theme=theme,
    )


def beam_tree(found: Beam) -> list[tree.Node]:
    """Describe a beam search; the ends of its hypotheses are named by their ranks, counted from 1."""
    from viz import tree

    names = {one.node: f"no. {rank}" for rank, one in enumerate(found.hypotheses, start=1)}
    return [
        tree.Node(node.step, node.rank, node.parent, node.token, node.probability, node.kept, names.get(index, ""))
        for index, node in enumerate(found.nodes)
    ]


def beam_table(found: Beam, greedy: Trace) -> dict[str, list[str]]:
    """Describe the hypotheses of a beam search by columns, below greedy's output."""
    import math

    from viz.bars import percent
    from viz.matrix import number

    outputs = {"greedy": (greedy.output, greedy.log_probability, len(greedy.target_tokens))} | {
        str(rank): (one.output, one.log_probability, len(one.tokens))
        for rank, one in enumerate(found.hypotheses, start=1)
    }
    return {
        "rank": list(outputs),
        "translation": [output or "(nothing)" for output, _, _ in outputs.values()],
        "probability": [percent(math.exp(total)) for _, total, _ in outputs.values()],
        "log-probability": [number(total, 2) for _, total, _ in outputs.values()],
        "tokens": [str(count) for *_, count in outputs.values()],
        "per token": [number(total / count) for _, total, count in outputs.values()],
    }


def stream(found: Stream, token: int, block: int, *, theme: ThemeName) -> go.Figure:
    """Draw how long a token's vector is behind every block, and what each block adds; one block is marked."""
    return over_tokens(
        {"the vector": found.lengths[:, token], "what the block adds": found.added[:, token]},
        [name.removeprefix("layer ").removesuffix("-attention") for name in found.blocks],
        x_axis="block",
        y_axis="length",
        marked=block,
        theme=theme,
    )


def speeds(found: Speeds, names: tuple[str, str], *, training: bool, theme: ThemeName) -> go.Figure:
    """Draw tokens a second against the length of a sentence, of reading or of training."""
    import numpy as np

    lengths, all_cores = np.array(found.lengths, np.float32), f"all {found.cores} cores"
    kinds = {all_cores: found.training} if training else {"one core": found.reading, all_cores: found.reading_on_all}
    drawn = [
        Curve(f"{name}, {cores}", lengths, np.array(speed), dots=True)
        for cores, pair in kinds.items()
        for name, speed in zip(names, pair, strict=True)
    ]
    return curves(drawn, x_axis="tokens of a sentence", y_axis="tokens a second", height=340, theme=theme)


def patterns(traces: Sequence[Trace], layer: int, head: int) -> list[Matrix]:
    """Describe one head of one encoder layer in several models."""
    return [
        replace(attention(trace.attention_of("encoder-self")[layer], head, model=trace.model), title=trace.model)
        for trace in traces
    ]


def growth(found: Scaling, names: Sequence[str], *, memory: bool, theme: ThemeName) -> go.Figure:
    """Draw what one layer of each model costs against the length of the text, both on powers of ten."""
    import numpy as np

    places = np.arange(len(found.lengths), dtype=np.float32)  # each length is twice the one before it
    costs = found.megabytes if memory else found.milliseconds
    return curves(
        [Curve(name, places, np.array(cost), dots=True) for name, cost in zip(names, costs, strict=True)],
        x_axis="tokens",
        y_axis="megabytes" if memory else "milliseconds",
        x_labels=[f"{length:,}" for length in found.lengths],
        log_y=True,
        height=400,
        theme=theme,
    )


def head_roles(scored: NDArray[np.float64], names: tuple[str, ...], *, model: str) -> Matrix:
    """Describe every head's score in every role, ``[head, role]``; what a sentence cannot tell is NaN, and masked."""
    import numpy as np

    from pretrained.analysis.roles import ROLES

    return Matrix(
        np.nan_to_num(scored).astype(np.float32),
        names,
        tuple(role.name for role in ROLES),
        title="What each head looks at",
        reading="Each row is a head. 0: it puts as much there as an even look would, 1: all of its weight, below 0: "
        "less; for broad, 1 is an even look. Masked: this sentence, or this kind of attention, cannot tell.",
        scale=Scale.DIVERGING,
        limit=1.0,
        may_attend=~np.isnan(scored),
        source=model,
        query_axis="head",
        key_axis="role",
        query_id="heads",
        key_id="roles",
    )


def similar_heads(found: NDArray[np.float32], names: tuple[str, ...], *, model: str) -> Matrix:
    """Describe how alike every two heads are, ``[head, other]``."""
    return Matrix(
        found,
        names,
        names,
        title="How alike two heads look",
        reading="1: they look at the same tokens alike; 0: never at the same. Each is like itself, on the diagonal.",
        scale=Scale.DIVERGING,
        limit=1.0,
        source=model,
        query_axis="head",
        key_axis="other head",
        query_id="heads",
        key_id="heads",
    )


def one_update(found: Update, shown: int, *, model: str) -> list[Matrix]:
    """Describe how the first so many heads make an update: their slices side by side, and their parts of the sum.

    Args:
        found: the update.
        shown: how many heads; one more than there are adds the bias, the sum, and the model's own update.
        model: its name.
    """
    import numpy as np

    n_heads, d_head = found.mixed.shape
    names = tuple(f"head {head}" for head in range(n_heads))
    units = tuple(str(unit) for unit in range(n_heads * d_head))
    joined = Matrix(
        found.mixed.reshape(1, -1),
        ("all heads",),
        units,
        title="1 · side by side",
        reading=f"Each head fills its own {d_head} of {len(units)} numbers with the values that it mixed.",
        scale=Scale.DIVERGING,
        may_attend=(np.arange(len(units)) < shown * d_head)[None],
        source=model,
        query_axis="joined",
        key_axis="number",
        query_id="concatenation",
        key_id="concatenated",
    )
    parts = Matrix(
        np.concatenate([found.parts, found.bias[None], found.total[None], found.own[None]]),
        (*names, "bias", "sum", "the model's"),
        units,
        title="2 · projected, and added up",
        reading="Each slice is projected to the full width: that head's part. All parts and a bias, which is always "
        "the same, add up to what the token's vector is changed by.",
        scale=Scale.DIVERGING,
        source=model,
        query_axis="part",
        key_axis="unit",
        query_id="parts",
        key_id="unit",
    )
    return [joined, parts]


def head_importance(found: Importance, *, model: str) -> Matrix:
    """Describe what each head alone is worth, one row a layer of each kind of attention."""
    import numpy as np

    changes = np.concatenate(list(found.change.values()))
    layers = tuple(
        f"{kind.removesuffix('-self')} {layer}" for kind, change in found.change.items() for layer in range(len(change))
    )
    return Matrix(
        changes,
        layers,
        tuple(str(head) for head in range(changes.shape[1])),
        title="One head off",
        reading="How the log-probability of the translation changes when this head alone is off: below 0 it becomes "
        "less likely, above 0 likelier.",
        scale=Scale.DIVERGING,
        source=model,
        query_axis="layer",
        key_axis="head",
        query_id="layers",
        key_id="head-of-layer",
    )


def fewer_heads(found: Pruned, *, theme: ThemeName) -> go.Figure:
    """Draw a translation's log-probability against how many heads are off; the last that changes nothing is marked."""
    import numpy as np

    steps = np.arange(len(found.log_probability), dtype=np.float32)
    return curves(
        [Curve("its log-probability", steps, found.log_probability, dots=True)],
        x_axis="heads off, the least important first",
        y_axis="log-probability of the translation",
        marked=found.spared,
        theme=theme,
    )


def relation_table(relations: Mapping[str, Mapping[str, object]]) -> dict[str, list[str]]:
    """Describe by columns how well heads find the words that words depend on, as a card has it."""
    from viz.bars import percent

    found = relations.items()
    return {
        "relation": [name for name, _ in found],
        "best head": [f"{one['layer']}.{one['head']}" for _, one in found],
        "finds": [percent(float(str(one["accuracy"]))) for _, one in found],
        "best offset": [f"{one['offset']:+d}" for _, one in found],
        "finds, too": [percent(float(str(one["offset_accuracy"]))) for _, one in found],
        "words": [str(one["count"]) for _, one in found],
    }
