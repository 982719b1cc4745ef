"""What a head does on one sentence: scores for the roles that others found, each against an even look.

Clark et al. 2019, "What does BERT look at?", section 3 (previous, next, separator, broad), and Voita et al. 2019,
"Analyzing multi-head self-attention" (positional heads), name heads so; Olsson et al. 2022, "In-context learning and
induction heads", the last two. All rules are ours, one for all roles that are about where a head looks: of the rows
that have such a token,

    w = mean weight on these tokens        e = what an even look at all visible tokens would put there
    score = max(-1, (w - e) / (1 - e))     0: as an even look, 1: all of the weight, below 0: less than an even look

A head has a role on a sentence when its score reaches the role's threshold. On another sentence it may have another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pretrained.shapes import Bool, Float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.trace import AttentionMap

NEIGHBOURS = 2  # tokens to either side that count as local
FAR = 5  # tokens; what is further away is long-range
NEAR = 0.25  # cosine of two embeddings above which two tokens are near in meaning
FEWEST = 2  # rows from which a score is made; one row alone is chance
SEPARATORS = ("</s>", ".", "!", "?")


@dataclass(frozen=True)
class Role:
    """What a head may be.

    Attributes:
        name: short.
        looks_at: which tokens, or how.
        threshold: the least score with which a head has this role.
        within: whether it can be told where queries and keys are of one sentence.
        between: whether it can be told where they are of two.
    """

    name: str
    looks_at: str
    threshold: float
    within: bool = True
    between: bool = False


ROLES = (
    Role("previous", "the token before", 0.3),
    Role("same", "the token itself", 0.3),
    Role("next", "the token after", 0.3),
    Role("local", f"itself and {NEIGHBOURS} tokens to either side", 0.6),
    Role("long-range", f"tokens more than {FAR} away", 0.3),
    Role("broad", "everything: its entropy, as a share of an even look's", 0.85, between=True),
    Role("first", "the first token", 0.3, between=True),
    Role("separator", "</s>, full stop, ! and ?", 0.3, between=True),
    Role(
        "in order", "the same place in the other sentence, and 1 token to either side", 0.3, within=False, between=True
    ),
    Role("semantic", f"other tokens whose embeddings are near (cosine above {NEAR})", 0.3),
    Role("duplicate", "the same token elsewhere", 0.3),
    Role("induction", "the token that followed the same token before", 0.3),
)


def scores(
    attended: AttentionMap, vectors: Float[np.ndarray, "key unit"] | None = None
) -> Float[np.ndarray, "head role"]:
    """Score every head of a map in every role; NaN where this sentence or this kind of attention cannot tell.

    Args:
        attended: of any kind; in a decoder's self-attention a row stands where the token stands that is read there.
        vectors: context-free, one a key; without them nothing is said of meaning.
    """
    visible = attended.may_attend
    if visible is None:
        visible = np.ones(attended.weights.shape[1:], dtype=bool)
    between = attended.kind == "cross"
    weights = attended.weights.astype(np.float64)
    wanted = targets(attended.key_tokens, visible.shape[0], vectors, between=between)
    found = np.full((len(weights), len(ROLES)), np.nan)
    for place, role in enumerate(ROLES):
        if role.name == "broad":
            found[:, place] = _breadth(weights, visible)
        elif role.name in wanted:
            found[:, place] = _beyond_even(weights, visible, wanted[role.name] & visible)
    return found


def held(scored: Float[np.ndarray, " role"]) -> tuple[str, ...]:
    """Name the roles of a head with these scores; a score that is not known is none."""
    return tuple(role.name for role, score in zip(ROLES, scored, strict=True) if score >= role.threshold)


def looks_back(maps: Sequence[AttentionMap]) -> tuple[int, int]:
    """Name layer and head of the one that puts most weight on the token before, of at least two tokens."""
    put = np.array([np.diagonal(one.weights, -1, 1, 2).mean(1) for one in maps])
    layer, head = np.unravel_index(put.argmax(), put.shape)
    return int(layer), int(head)


def targets(
    tokens: tuple[str, ...],
    n_queries: int,
    vectors: Float[np.ndarray, "key unit"] | None = None,
    *,
    between: bool = False,
) -> dict[str, Bool[np.ndarray, "query key"]]:
    """Tell for every role that these tokens can tell which keys a query would look at.

    Within a sentence a query stands at the key of its own number; between two it stands at a place of its own.
    """
    query, key = np.arange(n_queries)[:, None], np.arange(len(tokens))
    every = np.ones((n_queries, 1), dtype=bool)
    found = {
        "first": every & (key == 0),
        "separator": every & np.array([token in SEPARATORS for token in tokens]),
    }
    if between:
        return found | {"in order": np.abs(key - (2 * query + 1) * len(tokens) // (2 * n_queries)) <= 1}
    alike = np.array([[one == other for other in tokens] for one in tokens])
    # Where the token before a key is the query's own, and stands before it.
    followed = np.pad(np.tril(alike, -1), ((0, 0), (1, 0)))[:, :-1]
    found |= {
        "previous": key == query - 1,
        "same": key == query,
        "next": key == query + 1,
        "local": np.abs(key - query) <= NEIGHBOURS,
        "long-range": np.abs(key - query) > FAR,
        "duplicate": alike & (key != query),
        "induction": followed & (key != query),
    }
    if vectors is not None:
        directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        found["semantic"] = (directions @ directions.T > NEAR) & ~alike
    return found


def _beyond_even(
    weights: Float[np.ndarray, "head query key"],
    visible: Bool[np.ndarray, "query key"],
    wanted: Bool[np.ndarray, "query key"],
) -> Float[np.ndarray, " head"]:
    # A row without such a token, or with no other one, cannot tell.
    rows = wanted.any(1) & (wanted != visible).any(1)
    if rows.sum() < FEWEST:
        return np.full(len(weights), np.nan)
    even = float((wanted[rows].sum(1) / visible[rows].sum(1)).mean())
    put = (weights * wanted)[:, rows].sum(2).mean(1)
    found: Float[np.ndarray, " head"] = np.maximum(-1.0, (put - even) / (1 - even))
    return found


def _breadth(
    weights: Float[np.ndarray, "head query key"], visible: Bool[np.ndarray, "query key"]
) -> Float[np.ndarray, " head"]:
    counts = visible.sum(1)
    rows = counts > 1
    if rows.sum() < FEWEST:
        return np.full(len(weights), np.nan)
    entropy = -np.where(weights > 0, weights * np.log(np.where(weights > 0, weights, 1)), 0).sum(2)
    found: Float[np.ndarray, " head"] = (entropy[:, rows] / np.log(counts[rows])).mean(1)
    return found
