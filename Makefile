# make demo   the main job on a small synthetic data set
# make test   the test suite; EXHAUSTIVE=1: with a crash at every moment, on every kind of store
# make check  style, types, demo, tests, wheels: what CI runs
# make wheels  both distributions in dist/
# make test-wheel  what the wheels hold; the codec's, in an environment of its own, on all vectors
# make test-matrix  the tests that need neither torch, numba nor a server, on MATRIX_PYTHON, with the
#             versions of MATRIX_CONSTRAINTS
# make azurite  Azure's storage server for the tests, into .node; needs npm
# make sanitize  the kernel's tests under address and undefined-behaviour sanitizers (gcc)
# make fuzz   hostile bytes for SECONDS from SEED, guided by coverage where atheris is (Linux)
# make bench  rates and speeds; SOURCE=... for your own cells
# Each makes its own environment in .venv. TORCH can be any build you have.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
READER := .venv-reader
DEMO := .venv-demo
SANITIZED := .venv-sanitized
BUILD := .venv-build
DIST := dist
MATRIX_PYTHON ?= python3.13
MATRIX_CONSTRAINTS ?= constraints-3.13.txt
MATRIX := .venv-matrix
# Servers, measuring, and crashes at many moments.
MATRIX_IGNORED := tests/stores $(addprefix tests/test_,benchmark.py benchmark_originals.py every_moment.py \
	examples.py rivals.py)
BIN := $(VENV)/bin
SOURCES := $(shell find codecs/src zarrmal codecs/CMakeLists.txt -type f -not -name '*.pyc')
PIP := -m pip install --quiet --disable-pip-version-check
# Packages are built with the versions of a constraints file as well.
pinned = PIP_CONSTRAINT=$(abspath $(1)) PIP_BUILD_CONSTRAINT=$(abspath $(1))

.PHONY: demo test style check wheels test-wheel test-matrix azurite sanitize fuzz bench reader \
	clean

