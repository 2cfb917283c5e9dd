# Everything a reader needs: `make book`, `make test`, `make read`. Needs Python 3.11 or later and make; all else goes into .venv.
# Another Python: `PYTHON=python3.12 make book`. Benchmark files from a folder instead of the network: `NASREPRO_MIRROR=/folder make book`.

PYTHON ?= python3
PYTEST_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# A stamp is older than these when an install may be out of date.
PINS := pyproject.toml constraints.txt
PAGE := _build/html/book/index.html

.DEFAULT_GOAL := help
.PHONY: help book read test faults bench clean distclean
.NOTPARALLEL:

help: ## Show this list
	@echo "Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

book: $(VENV)/.stamp-run ## Set up, run DiNAS once on NAS-Bench-201 (minutes on two cores), build the book with that run in it
	$(BIN)/nasrepro run nb201 -p dataset=cifar10 -p trainings=1 --profile laptop
	$(BIN)/nasrepro book

read: $(VENV)/.stamp-read ## Build the book from the committed results, without torch, and open it
	$(BIN)/nasrepro book
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then \
	  $(BIN)/python -m webbrowser -t "file://$(CURDIR)/$(PAGE)" >/dev/null 2>&1 || true; \
	fi

test: $(VENV)/.stamp-test ## Check style and types, run all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy nasrepro
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_FLAGS)

faults: $(VENV)/.stamp-test ## Kill batches in every way and look at what is left (minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults $(PYTEST_FLAGS)

bench: $(VENV)/.stamp-test ## Measure the speed of both denoisers, as ratios (minutes; run it alone)
	$(BIN)/python -m pytest benchmarks --benchmark-enable

clean: ## Remove the built book and caches (keeps .venv and your runs)
	rm -rf _build build dist .pytest_cache .mypy_cache .ruff_cache .benchmarks .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	rm -rf $(VENV)

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  found=$$($(PYTHON) --version 2>/dev/null) || found=missing; \
	  echo "nasrepro needs Python 3.11 or later; '$(PYTHON)' is $$found." \
	       "Name another one: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-venv $(PINS)
	$(PIP) -e '.[run,notebook,book]'
	@touch $@ $(VENV)/.stamp-read

$(VENV)/.stamp-read: $(VENV)/.stamp-venv $(PINS)
	$(PIP) -e '.[book]'
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-venv $(PINS)
	$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.stamp-run $(VENV)/.stamp-read
