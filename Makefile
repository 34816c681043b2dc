# Everything here sets itself up: it needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint fast pilot real bench bench-copy bench-model testbed clean
.DEFAULT_GOAL := demo

# A plain file as the mark of a finished environment: a half-made one is made again.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(READY)  ## the console on a pretend cluster; without a terminal the main job as a script
	if [ -t 0 ] && [ -t 1 ]; then $(BIN)/sparkconsole --demo=$(or $(N),2); \
	else $(BIN)/sparkconsole --demo --yes --script examples/first-run.spark; fi

bench: $(READY)  ## what the console costs, each figure beside what one would otherwise use
	$(BIN)/python -m tests.bench.first_frame
	$(BIN)/python -m tests.bench.sixty_four
	$(BIN)/python -m tests.bench.log_view
	$(BIN)/python -m tests.bench.sampler_cost
	$(BIN)/python -m tests.bench.doctor_eight

bench-copy: $(READY)  ## an image to one and three nodes: ours beside `docker save | ssh docker load` (root, Docker, an hour)
	$(BIN)/python -m tests.bench.copy

bench-model: $(READY)  ## a model of eight shards to another node: ours beside rsync and scp (root, rsync, ten minutes)
	$(BIN)/python -m tests.bench.model_copy

test: lint fast pilot $(if $(REAL),real)  ## the fast tier, the console and its pictures; REAL=1: the real nodes too (root, Docker, about half an hour)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fast: $(READY)
	$(BIN)/pytest -m "not real and not pilot and not shots" --numprocesses auto

pilot: $(READY)
	$(BIN)/pytest -m "pilot or shots" --numprocesses logical

real: $(READY)
	SPARKCONSOLE_REQUIRE_TESTBED=1 $(BIN)/pytest -m real --maxfail 3

testbed: $(READY)  ## two real nodes to play with; `make testbed N=4`, down again: `python -m tests.testbed down`
	$(BIN)/python -m tests.testbed up $(or $(N),2)

clean:
	rm -rf $(VENV) dist
