"""``python -m bench``: every speed of the README, measured now."""

from __future__ import annotations

from bench import browser, cold, models


def main() -> None:
    """Print one line a measurement, as it is made."""
    for part in (models, browser, cold):
        for line in part.report():
            print(line, flush=True)


if __name__ == "__main__":
    main()
