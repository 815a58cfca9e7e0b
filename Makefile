# make run     everything a newcomer needs, then the page at http://127.0.0.1:7860
# make test    the tests
# make check   style, types and the rooms' order
# make clean   what a run made (var/) and the environment; downloads in the cache stay

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin

# uv reads its own variables; where pip was pointed somewhere, uv follows.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif

.PHONY: run test check format clean

run: $(VENV)/.installed
	@$(BIN)/shopkeeper run

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.uv:
	@found=; for python in python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Shopkeeper needs Python 3.11 or newer, and none was found; install one (e.g. apt-get install python3)." >&2; \
	  exit 2; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found lacks its venv module; install it (e.g. apt-get install python3-venv)." >&2; exit 2; \
	fi; \
	echo "Making $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@touch $@

$(VENV)/.installed: $(VENV)/.uv pyproject.toml constraints.txt
	@echo "Installing what Shopkeeper needs"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.uv pyproject.toml constraints.txt
	@echo "Installing what Shopkeeper and its tests need"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed
