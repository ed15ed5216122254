# Two commands do everything on a fresh machine: `make demo` and `make test`. Both install what they need first.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null && { echo $$p; break; }; done)
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/handsight
# The environment is named after what it holds, so that a second clone shares it and a changed requirement makes a new one.
KEY := $(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-12)
VENV ?= $(CACHE)/venv-$(KEY)
READY := $(VENV)/ready
# Two clones that begin at once: one sets up, the other waits.
LOCK := $(shell command -v flock >/dev/null 2>&1 && echo flock $(CACHE)/setup.lock)
RUN := PYTHONPATH=$(CURDIR)/src $(VENV)/bin/python
JOBS ?= 2

.PHONY: demo test check bench setup clean
.DEFAULT_GOAL := test

setup: $(READY)

$(READY):
	@test -n "$(PYTHON)" || { echo "handsight needs Python 3.11 or newer; none was found. Install one, or say PYTHON=/path/to/python"; exit 2; }
	@mkdir -p $(CACHE)
	@$(LOCK) sh -c 'test -f $(READY) || { echo "setting up $(VENV) (about 6 GB, three minutes; once)"; \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) && $(VENV)/bin/python scripts/requirements.py > $(VENV)/requirements.txt && \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	    --requirement $(VENV)/requirements.txt && touch $(READY); }'

demo: setup
	@$(RUN) -m handsight demo --out demo
	@mkdir -p report && cp demo/report/index.html report/index.html
	@echo "open report/index.html"

test: setup
	@$(RUN) -m pytest -n $(JOBS) --dist loadfile tests

check: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@PYTHONPATH=src $(VENV)/bin/mypy
	@PYTHONPATH=src $(VENV)/bin/lint-imports --no-cache

bench: setup
	@for f in benchmarks/*.py; do echo "== $$f"; $(RUN) $$f || exit 1; done

clean:
	rm -rf demo report .pytest_cache .mypy_cache .ruff_cache .hypothesis
