# Everything a developer runs. Nothing is installed outside .venvs/ and .demo/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CURRENT := airflow-3.3.2-py3.11
BENCH_ENVIRONMENT := $(CURRENT)-bench
# Other DAG generators bring plugins of their own, which would run beside what the other benchmarks measure.
PEERS_ENVIRONMENT := $(CURRENT)-peers
CLUSTER_ENVIRONMENT := $(CURRENT)-cluster
ENVIRONMENTS := $(CURRENT) airflow-3.3.2-py3.12 airflow-3.3.2-py3.13 airflow-2.11.2-py3.11 airflow-2.11.2-py3.12 \
    $(BENCH_ENVIRONMENT) $(PEERS_ENVIRONMENT) $(CLUSTER_ENVIRONMENT)

# Many installations enforce Airflow's own constraints: on Python 3.12 the unit tests run with the common.compat of these.
AIRFLOWS_OWN_COMPAT := airflow-2.11.2-py3.12) compat="==1.14.0";; airflow-3.3.2-py3.12) compat="==1.19.0";;

TOOLS := .venvs/tools/.installed
UV := .venvs/tools/bin/uv
COMPILE := $(UV) pip compile --quiet --upgrade --no-header --no-annotate --generate-hashes
CHECKS := .venvs/tools/bin/python scripts/checks.py
# The long fault campaign, and the long comparison of random flows.
RUNS := 2000
TREES := 300
SEED :=
# The ages of SOPS that local_sops plays; one for the long ones, and "all" or some of them for the contract suite.
ALL_AGES := 2019 2020 3.25 3.28 3.32 3.34 3.35
AGE := 3.34
AGES :=
# The Python for the newest versions.
PYTHON := 3.11
# Arguments of the benchmarks; --help lists them.
BENCH :=
# Arguments of the cluster; --help lists them.
CLUSTER :=
# Ports of the demo's Airflow and local_sops; 0 takes any free one.
AIRFLOW_PORT := 0
SOPS_PORT := 0
DEMO_PORTS = --port $(AIRFLOW_PORT) --sops-port $(SOPS_PORT)

export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo "AIRFLOW_PORT= and SOPS_PORT= fix the ports of the demo."
	@echo "Python is looked for on PATH and in pyenv; PYTHON311=, PYTHON312= and PYTHON313= name others."

.PHONY: install
install: .venvs/$(CURRENT)/.installed .venvs/local-sops/.installed ## Set up Airflow 3.3.2 on Python 3.11 and local_sops

.PHONY: demo
demo: install ## Run a SOPS flow from a real Airflow and show its progress
	@.venvs/$(CURRENT)/bin/python -m demo $(DEMO_PORTS)

.PHONY: demo-ui
demo-ui: install ## The same, then leave Airflow and SOPS running for docs/walk-through.md
	@.venvs/$(CURRENT)/bin/python -m demo $(DEMO_PORTS) --keep-running

.PHONY: test
test: $(TOOLS) ## All tests on every supported Airflow and Python, and those of local_sops
	@$(CHECKS) test

.PHONY: test-fast
test-fast: install ## All tests on Airflow 3.3.2 and Python 3.11 only
	@.venvs/$(CURRENT)/bin/python -m pytest tests

.PHONY: contract
contract: install ## The contract suite against local_sops, or the server that SOPS_CONTRACT_* name; AGES=all: as each age of SOPS
	@failed=; for age in $(or $(AGES:all=$(ALL_AGES)),"$${SOPS_CONTRACT_SERVER:-}"); do \
	    SOPS_CONTRACT_SERVER="$$age" .venvs/$(CURRENT)/bin/python -m pytest tests/contract || failed="$$failed $${age:-$(AGE)}"; \
	done; test -z "$$failed" || { echo "The contract suite failed as SOPS$$failed."; exit 1; }

.PHONY: faults
faults: install ## The long fault campaign: RUNS= runs with the seed SEED= (2000 and a new one) on a SOPS of AGE=
	@.venvs/$(CURRENT)/bin/python -m tests.faults --runs $(RUNS) --server $(AGE) $(if $(SEED),--seed $(SEED))

.PHONY: differential
differential: install ## Random flows in SOPS alone, watched and run by Airflow: TREES= of the seed SEED= (300 of a new one), AGE=, MAPPED=1
	@.venvs/$(CURRENT)/bin/python -m tests.differential --trees $(TREES) --server $(AGE) $(if $(SEED),--seed $(SEED)) \
	    $(if $(MAPPED),--mapped)

.PHONY: bench
bench: .venvs/$(BENCH_ENVIRONMENT)/.installed .venvs/$(PEERS_ENVIRONMENT)/.installed .venvs/local-sops/.installed ## Measure what docs/benchmarks.md quotes, in an hour; BENCH=--help for parts of it
	@.venvs/$(BENCH_ENVIRONMENT)/bin/python -m benchmarks $(BENCH)

.PHONY: cluster
cluster: .venvs/$(CLUSTER_ENVIRONMENT)/.installed .venvs/local-sops/.installed ## Kill the parts of a Celery cluster in turn, in rounds, and judge by what ran in SOPS; CLUSTER=--help for its arguments
	@.venvs/$(CLUSTER_ENVIRONMENT)/bin/python -m tests.cluster $(CLUSTER)

