"""A real server and a real Chromium for the tests in this folder.

A test asks for ``page`` (1440 x 1000) or for ``new_page`` (any size, theme or touch), opens an address from ``app`` or
``serve``, and calls ``wait_for_run(page)`` before it looks. It fails on its own if the page raises, logs an error, or
asks anything of another machine: Lookback works offline.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from tests.browser.chromium import find_chromium

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
START_SECONDS = 60
RUN_MILLISECONDS = 60_000  # the first visit loads a model, on a machine that may be busy
LOCAL_HOSTS = {"127.0.0.1", "localhost"}
# Evaluated inside Chromium, so that only what leaves the machine costs a trip through Python.
ELSEWHERE = re.compile(r"^(?:https?|wss?)://(?!(?:127\.0\.0\.1|localhost)(?::\d+)?(?:/|$))")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Console errors that say nothing about Lookback; each with its reason.
HARMLESS: tuple[re.Pattern[str], ...] = (
    # On a deep link Streamlit's own script first looks for the server below the page's path, then at the root.
    re.compile(r"404 \(Not Found\) \S+/[\w-]+/_stcore/(health|host-config)$"),
)

logs = pytest.StashKey[list[Path]]()


@pytest.fixture(scope="session")
def serve(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start an app script, once a session, and return its address; a relative path starts at the repository's root."""
    running: dict[Path, str] = {}
    processes: list[subprocess.Popen[bytes]] = []

    def start(script: str | Path) -> str:
        script = ROOT / script
        if script not in running:
            log = tmp_path_factory.mktemp("server") / f"{script.stem}.log"
            request.config.stash.setdefault(logs, []).append(log)
            port = free_port()
            command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
            with log.open("wb") as output:
                # A session of its own: ending the group ends whatever the server started.
                process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
            processes.append(process)
            address = f"http://127.0.0.1:{port}"
            wait_for_server(address, process, log)
            running[script] = address
        return running[script]

    yield start
    for process in processes:
        end_group(process)


@pytest.fixture(scope="session")
def app(serve: Callable[..., str]) -> str:
    """Address of the real app."""
    return serve("streamlit_app.py")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium: install one or name it in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages in contexts of their own: ``new_page(viewport=..., color_scheme="dark", has_touch=True)``."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 1000}} | options, service_workers="block"
        )
        context.set_default_timeout(20_000)
        contexts.append(context)

        def refuse(route: Route) -> None:
            complaints.append(f"asked another machine: {route.request.url}")
            route.abort()

        context.route(ELSEWHERE, refuse)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"page error: {error.stack or error}"))
        page.on("console", lambda message: complain(message.type, f"{message.text} {message.location.get('url', '')}"))
        page.on("websocket", lambda socket: complain_if_elsewhere(socket.url))
        return page

    def complain(kind: str, text: str) -> None:
        if kind == "error" and not any(pattern.search(text) for pattern in HARMLESS):
            complaints.append(f"console error: {text}")

    def complain_if_elsewhere(url: str) -> None:
        if urlsplit(url).hostname not in LOCAL_HOSTS:
            complaints.append(f"opened a socket to another machine: {url}")

    yield open_page
    for context in contexts:
        context.close()
    if complaints:
        pytest.fail("the page complained:\n  " + "\n  ".join(complaints), pytrace=False)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


@pytest.fixture(scope="session")
def wait_for_run() -> Callable[[Page], None]:
    """Wait until a script run has ended and its result, which must not be an exception, is on the page.

    After a click the run may not have begun when this looks: follow it with ``expect(...)`` on what should change.
    """

    def wait(page: Page) -> None:
        # Between connecting and its first run an app is not running either, but empty.
        page.get_by_test_id("stMain").get_by_test_id("stElementContainer").first.wait_for(
            state="attached", timeout=RUN_MILLISECONDS
        )
        page.locator(
            "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
        ).wait_for(timeout=RUN_MILLISECONDS)
        expect(page.get_by_test_id("stException")).to_have_count(0)

    return wait


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_server(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    end_group(process)
    pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')}", pytrace=False)


def end_group(process: subprocess.Popen[bytes]) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, signal_number)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("LOOKBACK_REQUIRE_BROWSER") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, and LOOKBACK_REQUIRE_BROWSER=1 allows no skip: {report.longreprtext}"
    if report.failed:
        for log in item.config.stash.get(logs, []):
            report.sections.append((f"server log of {log.stem}", log.read_text(errors="replace")))
    return report
