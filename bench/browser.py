"""From Enter to a painted alignment in a real Chromium, against what cannot be avoided."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import pretrained
from bench.models import bare
from tests.browser.chromium import find_chromium
from tests.browser.conftest import FLAGS, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
SENTENCES = [
    f"The {noun} is {adjective}."
    for noun in ("dog", "cat", "house", "book")
    for adjective in ("big", "old", "new", "good")
]
# A component paints inside a shadow root, where a plain selector does not reach; the first of them draws no picture.
PAINTED = """[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map(host => host.shadowRoot?.querySelector('[data-painted]')).find(Boolean)?.dataset.painted"""
PATIENCE = 20_000  # milliseconds
RERUNNING = "[data-testid=stApp][data-test-script-state=notRunning]"


@contextmanager
def served(script: Path) -> Iterator[str]:
    """Serve an app script on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with suppress(OSError):
                urllib.request.urlopen(f"{address}/_stcore/health").read()
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def enter_to(page: Page, changed: str) -> list[float]:
    """Type each sentence and press Enter; milliseconds until ``changed`` (a JavaScript expression) has a new value.

    Raises:
        TimeoutError: it never changes.
    """
    times = []
    for sentence in SENTENCES:
        box = page.get_by_role("textbox").first
        box.fill(sentence)
        page.wait_for_timeout(200)  # the page has dealt with the last letter by the time a typist presses Enter
        milliseconds = page.evaluate(
            """async ([changed, patience]) => {
                const value = new Function('return ' + changed), before = value();
                const box = document.querySelector('input[type=text]');
                const started = performance.now();
                for (const kind of ['keydown', 'keypress'])
                    box.dispatchEvent(new KeyboardEvent(kind, {key: 'Enter', keyCode: 13, bubbles: true}));
                while (value() === before && performance.now() - started < patience)
                    await new Promise(requestAnimationFrame);
                return performance.now() - started;
            }""",
            [changed, PATIENCE],
        )
        if milliseconds >= PATIENCE:
            raise TimeoutError(f"expected another {changed} for {sentence!r}, got none in {PATIENCE} ms")
        times.append(float(milliseconds))
        page.wait_for_selector(RERUNNING)
        page.wait_for_timeout(300)
    return times


def report() -> Iterator[str]:
    """Yield one line: Enter to painted alignment over (empty rerun + bare forward)."""
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        yield "Enter to painted alignment: no Chromium here, not measured"
        return
    empty_script = ROOT / "bench" / "empty_app.py"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with served(empty_script) as address:
            page = browser.new_page()
            page.goto(address)
            page.wait_for_selector(RERUNNING)
            page.wait_for_timeout(1000)
            empty = enter_to(page, "document.querySelector('[data-testid=stText]')?.textContent")
        with served(ROOT / "streamlit_app.py") as address:
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            page.goto(f"{address}/attention")
            page.wait_for_selector("[data-painted]")
            page.wait_for_timeout(3000)
            painted = enter_to(page, PAINTED)
        browser.close()
    torch.set_num_threads(1)
    model = pretrained.load("gru-bahdanau")
    forward = []
    for sentence in SENTENCES:
        started = time.perf_counter()
        bare(model, sentence)
        forward.append(1000 * (time.perf_counter() - started))
    rerun, work, all_of_it = (statistics.median(times[2:]) for times in (empty, forward, painted))
    yield (
        f"Enter to painted alignment: {all_of_it:.0f} ms / (empty rerun {rerun:.0f} ms + bare forward {work:.0f} ms) "
        f"= {all_of_it / (rerun + work):.2f}"
    )
