# SPDX-License-Identifier: MIT
# Chores, the same by hand and in CI. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Some images set it. Then each of the hundreds of processes that tests start would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
# Somebody's own Go is not the one that is built with here.
unexport GOROOT GOFLAGS
# What they name, as another checkout, would go before what is in .venv.
unexport PYTHONPATH PYTHONHOME
# ARGS is for the one target that is called with it.
ifeq ($(origin ARGS),environment)
ARGS :=
endif

# Any Python from 3.11 on; name another with `make PYTHON=/path/to/python …`.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -Ic '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/run-installed
INSTALLED := $(VENV)/installed
NODE := $(VENV)/node-installed
MKDOCS := $(VENV)/mkdocs-installed
FUZZ := $(VENV)/fuzz-installed
MUTANTS := $(VENV)/mutants-installed
TOOLS := build/tools/installed
GO_TOOLS := build/tools/go/installed
OLD_PIPS := build/pips/downloaded

# What is installed into .venv, a lock file each; when one changes, all is made anew, so that nothing of before stays.
LOCKS := requirements.lock $(patsubst %,requirements-%.lock,build auth0 run dev docs node fuzz mutants uv)
INSTALL := $(BIN)/python .ci/install.py

# The command nats is built with Go, which checks it against the public log of modules.
NATSCLI := v0.5.1
NATS := build/nats/built-$(NATSCLI)
PROMETHEUS := v0.313.0
PROMTOOL := build/promtool/built-$(PROMETHEUS)

# A lock file holds the hashes of every file of a release, for every system and every Python from 3.11 on, and no address.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(ARGS)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(INSTALLED) ## Create .venv from the lock file (the others do it by themselves)

.PHONY: run
run: $(RUNNABLE) ## Run NATS, the service and its documentation on this machine; ARGS="--provider auth0"
	@exec $(BIN)/auth-service dev $(ARGS)

# Most tests wait, for time-outs and processes: three at a time keep two cores busy. A file stays with one process.
SIDE_BY_SIDE := --numprocesses=3 --dist=loadfile --no-loadscope-reorder --ignore=tests/browser

.PHONY: test
test: $(INSTALLED) ## Run the tests; ARGS="-k drain" chooses
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),$(SIDE_BY_SIDE))

# On Python 3.14 it costs little; before, it makes the tests take more than twice as long.
.PHONY: coverage
coverage: $(INSTALLED) ## Run the tests and measure their coverage
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report=term-missing:skip-covered

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, import rules and licence headers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.support.licences

.PHONY: format
format: $(INSTALLED) ## Put the code into the form that lint asks for
	@$(BIN)/python -m tests.support.licences --write
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: fuzz
fuzz: $(FUZZ) ## Look for inputs that break what reads bytes from outside; ARGS="--seconds 3600"
	@$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: stress
stress: $(INSTALLED) ## Run the tests ten times in random order, beside two busy processes; ARGS="--runs 3 tests/bus"
	@$(BIN)/python -m tests.stress $(ARGS)

.PHONY: bench
bench: $(INSTALLED) ## Measure speed and memory beside a raw NATS echo
	@$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: mutants
mutants: $(INSTALLED) $(MUTANTS) ## Break the code in many ways, see what no test notices; ARGS="codes", ARGS="--again"
	@$(BIN)/python -m tests.mutants $(ARGS)

.PHONY: docs
docs: site ## Check the documentation and build its site; brings Node along
	@$(BIN)/auth-service asyncapi --check asyncapi.yaml
	@$(BIN)/python -m pytest tests/docs tests/site
	@$(BIN)/python -m tests.docs.parser

.PHONY: site
site: $(INSTALLED) $(NODE) $(MKDOCS) ## Build the documentation site into build/site
	@$(BIN)/python -m tests.docs.site.mermaid
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

.PHONY: examples
examples: $(INSTALLED) $(NODE) $(NATS) $(GO_TOOLS) ## Run the examples that need Go, Node, nats, helm or a clean clone
	@$(BIN)/python -m pytest tests/examples $(ARGS)

