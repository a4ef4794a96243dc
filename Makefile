# Every target works from a bare checkout: it makes .venv, installs what pyproject.toml asks for, builds, and runs.
# Stamps in .venv keep repeated runs quick. `make PYTHON=python3.12 ...` chooses the interpreter of a new .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH ?=
BENCH_ARGS ?=
MICRO_ARGS ?=

.PHONY: help demo test bench bench-short docs lint format sanitize sanitize-short wheel wheel-quick check build clean distclean FORCE
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# --- environment ------------------------------------------------------------------------------------------------------
# The first interpreter that is new enough and can make environments.
$(STAMP)-venv:
	@python=""; \
	for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if command -v $$candidate >/dev/null && $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	    2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "make: no Python >= 3.11 with venv found; set PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "creating $(VENV) with $$($$python --version)"; $$python -m venv $(VENV)
	@touch $@

# One stamp for each extra of pyproject.toml; `build` and `run` are the build's and the package's own requirements.
$(STAMP)-deps-%: pyproject.toml scripts/requirements.py | $(STAMP)-venv
	@$(PY) scripts/requirements.py $* > $(VENV)/requirements-$*.txt
	$(PY) -m pip install --quiet -r $(VENV)/requirements-$*.txt
	@touch $@

# --- build ------------------------------------------------------------------------------------------------------------
# The editable install maps module names when it is made: a new or removed file is a reason to install again, an
# edited Python file is not.
NATIVE = $(shell find cpp/include cpp/src python cmake -type f 2>/dev/null) CMakeLists.txt
$(VENV)/modules.txt: FORCE | $(STAMP)-venv
	@find src cpp python -type f -not -name '*.pyc' | LC_ALL=C sort > $@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(STAMP)-built: $(STAMP)-deps-build $(STAMP)-deps-run $(VENV)/modules.txt pyproject.toml $(NATIVE)
	$(PY) -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

build: $(STAMP)-built  ## incremental build, installed editable into .venv

# --- run --------------------------------------------------------------------------------------------------------------
demo: $(STAMP)-built $(STAMP)-deps-plot  ## the main job on embedded real data; pictures in demo-output/
	$(PY) -m mlcore demo $(DEMO_ARGS)

test: $(STAMP)-built $(STAMP)-deps-test  ## the whole test suite (PYTEST_ARGS="-k kmeans" for a part)
	$(PY) -m pytest $(PYTEST_ARGS)

# Peers have no wheels for every platform: measure against those that can be had.
$(STAMP)-peers: pyproject.toml scripts/requirements.py | $(STAMP)-venv
	@$(PY) scripts/requirements.py peers > $(VENV)/requirements-peers.txt
	@while read -r peer; do $(PY) -m pip install --quiet "$$peer" || echo "bench: without $$peer"; done \
	  < $(VENV)/requirements-peers.txt
	@touch $@

bench: $(STAMP)-built $(STAMP)-deps-bench $(STAMP)-peers  ## side by side with every installed peer, then single calls (BENCH=kmeans: one area)
	areas="$(BENCH)"; for area in $${areas:-$$($(PY) -m bench.compare.areas)}; do $(PY) -m bench.compare $$area $(BENCH_ARGS); done
	$(PY) -m pytest -q bench/micro --benchmark-only $(MICRO_ARGS)

# Does every benchmark work? Small data, once; the numbers mean nothing.
bench-short: BENCH_ARGS = --quick
bench-short: MICRO_ARGS = -k "tiny or L1" --benchmark-max-time=0.01 --benchmark-min-rounds=1 --benchmark-warmup=off
bench-short: bench  ## the same on small data, once

docs: $(STAMP)-built $(STAMP)-deps-docs  ## the site, warnings are errors; docs/_build/html
	$(PY) -m sphinx -n -W --keep-going -b html docs docs/_build/html

# --- judge ------------------------------------------------------------------------------------------------------------
CXX_FILES = $(shell find cpp python -name '*.cpp' -o -name '*.hpp')
lint: $(STAMP)-deps-lint $(STAMP)-deps-run  ## ruff, mypy --strict, clang-format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict src
	$(VENV)/bin/clang-format --dry-run -Werror $(CXX_FILES)

format: $(STAMP)-deps-lint  ## rewrite Python and C++ in the house style
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .
	$(VENV)/bin/clang-format -i $(CXX_FILES)

check: $(STAMP)-deps-build  ## structure: layers, pragmas, kernel includes, symbols of kernel objects
	$(PY) scripts/check_layers.py
	$(PY) scripts/check_pragmas.py
	$(PY) scripts/check_kernels.py
	PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) scripts/check_symbols.py --build build/check-symbols

sanitize: $(STAMP)-deps-build $(STAMP)-deps-run $(STAMP)-deps-test  ## address + undefined, then thread sanitizer (minutes)
	PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) scripts/sanitize.py

sanitize-short: $(STAMP)-deps-build $(STAMP)-deps-run $(STAMP)-deps-test  ## the same on the tests that matter most
	PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) scripts/sanitize.py --short

wheel: $(STAMP)-deps-build $(STAMP)-deps-wheel  ## sdist, one repaired wheel per Python >= 3.11 here, each smoke-tested bare
	PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) scripts/build_wheels.py --all-pythons

wheel-quick: $(STAMP)-built $(STAMP)-deps-wheel  ## the same for this Python only, with the objects of `make build`
	PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) scripts/build_wheels.py --quick

clean:  ## remove what was built (not .venv)
	rm -rf build dist wheelhouse demo-output docs/_build docs/api/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f $(STAMP)-built
	find src tests bench examples scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## remove .venv as well
	rm -rf $(VENV)
