# Everything runs in .venv, which the first target that needs it creates. A stamp in it records each
# finished step, so that a step runs again only if what it depends on has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMPS := $(VENV)/stamps
SOURCES := Cargo.toml Cargo.lock $(shell find rust python -type f \
	\( -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi' -o -name 'py.typed' \))
# One process per core. Threads of PyTorch that wait must not keep the other processes waiting.
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto --dist loadfile
ON_GPU = $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'
PYTHON_FILES := python tests examples rust benches/python $(wildcard docs/*.py)

export PIP_QUIET := 1
# One interpreter for cargo and maturin: another one would rebuild the binding crate.
export PYO3_PYTHON := $(abspath $(BIN)/python)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

##### What people run

.PHONY: demo
demo: $(STAMPS)/demo $(STAMPS)/data $(STAMPS)/wheel ## Train on MNIST, compare with snnTorch, draw demo/*.png
	$(BIN)/python examples/mnist.py

.PHONY: test
test: format-check rust-test lint stub-test python-test ## Run every check: Rust, wheel, lint, types, pytest per ISA

.PHONY: bench
bench: $(STAMPS)/bench $(STAMPS)/peers $(STAMPS)/release-wheel ## Compare with other libraries, write benches/record
	$(BIN)/python benches/python $(BENCH)

.PHONY: bench-avx2
bench-avx2: export BITSPIKE_ISA = avx2
bench-avx2: export ATEN_CPU_CAPABILITY = avx2
bench-avx2: export MKL_ENABLE_INSTRUCTIONS = AVX2
bench-avx2: export ONEDNN_MAX_CPU_ISA = AVX2
bench-avx2: export XLA_FLAGS = --xla_cpu_max_isa=AVX2
bench-avx2: bench ## The same, with all libraries held to AVX2

.PHONY: gpu-test
gpu-test: $(STAMPS)/test $(STAMPS)/wheel ## Compare kernels and training on a GPU with the CPU
	@$(ON_GPU) || { echo 'there is no CUDA device here: make test runs the kernels in an interpreter'; exit 1; }
	PYTHONPATH=tests $(BIN)/python -m program.on_triton
	PYTHONPATH=tests $(BIN)/python -m program.networks_on_triton
	PYTHONPATH=tests $(BIN)/python -m program.changes_on_triton
	$(BIN)/python -m pytest tests/neurons/test_cuda.py tests/spikes/test_spikes_on_cuda.py

.PHONY: gpu-bench
gpu-bench: $(STAMPS)/bench $(STAMPS)/release-wheel ## Time the Triton kernels on a GPU, against SpikingJelly and torch
	@$(ON_GPU) || { echo 'there is no CUDA device here, and nothing to time'; exit 1; }
	$(BIN)/python benches/python/gpu.py

.PHONY: bench-pages
bench-pages: $(STAMPS)/test $(STAMPS)/wheel ## Write the tables and pictures of README and docs/speed.md from benches/record
	$(BIN)/python benches/python/pages.py
	$(BIN)/python examples/speed.py --out docs/images

.PHONY: fuzz
fuzz: $(STAMPS)/test $(STAMPS)/wheel ## Compare random operations on packed and dense spikes: FUZZ="operations seed"
	$(BIN)/python tests/spikes/fuzz.py $(FUZZ)

.PHONY: peer-test
peer-test: $(STAMPS)/test $(STAMPS)/peers $(STAMPS)/wheel ## Compare rules, layers and readers with those of other libraries
	$(BIN)/python -m pytest $(wildcard tests/*/*_against_peers.py tests/learning/*/*_against_peers.py)

.PHONY: mutations
mutations: cargo ## Change some bytes of 100,000 network files, graphs and states each
	BITSPIKE_MUTATIONS=100000 cargo test --locked --package bitspike --test network mutations

.PHONY: event-mutations
event-mutations: cargo ## Change some bytes of 100,000 recordings of each format
	BITSPIKE_MUTATIONS=100000 cargo test --locked --release --package bitspike --features compression \
		--test events mutations

.PHONY: nir-mutations
nir-mutations: $(STAMPS)/test $(STAMPS)/wheel ## Change some bytes of 100,000 NIR files, an hour
	BITSPIKE_MUTATIONS=100000 $(BIN)/python -m pytest tests/exchange/nir/test_nir_mutations.py

.PHONY: docs
docs: $(STAMPS)/docs $(STAMPS)/wheel ## Build the documentation: docs/_build/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning docs docs/_build

.PHONY: notebooks
notebooks: $(STAMPS)/docs $(STAMPS)/wheel ## Write the pages of the course as notebooks: notebooks/*.ipynb
	$(BIN)/python docs/notebooks.py

.PHONY: format
format: $(STAMPS)/lint ## Format Rust and Python
	cargo fmt --all
	$(BIN)/ruff check --fix-only $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)

.PHONY: sanitize
sanitize: cargo ## Test the Rust crate under AddressSanitizer
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --locked --package bitspike --tests \
		--target $$(rustc --print host-tuple)

.PHONY: portable-test
portable-test: cargo ## Test the Rust crate as on a CPU that is not x86-64
	cargo test --locked --package bitspike --features portable --tests

.PHONY: no-std-check
no-std-check: cargo ## Compile networks for a microcontroller, which has no standard library
	rustup target add thumbv7em-none-eabihf
	cargo build --locked --package bitspike --no-default-features --features runtime \
		--target thumbv7em-none-eabihf

.PHONY: sizes
sizes: ## Print the largest source files
	@git ls-files '*.rs' '*.py' '*.pyi' | xargs wc -l | grep -v ' total$$' | sort -rn | head -25

.PHONY: clean
clean: ## Remove everything that was built, .venv included
	rm -rf $(VENV) dist demo notebooks target docs/_build docs/reference

##### The parts of `make test`

.PHONY: format-check
format-check: $(STAMPS)/lint
	cargo fmt --all --check
	$(BIN)/ruff format --check $(PYTHON_FILES)

.PHONY: rust-test
rust-test: $(STAMPS)/venv ## Clippy (benches too), documentation and tests of the Rust crates
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	cargo test --locked --package bitspike --package bitspike-c --features bitspike/compression

.PHONY: lint
lint: $(STAMPS)/lint $(STAMPS)/wheel ## Ruff and mypy
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/mypy

.PHONY: stub-test
stub-test: $(STAMPS)/lint $(STAMPS)/wheel
	$(BIN)/python -m mypy.stubtest bitspike.ops._native

.PHONY: python-test
python-test: $(STAMPS)/test $(STAMPS)/data $(STAMPS)/wheel ## Pytest, then its ISA tests on each ISA of this CPU
	$(PYTEST)
	@set -e; for isa in $$($(BIN)/python -c 'from bitspike.ops import _native; print(*_native.describe()["isas"])'); do \
		echo "BITSPIKE_ISA=$$isa pytest -m isa"; \
		BITSPIKE_ISA=$$isa $(PYTEST) -m isa; \
	done

##### Steps, each with its stamp

.PHONY: cargo
cargo:
	@command -v cargo >/dev/null || { \
		echo 'bitspike needs a Rust toolchain, and there is no cargo here: install one from https://rustup.rs' >&2; \
		exit 1; }

$(STAMPS)/venv: | cargo
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "bitspike needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS) && touch $@

# A dependency group of pyproject.toml. The warning would be about what the group data lacks on purpose.
$(STAMPS)/%: pyproject.toml $(STAMPS)/venv
	$(PIP) install --no-warn-conflicts --group $*
	@touch $@

$(STAMPS)/data: pyproject.toml $(STAMPS)/venv
	$(PIP) install --no-deps --group data
	@touch $@

# A wheel of a profile of Cargo.toml. The first installation fetches torch, the second replaces a
# wheel of the same version.
define install_wheel
	rm -f dist/bitspike-*.whl
	$(BIN)/maturin build --profile $(1) --locked --out dist
	$(PIP) install --no-warn-conflicts dist/bitspike-*.whl
	$(PIP) install --no-deps --force-reinstall dist/bitspike-*.whl
endef

$(STAMPS)/wheel: $(SOURCES) pyproject.toml $(STAMPS)/build
	$(call install_wheel,quick)
	@rm -f $(STAMPS)/release-wheel
	@touch $@

# What people install, for benches. It does for everything else as well.
$(STAMPS)/release-wheel: $(SOURCES) pyproject.toml $(STAMPS)/build
	$(call install_wheel,release)
	@touch $(STAMPS)/wheel $@
