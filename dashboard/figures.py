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
    from pretrained.analysis.lengths import Scored
    from pretrained.analysis.masks import Leak, Padded
    from pretrained.analysis.reach import Paths
    from pretrained.analysis.rows import Spread
    from pretrained.analysis.self_attention import Head, Pointing, Referents, Scaling
    from pretrained.beam import Beam
    from pretrained.trace import AttentionMap, StateMap, Trace
    from viz import tree
    from viz.palette import ThemeName

# Axes with the same id share one cursor on a page. What a decoder reads is its output one step late: not the same axis.
SOURCE, TARGET, CONSUMED = "source", "target", "consumed"
AXES = {
    "alignment": (TARGET, SOURCE),
    "encoder-self": (SOURCE, SOURCE),
    "decoder-self": (TARGET, CONSUMED),
    "cross": (TARGET, SOURCE),
}
AXIS_NAMES = {SOURCE: "English", TARGET: "French, written", CONSUMED: "French, read"}
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
    tokens: tuple[str, ...],
    *,
    y_axis: str,
    theme: ThemeName,
    log_y: bool = False,
) -> go.Figure:
    """Draw what was measured at every token, a line with dots for each name."""
    import numpy as np

    places = np.arange(len(tokens), dtype=np.float32)
    drawn = [Curve(name, places, values, dots=True) for name, values in measured.items()]
    return curves(drawn, x_axis="token", y_axis=y_axis, x_labels=tokens, log_y=log_y, theme=theme)


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


OPERATIONS = {
    "queries": ("0 · the query", "What this token looks for: one number for each unit of the head."),
    "keys": ("1 · the keys", "Each row is a token: what it is found by, on the same units as the query."),
    "products": ("2 · dot products", "The query times each token's key, unit by unit, added up: large where they fit."),
    "scores": ("3 · divided by √d_head", "The same numbers, made smaller, on the same colours."),
    "weights": ("4 · softmax", "All positive, and 1 together."),
    "weighted": ("5 · weights times values", "Each row is a token's value times its weight: what it hands over here."),
    "output": ("6 · the sum", "All rows added up: what this head says about the token."),
}
"""What stands above and below each operation of a head, by its name in ``self_attention.OPERATIONS``."""


def operation(made: Head, name: str, query: int, tokens: tuple[str, ...], *, model: str) -> Matrix:
    """Describe what one operation of a head makes for one query; what is rescaled keeps its colours."""
    import numpy as np

    title, reading = OPERATIONS[name]
    values, one_row = made.made(name, query), name not in ("keys", "weighted")
    on_tokens = name in ("products", "scores", "weights")
    same_colours = {"scores": "products", "output": "weighted", "weighted": "output"}
    bound = max(float(np.abs(made.made(other, query)).max()) for other in (name, same_colours.get(name, name)))
    return Matrix(
        values,
        tokens[query : query + 1] if one_row else tokens,
        tokens if on_tokens else tuple(str(unit) for unit in range(values.shape[1])),
        title=title,
        reading=reading,
        scale=Scale.WEIGHTS if name == "weights" else Scale.SCORES if on_tokens else Scale.DIVERGING,
        limit=None if name == "weights" else bound or 1.0,
        source=model,
        query_axis="query" if one_row else AXIS_NAMES[SOURCE],
        key_axis=AXIS_NAMES[SOURCE] if on_tokens else "unit",
        query_id="query" if one_row else SOURCE,
        key_id=SOURCE if on_tokens else "head-unit",
    )


def head_formula(made: Head, name: str, query: int, key: int) -> str:
    """Write one operation of a head as LaTeX, with the numbers of one query and one key."""
    from pretrained.analysis.self_attention import dot_product

    def vector(values: NDArray[np.floating]) -> str:
        return rf"[{', '.join(f'{value:.2f}' for value in values[:3])}, \dots]"

    q, k, v, out = made.queries[query], made.keys[key], made.values[key], made.output[query]
    product, score, weight = (rows[query, key] for rows in (made.products, made.scores, made.weights))
    width, written = len(q), dot_product(q, k)
    parts = [rf"({one:.2f})({other:.2f})" for one, other in written.factors]
    mixed = sorted(made.made("weighted", query)[:, 0].tolist(), key=abs, reverse=True)
    more = r"+ \dots " if len(mixed) > 3 else ""
    lines = {
        "queries": (r"q_i &= W_Q \, \mathrm{LN}(x_i) + b_Q", rf"q_{{{query}}} &= {vector(q)}"),
        "keys": (r"k_j &= W_K \, \mathrm{LN}(x_j) + b_K", rf"k_{{{key}}} &= {vector(k)}"),
        "products": (
            rf"q_{{{query}}} \cdot k_{{{key}}} &= {' + '.join(parts[:2])}",
            rf"&\quad + {' + '.join(parts[2:])}",
            rf"&\quad {written.rest:+.2f} \;\text{{(the other {width - len(parts)})}}",
            rf"&= {written.total:.2f}",
        ),
        "scores": (
            rf"s_{{{query},{key}}} &= q_{{{query}}} \cdot k_{{{key}}} \,/\, \sqrt{{d_{{head}}}}",
            rf"&= {product:.2f} \,/\, \sqrt{{{width}}} = {product:.2f} \,/\, {width**0.5:.2f}",
            rf"&= {score:.2f}",
        ),
        "weights": (
            rf"a_{{{query},{key}}} &= \exp(s_{{{query},{key}}}) \,/\, \textstyle\sum_m \exp(s_{{{query},m}})",
            rf"&= {made.exponential(query, key):.3g} \,/\, {made.total(query):.3g} = {weight:.3f}",
        ),
        "weighted": (
            r"v_j &= W_V \, \mathrm{LN}(x_j) + b_V",
            rf"a_{{{query},{key}}}\, v_{{{key}}} &= {weight:.3f} \cdot {vector(v)}",
            rf"&= {vector(weight * v)}",
        ),
        "output": (
            r"o_i &= \textstyle\sum_j a_{ij}\, v_j",
            rf"o_{{{query}}} &= {vector(out)}",
            rf"o_{{{query},0}} &= {signed_sum(mixed[:3])} {more}",
            rf"&= {out[0]:.2f}",
        ),
    }
    return r"\begin{aligned}" + r" \\[4pt] ".join(lines[name]) + r"\end{aligned}\;"


