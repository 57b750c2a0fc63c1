# Needs python3 (3.11 or newer, with venv), pip and make; everything else is set up in .venv from hash-locked lists.

PYTHON ?= python3
VENV ?= .venv
STATE ?= $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/healer
ARGS ?=

BIN := $(VENV)/bin
QUIET := --disable-pip-version-check --quiet
PIP := $(BIN)/python -m pip $(QUIET)
UNITS := /usr/lib/systemd/system
CHECK_PYTHON := $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "$(PYTHON) is too old or missing: Healer needs 3.11 or newer (make PYTHON=python3.12 ...)" >&2; exit 1; }
LOCK := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: .start help run demo test lint format pages bench simulate torture build install uninstall lock extras clean

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

pages: $(VENV)/.run ## bring up to date what is made of the code: the reference in docs/, the schemas for editors
	@$(BIN)/python -c 'import pathlib; from healer.rules import schema; schema.pages(pathlib.Path("docs"))'
	@$(BIN)/healer metrics --markdown > docs/metrics.md
	@$(BIN)/healer schema --config organism.yaml --write rules/schemas

bench: $(VENV)/.dev ## measure, beside the peers; prints JSON
	@exec $(BIN)/python -m bench $(ARGS)

simulate: $(VENV)/.run ## the whole agent in a toy world, SEEDS lives of it (500), judged by laws of its own
	@exec $(BIN)/healer simulate --seeds $(or $(SEEDS),500) $(ARGS)

torture: $(VENV)/.dev ## the long runs: many seeds, every seeded bug, every bit of a log, many crashes of a real agent
	@$(BIN)/healer simulate --seeds $(or $(SEEDS),10000) $(ARGS)
	@$(BIN)/healer simulate --mutants
	@HEALER_TORTURE_STEP=1 $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/audit tests/verifiers tests/scenarios/test_bad_files.py
	@HEALER_TORTURE_STEP=1 $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/healer/rules/test_bounds_hold.py
	@HEALER_CRASHES=$(or $(CRASHES),100) exec $(BIN)/python -m pytest -q -s -o faulthandler_timeout=0 tests/integration/test_crashes.py

build: $(VENV)/.dev ## the wheel, the source archive, the single-file verifier and the browser's page, into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python verifiers/pack.py dist/audit-verify.pyz
	$(BIN)/python verifiers/browser/build.py dist/audit-verify.html

# ------------------------------------------------------------------------------- the systemd service

DESTDIR ?=
PREFIX := /opt/healer
ROOT := $(DESTDIR)$(PREFIX)
# Made beside the old one and put in its place in one move: a running agent still imports from the old one.
NEW := $(ROOT).new