# The kernel but its binding, compiled once for every environment and Python (codecs/CMakeLists.txt).
# Where that does not work, each package compiles its own.
KERNEL := .kernel
KERNEL_SOURCES := codecs/CMakeLists.txt $(wildcard codecs/src/zarrmal_codecs/kernel/*)
COMPILED := -C cmake.define.ZARRMAL_COMPILED=$(abspath $(KERNEL))/libzarrmal_kernel.a
$(KERNEL)/.compiled: $(KERNEL_SOURCES)
	rm -rf $(KERNEL)
	mkdir -p $(KERNEL)
	cmake -S codecs -B $(KERNEL) -DCMAKE_BUILD_TYPE=Release > $(KERNEL)/log 2>&1 \
	&& cmake --build $(KERNEL) --target zarrmal_kernel --parallel 2 >> $(KERNEL)/log 2>&1 \
	|| echo "the kernel was not compiled beforehand: $(KERNEL)/log tells why"
	touch $@

$(VENV)/.installed: pyproject.toml codecs/pyproject.toml constraints.txt $(KERNEL)/.compiled
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -c constraints.txt $(TORCH)
	$(call pinned,constraints.txt) $(BIN)/python $(PIP) $(COMPILED) -e ./codecs -e '.[train,plot,bench,dask,stores,test]'
	touch $@

# Azure's storage server; the tests that need it say so and skip where it is not there.
NODE := .node
azurite:
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(NODE)/.installed; \
	else echo "npm is missing: the tests on Azure's storage are skipped"; fi

$(NODE)/.installed: tests/stores/package.json tests/stores/package-lock.json
	mkdir -p $(NODE)
	cp $^ $(NODE)
	cd $(NODE) && npm ci --no-audit --no-fund --loglevel=error
	touch $@

# From the source distributions, so that these are known to be whole.
$(DIST)/.built: pyproject.toml codecs/pyproject.toml constraints.txt $(SOURCES) $(KERNEL)/.compiled
	$(PYTHON) -m venv $(BUILD)
	$(BUILD)/bin/python $(PIP) -c constraints.txt build
	rm -f $(DIST)/zarrmal*
	$(call pinned,constraints.txt) $(BUILD)/bin/python -m build $(COMPILED) --outdir $(DIST) codecs
	$(call pinned,constraints.txt) $(BUILD)/bin/python -m build --outdir $(DIST) .
	touch $@

wheels: $(DIST)/.built

# What a reader of an archive needs, and nothing else.
$(READER)/.installed: $(DIST)/.built
	$(PYTHON) -m venv --clear $(READER)
	$(READER)/bin/python $(PIP) -c constraints.txt $(DIST)/zarrmal_codecs-*.whl
	touch $@

reader: $(READER)/.installed

# What writing with the models that ship needs: no torch.
$(DEMO)/.installed: $(DIST)/.built
	$(PYTHON) -m venv --clear $(DEMO)
	$(DEMO)/bin/python $(PIP) -c constraints.txt $(DIST)/zarrmal_codecs-*.whl $(DIST)/zarrmal-*.whl
	touch $@

demo: $(DEMO)/.installed
	$(DEMO)/bin/zarrmal demo

# One process more than cores, as some tests wait for servers and other processes.
WORKERS := $(shell $(PYTHON) -c "import os; print(min(4, os.cpu_count() + 1))")
EXHAUSTIVE ?=
# Tests make tens of thousands of small files, which takes a minute more on a disk: in memory, where
# there is 4 GB of room. With EXHAUSTIVE on the disk.
# Bytecode is kept, whatever the environment says: some sixty tests start Python.
MEMORY = $(shell df -Pk /dev/shm 2> /dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')
test: $(VENV)/.installed $(READER)/.installed
	ZARRMAL_READER_PYTHON=$(CURDIR)/$(READER)/bin/python OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= \
	ZARRMAL_EXHAUSTIVE=$(EXHAUSTIVE) $(if $(EXHAUSTIVE),,$(MEMORY:%=TMPDIR=%)) \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: style demo test test-wheel

# Away from the tree, so that nothing of it is imported; -I leaves out the environment's Python path.
CHECK := cd / && $(abspath $(READER))/bin/python -I $(abspath codecs/vectors/check.py)
test-wheel: $(READER)/.installed
	$(READER)/bin/python -I .ci/check_wheels.py $(DIST)
	$(CHECK) --native
	export ZARRMAL_KERNEL=numpy; $(CHECK)

test-matrix: $(KERNEL)/.compiled
	$(MATRIX_PYTHON) -m venv $(MATRIX)
	$(call pinned,$(MATRIX_CONSTRAINTS)) $(MATRIX)/bin/python $(PIP) $(COMPILED) ./codecs
	$(call pinned,$(MATRIX_CONSTRAINTS)) $(MATRIX)/bin/python $(PIP) . \
	pytest pytest-xdist hypothesis zarrs
	OMP_NUM_THREADS=1 $(MATRIX)/bin/python -m pytest -n $(WORKERS) --dist worksteal \
	codecs/tests tests $(MATRIX_IGNORED:%=--ignore=%)

# The kernel under the address and undefined-behaviour sanitizers: equality on all instruction sets
# that this machine has, hostile vectors on the first and the last of them.
UNDER_SANITIZERS := LD_PRELOAD="$$(gcc -print-file-name=libasan.so) \
	$$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0
HAS_KERNEL := from zarrmal_codecs.hybrid.engine import levels; print("levels:", *levels()); \
	assert levels()[1:], "the kernel was not built"
sanitize:
	$(PYTHON) -m venv $(SANITIZED)
	$(SANITIZED)/bin/python $(PIP) -c constraints.txt numpy pytest hypothesis xarray dask
	$(SANITIZED)/bin/python $(PIP) -c constraints.txt -C cmake.define.ZARRMAL_SANITIZE=ON \
	-C cmake.define.ZARRMAL_EVEX=ON ./codecs
	$(UNDER_SANITIZERS) $(SANITIZED)/bin/python -c '$(HAS_KERNEL)'
	$(UNDER_SANITIZERS) ZARRMAL_KERNEL=baseline $(SANITIZED)/bin/python -m pytest \
	codecs/tests/test_kernel.py codecs/tests/test_invalid.py codecs/tests/test_golden.py \
	codecs/tests/test_lattice_cells.py codecs/tests/test_lattice_pixels.py \
	codecs/tests/test_lattice_chunks.py
	$(UNDER_SANITIZERS) $(SANITIZED)/bin/python -m pytest \
	codecs/tests/test_invalid.py codecs/tests/test_golden.py

SECONDS ?= 60
SEED ?= 1
fuzz: $(VENV)/.installed
	$(BIN)/python $(PIP) -c constraints.txt "atheris; sys_platform == 'linux'"
	$(BIN)/python codecs/fuzz/fuzz.py all --seconds $(SECONDS) --seed $(SEED)

style: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/zarrmal benchmark $(SOURCE)

clean:
	rm -rf $(VENV) $(READER) $(DEMO) $(MATRIX) $(SANITIZED) $(BUILD) $(DIST) $(KERNEL) $(NODE) .mypy_cache .ruff_cache .pytest_cache
