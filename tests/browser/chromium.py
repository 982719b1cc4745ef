"""Finds the Chromium that the browser tests drive; run as a script, prints its path or exits with 1."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Look at $CHROMIUM, then at the path, then at Playwright's own download."""
    if chosen := os.environ.get("CHROMIUM"):
        return shutil.which(chosen)
    if installed := next(filter(None, map(shutil.which, NAMES)), None):
        return installed
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    return downloaded if Path(downloaded).is_file() else None


if __name__ == "__main__":
    path = find_chromium()
    print(path or "no Chromium found")
    sys.exit(path is None)
