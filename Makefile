# SPDX-License-Identifier: Apache-2.0
# The commands of the house. `make help` lists them.
SHELL := /bin/sh
BUILD := build
export CCACHE_DIR ?= $(HOME)/.cache/millwright/ccache
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR = 1

.PHONY: help setup build demo test lint campaign results bench fuzz asan tsan clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup:
	@tools/setup.sh

build: setup ## build the programs into build/bin
	@test -f $(BUILD)/build.ninja || cmake --preset release
	@cmake --build $(BUILD)

demo: build ## run the main job on four simulated presses, or on DATA=folder RATE=hz; ends with demo/report.html
	@$(BUILD)/bin/millwright demo --out demo $(if $(DATA),--data "$(DATA)") $(if $(RATE),--rate $(RATE))

test: ## run every test
	@tools/setup.sh --test
	@$(MAKE) --no-print-directory build
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j 2

lint: ## formatting and clang-tidy; LINT_TESTS=1 reads the tests too
	@tools/setup.sh --lint
	@test -f $(BUILD)/build.ninja || cmake --preset release
	@tools/lint.sh $(BUILD)

campaign: build ## run a campaign: NAME=stroke-contract N=1000000 SEED=1
	@test "$(NAME)" != outbox-power-cut || tools/setup.sh --campaign
	@case "$(NAME)" in disk-fault|soak) tools/setup.sh --test ;; esac
	@$(BUILD)/bin/campaign --name $(NAME) --trials $(N) --seed $(or $(SEED),1)

results: build ## reproduce a figure of docs/results.md on real data: NAME=screw|skab|cwru
	@$(BUILD)/bin/results --name $(NAME) --seed $(or $(SEED),1)

asan: ## all tests under address and undefined-behaviour sanitizers
	@tools/setup.sh --lint --test
	@cmake --workflow --preset asan

tsan: ## all tests under the thread sanitizer
	@tools/setup.sh --lint --test
	@cmake --workflow --preset tsan

fuzz: ## run every fuzz target for SECONDS=600 each
	@tools/setup.sh --lint
	@cmake --preset fuzz && cmake --build --preset fuzz
	@tools/fuzz.sh build-fuzz $(or $(SECONDS),600)

clean: ## remove what was built
	rm -rf $(BUILD) build-* demo