.PHONY: clients
clients: $(INSTALLED) $(NODE) $(TOOLS) ## Check the generated clients, and compile them; ARGS=--write renews them
	@$(BIN)/python -m $(if $(findstring --write,$(ARGS)),tests.clients,pytest tests/clients $(ARGS))

# All that is made outside of .venv, so that it can be made while the tests run.
.PHONY: prepared
prepared: $(NATS) $(PROMTOOL) $(GO_TOOLS) $(OLD_PIPS)

.PHONY: tools
tools: $(NATS) ## Build the command nats into build/nats

.PHONY: asyncapi
asyncapi: $(INSTALLED) ## Write what is generated: asyncapi.yaml, the tables of settings and subjects
	@$(BIN)/auth-service asyncapi > $(VENV)/asyncapi.yaml
	@mv $(VENV)/asyncapi.yaml asyncapi.yaml
	@$(BIN)/python -m tests.docs.tables

.PHONY: browser
browser: site ## Look at the documentation page and the site with Chromium
	@$(BIN)/python -m pytest tests/browser $(ARGS)

.PHONY: chart
chart: $(INSTALLED) $(GO_TOOLS) ## Check the Helm chart; ARGS=--write renews its golden files
	@$(BIN)/python -m pytest tests/chart $(ARGS)

.PHONY: setup
setup: $(INSTALLED) $(NODE) $(MKDOCS) $(FUZZ) $(MUTANTS) $(TOOLS) $(OLD_PIPS) ## Check the lock files, and that old pips install exactly what they name
	@$(BIN)/python -m pytest tests/setup --numprocesses=3 $(ARGS)

.PHONY: image
image: $(INSTALLED) $(TOOLS) ## Check the Dockerfile, run its steps, check deploy/compose.yaml
	@$(BIN)/python -m pytest tests/image -rP $(ARGS)

.PHONY: workflows
workflows: $(TOOLS) $(GO_TOOLS) ## Check the GitHub workflows
	@build/tools/go/actionlint -shellcheck= -pyflakes=
	@build/tools/bin/zizmor --offline --no-progress --quiet --persona=auditor .github
	@build/tools/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

.PHONY: audit
audit: $(TOOLS) ## Ask the advisory databases about every requirements*.lock (needs the internet)
	@build/tools/bin/pip-audit --progress-spinner off --strict --require-hashes --disable-pip \
		$(patsubst %,--requirement %,$(sort $(wildcard requirements*.lock)))

.PHONY: observe
observe: $(INSTALLED) $(NATS) $(PROMTOOL) ## Check the alerts with promtool, and discovery with the nats command
	@$(BIN)/python -m pytest tests/operations $(ARGS)

.PHONY: lock
lock: ## Write the lock files anew, as pyproject.toml asks; ARGS=--upgrade takes the newest versions
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check install --quiet --no-user --no-deps --require-hashes --requirement requirements-uv.lock
	@$(COMPILE) --output-file requirements-uv.lock --group uv
	@$(COMPILE) --output-file requirements-build.lock --group build
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --output-file requirements-auth0.lock --constraint requirements.lock pyproject.toml --extra auth0
	@$(COMPILE) --output-file requirements-run.lock --constraint requirements.lock --group run
	@$(COMPILE) --output-file requirements-dev.lock --constraint requirements.lock --constraint requirements-build.lock \
		--constraint requirements-run.lock --constraint requirements-auth0.lock pyproject.toml --extra auth0 --group dev
	@$(COMPILE) --output-file requirements-docs.lock --constraint requirements-dev.lock --group docs
	@$(COMPILE) --output-file requirements-fuzz.lock --constraint requirements-dev.lock --group fuzz
	@$(COMPILE) --output-file requirements-mutants.lock --constraint requirements-dev.lock --group mutants
	@$(COMPILE) --output-file requirements-node.lock --group node
	@$(COMPILE) --output-file requirements-tools.lock --group tools

.PHONY: clean
clean: ## Remove what these commands make
	@rm -rf $(VENV) build dist node_modules .coverage .coverage.* .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two makes at once would spoil .venv: whoever installs holds a lock, and a make of its own looks what is still to be done.
MADE := $(INSTALLED) $(NODE) $(MKDOCS) $(FUZZ) $(MUTANTS) $(TOOLS)
.PRECIOUS: $(RUNNABLE) $(MADE)
ALONE = .ci/alone.py $(MAKE) --no-print-directory HELD=1 $@

