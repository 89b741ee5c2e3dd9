# make demo   install into .venv and explain three answers from this Python's documentation
# make test   install into .venv and run the tests
# make parity install other autoencoder libraries into .venv-parity and compare with them
# make cluster install Ray into .venv-ray and build an index with it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test parity cluster lint types install clean

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

# torchvision comes with them, built for another torch, and then no model library imports; nothing here needs it.
parity:
	@echo "== other libraries, in .venv-parity (some minutes the first time)"
	@test -x .venv-parity/bin/python || $(PYTHON) -m venv .venv-parity
	@.venv-parity/bin/pip install --progress-bar off -q -c constraints.txt -e ".[dev,parity]"
	@.venv-parity/bin/pip uninstall -q -y torchvision 2>/dev/null || true
	@.venv-parity/bin/python -m pytest tests/test_parity.py

# One corpus built by a plain loop and by a cluster of this machine's own processors: the same bytes.
cluster:
	@echo "== Ray, in .venv-ray (a minute the first time)"
	@test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	@.venv-ray/bin/pip install --progress-bar off -q -c constraints.txt -e ".[ray]" pytest
	@.venv-ray/bin/python -m pytest tests/test_ray.py

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) .venv-parity .venv-ray build dist .pytest_cache .mypy_cache .ruff_cache
