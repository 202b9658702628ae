# The front door. Every target does its own set-up, and nothing twice: `make` alone builds build/release/bin/vl3.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
# A file with libtorch's headers takes up to 2 GiB to compile: as many at once as cores and free memory allow.
JOBS ?= $(shell awk -v cores=$$(nproc) '/^MemAvailable/ { fit = int($$2 / 2097152) } \
          END { jobs = fit < cores ? fit : cores; print jobs < 1 ? 1 : jobs }' /proc/meminfo)
RELEASE := build/release
configured = build/$(1)/build.ninja
CTEST = ctest --output-on-failure --no-tests=error -j $(JOBS) --timeout 900

.PHONY: help setup build demo test fmt fmt-check lint asan tsan tiny bench install layers docs clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup:  ## system packages, libtorch and sources that are missing (LIBTORCH=DIR: an own libtorch)
	@tools/setup.sh

# Ninja itself notices changed CMake files; only the presets are unknown to it.
build/%/build.ninja: CMakePresets.json | setup
	cmake --preset $*
	@touch $@

build: $(call configured,release)  ## build/release/bin/vl3
	@cmake --build $(RELEASE) -j $(JOBS) --target bin/vl3

demo: build  ## ask about the bundled media
	@tools/demo.sh

test: $(call configured,release)  ## build everything and run every test
	cmake --build $(RELEASE) -j $(JOBS)
	$(CTEST) --test-dir $(RELEASE)

fmt: setup  ## format the sources in place
	@tools/format.sh

fmt-check: setup  ## fail where the sources are not formatted
	@tools/format.sh --check

lint: $(call configured,lint) fmt-check layers docs  ## clang-tidy (what passed before is skipped), format, layers, links
	@tools/lint.py build/lint $(JOBS) $(FILES)

asan: $(call configured,asan)  ## every test under AddressSanitizer and UBSan
	cmake --build build/asan -j $(JOBS)
	$(CTEST) --test-dir build/asan

tsan: $(call configured,tsan)  ## the tests without libtorch under ThreadSanitizer
	cmake --build build/tsan -j $(JOBS) --target vl3_torch_free_tests
	$(CTEST) --test-dir build/tsan -L '^torch-free$$'

tiny: build  ## train the embedded model from nothing into runs/ (hours)
	@tools/train_tiny.sh

bench: $(call configured,release)  ## build and run the micro benchmarks (FILTER=REGEX)
	cmake --build $(RELEASE) -j $(JOBS)
	@for program in $(RELEASE)/bin/vl3_*_bench; do "$$program" --benchmark_filter='$(or $(FILTER),.)'; done

install: build  ## install below PREFIX (/usr/local)
	@cmake --build $(RELEASE) -j $(JOBS) --target vl3
	cmake --install $(RELEASE) --prefix '$(PREFIX)'

layers:  ## check the direction of the #include lines
	@python3 tools/check_layers.py

docs:  ## check the links of the documents
	@python3 tools/check_docs.py

clean:  ## remove what was built; .deps/ stays
	rm -rf build
