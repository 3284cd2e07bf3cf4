# make demo   the main job on a small synthetic data set
# make test   the whole test suite
# make check  style, types, and the tests: what CI runs
# make test-matrix  the codec's tests on MATRIX_PYTHON, with the newest zarr it gets
# make sanitize  the kernel's tests under address and undefined-behaviour sanitizers (gcc)
# make bench  rates and speeds; SOURCE=... for your own cells
# Each makes its own environment in .venv. TORCH can be any build you have.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
READER := .venv-reader
DEMO := .venv-demo
SANITIZED := .venv-sanitized
MATRIX_PYTHON ?= python3.13
MATRIX := .venv-matrix
BIN := $(VENV)/bin
SOURCES := $(shell find codecs/src zarrmal codecs/CMakeLists.txt -type f -not -name '*.pyc')
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: demo test style check test-matrix sanitize bench reader clean

$(VENV)/.installed: pyproject.toml codecs/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -c constraints.txt $(TORCH)
	$(BIN)/python $(PIP) -c constraints.txt -e ./codecs -e '.[train,plot,bench,test]'
	touch $@

# What a reader of an archive needs, and nothing else.
$(READER)/.installed: codecs/pyproject.toml constraints.txt $(SOURCES)
	$(PYTHON) -m venv $(READER)
	$(READER)/bin/python $(PIP) -c constraints.txt ./codecs
	touch $@

reader: $(READER)/.installed

# What writing with the models that ship needs: no torch.
$(DEMO)/.installed: pyproject.toml codecs/pyproject.toml constraints.txt $(SOURCES)
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) -c constraints.txt ./codecs .
	touch $@

demo: $(DEMO)/.installed
	$(DEMO)/bin/zarrmal demo

test: $(VENV)/.installed $(READER)/.installed
	ZARRMAL_READER_PYTHON=$(CURDIR)/$(READER)/bin/python $(BIN)/python -m pytest

check: style test

test-matrix: codecs/pyproject.toml
	$(MATRIX_PYTHON) -m venv $(MATRIX)
	$(MATRIX)/bin/python $(PIP) ./codecs pytest hypothesis xarray dask
	$(MATRIX)/bin/python -m pytest codecs/tests

# The kernel under the address and undefined-behaviour sanitizers: equality on all instruction sets
# that this machine has, hostile vectors on the first and the last of them.
UNDER_SANITIZERS := LD_PRELOAD="$$(gcc -print-file-name=libasan.so) \
	$$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0
HAS_KERNEL := from zarrmal_codecs.engine import levels; print("levels:", *levels()); \
	assert levels()[1:], "the kernel was not built"
sanitize:
	$(PYTHON) -m venv $(SANITIZED)
	$(SANITIZED)/bin/python $(PIP) -c constraints.txt numpy pytest hypothesis xarray dask
	$(SANITIZED)/bin/python $(PIP) -c constraints.txt -C cmake.define.ZARRMAL_SANITIZE=ON ./codecs
	$(UNDER_SANITIZERS) $(SANITIZED)/bin/python -c '$(HAS_KERNEL)'
	$(UNDER_SANITIZERS) ZARRMAL_KERNEL=baseline $(SANITIZED)/bin/python -m pytest \
	codecs/tests/test_kernel.py codecs/tests/test_invalid.py codecs/tests/test_golden.py
	$(UNDER_SANITIZERS) $(SANITIZED)/bin/python -m pytest \
	codecs/tests/test_invalid.py codecs/tests/test_golden.py

style: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/zarrmal benchmark $(SOURCE)

clean:
	rm -rf $(VENV) $(READER) $(DEMO) $(MATRIX) $(SANITIZED) .mypy_cache .ruff_cache .pytest_cache