def slopes(found: Scaling, *, x_axis: str, theme: ThemeName) -> go.Figure:
    """Draw how much the softmax moves with its scores, divided and not, for every head or width."""
    import numpy as np

    places = np.arange(len(found.names), dtype=np.float32)
    return curves(
        [
            Curve("divided by √d_head", places, found.divided.slope, dots=True, line=False),
            Curve("not divided", places, found.plain.slope, dots=True, line=False),
        ],
        x_axis=x_axis,
        y_axis="slope of the softmax",
        x_labels=found.names,
        y_range=(0, 1.15 * float(max(found.divided.slope.max(), found.plain.slope.max()))),
        theme=theme,
    )


def random_table(found: Scaling) -> dict[str, list[str]]:
    """Describe random vectors by columns: their width, what their products vary by, how often one token gets all."""
    from viz.bars import percent
    from viz.matrix import number

    return {
        "d_head": list(found.names),
        "variance of q · k": [number(float(one), 1) for one in found.variance],
        "decided rows": [percent(float(one)) for one in found.plain.decided],
        "decided, divided": [percent(float(one)) for one in found.divided.decided],
    }


def from_pronoun(found: Pointing, tokens: tuple[str, ...], *, model: str) -> Matrix:
    """Describe where every head looks from a pronoun."""
    return Matrix(
        found.weights,
        found.heads,
        tokens,
        title="From the pronoun, every head",
        reading="Each row is a head, named layer.head; its colours show where it looks from the pronoun.",
        source=f"{model}, token {found.pronoun}",
        query_axis="layer.head",
        key_axis=AXIS_NAMES[SOURCE],
        query_id="heads",
        key_id=SOURCE,
    )


def referents(found: Referents, endings: Sequence[tuple[str, str, str]], *, model: str) -> Matrix:
    """Describe the weights from "it" to each noun, a row for every sentence and noun."""
    import numpy as np

    return Matrix(
        np.concatenate(list(found.weights), 1).T,
        tuple(f"{ending}: {noun}" for ending, _, _ in endings for _, noun, _ in endings),
        found.heads,
        title="From “it” to each noun",
        reading=f"Each column is a head, named layer.head. Upper two rows: the sentence with “{endings[0][0]}”; lower "
        f"two: with “{endings[1][0]}”. What is missing to 1 goes to other tokens.",
        source=model,
        query_axis="noun",
        key_axis="layer.head",
        query_id="nouns",
        key_id="heads",
    )


def row_of(drawn: Matrix, row: int) -> Matrix:
    """Describe one row of a matrix, on the colours of the whole."""
    rows = slice(row, row + 1)
    return replace(
        drawn,
        weights=drawn.weights[rows],
        query_tokens=drawn.query_tokens[rows],
        consumed_tokens=None if drawn.consumed_tokens is None else drawn.consumed_tokens[rows],
        may_attend=None if drawn.may_attend is None else drawn.may_attend[rows],
        limit=None if drawn.scale is Scale.WEIGHTS else drawn.bound,
        query_axis="row",
        query_id="row",
    )


def padding(found: Padded, layer: int, head: int, tokens: tuple[str, ...], *, model: str) -> Matrix:
    """Describe one head of a sentence that was padded to the length of another."""
    import numpy as np

    real = np.arange(found.width) < found.length
    return Matrix(
        found.weights[layer, head],
        tokens,
        (*tokens, *("<pad>",) * (found.width - found.length)),
        title=f"Encoder self-attention in the batch, layer {layer}, head {head}",
        reading="Each row is a token of your sentence; hatched columns are padding, struck out in every row.",
        may_attend=np.tile(real, (found.length, 1)),
        source=f"{model}, layer {layer}, head {head}",
        query_axis=AXIS_NAMES[SOURCE],
        key_axis="place in the batch",
        query_id=SOURCE,
        key_id="batch",
    )


def unmasked(found: Leak, attended: AttentionMap, head: int, *, model: str) -> list[Matrix]:
    """Describe one head of the decoder's self-attention as it is, and as it would be without its mask."""
    masked = attention(attended, head, model=model, title="With the mask")
    return [
        masked,
        replace(
            masked,
            weights=found.weights[attended.layer, head],
            may_attend=None,
            title="Without it",
            reading="The same rows and the same keys; everything right of the diagonal is the future.",
            source=f"{model} without its causal mask, layer {attended.layer}, head {head}",
        ),
    ]
