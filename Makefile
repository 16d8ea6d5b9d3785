# Everything a fresh machine with Python 3.11+, pip and make needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS_VENV ?= .venv-extras
TENSORFLOW_VENV ?= .venv-tensorflow
# Modules are compiled, and kept so, when they are first imported: compiling all of torch and its friends would take longer than the demo's training.
export PYTHONDONTWRITEBYTECODE =
PIP := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt

.PHONY: demo test test-kills test-servers nightly test-extras test-docs lint docs install wheel-test clean

demo: install  ## render clips, train, evaluate and predict
	$(BIN)/muybridge demo

test: $(VENV)/installed-test  ## run the tests
	$(BIN)/python -m pytest

test-extras: $(EXTRAS_VENV)/installed $(TENSORFLOW_VENV)/installed  ## run the tests of the adapters of timm and transformers, and those against TensorFlow, in environments of their own
	MUYBRIDGE_TEST_EXTRAS=1 MUYBRIDGE_TENSORFLOW=$(abspath $(TENSORFLOW_VENV))/bin/python \
		$(EXTRAS_VENV)/bin/python -m pytest -m adapters tests/models tests/recipes tests/verbs/test_tensorflow.py

test-kills: $(VENV)/installed-test  ## run the tests that kill trainings and fill disks; a few minutes
	$(BIN)/python -m pytest -m kills

test-servers: $(VENV)/installed-test  ## run the tests that start servers, browsers or several processes; some minutes
	$(BIN)/python -m pytest -n 0 -m servers

nightly: $(VENV)/installed-test  ## many more mutated files, kills and full disks; takes about an hour
	MUYBRIDGE_NIGHTLY=1 $(BIN)/python -m pytest -n 0 -m 'not blocks' --timeout 7200 tests/robustness

test-docs: $(VENV)/installed-test  ## run the code blocks of README and docs
	$(BIN)/python -m pytest -m blocks -n 0 tests/test_pages.py

lint: $(VENV)/installed-lint  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed-docs  ## build the pages into build/docs; a broken link or a missing docstring fails
	$(BIN)/python docs/tables.py --check
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky --fresh-env docs build/docs

wheel-test:  ## build the packages, install the wheel into an empty environment with the floors, run it there
	PYTHON=$(PYTHON) .ci/wheel-test

install: $(VENV)/installed  ## the core alone, which is all that the demo needs

# torch first and by its exact version: a range would let pip pick a build with gigabytes of CUDA libraries.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable .
	touch $@

# The extras test, lint and docs, each on top of the core.
$(VENV)/installed-%: $(VENV)/installed
	$(PIP) --editable '.[$*]'
	touch $@

# torchvision, which timm needs, fits one torch alone; here that may be another one than in constraints.txt.
$(EXTRAS_VENV)/installed: pyproject.toml constraints.txt constraints-extras.txt
	test -x $(EXTRAS_VENV)/bin/python || $(PYTHON) -m venv $(EXTRAS_VENV)
	grep -v '^torch==' constraints.txt | cat - constraints-extras.txt > $(EXTRAS_VENV)/constraints.txt
	$(EXTRAS_VENV)/bin/python -m pip install --quiet --no-compile --constraint $(EXTRAS_VENV)/constraints.txt \
		--editable '.[shards,timm,transformers]' hypothesis pytest pytest-timeout pytest-xdist
	touch $@

# TensorFlow alone, which no part of muybridge imports: only to read the TFRecords that muybridge writes.
$(TENSORFLOW_VENV)/installed:
	test -x $(TENSORFLOW_VENV)/bin/python || $(PYTHON) -m venv $(TENSORFLOW_VENV)
	$(TENSORFLOW_VENV)/bin/python -m pip install --quiet --no-compile tensorflow-cpu==2.21.0
	touch $@

clean:  ## remove the environment and what the tools leave
	rm -rf $(VENV) $(EXTRAS_VENV) $(TENSORFLOW_VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
