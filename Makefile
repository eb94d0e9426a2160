# Every target makes the environment it needs in .venv; nothing has to be installed by hand but Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLIENTS := .venv-clients/.installed
AXE := .venv-node/node_modules/axe-core/axe.min.js
PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup -q
# Tests read recorded data where it lies (see CONTRIBUTING.md).
export GATEWATCH_SHARED ?= ../shared

.DEFAULT_GOAL := help
.PHONY: demo test test-slow browser screenshots check format bench bench-peers kill-matrix clean help

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gatewatch needs Python 3.11 or later, this is " + sys.version.split()[0] + ": call make PYTHON=/path/to/python3.11")'
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: $(STAMP) ## Run the whole story on a small support bot: no key, no network service
	@$(BIN)/gatewatch demo

# The code in the documentation is run by `check`, once.
test: $(STAMP) ## Run the tests (without those marked slow)
	@$(PYTEST) -m "not slow" --ignore=tests/docs

$(CLIENTS): tests/live/clients.txt
	@$(PYTHON) -m venv $(dir $(CLIENTS))
	@$(dir $(CLIENTS))bin/python -m pip install --quiet --disable-pip-version-check -r tests/live/clients.txt
	@touch $(CLIENTS)

test-slow: $(STAMP) $(CLIENTS) ## Run the tests marked slow
	@$(PYTEST) -m slow

$(AXE): tests/web/axe.txt
	@npm install --silent --no-save --no-package-lock --prefix .venv-node $$(cat tests/web/axe.txt)
	@touch $@

browser: $(AXE) ## Install what judges the pages' accessibility (Node's npm and Chromium have to be there)
	@command -v chromium > /dev/null || { echo "the pages are tested in Chromium: install the package chromium"; exit 1; }

screenshots: $(STAMP) ## Take the pictures of the pages that the documentation shows (in Chromium)
	@PYTHONPATH=tests $(BIN)/python -m web.screenshots

check: $(STAMP) ## Check format, lint, types, import contracts, file length and the code in the docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/file_length.py
	@$(BIN)/python -m pytest -q -n auto tests/docs tests/test_imports.py

format: $(STAMP) ## Put the code into the house's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## Run the benchmarks and print their ratios
	@$(BIN)/python -m benchmarks

bench-peers: $(STAMP) ## Put a peer (pydantic-evals, in an environment of its own) beside us in the same run
	@$(BIN)/python -m benchmarks.peers

kill-matrix: $(STAMP) ## End an application in every way it may end, and print what was lost
	@$(BIN)/python -m benchmarks.kill_matrix --times 200

clean: ## Remove the environment and the caches
	@rm -rf $(VENV) $(dir $(CLIENTS)) .venv-node .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache gatewatch-demo

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
