# What people run here; `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

# rustup looks for its toolchains in HOME. Where HOME is an empty folder, they are the ones beside the cargo on PATH.
ifeq ($(RUSTUP_HOME)$(wildcard $(HOME)/.rustup/toolchains/*),)
BESIDE_CARGO := $(wildcard $(dir $(shell command -v cargo))../../.rustup)
ifneq ($(BESIDE_CARGO),)
export RUSTUP_HOME := $(abspath $(BESIDE_CARGO))
endif
endif

CARGO := cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
JS := tests/sdk/js
PYTHON := tests/sdk/python
VENV := .tools/venv

# The node that the SDK scenarios start.
export BINARY_UNDER_TEST ?= $(TARGET)/debug/fanfare

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build a release and serve on 127.0.0.1:8000
	@$(CARGO) run --release --locked -- serve

.PHONY: cluster
cluster: needs ## Build a release and try three nodes behind NGINX, with a Redis and a PostgreSQL of their own
	@$(CARGO) run --release --locked -- cluster

.PHONY: test
test: needs format lint rust js python ## Everything that has to pass: format, lints, Rust tests, SDK scenarios

.PHONY: needs
needs:
	@tests/needs.sh

.PHONY: format
format: ## Is the code formatted?
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

.PHONY: lint
lint: ## clippy, warnings are errors: in all that is tested, and in what people run
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --lib --bins -- -D warnings

.PHONY: rust
rust: ## Unit, contract, architecture and integration tests
	$(CARGO) test --locked --features failpoints,fuzzing

# What tells libFuzzer which ways an input took: flags of the compiler that stable Rust has, and no sanitizer.
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
FUZZ_SECONDS := 60
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: fuzz
fuzz: ## Feed the decoders what nobody should send, FUZZ_SECONDS=60 for each; needs a C++ compiler
	RUSTFLAGS='$(COVERAGE)' $(CARGO) build --manifest-path fuzz/Cargo.toml --target $(HOST) --target-dir $(TARGET)/fuzz
	@mkdir -p $(TARGET)/fuzz/found
	@for target in json protobuf frames; do \
		mkdir -p $(TARGET)/fuzz/grown/$$target; \
		echo "$$target: $(FUZZ_SECONDS) s; what fails is written to $(TARGET)/fuzz/found"; \
		$(TARGET)/fuzz/$(HOST)/debug/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5 \
			-artifact_prefix=$(TARGET)/fuzz/found/$$target- $(TARGET)/fuzz/grown/$$target fuzz/corpus/$$target; \
	done

# Optimised as what people run, and with the places where a fault can be put. In a folder of its own, so that nobody
# runs it by mistake.
CHAOS := $(TARGET)/chaos/fanfare
SECONDS := 900

.PHONY: chaos-binary
chaos-binary:
	@$(CARGO) build --locked --profile chaos --features failpoints --bin fanfare

.PHONY: chaos
chaos: chaos-binary ## Break a cluster for SECONDS=900 and check every promise; SEED=N for a plan of before
	$(CHAOS) load chaos --spawn --nodes 3 --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: chaos-mutants
chaos-mutants: chaos-binary ## Is every deliberate fault caught: by a test of seconds, and by the checker?
	$(CARGO) test --locked --features failpoints caught
	tests/chaos-mutants.sh $(CHAOS)

.PHONY: build
build:
	@$(CARGO) build --locked

.PHONY: js
js: build $(JS)/node_modules/.installed ## The scenarios of the official JavaScript SDK
	cd $(JS) && npm test --silent

.PHONY: python
python: build $(VENV)/.installed ## The scenarios of the official Python SDK and of the server API client
	$(VENV)/bin/python -m pytest $(PYTHON)

$(JS)/node_modules/.installed: $(JS)/package.json $(JS)/package-lock.json
	cd $(JS) && npm ci --silent
	@touch $@

$(VENV)/.installed: $(PYTHON)/requirements.txt
	@python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: clean
clean: ## Remove what was built and installed; ./data stays
	rm -rf $(TARGET) $(VENV) $(JS)/node_modules
