"""A small page for the browser tests: every kind of matrix, in several mounts."""

from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard.components.matrix import Pin, matrix
from viz.matrix import Matrix, Scale

SOURCE = ("the", "cat", "sat", "on", "the", "mat", "</s>", "<b>x</b>", "internationalisation")
TARGET = ("le", "chat", "s'est", "assis", "sur", "le", "tapis", "</s>")


def soft(rows: int, columns: int, seed: int = 0, sharp: float = 3.0, causal: bool = False) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(rows, columns)) * sharp
    scores += 4 * np.exp(-((np.arange(rows)[:, None] / rows - np.arange(columns) / columns) ** 2) * 60)
    if causal:
        scores = np.where(np.tril(np.ones((rows, columns), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def words(count: int) -> tuple[str, ...]:
    some = ("the", "memory", "of", "every", "word", "looks", "back", "at", "all", "others", "unconditionally", ",")
    return tuple(some[i % len(some)] for i in range(count))


def cross(seed: int = 0, title: str = "Alignment") -> Matrix:
    return Matrix(
        soft(8, 9, seed),
        TARGET,
        SOURCE,
        title=title,
        reading="Each row is a French word being written; strong colours are the English words it looked at.",
        consumed_tokens=("<s>", *TARGET[:-1]),
        source="gru-bahdanau, layer 0",
        query_axis="French (predicted)",
        key_axis="English (read)",
        query_id="target",
        key_id="source",
    )


def causal(count: int = 9) -> Matrix:
    tokens = SOURCE[:count]
    return Matrix(
        soft(count, count, 3, causal=True),
        tokens,
        tokens,
        title="Causal self-attention",
        reading="Each row is a word; it may look only at itself and at what came before.",
        may_attend=np.tril(np.ones((count, count), bool)),
        source="gpt-mini, layer 1, head 2",
        query_axis="looks",
        key_axis="is looked at",
        query_id="source",
        key_id="source",
    )


def states() -> Matrix:
    values = np.tanh(np.random.default_rng(5).normal(size=(9, 16))).astype(np.float32)
    return Matrix(
        values,
        SOURCE,
        tuple(f"{i}" for i in range(16)),
        title="Hidden states",
        reading="Each row is the state after reading a word; blue is negative, orange positive.",
        scale=Scale.DIVERGING,
        limit=1.0,
        source="lstm, layer 0",
        query_axis="word",
        key_axis="unit",
        query_id="source",
    )


def square(count: int, seed: int = 1) -> Matrix:
    tokens = words(count)
    return Matrix(
        soft(count, count, seed),
        tokens,
        tokens,
        title=f"{count} by {count}",
        reading="Each row is a word; strong colours are the words it looks at.",
        source="bert-mini, layer 0, head 0",
    )


def heads(count: int, size: int) -> list[Matrix]:
    tokens = words(size)
    return [
        Matrix(
            soft(size, size, seed),
            tokens,
            tokens,
            title=f"Layer {seed // 4}, head {seed % 4}",
            short=f"L{seed // 4} H{seed % 4}",
            reading="One head.",
        )
        for seed in range(count)
    ]


def show(pin: Pin | None) -> None:
    st.text(f"pin: {pin}")


def page() -> None:
    st.set_page_config(layout="wide")
    view = st.query_params.get("view", "cross")
    if view == "cross":
        # counts the runs of the script: hovering must not add one
        st.session_state.runs = st.session_state.get("runs", 0) + 1
        st.text(f"runs: {st.session_state.runs}")
        seed = 1 if st.toggle("other weights") else 0
        show(matrix([cross(seed)], key="one"))
        show(matrix([cross(7, "The same words elsewhere")], key="two"))
    elif view == "weight":
        drawn = cross()
        if st.toggle("one other weight"):
            weights = drawn.weights.copy()
            weights[2, 3] = 0.987
            drawn = replace(drawn, weights=weights)
        matrix([drawn], key="weight")
    elif view == "four":
        show(matrix([cross(), causal(), states(), square(12)], key="four"))
    elif view == "tiny":
        show(matrix([square(3)], key="tiny"))
    elif view == "large":
        show(matrix([square(64)], key="large"))
    elif view == "huge":
        show(matrix([square(128)], key="huge"))
    elif view == "grid":
        show(matrix(heads(18, 12), key="grid", size="small"))
    elif view == "many":
        show(matrix(heads(144, 64), key="many", size="small", columns=12))
    elif view == "steps":
        step = st.slider("step", 0, 7, 3)
        show(matrix([cross()], key="steps", rows=step + 1, current_row=step))
    elif view == "states":
        show(matrix([states()], key="states"))


if __name__ == "__main__":
    page()
