PYTHON ?= python3
# Test processes; each keeps to one thread.
WORKERS ?= 2
PYTEST_ARGS ?=

BIN := .venv/bin
PINNED := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

.PHONY: help demo test slow benchmark app format clean

help:
	@echo "make demo       fit real data and write tables and a figure to demo-output/"
	@echo "make test       all tests, style and types included"
	@echo "make slow       recovery and coverage studies (minutes)"
	@echo "make benchmark  speed and accuracy beside other packages (an hour; see benchmarks/README.md)"
	@echo "make app        the dashboard"
	@echo "make format     sort imports and format"

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PINNED) --editable .
	touch $@

.venv/installed-app: .venv/installed
	$(BIN)/python $(PINNED) --editable '.[app]'
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python $(PINNED) --editable '.[app,flow,dev]'
	touch .venv/installed-app $@

demo: .venv/installed
	$(BIN)/irtvi demo --out demo-output --force

test: .venv/installed-dev
	$(PYTEST) $(PYTEST_ARGS)

slow: .venv/installed-dev
	$(PYTEST) -m slow $(PYTEST_ARGS)

benchmark: .venv/installed-dev
	$(BIN)/python benchmarks/speed.py

app: .venv/installed-app
	$(BIN)/irtvi app

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-peers demo-output build dist
