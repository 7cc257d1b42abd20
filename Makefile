# `make` lists the targets. Each sets up what it needs in .venv, in this folder.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
RAY := build/ray
PM4PY := build/pm4py
LOCK := requirements/dev.txt

# The Python to build .venv from; the first of these that runs and is new enough.
PYTHON ?= $(shell for p in python3.11 python3 python3.13 python3.12 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)

# Processes that run tests; two suit the smallest machine we think of.
WORKERS ?= 2

# Minutes of each kind of `make soak`; the counts are added to benchmarks/SOAK.md.
MINUTES ?= 10
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint compiled kernel-checks ray-checks pm4py-checks \
	soak bench format lock build docs clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## Set up .venv (the other targets do it by themselves)

$(STAMP): $(LOCK) pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "Linewright needs Python 3.11 or newer, and found none on PATH." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Linewright needs Python 3.11 or newer; $(PYTHON) is older or absent." >&2; \
		exit 1; \
	}
	@echo "Setting up $(VENV) (once; it takes a minute or two) ..." >&2
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) 2>/dev/null \
		|| "$(PYTHON)" -m venv --clear --without-pip $(VENV)
	@pip="$(BIN)/python -m pip"; \
	$$pip --version >/dev/null 2>&1 \
		|| pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1; \
	$$pip install --quiet --require-hashes --only-binary :all: -r $(LOCK) \
		&& $$pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# What is found goes into the brief; the tables of each step lie beside it as text.
PLANT := examples/light-aircraft
DEMO := build/demo
demo: $(STAMP)  ## Plan five years of the light-aircraft plant and write its brief
	@mkdir -p build
	@echo "1 of 5: five years of the light-aircraft plant, simulated" >&2
	@$(BIN)/linewright simulate $(PLANT)/five-years.yaml --replications 8 --out $(DEMO) \
		> build/demo.txt
	@echo "2 of 5: will it make its plan? every chance to 5%" >&2
	@$(BIN)/linewright plan $(PLANT)/five-years.yaml --precision 5% --goal auto \
		--promise trainer=12@90% --promise tourer=12@90% --out $(DEMO)/plan \
		> build/demo-plan.txt
	@echo "3 of 5: what is lost to what, and what holds the line back" >&2
	@$(BIN)/linewright losses $(PLANT)/five-years.yaml --target all --replications 3 \
		--out $(DEMO) > build/demo-losses.txt
	@$(BIN)/linewright bottleneck $(PLANT)/five-years.yaml --replications 6 \
		--confirm 2 --out $(DEMO) > build/demo-bottleneck.txt
	@echo "4 of 5: what to change for 100,000 EUR, to within 1%" >&2
	@$(BIN)/linewright improve $(PLANT)/five-years.yaml --budget 100000 \
		--options $(PLANT)/small-options.yaml --indifference 1% --most 40 \
		--replications 8 --out $(DEMO) > build/demo-improve.txt
	@echo "5 of 5: the brief" >&2
	@$(BIN)/linewright brief $(DEMO) --plan $(DEMO)/plan

test: $(STAMP)  ## Check everything (under 10 minutes)
	@$(MAKE) --no-print-directory -j2 lint compiled
	$(PYTEST) -n $(WORKERS) --dist worksteal
	@$(MAKE) --no-print-directory kernel-checks

# Beside the linters: else each process of the tests would compile the kernel for itself.
compiled: $(STAMP)
	@mkdir -p build
	@$(BIN)/linewright simulate examples/first-line/line.yaml --replications 1 \
		--out build/first-line > build/first-line.txt

lint: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The kernel again, as code that reports an index out of range, and as plain Python.
kernel-checks: $(STAMP)
	NUMBA_BOUNDSCHECK=1 $(PYTEST) -n $(WORKERS) --dist worksteal -m "boundscheck and not soak"
	NUMBA_DISABLE_JIT=1 $(PYTEST) -n $(WORKERS) --dist worksteal -m "nojit and not soak"

# Ray is large (285 MB) and has an environment of its own, which sees .venv's packages.
ray-checks: $(STAMP)
	@test -x $(RAY)/bin/python || "$(PYTHON)" -m venv --without-pip $(RAY)
	@pip="$(BIN)/python -m pip"; \
	$$pip --version >/dev/null 2>&1 || pip="$(PYTHON) -m pip"; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1; \
	$$pip --python $(RAY)/bin/python install --quiet --require-hashes \
		--only-binary :all: -r requirements/ray.txt
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
		> "$$($(RAY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/dev.pth"
	PYTHONPATH=src:. $(RAY)/bin/python -m pytest tests/test_engines.py

# pm4py is under the AGPL: a second opinion on logs, in an environment of its own, and
# nothing that is shipped or that our code imports.
pm4py-checks: $(STAMP)
	@test -x $(PM4PY)/bin/python || "$(PYTHON)" -m venv --without-pip $(PM4PY)
	@pip="$(BIN)/python -m pip"; \
	$$pip --version >/dev/null 2>&1 || pip="$(PYTHON) -m pip"; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1; \
	$$pip --python $(PM4PY)/bin/python install --quiet --require-hashes \
		--only-binary :all: -r requirements/pm4py.txt
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
		> "$$($(PM4PY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/dev.pth"
	PYTHONPATH=src:. $(PM4PY)/bin/python -m pytest tests/test_fit_pm4py.py \
		"tests/test_cli_quality.py::test_pm4py_opens_the_export"

soak: $(STAMP)  ## Run the long checks
	$(PYTEST) -n $(WORKERS) -m soak
	for what in images kills worlds; do \
		$(BIN)/python -m benchmarks.soak $$what --minutes $(MINUTES) \
			--date "$$(date -u +%F)" --write || exit 1; \
	done
	$(MAKE) --no-print-directory ray-checks
	$(MAKE) --no-print-directory pm4py-checks

bench: $(STAMP)  ## Measure the speed, as ratios in one run
	$(BIN)/python -m benchmarks

format: $(STAMP)  ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Versions and hashes of the public index, whatever mirror this machine is set to.
# `make lock UPGRADE=--upgrade` takes the newest versions.
EXTRAS := bench brief excel improve opcua pandas plan polars postgres schedule web
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" PIP_CONFIG_FILE=/dev/null \
	PIP_FIND_LINKS= PIP_INDEX_URL= PIP_EXTRA_INDEX_URL= \
	build/lock/bin/pip-compile $(UPGRADE) --quiet --allow-unsafe \
		--generate-hashes --strip-extras --no-emit-index-url \
		--no-emit-trusted-host --no-emit-find-links --no-emit-options
lock:  ## Pin the versions in requirements/
	"$(PYTHON)" -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check pip-tools
	$(COMPILE) $(foreach extra,$(EXTRAS),--extra $(extra)) \
		--output-file $(LOCK) pyproject.toml requirements/dev.in
	$(COMPILE) --output-file requirements/ray.txt requirements/ray.in
	$(COMPILE) --output-file requirements/pm4py.txt requirements/pm4py.in

build: $(STAMP)  ## Build the wheel and the sdist in dist/
	$(BIN)/python -m build --no-isolation

docs: $(STAMP)  ## Write the model reference and build the manual in build/docs/
	$(BIN)/python docs/generate_reference.py
	$(BIN)/python docs/generate_results.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs build/docs
	@echo build/docs/index.html

clean:  ## Remove what was built (.venv stays)
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache
	find src tests docs benchmarks -name __pycache__ -type d -prune \
		-exec rm -rf {} +
