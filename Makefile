# make book: the site, in _build/html.   make test: everything.   Both set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
SITE := _build/html/index.html
export TF_CPP_MIN_LOG_LEVEL ?= 2
export TF_ENABLE_ONEDNN_OPTS ?= 0

SITE_SOURCES := _config.yml _toc.yml chapters chapters/figures _static $(wildcard chapters/*.* chapters/figures/* _static/* _static/live/* \
    tools/sphinx/*.* recbook/*.py recbook/*/*.py recbook/*/*/*.py)
BUILT := $(wildcard _build)

.PHONY: book test execute assignments live lab lock clean

book: $(if $(BUILT),.venv/installed,_build/whole)
	$(if $(BUILT),$(BIN)/jupyter-book build . -W -n --keep-going -q)
	@echo "The book is ready: open $(CURDIR)/$(SITE)"

# Two workers with one thread each: threads of several workers would wait for each other. In the order of collection:
# else files with few tests come last, the slowest of all among them, and one worker waits for the other.
test: _build/whole
	$(BIN)/python tools/notebooks.py check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --nbval --nbval-current-env \
	    --nbval-cell-timeout 300 -p no:cacheprovider tests chapters

execute: .venv/installed  # run the chapters anew and store their outputs: make execute [CHAPTERS="matrix-factorization"]
	$(BIN)/python tools/notebooks.py execute $(CHAPTERS)

assignments: .venv/installed  # write the assignments' notebooks from their texts
	$(BIN)/python tools/notebooks.py assignments

live: live/node_modules  # bundle the live figures; their numbers: .venv/bin/python tools/live.py
	npm --prefix live run --silent build

live/node_modules: live/package-lock.json
	npm --prefix live ci --silent
	@touch $@

lab: .venv/installed
	$(BIN)/jupyter lab chapters

lock: .venv/installed  # write requirements.lock from what is installed
	$(BIN)/python tools/lock.py > requirements.lock.new && mv requirements.lock.new requirements.lock

clean:
	rm -rf _build .venv *.egg-info .pytest_cache .hypothesis live/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every page anew, since a page that did not change can lose what it refers to; again only if something changed since.
_build/whole: $(SITE_SOURCES) .venv/installed
	$(BIN)/jupyter-book build . --all -W -n --keep-going -q
	@touch $@

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "recbook needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
