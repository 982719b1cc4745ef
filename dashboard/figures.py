"""From a trace's arrays to figures, with the words that stand under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz.matrix import Matrix, Scale

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pretrained.trace import AttentionMap, StateMap

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
    "alignment": "Each row is a French token being written; its colours show which English tokens the decoder looked at.",
    "encoder-self": "Each row is an English token; its colours show from which tokens it gathers.",
    "decoder-self": "Each row is a French token being written; it gathers only from what has been written before it.",
    "cross": "Each row is a French token being written; its colours show which English tokens this head looked at.",
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
        key_id="unit",
    )


def positional_encoding(values: NDArray[np.float32], tokens: tuple[str, ...], *, model: str) -> Matrix:
    """Describe the sinusoids that are added to the tokens' embeddings, ``[position, unit]``."""
    return Matrix(
        values,
        tokens,
        tuple(str(unit) for unit in range(values.shape[1])),
        title="Positional encoding",
        reading="Each row is a position: fast waves on the left tell neighbours apart, slow ones on the right far places.",
        scale=Scale.DIVERGING,
        limit=1.0,
        source=model,
        query_axis="English",
        key_axis="unit",
        query_id=SOURCE,
        key_id="unit",
    )
