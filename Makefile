# Everything that a person or a machine does with this tree. Each target installs what it lacks, and says what.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
BIN := .venv/bin
# a tree that was moved or copied needs its virtual environment anew
MOVED := $(if $(filter $(shell pwd -P),$(shell cat .venv/.home 2>/dev/null)),,moved)
SUITE ?= tests

.PHONY: help demo test check lab-up lab-down bench campaign lock clean prepare-lab moved

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: prepare-lab .venv/.runtime ## an insecure cluster is encrypted while it serves, and a scoreboard says how it went
	$(BIN)/python scripts/demo.py

test: prepare-lab .venv/.dev ## every test, those on the lab's real hosts too (one file: make test SUITE=tests/test_house.py)
	$(BIN)/python -m pytest $(SUITE)

check: .venv/.dev ## lint, format, types, the house's rules; needs no root and no lab
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/test_house.py tests/test_docs.py

lab-up: prepare-lab .venv/.runtime ## boot the practice cluster
	$(BIN)/galvan lab up

lab-down: prepare-lab .venv/.runtime ## take it away
	$(BIN)/galvan lab down

bench: prepare-lab .venv/.dev ## every benchmark: ratios against a named peer, measured in the same run
	scripts/prepare bench
	set -e; for script in benchmarks/*.py; do $(BIN)/python "$$script"; done

campaign: prepare-lab .venv/.dev ## the long trials (kills, faults); writes tables under docs/campaigns
	$(BIN)/python -m pytest -m campaign tests/lab

lock: ## resolve the dependencies anew into requirements*.lock
	scripts/lock

clean: ## remove what was made here; the lab and its images stay
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

prepare-lab:
	@scripts/prepare lab

.venv/.runtime: requirements.lock pyproject.toml $(MOVED)
	@scripts/prepare venv
	@scripts/venv requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@scripts/venv requirements-dev.lock
	@touch $@