.PHONY: browser
browser: install .venvs/browser/.installed ## The SOPS page, the tab in Airflow and the walk-through in Chromium, which CHROMIUM= may name
	@cd browser && ../.venvs/browser/bin/python -m pytest -c pytest.ini

.PHONY: pictures
pictures: install .venvs/browser/.installed ## Take the pictures of README.md, docs/ui.md and docs/walk-through.md again, in Chromium
	@cd browser && ../.venvs/browser/bin/python -m pytest -c pytest.ini test_readme.py test_sops_tab.py test_walk_through.py --pictures ../docs/pictures

.PHONY: docs
docs: .venvs/docs/.installed ## Build the documentation site into build/site, and follow its links
	@.venvs/docs/bin/python scripts/build_docs.py

.PHONY: release-check
release-check: .venvs/release/.installed .venvs/local-sops/.installed ## Build what is published, check it, and run it in fresh Airflows 3.3.2 and 2.11.2
	@.venvs/release/bin/python -m scripts.check_release

.PHONY: lint
lint: $(TOOLS) ## ruff, the order of imports, mypy --strict and the documentation site
	@$(CHECKS) lint

.PHONY: format
format: .venvs/$(CURRENT)/.installed ## Format the code and mend what ruff can mend
	@.venvs/$(CURRENT)/bin/ruff check --fix .
	@.venvs/$(CURRENT)/bin/ruff format .

.PHONY: constraints
constraints: $(TOOLS) ## Resolve all pinned versions again, to today's newest
	@for environment in $(ENVIRONMENTS); do \
	    IFS=- read -r _ airflow python extra <<<"$$environment"; \
	    case "$$environment" in $(AIRFLOWS_OWN_COMPAT) *) compat=;; esac; \
	    printf '%s\n' "apache-airflow==$$airflow" "apache-airflow-providers-common-compat$$compat" | $(COMPILE) --python-version "$${python#py}" --extra "$${extra:-dev}" pyproject.toml - \
	        --output-file "constraints/$$environment.txt"; \
	done
	@$(COMPILE) --python-version 3.11 local_sops/pyproject.toml --output-file local_sops/requirements.lock
	@$(COMPILE) --python-version 3.11 --extra test --constraints local_sops/requirements.lock \
	    local_sops/pyproject.toml --output-file constraints/local-sops-py3.11.txt
	@echo "pillow playwright pytest pytest-timeout requests" | tr ' ' '\n' | $(COMPILE) --python-version 3.11 - \
	    --output-file constraints/browser.txt
	@echo "mkdocstrings-python ruff zensical" | tr ' ' '\n' | $(COMPILE) --python-version 3.11 - --output-file constraints/docs.txt
	@echo "build check-wheel-contents hatch-fancy-pypi-readme hatchling twine" | tr ' ' '\n' | $(COMPILE) --python-version 3.11 - \
	    --output-file constraints/release.txt
	@echo "uv" | $(COMPILE) --python-version 3.11 - --output-file constraints/tools.txt

.PHONY: newest-check
newest-check: $(TOOLS) ## Try today's newest versions, resolved into build/, and show which differ from the pinned ones; PYTHON=3.14 on another Python
	@.venvs/tools/bin/python scripts/newest_check.py --python $(PYTHON)

.PHONY: clean
clean: ## Remove everything that was set up or built
	rm -rf .venvs .demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: require-disk
require-disk:
	@scripts/require-disk 2

$(TOOLS): constraints/tools.txt | require-disk
	@python=$$(scripts/find-python 3.11) && "$$python" -m venv --clear .venvs/tools
	@.venvs/tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --requirement constraints/tools.txt
	@touch $@

# Exactly the pinned files; the project itself, which has no hash, comes afterwards, built by the backend of $(CURRENT).
# `pip check` says if pyproject.toml asks for more than the constraints hold.
.venvs/airflow-%/.installed: constraints/airflow-%.txt pyproject.toml $(TOOLS)
	@python=$$(scripts/find-python "$(patsubst py%,%,$(word 2,$(subst -, ,$*)))") && \
	    $(UV) venv --quiet --clear --python "$$python" $(@D)
	@$(UV) pip install --quiet --python $(@D) --no-deps --require-hashes --requirement $<
	@$(UV) pip install --quiet --python $(@D) --no-deps --build-constraints constraints/$(CURRENT).txt --editable .
	@$(UV) pip check --quiet --python $(@D)
	@touch $@

# The second file adds what the tests of local_sops need.
.venvs/local-sops/.installed: local_sops/requirements.lock constraints/local-sops-py3.11.txt local_sops/pyproject.toml $(TOOLS)
	@python=$$(scripts/find-python 3.11) && $(UV) venv --quiet --clear --python "$$python" $(@D)
	@$(UV) pip install --quiet --python $(@D) --no-deps --require-hashes --requirement $< \
	    --requirement constraints/local-sops-py3.11.txt
	@$(UV) pip install --quiet --python $(@D) --no-deps --build-constraints constraints/$(CURRENT).txt \
	    --editable ./local_sops
	@$(UV) pip check --quiet --python $(@D)
	@touch $@

.venvs/browser/.installed .venvs/docs/.installed .venvs/release/.installed: .venvs/%/.installed: constraints/%.txt $(TOOLS)
	@python=$$(scripts/find-python 3.11) && $(UV) venv --quiet --clear --python "$$python" $(@D)
	@$(UV) pip install --quiet --python $(@D) --no-deps --require-hashes --requirement $<
	@touch $@
