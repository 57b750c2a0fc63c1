# Needs python3 (3.11 or newer, with venv), pip and make; everything else is set up in .venv from hash-locked lists.

PYTHON ?= python3
VENV ?= .venv
STATE ?= $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/healer
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help run demo test lint format bench torture build install uninstall lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------- for everyone

run: $(VENV)/.run ## set up and run the agent in the foreground; Ctrl-C stops it
	@exec $(BIN)/healer run --config organism.yaml --state-dir "$(STATE)" $(ARGS)

demo: $(VENV)/.run ## break three small programs, watch them healed, and prove the log
	@exec $(BIN)/healer demo $(ARGS)

test: $(VENV)/.dev ## set up and run the whole suite with its coverage floors (ARGS='-k word' runs a part)
	@PYTHON=$(BIN)/python tests/run $(ARGS)

# ------------------------------------------------------------------------------- for those who build

lint: $(VENV)/.dev ## ruff, mypy, the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## let ruff put things in order
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure, beside the peers; prints JSON
	@exec $(BIN)/python -m bench $(ARGS)

torture: $(VENV)/.dev ## the long runs: many seeds of the simulation
	@exec $(BIN)/healer simulate --seeds $(or $(SEEDS),10000) $(ARGS)

build: $(VENV)/.dev ## the wheel, the source archive and the single-file verifier, into dist/
	rm -rf dist build/pyz
	$(BIN)/python -m hatchling build
	mkdir -p build/pyz/audit
	cp audit/*.py build/pyz/audit/
	printf '"""The verifier in one file."""\n\nimport sys\n\nfrom audit.cli import main\n\nsys.exit(main())\n' > build/pyz/__main__.py
	$(BIN)/python -m zipapp build/pyz --python '/usr/bin/env python3' --compress --output dist/audit-verify.pyz

lock: ## resolve requirements/*.txt anew (needs uv)
	uv $(LOCK) $(ARGS) pyproject.toml --output-file requirements/run.txt
	uv $(LOCK) $(ARGS) requirements/build.in --constraint requirements/run.txt --output-file requirements/build.txt
	uv $(LOCK) $(ARGS) pyproject.toml --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt

clean: ## remove what was built here (.venv stays)
	rm -rf dist build htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---------------------------------------------------------------------------- the private environment

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old or missing: Healer needs Python 3.11 or newer (make PYTHON=python3.12 ...)" >&2; exit 1; }
	@echo "setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "python3 has no venv here: install it first (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt requirements/build.txt pyproject.toml
	@$(PIP) install --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
