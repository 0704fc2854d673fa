# One command for a newcomer: make run. One that passes the tests: make test. make help lists the rest.

VENV := .venv
BIN := $(VENV)/bin
# The first Python on this machine that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for one in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$one -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$one && break; done)

# Two at a time, as many as a small machine has cores: most tests wait for a process or a clock.
TESTS := $(BIN)/pytest -n 2

# Without npm the browser tests that need a package of it are skipped, each with a sentence.
NODE_MODULES := $(if $(shell command -v npm),tests/e2e/node_modules/.package-lock.json)

.DEFAULT_GOAL := help
.PHONY: help setup run test check e2e bench chaos openapi lock clean

help:  ## List the commands
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):[^#]*## */  make \1\t/' | expand -t 18

run: $(VENV)/runs  ## Set up, then run it all: gateway, simulated Wazzup, embedded store
	@exec $(BIN)/python -m app demo

test: $(VENV)/tests  ## Set up, then run the tests; nothing else has to be running
	@$(TESTS)

check: $(VENV)/tests  ## What CI runs: lint, format, types, OpenAPI snapshot, tests
	@echo "== lint";     $(BIN)/ruff check .
	@echo "== format";   $(BIN)/ruff format --check .
	@echo "== types";    $(BIN)/mypy
	@echo "== openapi";  $(BIN)/python -m app openapi | diff -u openapi/gateway.json - \
		|| { echo "openapi/gateway.json is not what is served. make openapi writes it anew."; exit 1; }
	@echo "== tests";    $(TESTS)

e2e: $(VENV)/e2e $(NODE_MODULES)  ## Browser tests of what pages load, and of the demo (needs Chromium, and npm for some)
	@$(BIN)/pytest tests/e2e

openapi: $(VENV)/runs  ## Write openapi/gateway.json anew
	@$(BIN)/python -m app openapi > openapi/gateway.json && echo "wrote openapi/gateway.json"

bench: $(VENV)/tests  ## Measure, side by side with baselines
	@$(BIN)/python -m tests.benchmarks

chaos: $(VENV)/tests  ## Kill everything under load, and lose nothing (about 15 minutes; CHAOS_EVENTS, CHAOS_KILLS choose)
	@$(BIN)/python -m tests.chaos

setup: $(VENV)/tests  ## Only the set-up

lock: $(VENV)/tests  ## Resolve the lock files anew from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml --group dev -c requirements.lock -o tests/requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--group e2e -c tests/requirements.lock -o tests/e2e/requirements.lock
	@echo "wrote requirements.lock, tests/requirements.lock and tests/e2e/requirements.lock"
	@! command -v npm >/dev/null || { cd tests/e2e && npm install -s --package-lock-only --omit-lockfile-registry-resolved \
		--ignore-scripts --no-audit --no-fund && echo "wrote tests/e2e/package-lock.json"; }

clean:  ## Remove what the other commands made, the demo's data included
	@rm -rf $(VENV) data .mypy_cache .ruff_cache .hypothesis tests/e2e/node_modules
	@find app tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/python: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and was not found. Install it, or name it: make run PYTHON=/path/to/python3"; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Name a Python 3.11 or newer: make run PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; $(PYTHON) is " + v + ". Another one: make run PYTHON=/path/to/python3")'
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/runs: $(VENV)/python requirements.lock
	@echo "Installing what the gateway needs …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/tests: $(VENV)/runs tests/requirements.lock
	@echo "Installing what the tests need …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r tests/requirements.lock
	@touch $@

$(VENV)/e2e: $(VENV)/tests tests/e2e/requirements.lock
	@echo "Installing what the browser tests need …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r tests/e2e/requirements.lock
	@touch $@

tests/e2e/node_modules/.package-lock.json: tests/e2e/package-lock.json
	@npm --prefix tests/e2e ci -s --ignore-scripts --no-audit --no-fund
	@touch $@