# An environment holds its folder and its Python by name. Its stamp says for which it was made; where that is no longer so, as
# after a move, a copy or a new Python, it counts as not made. A Python that is named counts too.
MADE_FOR := import os, sys; print(sys.implementation.cache_tag + sys.abiflags, os.getcwdb())
CHOSEN = $(and $(filter environment command,$(firstword $(origin PYTHON))),$(PYTHON))
stale = $(shell { now=$$($(1)/bin/python -ISc '$(MADE_FOR)') && test "$$now" = "$$(cat $(2))" \
	$(if $(CHOSEN),&& test "$$now" = "$$($(CHOSEN) -ISc '$(MADE_FOR)')"); } 2>/dev/null || echo stale)
.PHONY: stale

$(RUNNABLE): $(LOCKS) pyproject.toml .ci/install.py $(call stale,$(VENV),$(RUNNABLE))
$(INSTALLED): $(RUNNABLE)
$(NODE) $(MKDOCS) $(FUZZ) $(MUTANTS): $(INSTALLED)
$(TOOLS): requirements-tools.lock .ci/install.py $(if $(wildcard $(TOOLS)),$(call stale,build/tools,$(TOOLS))) | $(INSTALLED)

ifneq ($(origin HELD),command line)
$(RUNNABLE):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) $(ALONE)

$(MADE):
	@$(or $(PYTHON),$(BIN)/python) $(ALONE)
else
# What running needs, and no more: the first answer comes as soon as that is there.
$(RUNNABLE):
	@echo "Installing into $(VENV) …"
	@rm -f $@
	@$(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) --editable $(VENV) requirements-build.lock requirements.lock requirements-run.lock
	@$(BIN)/python -ISc '$(MADE_FOR)' >$@

$(INSTALLED):
	@echo "Installing what tests and checks need into $(VENV) …"
	@$(INSTALL) $(VENV) requirements-dev.lock
	@touch $@

$(NODE) $(MKDOCS) $(FUZZ) $(MUTANTS): $(VENV)/%-installed:
	@$(INSTALL) $(VENV) requirements-$(patsubst mkdocs,docs,$*).lock
	@touch $@

# Tools that check what is deployed, in an environment of their own; Go is among them, because the chart's come as its source.
$(TOOLS):
	@echo "Installing the tools into build/tools …"
	@rm -f $@
	@$(PYTHON) -m venv --clear --without-pip build/tools
	@$(INSTALL) build/tools requirements-tools.lock
	@build/tools/bin/python -ISc '$(MADE_FOR)' >$@
endif

$(OLD_PIPS): $(wildcard tests/setup/pip-*.lock) | $(INSTALLED)
	@for lock in $^; do $(BIN)/python -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes --dest $(@D) --requirement $$lock || exit 1; done
	@touch $@

$(GO_TOOLS): deploy/tools/go.mod deploy/tools/go.sum $(TOOLS)
	@echo "Building helm, kubeconform and actionlint; the first time takes some minutes …"
	@GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 GOBIN="$(abspath build/tools/go)" \
		build/tools/bin/go -C deploy/tools install -trimpath -buildvcs=false tool
	@touch $@

$(NATS): | $(TOOLS)
	@echo "Building the command nats; the first time takes a minute …"
	@GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 GOBIN="$(abspath $(dir $(NATS)))" \
		build/tools/bin/go install -trimpath -buildvcs=false github.com/nats-io/natscli/nats@$(NATSCLI)
	@touch $@

# Its module has replacements, so it is built where it lies; without what it knows of finding targets it takes a fifth of the time.
$(PROMTOOL): | $(TOOLS)
	@echo "Building promtool; the first time takes some minutes …"
	@export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0; go="$(abspath build/tools/bin/go)"; \
		folder=$$("$$go" mod download -json github.com/prometheus/prometheus@$(PROMETHEUS) | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["Dir"])'); \
		"$$go" -C "$$folder" build -trimpath -buildvcs=false -tags remove_all_sd -o "$(abspath $(@D))/promtool" ./cmd/promtool
	@touch $@
