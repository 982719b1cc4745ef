"""The frozen description of a matrix, what it says of itself, and every file that it becomes."""

import base64
import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viz.export import clipped
from viz.matrix import Matrix, Scale, shown

ROWS = ("le", "chat", "le", "</s>")
COLUMNS = ("the", "<b>cat</b>", "the", '=SUM(A1:A2)&"x"', "🐈", "قطة")
SVG = "{http://www.w3.org/2000/svg}"


def weights(rows: int = 4, columns: int = 6, seed: int = 0) -> np.ndarray:
    drawn: np.ndarray = np.random.default_rng(seed).random((rows, columns)).astype(np.float32)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def figure(values: Any = None, **options: Any) -> Matrix:
    given = {"title": "Alignment", "reading": "Rows look at columns.", "source": "gru-bahdanau, layer 0"} | options
    return Matrix(weights() if values is None else values, ROWS, COLUMNS, **given)


def causal() -> np.ndarray:
    return np.tril(np.ones((4, 6), bool), k=2)


def test_it_is_frozen_and_owns_its_weights() -> None:
    mine = weights()
    matrix = figure(mine)
    mine[0, 0] = 0.5
    assert matrix.weights[0, 0] == weights()[0, 0]
    assert matrix.weights.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        matrix.weights[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        matrix.title = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_tokens": ROWS[:3]}, r"query_tokens: expected 4.*got 3"),
        ({"key_tokens": (*COLUMNS, "more")}, r"key_tokens: expected 6.*got 7"),
        ({"consumed_tokens": ("<s>",)}, r"consumed_tokens: expected 4.*got 1"),
        ({"key_tokens": (*COLUMNS[:5], 7)}, r"key_tokens\[5\]: expected str, got int"),
        ({"weights": np.ones((4, 6), int)}, r"float array, got dtype int64"),
        ({"weights": np.ones((2, 4, 6))}, r"shape \[query, key\].*\(2, 4, 6\)"),
        ({"weights": np.full((4, 6), np.nan)}, r"24 of 24 values are not finite"),
        ({"weights": np.full((4, 6), 1.5)}, r"expected 0\.\.1, got 1\.5\.\.1\.5"),
        ({"may_attend": np.ones((4, 5), bool)}, r"may_attend: expected shape \(4, 6\).*\(4, 5\)"),
        ({"may_attend": np.ones((4, 6))}, r"may_attend: expected dtype bool, got float64"),
        ({"limit": 2.0}, r"limit: expected None"),
        ({"scale": Scale.DIVERGING, "limit": 0.0}, r"limit: expected a finite number above 0, got 0\.0"),
        ({"scale": Scale.SCORES, "weights": np.full((4, 6), -np.inf)}, r"24 of 24 values are not finite"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(figure(), **change)


def test_proof_says_that_rows_sum_to_one_only_when_they_do() -> None:
    assert figure().proof() == "rows sum to 1 · from gru-bahdanau, layer 0"
    painted = weights()
    painted[1] *= 0.93
    assert figure(painted).proof().startswith("rows sum to 0.93–1.00 · ")
    painted = weights()
    painted[1] *= 0.9996
    # two decimals would read 1.00
    assert figure(painted, source="").proof() == "rows sum to 0.9996–1.0000"


def test_proof_of_a_mask_comes_from_the_numbers() -> None:
    assert "masked" not in figure().proof()
    hidden = np.where(causal(), weights(), 0).astype(np.float32)
    hidden /= hidden.sum(axis=1, keepdims=True)
    assert figure(hidden, may_attend=causal()).proof().startswith("rows sum to 1 · masked cells 0 · ")
    leaky = hidden.copy()
    leaky[0, 5] = 0.2
    assert "masked cells up to 0.2" in figure(leaky, may_attend=causal()).proof()


def test_proof_of_other_scales_is_their_range() -> None:
    values = np.linspace(-1, 0.98, 24, dtype=np.float32).reshape(4, 6)
    states = figure(values, scale=Scale.DIVERGING)
    assert states.proof() == "values −1.00 to 0.98 · from gru-bahdanau, layer 0"
    assert states.bound == 1.0
    assert replace(states, limit=2.5).bound == 2.5
    assert figure(np.zeros((4, 6)), scale=Scale.DIVERGING).bound == 1.0


def test_masked_scores_may_be_minus_infinity() -> None:
    scores = np.where(causal(), 2.0, -np.inf)
    matrix = figure(scores, scale=Scale.SCORES, may_attend=causal())
    assert matrix.bound == 2.0
    assert matrix.proof().startswith("values 2.00 to 2.00")
    assert "∞" not in matrix.svg()
    assert matrix.png()


def test_text_names_the_strongest_key_of_every_row() -> None:
    values = np.zeros((4, 6), np.float32)
    values[[0, 1, 2, 3], [2, 1, 0, 5]] = [0.5, 0.25, 1, 0.0004]
    words = figure(values).text()
    assert "le (0): most to the (2), 0.500." in words
    assert "le (2): most to the (0), 1.000." in words
    assert "</s> (3): most to قطة (5), <0.001." in words
    assert "(1)" in words
    assert "le (2)" not in figure(values).text(rows=2)
    large = Matrix(np.full((512, 4), 0.25), ("a",) * 512, ("b",) * 4, title="t", reading="r")
    assert len(large.text()) < 2000


def test_a_masked_row_says_so() -> None:
    mask = np.ones((4, 6), bool)
    mask[1] = False
    assert "chat (1): masked." in figure(may_attend=mask).text()


@pytest.mark.parametrize(
    ("token", "drawn"),
    [("", "∅"), (" ", "␣"), ("\n", "⏎"), ("a\nb", "a⏎b"), ("<s>", "<s>"), ("\x00a", "\ufffda"), ("\ud800", "\ufffd")],
)
def test_tokens_are_drawn_visibly(token: str, drawn: str) -> None:
    assert shown(token) == drawn


def cells(picture: str) -> list[ElementTree.Element]:
    return [r for r in ElementTree.fromstring(picture).iter(f"{SVG}rect") if r.get("class") == "c"]


def test_svg_has_a_rectangle_a_cell_and_every_token_as_text() -> None:
    picture = figure().svg()
    assert len(cells(picture)) == 24
    texts = ["".join(t.itertext()) for t in ElementTree.fromstring(picture).iter(f"{SVG}text")]
    for token in (*ROWS, *COLUMNS):
        assert clipped(token) in texts
    assert texts.count("the") == 2
    assert "<b>cat</b>" not in picture
    assert "&lt;b&gt;cat&lt;/b&gt;" in picture
    assert "rows sum to 1 · from gru-bahdanau, layer 0" in texts


def test_svg_follows_one_weight_and_the_mask() -> None:
    before = [c.get("fill") for c in cells(figure().svg())]
    changed = weights()
    changed[2, 3] = 0.9
    after = [c.get("fill") for c in cells(figure(changed).svg())]
    assert [i for i in range(24) if before[i] != after[i]] == [15]
    masked = [c.get("fill") for c in cells(figure(may_attend=causal()).svg())]
    assert masked.count("url(#masked)") == int((~causal()).sum())


def test_svg_survives_control_characters() -> None:
    matrix = Matrix(np.ones((1, 1), np.float32), ("\x00\x1b[0m",), ("\ud800",), title="\x07", reading="\x01")
    assert len(cells(matrix.svg())) == 1
    matrix.svg().encode()


def test_csv_reads_back_exactly() -> None:
    values = weights(seed=3)
    values[0, 0] = np.float32(1e-30)
    rows = list(csv.reader(io.StringIO(figure(values).csv(), newline="")))
    assert rows[0][0] == "query \\ key"
    assert [r[0] for r in rows[1:]] == list(ROWS)
    assert rows[0][1:] == [*COLUMNS[:3], f"'{COLUMNS[3]}", *COLUMNS[4:]]
    read = np.array([[np.float32(v) for v in r[1:]] for r in rows[1:]])
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize("token", ["=1+1", "+1", "-1", "@x", "\t=1", "＝1"])
def test_csv_holds_no_formula(token: str) -> None:
    matrix = Matrix(np.ones((1, 1), np.float32), (token,), (token,), title="t", reading="r")
    rows = list(csv.reader(io.StringIO(matrix.csv(), newline="")))
    assert rows[0][1] == rows[1][0] == f"'{token}"


def test_plotly_keeps_float32_and_escapes_tokens() -> None:
    picture = figure().plotly()
    heatmap = picture.to_plotly_json()["data"][0]
    assert heatmap["z"]["dtype"] == "f4"
    read = np.frombuffer(base64.b64decode(heatmap["z"]["bdata"]), "<f4").reshape(4, 6)
    np.testing.assert_array_equal(read, weights())
    assert (heatmap["zmin"], heatmap["zmax"]) == (0, 1)
    assert picture.layout.xaxis.ticktext[1] == "&lt;b&gt;cat&lt;/b&gt;"
    assert picture.layout.xaxis.ticktext[3].endswith('&amp;"x"')
    assert picture.layout.yaxis.ticktext[3] == "&lt;/s&gt;"
    # positions are the coordinates, so a repeated token keeps its own row
    assert list(picture.layout.yaxis.tickvals) == [0, 1, 2, 3]
    assert heatmap["customdata"][3][1] == "&lt;/s&gt; (3) → &lt;b&gt;cat&lt;/b&gt; (1)"


def test_plotly_draws_the_mask_apart() -> None:
    picture = figure(may_attend=causal()).plotly("dark")
    assert len(picture.data) == 2
    assert np.isnan(np.asarray(picture.data[0].z)[~causal()]).all()
    assert np.isnan(np.asarray(picture.data[1].z)[causal()]).all()


def test_diverging_plotly_is_symmetric() -> None:
    values = np.linspace(-0.5, 0.25, 24).reshape(4, 6)
    heatmap = figure(values, scale=Scale.DIVERGING).plotly().data[0]
    assert (heatmap.zmin, heatmap.zmax) == (-0.5, 0.5)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_png_holds_the_cells(theme: Any) -> None:
    one = Image.open(io.BytesIO(figure().png(theme, 1)))
    two = Image.open(io.BytesIO(figure().png(theme, 2)))
    assert two.size == (one.size[0] * 2, one.size[1] * 2)
    changed = weights()
    changed[2, 3] = 0.9
    assert figure(changed).png(theme) != figure().png(theme)
    with pytest.raises(ValueError, match="got 9"):
        figure().png(theme, 9)


def test_html_stands_alone_and_no_token_ends_its_script() -> None:
    evil = "</script><script>alert(1)</script>"
    matrix = Matrix(np.full((2, 2), 0.5), ("a", evil), (evil, "b"), title=evil, reading=evil)
    page = matrix.html()
    assert page.count("<script") == page.count("</script>") == 2
    assert not re.search(r'(src|href)="?http', page.replace("http://www.w3.org/2000/svg", ""))
    packed = re.search(r'id="matrix">(.*?)</script>', page)
    assert packed is not None
    data = json.loads(packed[1])
    assert data["rows"][1] == evil
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(data["weights"]), "<f4"), np.full(4, 0.5, np.float32))


def test_a_large_matrix_is_still_a_small_file() -> None:
    tokens = tuple(f"token {i}" for i in range(64))
    matrix = Matrix(np.full((64, 64), 1 / 64), tokens, tokens, title="t", reading="r")
    assert len(matrix.html()) < 500_000
    assert len(matrix.png()) < 200_000
