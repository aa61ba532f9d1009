# A few short commands, the same for people and CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet
SAMPLE := reports/sample
LITELLM := tests/gateways/requirements-litellm
LAYERS := tests/layers/requirements

.PHONY: help demo gateways layers test lint bench format lock sample clean
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per lock file: a second run skips the set-up, a changed lock repeats it.
$(VENV)/.demo-ready: requirements.lock pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) (once)"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test-ready: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) with the tools for tests (once)"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo-ready

demo: $(VENV)/.demo-ready ## the product's main job on the embedded image API: run, diagnose, report, packet
	@set -e; harness=$(BIN)/harness; \
	run=$$($$harness run scenarios/demo.yaml --format json $(if $(OUT),--out $(OUT)) | sed -n 's/^ *"run": "\(.*\)",$$/\1/p'); \
	$$harness diagnose $$run; \
	$$harness report $$run > $$run/report.md || [ $$? -eq 3 ]; \
	packet=$$($$harness packet $$run); \
	echo; echo "report: $$run/report.html"; echo "$$packet"

gateways: .venv-litellm/.ready ## a real LiteLLM in an environment of its own, for `pytest -m gateway`

.venv-litellm/.ready: $(LITELLM).lock
	@$(PYTHON) -m venv --clear .venv-litellm
	@PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-litellm/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@

layers: .layers/.ready ## Envoy and two gunicorns, each in a folder of its own, for `pytest -m layers`

.layers/.ready: $(LAYERS)-old.lock $(LAYERS)-new.lock | $(BIN)/python
	@rm -rf .layers
	@for age in old new; do $(INSTALL) --require-hashes --no-deps --target .layers/$$age -r $(LAYERS)-$$age.lock; done
	@touch $@

test: $(VENV)/.test-ready ## all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --reruns 2 --reruns-delay 1 -raR $(PYTEST)

lint: $(VENV)/.test-ready ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.test-ready ## clocks, embedded API and reading half against their goals (long; BENCH=--quick: minutes)
	@$(BIN)/python -m tests.bench $(BENCH)

format: $(VENV)/.test-ready ## let ruff put everything in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Same options as pyproject's comment says: hashes, and no address of an index in the file.
PIP_COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-options

lock: $(VENV)/.test-ready ## resolve the dependencies anew into the lock files
	@$(PIP_COMPILE) --extra dev -o requirements-dev.lock pyproject.toml
	@$(PIP_COMPILE) --extra build -c requirements-dev.lock -o requirements.lock pyproject.toml
	@$(PIP_COMPILE) -o $(LITELLM).lock $(LITELLM).in
	@for age in old new; do $(PIP_COMPILE) -o $(LAYERS)-$$age.lock $(LAYERS)-$$age.in; done
	@sed -i '/^#/d;/^--/d' requirements.lock requirements-dev.lock $(LITELLM).lock $(LAYERS)-*.lock

sample: $(VENV)/.demo-ready ## make reports/sample anew from the demo
	@rm -rf $(SAMPLE)
	@$(MAKE) --no-print-directory demo OUT=$(SAMPLE)
	@rm -f $(SAMPLE)/.lock $(SAMPLE)/sends.jsonl

clean: ## forget the environments and caches; runs are kept
	@rm -rf $(VENV) .venv-litellm .layers .mypy_cache .ruff_cache .pytest_cache .hypothesis
