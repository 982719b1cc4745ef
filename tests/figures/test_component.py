"""What the canvas component sends to the browser, and what it believes of what comes back."""

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.matrix import EXACT_CELLS, FOLDER, SCRIPTS, Pin, identity, pack, payload, pin_of
from viz.matrix import Matrix, Scale


def uniform(rows: int = 3, columns: int = 4, **options: Any) -> Matrix:
    given = {"title": "Alignment", "reading": "Rows look at columns."} | options
    values = np.full((rows, columns), 1 / columns, np.float32)
    return Matrix(values, ("le",) * rows, ("<b>the</b>",) * columns, **given)


def unpack(blob: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    (length,) = struct.unpack_from("<I", blob)
    meta = json.loads(blob[4 : 4 + length])
    arrays = [
        np.frombuffer(blob, np.dtype(a["type"]).newbyteorder("<"), a["length"], 4 + length + a["start"])
        for a in meta["arrays"]
    ]
    return meta, arrays


def with_weight(matrix: Matrix, query: int, key: int, value: float) -> Matrix:
    weights = matrix.weights.copy()
    weights[query, key] = value
    return replace(matrix, weights=weights)


def test_weights_travel_as_exact_bytes() -> None:
    matrix = with_weight(uniform(), 1, 2, 0.1234567)
    meta, arrays = unpack(payload([matrix]))
    assert meta["arrays"][0]["type"] == "float32"
    np.testing.assert_array_equal(arrays[0].reshape(3, 4), matrix.weights)
    assert meta["axes"] == [["le"] * 3, ["<b>the</b>"] * 4]


def test_one_weight_changes_the_bytes_and_the_proof() -> None:
    one, other = payload([uniform()]), payload([with_weight(uniform(), 1, 2, 0.3)])
    (before, cells), (after, changed) = unpack(one), unpack(other)
    assert np.flatnonzero(cells[0] != changed[0]).tolist() == [6]
    assert before["matrices"][0]["proof"] == "rows sum to 1"
    assert after["matrices"][0]["proof"] == "rows sum to 1.00–1.05"
    assert "0.300" in after["matrices"][0]["text"]


def test_the_mask_travels_as_bits() -> None:
    mask = np.tril(np.ones((3, 4), bool))
    meta, arrays = unpack(payload([uniform(may_attend=mask)]))
    bits = np.unpackbits(arrays[meta["matrices"][0]["mask"]], count=12, bitorder="little")
    np.testing.assert_array_equal(bits.reshape(3, 4).astype(bool), mask)


def test_a_large_matrix_travels_as_bytes_and_its_pin_is_exact() -> None:
    matrix = with_weight(uniform(65, 64), 64, 63, 0.4213567)
    assert matrix.weights.size > EXACT_CELLS
    state = {"matrix": 0, "query": 64, "key": 63, "id": identity(matrix)}
    pin = pin_of(state, [matrix])
    assert pin == Pin(0, 64, 63, float(np.float32(0.4213567)))
    meta, arrays = unpack(payload([matrix], pin=pin))
    assert meta["arrays"][0]["type"] == "uint8"
    assert arrays[0][-1] == round(0.4213567 * 255)
    assert meta["matrices"][0]["exact"] == {"query": 64, "key": 63, "value": "0.421357"}
    assert unpack(payload([uniform(64, 64)]))[0]["arrays"][0]["type"] == "float32"


def test_a_pin_does_not_resend_exact_weights() -> None:
    matrix = uniform()
    pin = Pin(0, 1, 2, 0.25)
    assert payload([matrix], pin=pin) == payload([matrix])


def test_every_head_of_a_model_travels_as_bytes() -> None:
    blob = payload([uniform(64, 64)] * 144, size="small")
    assert len(blob) < 144 * (EXACT_CELLS + 1500)


def test_zero_stays_zero_on_a_diverging_scale() -> None:
    values = np.zeros((65, 64), np.float32)
    values[0, :3] = [-2, 2, 1]
    matrix = Matrix(values, ("a",) * 65, ("b",) * 64, title="t", reading="r", scale=Scale.DIVERGING)
    meta, arrays = unpack(payload([matrix]))
    assert meta["matrices"][0]["limit"] == 2
    assert arrays[0][:4].tolist() == [0, 254, 190, 127]


def test_small_matrices_share_a_scale() -> None:
    states = replace(uniform(), scale=Scale.DIVERGING, limit=0.5)
    wider = replace(states, limit=2.0)
    meta, _ = unpack(payload([states, wider], size="small"))
    assert [m["limit"] for m in meta["matrices"]] == [2, 2]
    with pytest.raises(ValueError, match="2: diverging, weights"):
        payload([states, uniform()], size="small")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"columns": 0}, "got 0"), ({"rows": -1}, "got -1"), ({"size": "tiny"}, "got 'tiny'")],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        payload([uniform()], **options)


def test_no_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one, got 0"):
        payload([])


def test_pack_refuses_what_the_browser_cannot_read() -> None:
    with pytest.raises(ValueError, match="got float64"):
        pack({}, [np.zeros(2)])
    with pytest.raises(ValueError, match="JSON"):
        pack({"limit": float("nan")}, [])


@pytest.mark.parametrize("word", ["", "a", "aé", "a🐈"])
def test_every_part_is_aligned(word: str) -> None:
    blob = pack({"word": word}, [np.zeros(3, np.uint8), np.ones(2, np.float32)])
    meta, arrays = unpack(blob)
    assert meta["word"] == word
    assert (struct.unpack_from("<I", blob)[0] + 4) % 4 == 0
    assert all(a["start"] % 4 == 0 for a in meta["arrays"])
    assert arrays[1].tolist() == [1, 1]


GOOD = {"matrix": 0, "query": 1, "key": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": 1}, {"query": 3}, {"key": 4}, {"query": -1}, {"key": True}, {"key": 1.0}, {"key": "1"},
        {"key": None}, {"id": "of other tokens"},
    ],
)  # fmt: skip
def test_a_pin_from_the_browser_is_checked(change: dict[str, Any]) -> None:
    matrix = uniform()
    state = GOOD | {"id": identity(matrix)}
    assert pin_of(state, [matrix]) == Pin(0, 1, 2, 0.25)
    assert pin_of(state | change, [matrix]) is None


@pytest.mark.parametrize("state", [None, "pin", 3, [], {}])
def test_what_is_no_pin_is_none(state: object) -> None:
    assert pin_of(state, [uniform()]) is None


def test_a_pin_below_the_drawn_rows_is_dropped() -> None:
    matrix = uniform()
    assert pin_of(GOOD | {"id": identity(matrix)}, [matrix], rows=1) is None


def test_tokens_never_become_markup() -> None:
    source = "".join((FOLDER / name).read_text("utf-8") for name in (*SCRIPTS, "matrix.css"))
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http://", "https://", "eval("):
        assert forbidden not in source, forbidden


def page() -> None:
    import numpy as np
    import streamlit as st

    from dashboard.components.matrix import matrix
    from viz.matrix import Matrix

    one = Matrix(np.full((2, 2), 0.5), ("a", "a"), ("<i>", "b"), title="Alignment", reading="Rows look at columns.")
    st.text(f"pin: {matrix([one, one], key='figure')}")


def test_a_page_mounts_it() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert app.text[0].value == "pin: None"
    meta, arrays = unpack(app.get("bidi_component")[0].proto.bytes)
    assert len(meta["matrices"]) == 2
    assert meta["axes"] == [["a", "a"], ["<i>", "b"]]
    assert arrays[0].tolist() == [0.5] * 4
    # registered once, also for the next page
    assert not AppTest.from_function(page).run().exception
