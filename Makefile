# make run    install, set up, ingest the demo case file, answer a question, serve
# make test   everything that CI runs (but the checks)      make check   linters, types, architecture
# make soak   the long versions of the tests that kill and mutate
# make evaluate SET=FOLDER   retrieval on a question set, beside published figures (docs/retrieval.md)
# make bench  all benchmarks, or: make bench ONLY=search    make clean   remove the environment (not var/)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin

.PHONY: run test check soak bench evaluate lock clean chromium

run: .venv/installed
	@$(BIN)/python manage.py setup
	@$(BIN)/python manage.py demo
	@exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT)

test: .venv/installed-dev chromium
	$(BIN)/python -m tests.run

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_structure.py

soak: .venv/installed-dev
	PINCITE_TEST_KILLS=50 PINCITE_TEST_RUN_KILLS=8 PINCITE_TEST_CUTS=20 PINCITE_TEST_MUTATIONS=1000 PINCITE_TEST_GRAPHS=1000 PINCITE_TEST_PROBES=all PINCITE_TEST_INJECTIONS=all PINCITE_TEST_EXAMPLES=11 $(BIN)/python -m pytest tests/test_kill.py tests/test_kill_runs.py tests/test_power_cut.py tests/ingestion/test_malformed.py tests/test_walls_graphs.py tests/test_probes.py tests/test_injection.py tests/test_schema.py

bench: .venv/installed-dev
	$(BIN)/python -m bench $(ONLY)

# In a data directory of its own, where the files of a set stay for the next run.
evaluate: .venv/installed
	@test -n "$(SET)" || { echo 'Name a question set: make evaluate SET=FOLDER. docs/retrieval.md tells the formats.'; exit 2; }
	@PINCITE_DATA_DIR=var/evaluation $(BIN)/python manage.py migrate --verbosity 0
	@for set in $(SET); do PINCITE_DATA_DIR=var/evaluation $(BIN)/python manage.py evaluate $$set --keep --out var/evaluation/reports || exit 1; done

# torch comes first and with what it needs, because its builds differ by machine (CPU, CUDA); everything
# else is installed exactly as locked.
.venv/installed: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock torch
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-dev.lock
	@touch $@

# The browser tests use the system's Chromium; where it cannot be installed they say so and are skipped.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 \
	|| echo "No Chromium here and none could be installed: the browser tests are skipped."

lock: .venv/installed-dev
	$(BIN)/python docker/lock.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
