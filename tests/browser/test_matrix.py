"""The canvas component in a real Chromium: what a reader points at, presses, pins and takes away."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser import matrix_app

Open = Callable[..., Page]


@pytest.fixture
def view(serve: Callable[..., str], new_page: Open, wait_for_run: Callable[[Page], None]) -> Open:
    """Open one view of the small app and wait until its matrices are painted."""

    def show(name: str, **options: object) -> Page:
        page = new_page(**options)
        page.goto(f"{serve('tests/browser/matrix_app.py')}/?view={name}")
        wait_for_run(page)
        page.locator("[data-painted]").first.wait_for()
        return page

    return show


def cell_point(canvas: Locator, query: int, key: int, rows: int) -> tuple[float, float]:
    """Where a cell of a square-celled figure is on its canvas: cells end at its bottom and begin at its left."""
    box = canvas.bounding_box()
    assert box is not None
    # labels may lean out to the right, so the cell's side is found from the paint, not from the width
    side = float(canvas.evaluate("c => Number(c.dataset.cell)"))
    top = box["height"] - 2 - rows * side
    return 1 + (key + 0.5) * side, top + (query + 0.5) * side


def hover(page: Page, figure: int, query: int, key: int, rows: int = 8) -> None:
    canvas = page.locator("canvas.cells").nth(figure)
    x, y = cell_point(canvas, query, key, rows)
    canvas.hover(position={"x": x, "y": y})


def readout(page: Page, figure: int = 0) -> Locator:
    return page.locator(".stage .readout").nth(figure)


def expected(weights: np.ndarray, query: int, key: int) -> str:
    return f"{weights[query, key]:.3f}"


def test_hover_reads_the_cell_without_a_server_trip(view: Open) -> None:
    page = view("cross")
    # the second `the`, and a token that looks like markup
    weights = matrix_app.soft(8, 9, 0)
    for query, key, token in ((3, 4, "the (4)"), (0, 7, "<b>x</b> (7)"), (3, 0, "the (0)")):
        hover(page, 0, query, key)
        expect(readout(page)).to_contain_text(f"{matrix_app.TARGET[query]} ({query}) → {token}")
        if weights[query, key] >= 0.0005:
            expect(readout(page)).to_contain_text(expected(weights, query, key))
    expect(readout(page)).to_contain_text("after reading s'est")
    assert page.locator(".readout b b").count() == 0
    expect(page.get_by_text("runs: 1", exact=True)).to_be_visible()


def test_other_weights_change_the_readout_and_keep_the_canvas(view: Open) -> None:
    page = view("cross")
    page.locator("canvas.cells").first.evaluate("c => { c.same = true }")
    page.get_by_text("other weights").click()
    expect(page.get_by_text("runs: 2", exact=True)).to_be_visible()
    hover(page, 0, 1, 1)
    expect(readout(page)).to_contain_text(expected(matrix_app.soft(8, 9, 1), 1, 1))
    assert page.locator("canvas.cells").first.evaluate("c => c.same") is True


def test_a_label_shows_its_whole_token(view: Open) -> None:
    page = view("cross", viewport={"width": 390, "height": 844})
    canvas = page.locator("canvas.cells").first
    x, y = cell_point(canvas, 0, 8, 8)
    side = float(canvas.evaluate("c => Number(c.dataset.cell)"))
    canvas.hover(position={"x": x, "y": y - side})
    expect(readout(page)).to_contain_text("internationalisation (8) · most from")


def test_keys_move_the_cursor_and_stay_in_the_figure(view: Open) -> None:
    page = view("cross")
    page.evaluate("window.leaked = 0; document.addEventListener('keydown', () => window.leaked++)")
    canvas = page.locator("canvas.cells").first
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "End", "ArrowRight", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    # the first key press shows where the cursor is: at the first cell
    expect(readout(page)).to_contain_text("le (0) → <b>x</b> (7)")
    expect(page.locator("[aria-live]").first).to_contain_text("le (0) → <b>x</b> (7)")
    assert page.evaluate("window.leaked") == 0
    page.keyboard.press("Tab")
    assert page.evaluate("window.leaked") == 1


def test_enter_pins_and_escape_unpins(view: Open) -> None:
    page = view("cross")
    page.locator("canvas.cells").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    value = float(matrix_app.soft(8, 9, 0)[1, 1])
    pin = page.get_by_text(re.compile(r"^pin: ")).first
    expect(pin).to_have_text(f"pin: Pin(matrix=0, query=1, key=1, value={value})")
    page.keyboard.press("Escape")
    expect(pin).to_have_text("pin: None")


def test_a_click_pins_and_the_pin_survives_other_weights(view: Open) -> None:
    page = view("cross")
    canvas = page.locator("canvas.cells").first
    x, y = cell_point(canvas, 2, 3, 8)
    canvas.click(position={"x": x, "y": y})
    pin = page.get_by_text(re.compile(r"^pin: ")).first
    expect(pin).to_have_text(f"pin: Pin(matrix=0, query=2, key=3, value={float(matrix_app.soft(8, 9, 0)[2, 3])})")
    page.get_by_text("other weights").click()
    expect(pin).to_have_text(f"pin: Pin(matrix=0, query=2, key=3, value={float(matrix_app.soft(8, 9, 1)[2, 3])})")
    expect(readout(page)).to_contain_text("pinned: ")


def test_a_byte_says_about_and_its_pin_is_exact(view: Open) -> None:
    page = view("huge")
    value = float(matrix_app.soft(128, 128, 1)[1].max())
    key = int(matrix_app.soft(128, 128, 1)[1].argmax())
    canvas = page.locator("canvas.cells").first
    x, y = cell_point(canvas, 1, key, 128)
    canvas.hover(position={"x": x, "y": y})
    expect(readout(page)).to_contain_text(f"about {round(value * 255) / 255:.2f}")
    canvas.click(position={"x": x, "y": y})
    expect(page.get_by_text(f"pin: Pin(matrix=0, query=1, key={key}, value={value})")).to_be_visible()
    expect(readout(page)).to_contain_text(f"{value:.6f}")


def test_the_cursor_is_shared_with_the_other_mount(view: Open) -> None:
    page = view("cross")
    hover(page, 0, 2, 3)
    other = expected(matrix_app.soft(8, 9, 7), 2, 3)
    expect(readout(page, 1)).to_contain_text(f"{other} s'est (2) → on (3)")
    page.mouse.move(5, 5)
    expect(readout(page, 1)).to_contain_text("Point at a cell")


def test_only_axes_of_the_same_id_are_linked(view: Open) -> None:
    page = view("four")
    hover(page, 0, 2, 3)
    # English on both axes of the causal map, on the rows of the states, and nowhere in the last figure
    expect(readout(page, 1)).to_contain_text("on (3) → on (3)")
    expect(readout(page, 2)).to_contain_text("on (3) · largest at")
    expect(readout(page, 3)).to_contain_text("Point at a cell")


def test_the_readout_of_a_tall_matrix_stays_in_sight(view: Open) -> None:
    page = view("large")
    expect(readout(page)).not_to_be_in_viewport()
    page.locator("canvas.cells").hover(position={"x": 200, "y": 200})
    expect(readout(page)).to_be_in_viewport(ratio=1)


def test_a_masked_cell_says_so(view: Open) -> None:
    page = view("four")
    hover(page, 1, 0, 5, 9)
    expect(readout(page, 1)).to_contain_text("masked the (0) → mat (5)")
    expect(page.locator(".legend", has_text="masked")).to_have_count(1)
    expect(page.get_by_text("rows sum to 1 · masked cells 0 · from gpt-mini, layer 1, head 2")).to_be_visible()


def test_four_stand_side_by_side_on_a_laptop(view: Open) -> None:
    page = view("four")
    boxes = [page.locator("figure").nth(i).bounding_box() for i in range(4)]
    assert len({round(b["y"]) for b in boxes if b}) == 1
    assert all(b["y"] + b["height"] < 1000 for b in boxes if b)


@pytest.mark.parametrize("name", ["cross", "four", "large", "grid", "huge"])
def test_a_phone_never_scrolls_sideways(view: Open, name: str) -> None:
    page = view(name, viewport={"width": 390, "height": 844})
    main = page.get_by_test_id("stMain")
    assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    figures = [f.bounding_box() for f in page.locator("figure").all()]
    assert all(f["x"] >= 0 and f["x"] + f["width"] <= 390 for f in figures if f)
    if name == "large":
        # 64 columns do not fit, so they move inside their own box
        assert page.locator(".scroll").evaluate("e => { e.scrollLeft = 100; return e.scrollLeft }") == 100


def colour_of(canvas: Locator, query: int, key: int) -> list[int]:
    """The painted colour near a corner of a cell, away from its number."""
    return list(
        canvas.evaluate(
            """(c, [q, k]) => {
                const side = Number(c.dataset.cell), ratio = c.width / c.clientWidth;
                const top = c.clientHeight - 2 - Number(c.dataset.rows) * side;
                const at = [(1 + (k + 0.15) * side) * ratio, (top + (q + 0.15) * side) * ratio];
                return [...c.getContext("2d").getImageData(...at, 1, 1).data].slice(0, 3);
            }""",
            [query, key],
        )
    )


def test_colours_follow_a_live_theme_flip(view: Open) -> None:
    from viz.palette import colour_at, rgb, theme

    page = view("cross", color_scheme="light")
    canvas = page.locator("canvas.cells").first
    weight = float(matrix_app.soft(8, 9, 0)[4, 5])
    assert np.abs(np.subtract(colour_of(canvas, 4, 5), rgb(colour_at(theme("light").sequential, weight)))).max() <= 1
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".mount[data-theme=dark]")).to_have_count(2)
    page.wait_for_function(
        "m => Number(m.dataset.painted) > 1", arg=page.locator(".mount").first.element_handle(), timeout=5000
    )
    assert np.abs(np.subtract(colour_of(canvas, 4, 5), rgb(colour_at(theme("dark").sequential, weight)))).max() <= 1


def test_the_canvas_is_crisp_on_a_dense_screen(view: Open) -> None:
    page = view("tiny", device_scale_factor=2)
    width, shown = page.locator("canvas.cells").evaluate("c => [c.width, c.clientWidth]")
    assert width == 2 * shown


def test_steps_draw_only_what_was_written(view: Open) -> None:
    page = view("steps")
    hover(page, 0, 3, 2)
    expect(readout(page)).to_contain_text("assis (3)")
    hover(page, 0, 6, 2)
    expect(readout(page)).not_to_contain_text("tapis")
    assert "tapis" not in page.locator("p.unseen").inner_text()


def test_a_grid_is_one_tab_stop_and_enter_pins_a_head(view: Open) -> None:
    page = view("grid")
    assert page.locator("canvas.cells[tabindex='0']").count() == 1
    page.locator("canvas.cells").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    weights = matrix_app.soft(12, 12, 2)
    query, key = np.unravel_index(weights.argmax(), weights.shape)
    expect(page.get_by_text(re.compile(f"^pin: Pin\\(matrix=2, query={query}, key={key}, "))).to_be_visible()


def test_a_click_on_a_small_head_pins_it(view: Open) -> None:
    page = view("grid")
    canvas = page.locator("canvas.cells").nth(7)
    box = canvas.bounding_box()
    assert box is not None
    canvas.hover(position={"x": box["width"] / 2 + 1, "y": 2})
    expect(page.locator(".bar-line .readout")).to_contain_text("L1 H3")
    expect(page.locator(".bar-line .readout")).to_contain_text("the (0) → back (6)")
    canvas.click(position={"x": box["width"] / 2 + 1, "y": 2})
    expect(page.get_by_text(re.compile(r"^pin: Pin\(matrix=7, query=0, key=6, "))).to_be_visible()


def test_144_heads_share_one_repaint_a_move(view: Open) -> None:
    page = view("many")
    paints = page.evaluate(
        """async () => {
            const all = [...document.querySelectorAll("*")].map(e => e.shadowRoot).filter(Boolean);
            const root = all.map(r => r.querySelector(".mount")).find(Boolean);
            const canvas = root.querySelector("canvas.cells"), box = canvas.getBoundingClientRect();
            const before = Number(root.dataset.painted);
            for (let i = 1; i < 8; i++) {
                const at = { clientX: box.left + i * 8, clientY: box.top + i * 8, bubbles: true };
                canvas.dispatchEvent(new PointerEvent("pointermove", at));
            }
            for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
            return Number(root.dataset.painted) - before;
        }"""
    )
    assert paints == 1, "seven moves within a frame are drawn once"


def test_one_weight_changes_picture_hover_and_proof(view: Open) -> None:
    page = view("weight")
    canvas = page.locator("canvas.cells").first
    hover(page, 0, 2, 3)
    expect(readout(page)).to_contain_text(expected(matrix_app.soft(8, 9), 2, 3))
    expect(page.get_by_text("rows sum to 1 ·").first).to_be_visible()
    page.mouse.move(0, 0)
    picture = canvas.evaluate("c => c.toDataURL()")
    page.get_by_text("one other weight").click()
    expect(page.get_by_text(re.compile(r"rows sum to [\d.]+–")).first).to_be_visible()
    page.mouse.move(0, 0)
    page.wait_for_function("([c, before]) => c.toDataURL() !== before", arg=[canvas.element_handle(), picture])
    hover(page, 0, 2, 3)
    expect(readout(page)).to_contain_text("0.987")


def test_the_saved_image_is_the_figure(view: Open, tmp_path: Path) -> None:
    page = view("four")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save “Alignment” as a PNG image").click()
    assert download.value.suggested_filename == "alignment.png"
    download.value.save_as(tmp_path / "saved.png")
    image = Image.open(tmp_path / "saved.png").convert("RGB")
    assert image.width > 600
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert len(colours) > 50


def test_the_figure_is_named_for_screen_readers(view: Open) -> None:
    page = view("cross")
    canvas = page.locator("canvas.cells").first
    expect(canvas).to_have_attribute(
        "aria-label", re.compile(r"^Alignment\. Each row is a French word.*Arrow keys move")
    )
    expect(canvas).to_have_attribute("role", "application")
    assert "le (0): most to the (0)" in page.locator("p.unseen").first.inner_text()
