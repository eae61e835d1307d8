# Two commands on a fresh machine: `make demo` and `make test`. Both make the virtual environment.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format bench docs clean
.DEFAULT_GOAL := demo

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mlflowctl needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/.installed ## the main job on the embedded stack
	$(BIN)/mlflowctl demo

test: lint ## everything; what the machine lacks (Terraform, chromium, an engine) is skipped visibly, but in CI
	$(BIN)/python -m pytest -n 4 --dist loadgroup tests

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile.mlflow
	$(BIN)/compose-lint check --strict-config --fail-on medium --skip-suppressed --quiet docker-compose.yml

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.installed ## side by side with stock MLflow; writes docs/benchmarks.md
	$(BIN)/python tests/benchmarks/run.py --out docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.promotions --out docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.login --out docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.live_verdict --out docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.gateway --out docs/benchmarks.md

docs: .venv/.installed ## the command reference, from the commands themselves
	$(BIN)/python docs/generate.py

clean: ## the environment and caches; a stack's data is never touched
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
