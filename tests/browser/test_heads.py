"""A head clicked in a grid becomes the choice of the pickers, the link and the figure; the pickers win it back."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect


def large(page: Page, layer: int, head: int) -> None:
    """The large figure, the grid and the link show this head."""
    title = f"Encoder self-attention, layer {layer}, head {head}"
    expect(page.get_by_text(title, exact=True)).to_be_visible()
    expect(page.locator(".title", has_text="●")).to_have_text([f"{layer}.{head} ●"])
    for name, value in (("layer", layer), ("head", head)):
        link = re.compile(rf"[?&]{name}={value}\b") if value else re.compile(rf"^(?!.*[?&]{name}=)")
        expect(page).to_have_url(link)


def small(page: Page, number: int) -> None:
    page.locator("[class*=st-key-heads-encoder-self] canvas.cells").nth(number).click()


def test_a_small_head_can_be_chosen(page: Page, app: str, wait_for_run: Callable[[Page], None]) -> None:
    page.goto(f"{app}/multi-head?layer=1")
    wait_for_run(page)
    large(page, 1, 0)
    small(page, 11)
    large(page, 2, 3)
    small(page, 2)
    large(page, 0, 2)
    page.locator(".st-key-head").get_by_role("radio", name="1").click()
    large(page, 0, 1)
    # the same cell as before: the grid has forgotten that it was clicked
    small(page, 2)
    large(page, 0, 2)
