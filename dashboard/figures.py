"""From a trace's arrays to matrices, with the words that stand under them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pretrained.analysis.alignment import WRITTEN
from viz.matrix import Matrix, Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pretrained.analysis.alignment import Place
    from pretrained.analysis.heads import Importance, Update
    from pretrained.analysis.masks import Leak, Padded
    from pretrained.analysis.positions import Way
    from pretrained.analysis.self_attention import Head, Pointing, Referents
    from pretrained.trace import AttentionMap, StateMap, Trace

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


def looks_at_source(trace: Trace) -> bool:
    """Tell whether a model looked from its output at its source."""
    return bool(trace.attention_of("alignment") or trace.attention_of("cross"))


def source_in_view(trace: Trace, place: Place) -> Matrix:
    """Describe where a model looked in its source, at this layer and head or at the mean of the layer's heads.

    Of a model that does not look back: the one vector that it wrote from. Outputs differ from model to model, so that
    cursors are one on the source alone.
    """
    if not looks_at_source(trace):
        return replace(context(trace.states_of("context")[0], model=trace.model), title=f"{trace.model}: one vector")
    layer, head, _ = place
    looks = trace.attention_of("alignment") or trace.attention_of("cross")
    one_of_many = len(looks) > 1 or looks[0].n_heads > 1
    where = f", layer {layer}, {'mean' if head is None else f'head {head}'}" if one_of_many else ""
    return replace(source_attention(trace, place), title=f"{trace.model}{where}", query_id=f"target-{trace.model}")


OF_ONE_TEXT = {
    "decoder-self": (
        "Causal",
        "Each row is a token; it gathers from itself and those before it. Hatched: those after it.",
    ),
    "encoder-self": ("Both ways", "Each row is a token; it gathers from all others, before it and after it."),
}
"""What stands above and below the attention of a model that reads and writes the same text, by its kind."""


def of_one_text(attended: AttentionMap, head: int, *, model: str, first: int | None = None) -> Matrix:
    """Describe one head of a language model, whose rows and columns are the same tokens; all of them, or the first."""
    title, reading = OF_ONE_TEXT[attended.kind]
    part = slice(first)
    return replace(
        attention(attended, head, model=model, title=f"{title}: {model}, layer {attended.layer}, head {head}"),
        weights=attended.weights[head, part, part],
        query_tokens=attended.query_tokens[part],
        key_tokens=attended.key_tokens[part],
        may_attend=None if attended.may_attend is None else attended.may_attend[part, part],
        reading=reading,
        query_axis="token",
        key_axis="looks at",
        # Only one of the two models reads a text with special tokens around it.
        query_id=attended.kind,
        key_id=attended.kind,
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


def position_likeness(way: Way, *, model: str, kind: str) -> Matrix:
    """Describe how alike the positions of a sentence are to a model, ``[position, position]``."""
    return Matrix(
        way.likeness,
        way.tokens,
        way.tokens,
        title=f"{kind.capitalize()}: how alike positions are",
        reading="Each cell is the cosine between what two positions add to a token, or turn it by: 1 is the same.",
        scale=Scale.DIVERGING,
        limit=1.0,
        source=model,
        query_axis=AXIS_NAMES[SOURCE],
        key_axis=AXIS_NAMES[SOURCE],
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


def source_attention(trace: Trace, place: Place) -> Matrix:
    """Describe where one head of one layer looked as it wrote, or all heads of the layer in the mean.

    Its rows are named by the tokens that they write, or by those that they read.
    """
    layer, head, row = place
    attended = (trace.attention_of("cross") or trace.attention_of("alignment"))[layer]
    drawn = attention(attended, head or 0, model=trace.model)
    if head is None:
        drawn = replace(
            drawn,
            weights=attended.weights.mean(0),
            title=f"{TITLES[attended.kind]}, layer {layer}, mean of its heads",
            reading="Each row is a token being written; its colours show what this layer's heads looked at, on "
            "average.",
            source=f"{trace.model}, layer {layer}, mean of {attended.n_heads} heads",
        )
    if row == WRITTEN or attended.consumed_tokens is None:
        return drawn
    return replace(
        drawn,
        query_tokens=attended.consumed_tokens,
        consumed_tokens=None,
        reading="Each row is a French token being read, before the next is written; its colours show which English "
        "tokens were looked at.",
        query_axis=AXIS_NAMES[CONSUMED],
        query_id=CONSUMED,
    )


def keep_or_drop(keep: Sequence[float], words: tuple[str, ...], *, model: str) -> Matrix:
    """Describe both decisions about every word, one row a word."""
    import numpy as np

    kept = np.array(keep, np.float32)
    return Matrix(
        np.stack([kept, 1 - kept], 1),
        words,
        ("keep", "drop"),
        title="Keep or drop",
        reading="Each row is a word with the probabilities of keeping and of dropping it; the likelier is done.",
        source=model,
        query_axis="your words",
        key_axis="decision",
        query_id="words",
        key_id="decision",
    )


def line_shares(found: NDArray[np.float64], *, model: str) -> Matrix:
    """Describe how much of every head's attention is on each line of a story, ``[layer, head, line]``."""
    import numpy as np

    layers, heads, lines = found.shape
    return Matrix(
        found.reshape(-1, lines).astype(np.float32),
        tuple(f"{layer}.{head}" for layer in range(layers) for head in range(heads)),
        tuple(f"line {line}" for line in range(lines)),
        title="Where every head looks",
        reading="Each row is a head, named layer.head; its colours show how much it looks at each line while the "
        "answer is written. What is missing to 1 is on the question and the end sign.",
        source=model,
        query_axis="layer.head",
        key_axis="line of the story",
        query_id="heads",
        key_id="lines",
    )


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


def patterns(traces: Sequence[Trace], layer: int, head: int) -> list[Matrix]:
    """Describe one head of one encoder layer in several models."""
    return [
        replace(attention(trace.attention_of("encoder-self")[layer], head, model=trace.model), title=trace.model)
        for trace in traces
    ]


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
