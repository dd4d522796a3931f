# Every target sets itself up: the virtual environment is made and brought up to the lock file
# when it is first needed, and left alone when nothing changed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
OUT    ?= $(RUN)/fixed
DEMO   := reports/.demo

# Where each core runs tests, threads that wait for one another only take time.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

BIN      := $(VENV)/bin
PIP      := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUNTIME  := $(VENV)/.runtime-installed
DEVTOOLS := $(VENV)/.dev-installed

$(RUNTIME): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and \
	  "make: Python 3.11 to 3.13 is needed, %s is %d.%d. Give another: make PYTHON=python3.12 ..." \
	  % ("$(PYTHON)", *v))'
	@echo "make: installing the locked dependencies into $(VENV) (once, about 1.5 GB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVTOOLS): $(RUNTIME) requirements-dev.lock
	@echo "make: installing the locked development tools into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: help
help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  ARGS="..." is passed on, as in: make audit DATA=photos ARGS="--backbone patches --folds 10"'

.PHONY: install
install: $(RUNTIME)  ## Make the virtual environment (the other targets do it themselves)

.PHONY: audit
audit: $(RUNTIME)  ## Audit DATA=folder or table; without DATA, a demo with planted faults
ifdef DATA
	@$(BIN)/audit run "$(DATA)" $(ARGS)
else
	@rm -rf $(DEMO)
	@$(BIN)/audit demo $(DEMO)/digits
	@$(BIN)/audit run $(DEMO)/digits --backbone patches $(ARGS)
endif

.PHONY: review
review: $(RUNTIME) $(VENV)/.review-installed  ## Serve the flagged images of RUN to labelers on a local page; see docs/review.md
	@test -n "$(RUN)" || { echo "make: give a run, as in: make review RUN=reports/photos/latest" >&2; exit 2; }
	@$(BIN)/audit review "$(RUN)" $(ARGS)

$(VENV)/.review-installed: $(RUNTIME) requirements-review.lock
	@echo "make: installing what the review page needs into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-review.lock
	@touch $@

.PHONY: gate
gate: $(RUNTIME)  ## Is RUN=folder of a run good enough to train on? (Make itself ends with 2 where it is not.) See docs/gate.md
	@test -n "$(RUN)" || { echo "make: give a run, as in: make gate RUN=reports/photos/latest" >&2; exit 2; }
	@$(BIN)/audit gate "$(RUN)" $(ARGS)

.PHONY: fix
fix: $(RUNTIME)  ## A remedied dataset of RUN=folder of a run, in OUT (default RUN/fixed); see docs/fix.md
	@test -n "$(RUN)" || { echo "make: give a run, as in: make fix RUN=reports/photos/latest" >&2; exit 2; }
	@$(BIN)/audit fix "$(RUN)" --out "$(OUT)" $(ARGS)

.PHONY: train
train: $(RUNTIME)  ## The final network of RUN, before and after the remedies, and what was gained; see docs/train.md
	@test -n "$(RUN)" || { echo "make: give a run, as in: make train RUN=reports/photos/latest" >&2; exit 2; }
	@$(BIN)/audit train "$(RUN)" $(ARGS)

.PHONY: checks
checks: $(RUNTIME)  ## List every check; ARGS=CODE explains one
	@$(BIN)/audit checks $(ARGS)

.PHONY: test
test: $(DEVTOOLS)  ## Run the tests, a file a core; ARGS="-n 0 -m slow" the slow ones, which are left out
	@$(ONE_THREAD) $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

.PHONY: lint
lint: $(DEVTOOLS)  ## Style and strict types
	@$(BIN)/ruff check .
	@$(BIN)/mypy

.PHONY: bench
bench: $(DEVTOOLS)  ## Measure images a second against CleanVision, on ARGS=FOLDER
	@$(BIN)/python -m benchmarks.measure_images $(ARGS)

.PHONY: bench-audits
bench-audits: $(DEVTOOLS)  ## A whole audit against CleanVision + Keras + cleanlab; see benchmarks/compare_audits.py
	@$(BIN)/python -m benchmarks.compare_audits $(ARGS)

.PHONY: bench-page
bench-page: $(DEVTOOLS) $(VENV)/.review-installed  ## From key press to the next picture in Chromium, on ARGS=RUN; see benchmarks/review_page.py
	@$(BIN)/python -m benchmarks.review_page $(ARGS)

.PHONY: bench-curves
bench-curves: $(DEVTOOLS)  ## Learning curves back-tested, on ARGS=RUN; see benchmarks/back_test_curves.py
	@$(BIN)/python -m benchmarks.back_test_curves $(ARGS)

.PHONY: bench-rows
bench-rows: $(DEVTOOLS)  ## Everything after measuring for a million made-up rows; see benchmarks/million_rows.py
	@$(BIN)/python -m benchmarks.million_rows $(ARGS)

.PHONY: bench-kills
bench-kills: $(DEVTOOLS)  ## Audits killed at random moments and begun again, on ARGS=FOLDER; see benchmarks/kill_audits.py
	@$(BIN)/python -m benchmarks.kill_audits $(ARGS)

.PHONY: bench-diagnose
bench-diagnose: $(DEVTOOLS)  ## How often audit diagnose is right, and how often it alarms; see benchmarks/diagnose_faults.py
	@$(BIN)/python -m benchmarks.diagnose_faults $(ARGS)

.PHONY: docs
docs: $(RUNTIME)  ## Write docs/checks/ and the README's table from the checks
	@$(BIN)/python -m pipelines.write_docs

.PHONY: lock
lock:  ## Resolve the dependencies anew and write the lock files (needs uv)
	@uv pip compile pyproject.toml --extra build --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --output-file requirements.lock
	@uv pip compile pyproject.toml --extra build --extra review \
	  --constraints requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --output-file requirements-review.lock
	@uv pip compile pyproject.toml --extra build --extra dev --extra review --extra mlflow --extra bench \
	  --constraints requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --output-file requirements-dev.lock

.PHONY: clean
clean:  ## Remove the virtual environment and caches; reports stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
