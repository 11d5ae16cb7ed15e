# `make demo` and `make test` are the two commands of the README; `make help` lists the rest.

PYTHON ?= python3
ADDRESS ?= 127.0.0.1
PORT ?= 8501
MODE ?= $(or $(SSRVAE_MODE),editor)

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo serve test check clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/installed  ## train a small sweep (the first time only), print a table, start the dashboard
	@$(BIN)/python -m ui.serve $(ADDRESS) $(PORT) --check
	@$(BIN)/python -m ssrvae_core demo
	@$(MAKE) --no-print-directory serve

serve: .venv/installed  ## start the dashboard; MODE=viewer lets visitors look and change nothing
	@SSRVAE_MODE=$(MODE) $(BIN)/python -m ui.serve $(ADDRESS) $(PORT)

# One thread per worker, as workers with all cores each would get in each other's way; and three of them also on two cores,
# as half of the time of browsers and jobs is waiting. A worker takes a whole file, whose fixtures are then made once, and
# the slowest files first (tests/conftest.py).
test: .venv/installed-dev  ## run the tests; ARGS="-k latent" chooses among them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/installed-dev  ## lint, formatting, types and import contracts
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

clean:  ## remove the environment and the tools' caches; trained runs stay
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are younger than the requirements they stand for: pip runs again only when those change.
.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "This project needs Python 3.11 or newer, and '$(PYTHON)' is not; name one with 'make PYTHON=python3.11 ...'." >&2; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
