# The whole vocabulary of the developers. Every target sets up what it needs.

PYTHON ?= python3
BIN := .venv/bin
TRAIN := .venv/.ready-to-train
READY := .venv/.ready
WEB := .venv/.web
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
CORES := $(shell getconf _NPROCESSORS_ONLN)
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
N ?= 200
SEED ?= 0

# Modules are compiled once, and not by every process anew.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup web run test quick mutation bench docs format check clean

help:  ## Show this help.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

setup: $(READY) $(WEB)  ## Make a virtual environment with exact versions of everything.

web: $(WEB)  ## Take in the browser's runtime from npm, and build the package inkwise-web.

run: $(TRAIN)  ## Train the case study, evaluate it, write the report and print its path.
	$(BIN)/inkwise train

test: $(READY) $(WEB)  ## Run all tests; in CI with coverage.
	$(PYTEST) -n $$(($(CORES) + 1))  # one may wait for a browser

quick: $(READY) $(WEB)  ## Run the tests that need no training, no TensorFlow and no browser.
	$(PYTEST) -n $(CORES) --hypothesis-profile quick -q -m 'not (slow or trains or tensorflow or browser)'

mutation: $(READY)  ## Try how many of N=200 small mistakes the quick tests notice; half an hour.
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutation.py --mutants $(N) --seed $(SEED)

bench: $(READY)  ## Measure against Keras, PyTorch and scikit-learn; takes 20 minutes.
	$(BIN)/inkwise bench

docs: $(READY) $(WEB)  ## Build the documentation, and check its links and examples.
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -q -j auto docs docs/_build/html
	$(BIN)/python docs/check_links.py
	OMP_NUM_THREADS=1 $(BIN)/python docs/check_examples.py
	@echo 'The documentation is in docs/_build/html/index.html'

format: $(READY)  ## Format the code, and mend what the linter can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(READY)  ## Check format, lint, types and who imports whom.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:  ## Remove what the other targets made, but not your runs.
	rm -rf .venv build dist docs/_build htmlcov .coverage .coverage.* .hypothesis
	rm -rf web/node_modules web/dist $(addprefix web/inkwise_web/,*.mjs *.gz LICENSE *.txt)
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'inkwise needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv .venv

# Training needs no TensorFlow, no browser driver and no tools of developers. What it does not import
# is not compiled, and PyTorch's headers and its own tests are of no use: together a quarter.
$(TRAIN): pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --no-compile --editable '.[train]'
	@cd .venv/lib/python3*/site-packages/torch && rm -rf include test bin/*[tT]est*
	@touch $@

$(READY): pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[dev]'
	@touch $@

# Of npm's files two are needed, the larger one compressed, because not every server compresses;
# libdeflate saves 4% more than gzip.
# They come without a licence; ONNX Runtime's Python package has it, and those of all in it.
ORT := web/node_modules/onnxruntime-web/dist
ifeq ($(shell command -v npm),)
$(WEB): | $(READY)
	@echo 'Without npm the page with no server is neither built nor tested: apt-get install npm'
else
$(WEB): web/package-lock.json web/pyproject.toml | $(READY)
	cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cp $(ORT)/ort.wasm.bundle.min.mjs web/inkwise_web/
	$(BIN)/python -c "import deflate, sys; sys.stdout.buffer.write( \
	  deflate.gzip_compress(sys.stdin.buffer.read(), 12))" \
	  < $(ORT)/ort-wasm-simd-threaded.wasm > web/inkwise_web/ort-wasm-simd-threaded.wasm.gz
	for file in LICENSE ThirdPartyNotices.txt; do \
	  cp .venv/lib/python3*/site-packages/onnxruntime/$$file web/inkwise_web/; done
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir web/dist ./web
	$(INSTALL) --force-reinstall --no-deps web/dist/*.whl
	@touch $@
endif
