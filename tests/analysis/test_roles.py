"""Roles: a hand-made map gets the role that it was made for, an even look is broad, and one token tells nothing."""

import numpy as np
import pytest

from pretrained.analysis import roles
from pretrained.trace import AttentionMap

TOKENS = ("The", "dog", "saw", "a", "cat", "and", "the", "old", "dog", "sat", ".", "</s>")
N = len(TOKENS)
NAMES = [role.name for role in roles.ROLES]
# Every token has a direction of its own, but "cat" and "dog" nearly share one.
VECTORS = np.eye(N, dtype=np.float32)
VECTORS[[1, 8]] = VECTORS[4] * 0.9 + VECTORS[1] * 0.1


def attended(*maps: np.ndarray, kind: str = "encoder-self", causal: bool = False) -> AttentionMap:
    weights = np.stack(maps).astype(np.float32)
    rows, keys = weights.shape[1:]
    mask = np.tril(np.ones((rows, keys), dtype=bool)) if causal else None
    return AttentionMap(kind, 0, weights, TOKENS[:rows], TOKENS[:keys], may_attend=mask)


def looking(wanted: dict[int, int]) -> np.ndarray:
    """All of a row on one key, all others even."""
    found = np.full((N, N), 1 / N)
    for query, key in wanted.items():
        found[query] = np.eye(N)[key]
    return found


def band(width: int) -> np.ndarray:
    near = np.abs(np.subtract.outer(np.arange(N), np.arange(N))) <= width
    found: np.ndarray = near / near.sum(1, keepdims=True)
    return found


FAR = np.abs(np.subtract.outer(np.arange(N), np.arange(N))) > roles.FAR
MADE = {
    "previous": looking({query: query - 1 for query in range(1, N)}),
    "same": np.eye(N),
    "next": looking({query: query + 1 for query in range(N - 1)}),
    "local": band(2),
    "long-range": FAR / FAR.sum(1, keepdims=True).clip(1),
    "broad": np.full((N, N), 1 / N),
    "first": looking(dict.fromkeys(range(N), 0)),
    "separator": looking({query: N - 1 - query % 2 for query in range(N)}),
    "semantic": looking({1: 4, 8: 4, 4: 8}),
    "duplicate": looking({1: 8, 8: 1}),
    "induction": looking({8: 2}),
}


@pytest.mark.parametrize("name", MADE)
def test_a_map_made_for_a_role_has_it_and_scores_1(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "FEWEST", 1)
    (scored,) = roles.scores(attended(MADE[name]), VECTORS)
    assert scored[NAMES.index(name)] == pytest.approx(1)
    assert name in roles.held(scored)
    if name in ("previous", "same", "next", "first", "separator", "long-range"):
        others = {"local"} if name in ("previous", "same", "next") else set()
        assert set(roles.held(scored)) <= {name} | others


def test_an_even_look_is_broad_and_nothing_else() -> None:
    (scored,) = roles.scores(attended(MADE["broad"]), VECTORS)
    assert roles.held(scored) == ("broad",)
    others = scored[[name != "broad" for name in NAMES]]
    np.testing.assert_allclose(others[~np.isnan(others)], 0, atol=1e-6)


def test_the_score_is_what_goes_beyond_an_even_look() -> None:
    half = (MADE["previous"] + MADE["broad"]) / 2
    (scored,) = roles.scores(attended(half))
    assert scored[NAMES.index("previous")] == pytest.approx(0.5)


def test_behind_a_mask_even_is_over_what_is_visible() -> None:
    even = np.tril(np.ones((N, N)))
    (scored,) = roles.scores(attended(even / even.sum(1, keepdims=True), kind="decoder-self", causal=True))
    assert roles.held(scored) == ("broad",)
    assert np.isnan(scored[NAMES.index("next")]), "nobody sees the token after"


def test_between_two_sentences_only_some_roles_can_be_told() -> None:
    diagonal = np.eye(N)[np.arange(0, N, 2)]
    (scored,) = roles.scores(attended(diagonal, kind="cross"), VECTORS)
    told = {name for name, score in zip(NAMES, scored, strict=True) if not np.isnan(score)}
    assert told == {"broad", "first", "separator", "in order"}
    assert roles.held(scored) == ("in order",)


def test_less_than_an_even_look_is_below_0() -> None:
    (scored,) = roles.scores(attended(MADE["next"]))
    assert -1 <= scored[NAMES.index("first")] < 0


def test_the_head_that_looks_back() -> None:
    layers = [attended(MADE["same"], MADE["next"]), attended(MADE["broad"], MADE["previous"])]
    assert roles.looks_back(layers) == (1, 1)


@pytest.mark.parametrize("kind", ["encoder-self", "decoder-self", "cross"])
def test_one_token_tells_nothing(kind: str) -> None:
    one = AttentionMap(kind, 0, np.ones((2, 1, 1), np.float32), ("a",), ("a",))
    scored = roles.scores(one, np.ones((1, 3), np.float32))
    assert np.isnan(scored).all()
    assert roles.held(scored[0]) == ()
