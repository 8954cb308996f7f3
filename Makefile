# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
# Tests at a time: many wait for processes, so that two CPUs have time for three. Long files come early in this order.
WORKERS ?= 3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NODE_READY := sample_data/project/node_modules/.package-lock.json

.PHONY: corpus corpus-ingest corpus-trace help demo test lint format docs docs-site lock sample-data windows-python wheel clean

help:
	@echo "make demo         environment, then the whole job on sample_data/, ending with an HTML report"
	@echo "make test         environment, then the test suite"
	@echo "make test-postgres  the tests that store, on a PostgreSQL server too"
	@echo "make test-fleet   the commands on a scheduler and workers of dask"
	@echo "make lint         ruff, mypy --strict, import-linter"
	@echo "make docs-site    the documentation as a site in site/"
	@echo "make sample-data  record sample_data/runs anew: really runs the sample project, needs Node and Wine"
	@echo "make lock         resolve requirements.lock anew"

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# The sample project's vitest: only where there is an npm to install it with.
$(NODE_READY): sample_data/project/package.json sample_data/project/package-lock.json
	@if command -v npm >/dev/null; then cd sample_data/project && npm ci --no-audit --no-fund --loglevel=error; \
	else echo "npm not found: the tests that need Node will be left out"; fi

# A Windows Python under Wine: only where there is Wine; a second time takes a moment.
windows-python: $(READY)
	@if command -v wine64 >/dev/null || command -v wine >/dev/null || test -x /usr/lib/wine/wine64; then \
	$(BIN)/python sample_data/windows_python.py .cache/windows-python; \
	else echo "wine not found: the tests that need Wine will be left out"; fi

demo: $(READY)
	@PATH="$(abspath $(BIN)):$$PATH" bash sample_data/demo.sh

test: $(READY) $(NODE_READY) windows-python
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(ON_DASK) $(ON_SERVER))

# The commands on a fleet of dask workers, and those of the compose file: schedulers and workers are slow to start.
.PHONY: test-fleet
ON_DASK := $(addprefix tests/fanout/test_,fleet.py commands.py compose.py)
test-fleet: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ON_DASK)

# The tests that store, once more on a PostgreSQL server of their own, and those of what only a server has.
.PHONY: test-postgres
ON_SERVER := tests/ingest/test_postgres.py $(addprefix tests/db/test_,filling.py partitions.py readers.py shared.py)
STORING := tests/db tests/ingest tests/detect $(addprefix tests/cli/test_,ingest.py detect.py show.py scan.py app.py)
test-postgres: $(READY) $(NODE_READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --database postgresql $(STORING)

# What runs on Windows and macOS too, each with its own modules.
PORTABLE := flakehunter/groupkill flakehunter/repro flakehunter/cli/run.py flakehunter/cli/wait_gone.py \
    flakehunter/cli/backends.py flakehunter/cli/repro.py flakehunter/cli/stressors.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 $(PORTABLE)
	$(BIN)/mypy --platform darwin $(PORTABLE)
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sample-data: $(READY) $(NODE_READY)
	$(BIN)/python sample_data/record.py

# What repro finds on each pair of tests that end processes, from nothing known; minutes.
corpus-repro: $(READY)
	$(BIN)/python benchmarks/repro_corpus.py

# The pages of docs/ that the program knows best, from the program.
docs: $(READY)
	$(BIN)/python docs/generate.py

# The documentation as a site in site/; a warning is an error.
docs-site: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Precision and recall of `flakehunter scan` on the labelled files in tests/corpus/scan.
corpus: $(READY)
	$(BIN)/python tests/corpus/scan_corpus.py

# How often a trace of the flawed and fixed tests of tests/corpus/termination names the mechanism; ten minutes.
corpus-trace: $(READY)
	$(BIN)/python benchmarks/trace_corpus.py --write

# What a trace finds in suites that are healthy: nothing.
.PHONY: trace-healthy trace-overhead trace-memory
trace-healthy: $(READY)
	$(BIN)/python benchmarks/trace_healthy.py --write

# How much memory the trace of a long suite takes; five minutes.
trace-memory: $(READY)
	$(BIN)/python benchmarks/trace_memory.py --write

# How much longer tests that start 100 processes take under strace.
trace-overhead: $(READY)
	$(BIN)/python benchmarks/trace_overhead.py --write

# Agreement of ingest with a corpus of real files that lies beside the repository.
CORPUS ?= ../shared/corpus
corpus-ingest: $(READY)
	$(BIN)/python benchmarks/ingest_corpus.py $(CORPUS)

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

# uv resolves for every platform and Python at once.
lock:
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet \
	    --python-version 3.11 --extra postgres --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache

# Every way to end a group on every tree, 20 runs a cell, into benchmarks/groupkill.md; on a quiet machine, as root.
.PHONY: groupkill-matrix
groupkill-matrix: $(READY)
	$(BIN)/python benchmarks/groupkill.py --write benchmarks/groupkill.md

# The fixtures of tests/ingest anew, by running the real producers that are on this machine.
.PHONY: producers
producers: $(READY)
	PYTHONPATH=tests/ingest $(BIN)/python -m producers

# The rows of errors and escapes of Job Objects, and ours 500 times, into benchmarks/groupkill_windows.md; needs Wine.
.PHONY: groupkill-windows
groupkill-windows: $(READY)
	$(BIN)/python benchmarks/groupkill_windows.py --write benchmarks/groupkill_windows.md

# Time, memory and page sizes of a report of 10,000 tests and 1,000 runs, into benchmarks/report.md; some minutes.
.PHONY: report-size
report-size: $(READY)
	$(BIN)/python benchmarks/report_size.py --write

# Rates and memory of ingest, and peers.md with the peers in a throw-away environment; half an hour on a quiet machine.
# Quickly: make ingest-benchmarks INGEST_SPEED='--files 20' INGEST_MEMORY='--gigabytes 0.02 --files 1000'
.PHONY: ingest-benchmarks
ingest-benchmarks: $(READY)
	$(PYTHON) -m venv .cache/peers
	.cache/peers/bin/pip install --quiet flaktor flakebox flakeradar unflake flakewall flakeguard flakemap \
	    test-results-parser lxml junitparser
	$(BIN)/python benchmarks/ingest_speed.py $(INGEST_SPEED)
	$(BIN)/python benchmarks/ingest_memory.py $(INGEST_MEMORY)
	$(BIN)/python benchmarks/ingest_peers.py --bin .cache/peers/bin --write $(INGEST_SPEED)

# Other examples than the suite's for the tests of properties; then ingest's readers under atheris for ten minutes.
.PHONY: fuzz
FUZZ_SECONDS ?= 600
fuzz: $(READY)
	$(BIN)/python -m pytest -q --hypothesis-profile hunt $$(grep -rlE --include='*.py' '^from hypothesis' tests)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .cache/fuzz --upgrade atheris
	PYTHONPATH=.cache/fuzz $(BIN)/python tests/ingest/fuzz.py .cache/fuzz-corpus -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=600

# PostgreSQL: the plans in docs/postgresql.md (a minute), 64 jobs at once and COPY beside SQLite in benchmarks/scale.md.
.PHONY: postgres-plans postgres-benchmarks
postgres-plans: $(READY)
	$(BIN)/python benchmarks/postgres_plans.py --write
postgres-benchmarks: $(READY)
	$(BIN)/python benchmarks/postgres_jobs.py --jobs 64 --write
	$(BIN)/python benchmarks/postgres_ingest.py --write
