# make demo: measure photos. make test: everything, tested. One environment, .venv, serves both. make audit: advisories on
# the pinned versions, from an environment of its own.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# python3.11 where it runs (a pyenv shim may be on the path and answer nothing), else python3.
PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
PHOTOS ?= deploy/samples
DEMO := out/demo

PIP_INSTALL := .venv/bin/python -m pip install --disable-pip-version-check --quiet
PACKAGING := setup.cfg pyproject.toml constraints.txt

# The pinned versions are those of Python 3.11; a later Python measures with what its index has.
CONSTRAINTS = $(shell .venv/bin/python -c 'import sys; print("-c constraints.txt" if sys.version_info[:2] == (3, 11) else "")')

AUDIT := .audit/bin/pip-audit --no-deps --disable-pip --strict --progress-spinner off
ACCEPTED = $(shell sed -n 's/^\([A-Z][A-Z]*-[^ ]*\) .*/--ignore-vuln \1/p' audit-accepted.txt)
CONTAINER := deploy/service/container/constraints.txt

.PHONY: help demo test audit clean

help:
	@echo "make demo                 measure the sample photos; overlays, JSON and a page in $(DEMO)"
	@echo "make demo PHOTOS='A B'    the same for your own photos or folders (no spaces in their names)"
	@echo "make test                 install everything (Python 3.11), ruff, pytest"
	@echo "make audit                look the pinned versions up among PyPI's security advisories (needs the network)"
	@echo "make clean                remove .venv, .audit, out and caches"
	@echo "PYTHON=... chooses the interpreter; now: $(PYTHON)"

# The stamps are written last, so that an interrupted step is done again from its beginning.
.venv/.created:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("foliopie needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + ": install Python 3.11, or say PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.base: .venv/.created $(PACKAGING)
	@echo "installing what measuring needs into .venv ..."
	$(PIP_INSTALL) $(CONSTRAINTS) -e .
	@touch $@

.venv/.all: .venv/.created $(PACKAGING)
	@.venv/bin/python -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("make test needs Python 3.11, the last that MXNet 1.9.1 was tried on, and .venv has " + sys.version.split()[0] + ": make clean, then make test PYTHON=/path/to/python3.11")'
	@echo "installing everything into .venv (3 GB; about two minutes) ..."
	$(PIP_INSTALL) -c constraints.txt -e '.[all]'
	@touch .venv/.base $@

demo: .venv/.base
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@status=0; .venv/bin/foliopie measure $(PHOTOS) --json $(DEMO)/measurements.json \
	    --overlay $(DEMO)/overlays --page $(DEMO)/index.html || status=$$?; \
	for made in index.html measurements.json overlays; do \
	    [ ! -e $(DEMO)/$$made ] || echo "$(CURDIR)/$(DEMO)/$$made"; \
	done; \
	exit $$status

test: .venv/.all
	.venv/bin/ruff check .
# Two processes, a file of tests to each: fixtures of a file are made once. Each takes 2.5 GB.
	.venv/bin/python -m pytest -n 2 --dist loadfile

.audit/.created: Makefile
	$(PYTHON) -m venv --clear .audit
	.audit/bin/python -m pip install --disable-pip-version-check --quiet pip-audit==2.10.1
	@touch $@

# The versions are looked up as they are written, without installing anything. Both files, whatever the first has; the
# status is that of pip-audit: 1 for a finding that is not accepted, and, by --strict, for a package that could not be
# looked up: without it an index that has no advisories passes for one that knows of none.
audit: .audit/.created
	@status=0; \
	echo "constraints.txt: training, conversion, rendering, tests"; \
	$(AUDIT) --requirement constraints.txt $(ACCEPTED) || status=$$?; \
	echo "$(CONTAINER): what the container holds"; \
	$(AUDIT) --requirement $(CONTAINER) || status=$$?; \
	exit $$status

clean:
	rm -rf .venv .audit out build dist .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
