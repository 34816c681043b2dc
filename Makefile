# Everything here sets itself up: it needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
HOME_BIN ?= $(HOME)/.local/bin
# `man` looks beside each folder of PATH.
HOME_MAN := $(HOME_BIN)/../share/man/man1
INSTALLED ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/sparkconsole/python
FAST := -m "not real and not pilot and not shots and not programs"
TIMED := $(PYTHON) tools/timed.py
# The versions that the tests were last run with; `make LOCK=` takes the newest of each instead.
LOCK ?= requirements-dev.txt

# Hundreds of processes are started by the tests: each reads what the first of them compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo reference install uninstall test lint fast fuzz flood programs pilot field far real chaos chaos-short lock audit bench bench-copy bench-model testbed clean
.DEFAULT_GOAL := demo

# A plain file as the mark of a finished environment: a half-made one is made again.
$(READY): pyproject.toml $(LOCK) tools/environment.py
	@$(PYTHON) tools/environment.py $(VENV) $(if $(LOCK),--constraint $(LOCK)) --editable '.[dev]'
	@touch $@

demo: $(READY)  ## the console on a pretend cluster; without a terminal the main job as a script
	if [ -t 0 ] && [ -t 1 ]; then $(BIN)/sparkconsole --demo=$(or $(N),2); \
	else $(BIN)/sparkconsole --demo --yes --script examples/first-run.spark; fi

install:  ## for this user alone: an environment of its own, and `sparkconsole` in ~/.local/bin
	@$(PYTHON) tools/environment.py "$(INSTALLED)" --force-reinstall .
	@mkdir -p "$(HOME_BIN)" "$(HOME_MAN)"
	@ln -sf "$(INSTALLED)/bin/sparkconsole" "$(HOME_BIN)/sparkconsole"
	@ln -sf "$(INSTALLED)/share/man/man1/sparkconsole.1" "$(HOME_MAN)/sparkconsole.1"
	@"$(HOME_BIN)/sparkconsole" --version
	@case ":$$PATH:" in *":$(HOME_BIN):"*) ;; *) echo '$(HOME_BIN) is not on your PATH: log in again, or export PATH="$(HOME_BIN):$$PATH"';; esac

uninstall:  ## what `make install` made; configuration and journal stay
	rm -rf "$(INSTALLED)" "$(HOME_BIN)/sparkconsole" "$(HOME_MAN)/sparkconsole.1"

reference: $(READY)  ## docs/reference.md and the man page from the program's own help, docs/house.svg from the sources
	$(BIN)/sparkconsole help --write markdown > docs/reference.md
	$(BIN)/sparkconsole help --write man > docs/sparkconsole.1
	$(BIN)/python tools/picture_of_the_house.py

lock: $(READY)  ## requirements-dev.txt anew from pyproject.toml, and docs/licences.md (a package index)
	$(BIN)/python tools/supply.py lock
	$(BIN)/python tools/supply.py licences

audit: $(READY)  ## known vulnerabilities of what the lock names (a package index)
	$(BIN)/python tools/supply.py audit

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

test: lint fast programs pilot field $(if $(REAL),far real)  ## the fast tier, the console and its pictures, other Pythons; REAL=1: real nodes and fresh Debian roots too (root, Docker, an hour)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fast: $(READY)
	$(TIMED) $(BIN)/pytest $(FAST) --numprocesses auto

fuzz: $(READY)  ## every parser on damaged lines of real tools: COUNT texts (two million), SEED for others of them
	$(TIMED) $(BIN)/python -m tests.fuzz $(or $(COUNT),2000000) $(or $(SEED),1)

programs: $(READY)  ## login shells, sshd and the console as a process
	$(TIMED) $(BIN)/pytest -m programs --numprocesses auto

pilot: $(READY)
	$(TIMED) $(BIN)/pytest -m "pilot or shots" --numprocesses logical

field: $(READY)  ## the installed program in a terminal, on every Python that is found here
	$(TIMED) $(BIN)/pytest -m "field and not roots" --numprocesses logical --dist loadgroup

far: $(READY)  ## the fast tier on the oldest Python and lowest versions, on the newest of both, and in fresh Debian roots (root, debootstrap)
	$(TIMED) $(BIN)/python -m tests.field oldest $(FAST) --numprocesses auto
	$(TIMED) $(BIN)/python -m tests.field beyond $(FAST) --numprocesses auto
	$(TIMED) $(BIN)/pytest -m roots

# Two workers, each with a testbed of its own: more would want the memory of more model servers. The short chaos is among them.
real: $(READY)
	SPARKCONSOLE_REQUIRE_TESTBED=1 $(TIMED) $(BIN)/pytest -m real --maxfail 3 --numprocesses 2 --dist loadgroup

flood: $(READY)  ## one node of four says too much, in each of its ways: memory, CPU, ages, the sentence (sshd, 15 minutes)
	$(BIN)/python -m tests.flood $(WAYS)

chaos-short: $(READY)  ## chosen trials of chaos, the same each time (root, Docker, eight minutes)
	SPARKCONSOLE_REQUIRE_TESTBED=1 $(TIMED) $(BIN)/pytest -m real tests/chaos

# Half a minute a trial and more; started again with its SEED it goes on where it was.
chaos: $(READY)  ## faults at random moments of real verbs, what is said against what is so; COUNT=100, SEED=N again (root, Docker, an hour)
	$(BIN)/python -m tests.chaos --most $(or $(COUNT),100) $(if $(SEED),--seed $(SEED)) $(if $(OUT),--out $(OUT))

testbed: $(READY)  ## two real nodes to play with; `make testbed N=4`, down again: `python -m tests.testbed down`
	$(BIN)/python -m tests.testbed up $(or $(N),2)

clean:
	rm -rf $(VENV) dist
