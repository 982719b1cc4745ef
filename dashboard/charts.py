"""From what was measured to charts, and to the numbers that stand in tables and formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from viz.curves import Curve, curves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from pretrained.analysis.bottleneck import Remembered
    from pretrained.analysis.contextual import Compared, Moved
    from pretrained.analysis.cost import Speeds
    from pretrained.analysis.efficient import Growth
    from pretrained.analysis.heads import Pruned
    from pretrained.analysis.left_out import LeftOut
    from pretrained.analysis.lengths import Scored
    from pretrained.analysis.reach import Paths
    from pretrained.analysis.residual import Stream
    from pretrained.analysis.rows import Spread
    from pretrained.analysis.sampling import Cache, Worked
    from pretrained.analysis.self_attention import Head, Scaling
    from pretrained.beam import Beam
    from pretrained.trace import Trace
    from viz import tree
    from viz.palette import ThemeName

STORY_TASKS = dict(
    enumerate(
        (
            "one fact", "two facts", "three facts", "relations of two", "relations of three", "yes or no", "counting",
            "lists", "negation", "either, or", "he and she", "and", "they", "time", "deduction", "induction",
            "positions", "sizes", "finding a way", "motives",
        ),
        start=1,
    )
)  # fmt: skip
"""What the twenty bAbI tasks ask for, in short."""


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


def probabilities(likely: Sequence[float], tokens: Sequence[str], step: int, *, theme: ThemeName) -> go.Figure:
    """Draw how likely each token was that was written."""
    import numpy as np

    return curves(
        [Curve("its probability", np.arange(len(likely), dtype=np.float32), np.array(likely), dots=True)],
        x_axis="token written",
        y_axis="probability",
        marked=step,
        x_labels=tokens,
        y_range=(-0.03, 1.03),
        height=260,
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


def long_sum(parts: Sequence[float], a_line: int = 4) -> str:
    """Write a sum of positive parts as lines of aligned LaTeX, so that it fits a phone."""
    written = [f"{part:.2f}" for part in parts]
    lines = [" + ".join(written[start : start + a_line]) for start in range(0, len(written), a_line)]
    return r" \\ &\quad + ".join(lines)


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

    from viz.numbers import number, percent

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


def growth(found: Growth, names: Sequence[str], *, memory: bool, theme: ThemeName) -> go.Figure:
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
    from viz.numbers import percent

    found = relations.items()
    return {
        "relation": [name for name, _ in found],
        "best head": [f"{one['layer']}.{one['head']}" for _, one in found],
        "finds": [percent(float(str(one["accuracy"]))) for _, one in found],
        "best offset": [f"{one['offset']:+d}" for _, one in found],
        "finds, too": [percent(float(str(one["offset_accuracy"]))) for _, one in found],
        "words": [str(one["count"]) for _, one in found],
    }


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
    from viz.numbers import number, percent

    return {
        "d_head": list(found.names),
        "variance of q · k": [number(float(one), 1) for one in found.variance],
        "decided rows": [percent(float(one)) for one in found.plain.decided],
        "decided, divided": [percent(float(one)) for one in found.divided.decided],
    }


def in_context(found: Compared, *, theme: ThemeName) -> go.Figure:
    """Draw how alike a word's vectors in two contexts are, layer by layer, beside two different words of a sentence."""
    drawn = {"the word, in two contexts": found.same}
    if found.different is not None:
        drawn["two different words of a sentence, mean"] = found.different
    return over_tokens(
        drawn,
        ("embedding", *(f"layer {layer}" for layer in range(len(found.same) - 1))),
        x_axis="vectors behind",
        y_axis="cosine",
        theme=theme,
    )


def moved(found: Moved, name: str, top: float, *, theme: ThemeName) -> go.Figure:
    """Draw how far every vector before a word moves with it, on an axis up to ``top``."""
    import numpy as np

    return curves(
        [Curve(name, np.arange(len(found.tokens), dtype=np.float32), found.share, dots=True)],
        x_axis="token before the last word",
        y_axis="share of its vector that moves",
        y_range=(-0.05 * top, 1.1 * top),
        x_labels=found.tokens,
        theme=theme,
    )


def sampling_formula(made: Worked, temperature: float, step: int) -> str:
    """Write how likely the token of a step was to be drawn as LaTeX, with its numbers."""
    return rf"""\begin{{aligned}}
        q_{{{step}}} &= \frac{{p_{{{step}}}^{{1/T}}}}{{\sum_{{kept}} p^{{1/T}}}}
        = \frac{{({power(made.before)})^{{1/{temperature:.1f}}}}}{{{power(made.total)}}} \\[4pt]
        &= {power(made.power)} \,/\, {power(made.total)} = {power(made.after)}
        \end{{aligned}}\;"""


def cache_formula(kept: Cache) -> str:
    """Write how many bytes a cache of keys and values has as LaTeX, with its numbers."""
    total = f"{kept.expected:,}".replace(",", "{,}")
    return rf"""\begin{{aligned}}
        \text{{bytes}} &= 2 \cdot n_{{layers}} \cdot n_{{tokens}} \cdot d_{{model}} \cdot 4 \\[4pt]
        &= 2 \cdot {kept.n_layers} \cdot {kept.n_tokens} \cdot {kept.d_model} \cdot 4 = {total}
        \end{{aligned}}\;"""


def left_out_table(found: LeftOut, parts: Sequence[str]) -> dict[str, list[object]]:
    """Describe by columns what each part of a text was worth: attention, and the output without it."""
    return {
        "part": list(parts),
        "share": (100 * found.shares).tolist(),
        "without": (100 * found.without).tolist(),
    }


def story_table(card: Mapping[str, Any]) -> dict[str, list[str]]:
    """Describe by columns how a model answers the questions of every task, and how much it looks at the facts."""
    from viz.numbers import percent

    tasks = card["scores"]["test"]["by_tag"]
    guesses, facts = card["guesses"], card["supporting_facts"]["by_tag"]
    return {
        "Task": [f"{task} · {STORY_TASKS[int(task)]}" for task in tasks],
        "Right": [percent(one["accuracy"]) for one in tasks.values()],
        "Commonest answer": [percent(guesses[task]["baseline"]) for task in tasks],
        "Chance": [percent(guesses[task]["chance"]) for task in tasks],
        "Looks at facts": [percent(facts[task]["share"]) if task in facts else "–" for task in tasks],
        "Even look": [percent(facts[task]["chance"]) if task in facts else "–" for task in tasks],
    }
