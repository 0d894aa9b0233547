# Each target makes its own environment on first use. Pass options with FEED=..., ARGS="...".
.DEFAULT_GOAL := help
PYTHON ?= python3
FEED ?= sim
PLAN ?= docs/examples/rehearsal.toml
VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin

$(STAMP): pyproject.toml
	@echo "setting up $(VENV) (once, about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(STAMP)

help:                 ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/:/'

shadow-run: $(STAMP)  ## run both stacks on one feed, end with a verdict and a report
	@$(BIN)/python -m shadow.make_run --feed "$(FEED)" $(ARGS)

test: $(STAMP)        ## everything that CI runs: lint, types, imports, tests
	@$(BIN)/python tests/parts.py $(ARGS)
	@$(BIN)/coverage json -q -o .coverage.json && $(BIN)/python tests/coverage_floor.py .coverage.json

test-long: $(STAMP)   ## the tests that take minutes
	@$(BIN)/python -m pytest -m long --timeout 1800 $(ARGS)

check: $(STAMP)       ## lint, types and import rules, in seconds
	@$(BIN)/ruff check .
	@$(BIN)/mypy src legacy shadow reports bench
	@$(BIN)/lint-imports

drill: $(STAMP)       ## harm a stack on purpose, on every connection: does each trigger fire, and only then
	@$(BIN)/python -m shadow.cli drill --stages shadow,canary,live $(ARGS)

rollout: $(STAMP)     ## rehearse a rollout on loopback: up by stages, an injected regression, back by itself
	@$(BIN)/python -m shadow.cli rollout start --rehearsal "$(PLAN)" $(ARGS)

bench: $(STAMP)       ## frame and socket to callback of both stacks against the shortest code
	@$(BIN)/python -m bench $(ARGS)
	@$(BIN)/python -m bench.allocations

bench-peers: $(STAMP) ## frame to callback of the new stack beside what ccxt.pro and cryptofeed take for the same frames
	@$(BIN)/python -c 'import cryptofeed' 2>/dev/null || { echo "building cryptofeed (once, about half a minute)"; \
	  $(BIN)/pip install --quiet --disable-pip-version-check -e '.[peers]' || echo "going on without it"; }
	@$(BIN)/python -m bench.peers $(ARGS)

.PHONY: help shadow-run test test-long check drill rollout bench bench-peers