install: ## set up the service (as root): private environment in /opt/healer, unit, user, configuration
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" = 0 ] || { echo "installing needs root: sudo make install" >&2; exit 1; }
	@$(CHECK_PYTHON)
	rm -rf "$(NEW)" "$(ROOT).build"
	$(PYTHON) -m venv --symlinks "$(NEW)" && $(PYTHON) -m venv "$(ROOT).build"
	"$(ROOT).build/bin/python" -m pip $(QUIET) install --require-hashes -r requirements/build.txt
	"$(ROOT).build/bin/python" -m pip $(QUIET) wheel --no-deps --no-build-isolation --wheel-dir "$(ROOT).build/dist" .
	"$(NEW)/bin/python" -m pip $(QUIET) install --no-compile --require-hashes -r requirements/run.txt
	"$(NEW)/bin/python" -m pip $(QUIET) install --no-compile --no-deps --no-index --find-links "$(ROOT).build/dist" healer
	rm -rf "$(ROOT).build"
	grep -rlIF "$(NEW)" "$(NEW)/bin" "$(NEW)/pyvenv.cfg" | xargs -r sed -i "s|$(NEW)|$(PREFIX)|g"
	"$(NEW)/bin/python" -m compileall -q -s "$(NEW)" -p "$(PREFIX)" "$(NEW)/lib" || true
	mkdir -p "$(NEW)/share/doc/healer" && cp -r README.md CHANGELOG.md docs "$(NEW)/share/doc/healer/"
	chmod -R u+rwX,go+rX,go-w "$(NEW)"
	rm -rf "$(ROOT).old"; [ ! -e "$(ROOT)" ] || mv "$(ROOT)" "$(ROOT).old"; mv "$(NEW)" "$(ROOT)"; rm -rf "$(ROOT).old"
	install -d "$(DESTDIR)/usr/local/bin" "$(DESTDIR)/etc/healer/rules" "$(DESTDIR)/etc/polkit-1/rules.d"
	ln -sf $(PREFIX)/bin/healer $(PREFIX)/bin/healer-audit "$(DESTDIR)/usr/local/bin/"
	install -D -m 644 -t "$(DESTDIR)$(UNITS)" systemd/*.service
	install -D -m 644 systemd/healer.sysusers "$(DESTDIR)/usr/lib/sysusers.d/healer.conf"
	install -D -m 644 systemd/healer.tmpfiles "$(DESTDIR)/usr/lib/tmpfiles.d/healer.conf"
	@# What somebody may have edited is never overwritten.
	cp -n systemd/50-healer.rules "$(DESTDIR)/etc/polkit-1/rules.d/"
	cp -n organism.yaml "$(DESTDIR)/etc/healer/"
	cp -n rules/*.yaml "$(DESTDIR)/etc/healer/rules/"
	@# What editors know of them is that of this version.
	install -D -m 644 -t "$(DESTDIR)/etc/healer/rules/schemas" rules/schemas/*.json
	@[ -n "$(DESTDIR)" ] || $(MAKE) --no-print-directory .start

.start:
	systemd-sysusers /usr/lib/sysusers.d/healer.conf
	systemd-tmpfiles --create /usr/lib/tmpfiles.d/healer.conf
	@# In an image or a container without systemd running, enabling is all there is to do.
	@if [ -d /run/systemd/system ]; then \
		set -ex; systemctl daemon-reload; systemctl enable healer.service; systemctl restart healer.service; \
	else \
		set -ex; systemctl enable healer.service; \
	fi

uninstall: ## stop and remove the service (as root); state, log, key and configuration are kept
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" = 0 ] || { echo "uninstalling needs root: sudo make uninstall" >&2; exit 1; }
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl disable --now healer.service healer-unprivileged.service healer-witness.service
	rm -rf "$(ROOT)"
	rm -f $(foreach name,healer healer-audit,"$(DESTDIR)/usr/local/bin/$(name)")
	rm -f $(foreach unit,$(notdir $(wildcard systemd/*.service)),"$(DESTDIR)$(UNITS)/$(unit)")
	rm -f "$(DESTDIR)/usr/lib/sysusers.d/healer.conf" "$(DESTDIR)/usr/lib/tmpfiles.d/healer.conf"
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
	@echo "kept: $(DESTDIR)/etc/healer, /var/lib/healer (the sealed log and its key)"

lock: ## resolve requirements/*.txt anew (needs uv)
	uv $(LOCK) $(ARGS) pyproject.toml --output-file requirements/run.txt
	uv $(LOCK) $(ARGS) requirements/build.in --constraint requirements/run.txt --output-file requirements/build.txt
	uv $(LOCK) $(ARGS) pyproject.toml --extra postgres --extra redis --extra notify --constraint requirements/run.txt \
		--output-file requirements/extras.txt
	uv $(LOCK) $(ARGS) pyproject.toml --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt

extras: ## client libraries for PostgreSQL, Redis and apprise (of the service: sudo make extras VENV=/opt/healer)
	@$(PIP) install --require-hashes -r requirements/extras.txt

clean: ## remove what was built here (.venv stays)
	rm -rf dist build htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---------------------------------------------------------------------------- the private environment

$(VENV)/.made:
	@$(CHECK_PYTHON)
	@echo "setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) has no venv here: install it first (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt requirements/build.txt pyproject.toml
	@$(PIP) install --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
