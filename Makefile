# Targets that depend on setup make the environment first if it is missing. PYTHON chooses the interpreter it is made from.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# for make gpu, which neither makes nor changes an environment
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
KILLS ?= 100
EXAMPLES ?= 10000
EXTRAS := workspaces,ray,slurm,parquet,pandas,completion
# what the lowest versions are tried with: old packages warn of their own end, which is no failure there
LOWEST := $(addprefix tests/cli/test_,bad_input.py commands.py ordinary_models.py unusable_values.py completion.py) \
	tests/results tests/tracking tests/report/test_study_report.py tests/bad_input tests/execution/test_ray.py
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal

# otherwise each of the processes that tests start compiles the whole package again: a quarter of its time
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo report test torture lowest simulate lint format bench gpu slurm ci clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## create the environment and install the package with its development tools

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "ib_bench needs Python 3.10 or newer: make PYTHON=python3.x")'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup ## measure N50 of three architectures under three kinds of supervision (two to six minutes)
	$(BIN)/ib-bench run demo

report: setup ## write the report of the reference results, and of your own beside them, into the folder report
	$(BIN)/ib-bench report --reference

test: setup ## run the tests, on up to four cores; then some of them as on a processor without AVX-512
	$(BIN)/python -m pytest $(PARALLEL)
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(BIN)/python -m pytest $(PARALLEL) -m processor tests

torture: setup ## kill, interrupt, fill up and damage runs, each up to KILLS / 2 times, and count what is lost; then EXAMPLES bad inputs of each kind, and slow tests (hours)
	$(BIN)/python -m pytest tests/torture --kills $(KILLS) --slow
	$(BIN)/python -m pytest tests/bad_input --examples $(EXAMPLES) $(PARALLEL)
	$(BIN)/python -m pytest -m slow --slow $(PARALLEL)

lowest: ## install the lowest versions that pyproject.toml allows into .venv-lowest, with uv (3 GB), and run tests with them
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[$(EXTRAS)]'
	.venv-lowest/bin/uv pip install --python .venv-lowest/bin/python pytest pytest-xdist pytest-timeout hypothesis
	.venv-lowest/bin/python -m pytest $(PARALLEL) -W default $(LOWEST)

simulate: setup ## check how sure success curves are, and write tables and figure (10 minutes); NAMES=real: on real training runs (hours)
	PYTHONPATH=$(CURDIR)/tests $(BIN)/python -m simulation $(NAMES)

lint: setup ## ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff format and fix what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure what training runs and reports cost; NAMES="store startup" takes some (all: half an hour)
	PYTHONPATH=$(CURDIR)/tests $(BIN)/python -m benchmarks $(NAMES)

gpu: ## check every claim about GPUs on this machine (10 minutes); installs nothing: GPU_PYTHON names the Python
	$(GPU_PYTHON) tests/gpu/wheels.py
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(GPU_PYTHON) -m benchmarks.gpu $(ARGUMENTS)

slurm: ## install and start a Slurm of this one machine, which its tests then use (Debian, as root)
	bash docker/slurm.sh

ci: ## exactly what CI runs
	bash .ci/run

clean: ## remove the environment and everything that tools left behind
	rm -rf $(VENV) .venv-lowest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
