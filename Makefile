# make run | test | check | bench | clean
# PYTHON=python3.12 chooses the interpreter; PIP_FLAGS='--extra-index-url ...' reaches every pip install.
PYTHON ?= python3
PIP_FLAGS ?=
BIN := .venv/bin
FONTS := fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji

.PHONY: run test check bench clean chromium

run: .venv/run.stamp
	exec $(BIN)/streamlit run streamlit_app.py

test: check chromium
	$(BIN)/python -m pytest

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev.stamp
	$(BIN)/python -m bench

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +

# A stamp is as new as the last install of its requirements.
.venv/run.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Lookback needs Python 3.11 or newer, and $(PYTHON) is not: try make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -r requirements.txt
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -r requirements-dev.txt
	@touch $@

# The fonts draw right-to-left, Chinese, Japanese, Korean and emoji tokens in the browser tests.
chromium: .venv/dev.stamp
	@$(BIN)/python tests/browser/chromium.py && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium $(FONTS) >/dev/null \
			&& $(BIN)/python tests/browser/chromium.py && exit; \
	fi; \
	echo "The browser tests need Chromium: install it, name it in CHROMIUM, or run $(BIN)/playwright install chromium" >&2; \
	exit 1
