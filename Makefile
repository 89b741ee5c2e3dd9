# make demo   install into .venv and explain three answers from this Python's documentation
# make test   install into .venv and run the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types wheel-test install clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "== installing into $(VENV) (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --progress-bar off -c constraints.txt -e ".[dev]" | grep -v "already satisfied" || true
	@$(BIN)/python -c "import xetrieval, torch, sentence_transformers"
	@touch $@

demo: install
	@$(BIN)/xetrieval demo

test: install
	@echo "== tests"
	@$(BIN)/python -m pytest

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
