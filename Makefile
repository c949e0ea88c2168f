# Segue's commands. A fresh machine needs Python 3.11, 3.12 or 3.13 (with its venv module) and make:
# `make demo` and `make test` build an environment of their own in .venv, from the versions pinned in
# constraints.txt, and the second run starts at once.

.DEFAULT_GOAL := help
.PHONY: help demo test chaos evals lint format bench wheel-test constraints public-names clean

VENV ?= .venv
BIN := $(VENV)/bin

# Which interpreter builds .venv: the first suitable one, or the one given, as in `make PYTHON=python3.12 test`.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3 python3.11 python3.12 python3.13)
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

# More arguments for the command of a target: `make test ARGS="-k saga -x"`.
ARGS ?=

# The caller's pip settings still decide where packages come from; these only keep it quiet and on the pins.
# Build requirements are constrained as well: an editable install is a build.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install -qq --constraint constraints.txt --build-constraint constraints.txt

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: $(VENV)/.installed ## forty orders, four systems that misbehave, a worker that is killed; then contracts, with no model
	$(BIN)/python -m examples.order_to_cash.demo $(ARGS)
	$(BIN)/python -m examples.contracts.demo $(ARGS)

# Tests wait for servers and timers more than they compute: three processes, each with a server of its own. A process
# that dies, or hangs in a test for so long that it is killed, ends the run: begun again, it would die of the same test.
test: $(VENV)/.installed ## the whole test suite
	$(BIN)/python -m pytest -n 3 --dist loadfile --max-worker-restart=0 $(ARGS)

chaos: $(VENV)/.installed ## hundreds of runs in which everything dies, and a look at the ledgers
	$(BIN)/python -m tests.chaos.run $(ARGS)

lint: $(VENV)/.linters ## ruff, mypy and pyright (both strict), and the one-way layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.linters ## put imports and layout in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed ## raw temporalio and Segue, alternating on one server
	$(BIN)/python -m benchmarks.run $(ARGS)

# The file's name keeps pytest from collecting it in `make test`: it builds, and fills one environment an interpreter.
# The data is public, and not part of this repository: docs/evals.md says what the folder holds.
DATA ?=
evals: $(VENV)/.installed ## what document and model workflows get right on public data: make evals DATA=folder
	@test -n "$(DATA)" || { echo "Name the folder of data: make evals DATA=folder (docs/evals.md says what it holds)" >&2; exit 2; }
	$(BIN)/python -m benchmarks.evals $(DATA) $(ARGS)

wheel-test: $(VENV)/.linters ## build the wheel and run a workflow with it, on each supported Python that is here
	$(BIN)/python -m pytest tests/house/check_wheel.py -v -rs $(ARGS)

public-names: $(VENV)/.installed ## record the public names anew, after a change that is meant
	$(BIN)/python tests/house/test_public_names.py

# Resolved in an environment of its own, without the old pins, so that nothing but pyproject.toml decides.
constraints: ## pin the newest versions that pyproject.toml admits
	$(MAKE) VENV=.venv-pins .venv-pins/bin/python
	.venv-pins/bin/python -m pip install -qq --upgrade pip
	.venv-pins/bin/python -m pip install -qq --editable '.[all]' --group test --group lint --group build
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  .venv-pins/bin/python -m pip freeze --all --exclude-editable --exclude setuptools; } > constraints.txt.new
	mv constraints.txt.new constraints.txt
	rm -rf .venv-pins

clean: ## remove the environment, builds and caches; the work under .segue stays
	rm -rf $(VENV) .venv-pins build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHONS); do \
	    if "$$python" -c '$(SUITABLE)' 2>/dev/null; then \
	        echo "Building $(VENV) with $$("$$python" -V) (once; a minute or two)"; \
	        exec "$$python" -m venv $(VENV); \
	    fi; \
	done; \
	echo "Segue needs Python 3.11, 3.12 or 3.13 with its venv module; tried: $(PYTHONS)." >&2; \
	echo "Install one (on Debian: apt-get install python3-venv) or name one: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1

# A new Python's pip may be older than dependency groups (25.1) and build constraints (25.3): bring the pinned one first.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) install -qq --constraint constraints.txt pip
	$(INSTALL) --editable '.[all]' --group test
	@touch $@

$(VENV)/.linters: $(VENV)/.installed
	$(INSTALL) --group lint --group build
	@touch $@
