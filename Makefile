# make demo      build the index of the starter documents and open the chat; QUESTION="..." answers one question
# make test      all tests        make check   format, lint, types, import contracts, tests
# make audit     known vulnerabilities of the locked packages     make licences  docs/licences.md; both are part of make check
# make fuzz      every parser and translator against many thousand odd inputs
# make bench     what we claim about speed and quality, with the peers in the same run; BENCH=engine, core or pictures for those
# make try-install  an operator's first day from an empty folder: pip, setup, doctor, chat, backup, upgrades; WITH_LLAMA=1 compiles too
# make settings  the tables of docs/settings.md, and .env.example, from the settings
# make requirements  the files of requirements/, for pip, from uv.lock
# make soak      hundreds of questions while processes are killed and Redis is restarted; SEED=2 for another course
# make soak-slack   the same over a local Slack
# make soak-matrix  the same over a real Synapse, in plain and encrypted rooms; then time to the first word, 200 rooms, memory

SHELL := /bin/bash
.DEFAULT_GOAL := check
.PHONY: demo test check format lint types imports audit licences fuzz bench soak soak-slack soak-matrix fit try-install requirements settings clean setup setup-dev setup-synapse setup-chromium

# uv: the one on the path, else a local one from PyPI.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3
DATA := .locus
export UV_PYTHON_DOWNLOADS := never
RUN := $(UV) run --no-sync
DEV := $(UV) run --frozen --all-extras --group dev

# The index is built when the starter documents or the locked packages change, so that a second start is quick.
$(DATA)/indexed: uv.lock $(wildcard knowledge/starter/*.md) $(wildcard knowledge/*.py knowledge/parsing/*.py) | setup
	@mkdir -p $(DATA)
	@$(RUN) locus ingest starter --data-dir $(DATA) 2>$(DATA)/ingest.log || { cat $(DATA)/ingest.log >&2; exit 1; }
	@touch $@

demo: $(DATA)/indexed | setup
ifdef QUESTION
	@$(RUN) locus ask "$$QUESTION" --data-dir $(DATA)
else
	@if [ -t 0 ] && [ -t 1 ]; then $(RUN) locus chat --data-dir $(DATA); \
	else $(RUN) locus ask "What is the BXD family and how were the strains made?" --data-dir $(DATA); fi
endif
export QUESTION

setup: $(UV)
	@$(UV) sync --frozen --no-dev --inexact --quiet

setup-dev: $(UV)
	@$(UV) sync --frozen --all-extras --group dev --quiet

# The real homeserver that the tests of Matrix start (AGPL), apart from what Locus itself is made of.
setup-synapse: $(UV)
	@UV_PROJECT_ENVIRONMENT=.venv-synapse $(UV) sync --frozen --only-group synapse --quiet

# The browser that the tests of the web pages drive; without root or apt-get they are skipped, and fail where CI is set.
setup-chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || \
	  echo "Chromium could not be installed by apt-get: the tests of the web pages say so." >&2; \
	else echo "Chromium is not installed: the tests of the web pages are skipped (make setup-chromium as root)." >&2; fi

.uv/bin/uv:
	@echo "uv is not on the path; putting one into .uv/" >&2
	@$(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

test: setup-dev setup-synapse setup-chromium
	@$(DEV) pytest

format: setup-dev
	@$(DEV) ruff format .
	@$(DEV) ruff check --fix .

lint: setup-dev
	@$(DEV) ruff format --check .
	@$(DEV) ruff check .

types: setup-dev
	@$(DEV) mypy

imports: setup-dev
	@$(DEV) lint-imports

audit: setup-dev
	@$(DEV) python -m tests.audit

licences: setup-dev
	@$(DEV) python -m tests.licences

# Hours: every test of this kind with 5,000 examples instead of 100.
fuzz: setup-dev
	@$(DEV) pytest tests/unit/test_fuzz_*.py --hypothesis-profile=fuzz --timeout=0

check: lint types imports licences audit test

bench: setup-dev
	@$(DEV) python -m benchmarks $(BENCH)

SEED ?= 1
soak: setup-dev
	@$(DEV) python -m tests.soak --seed $(SEED)

soak-slack: setup-dev
	@$(DEV) python -m tests.soak --chat slack --duration-s 600 --patience-s 480 --seed $(SEED)

soak-matrix: setup-dev setup-synapse
	@$(DEV) python -m tests.soak --chat matrix --questions 300 --conversations 40 --users 24 --kills 40 \
		--duration-s 180 --patience-s 150 --seed $(SEED)

try-install: setup-dev
	@$(DEV) python -m tests.first_day $(if $(WITH_LLAMA),--with-llama)

requirements: setup-dev
	@$(DEV) python -m tests.requirement_files

settings: setup-dev
	@$(DEV) python -m bot.cli.settings_files

fit: setup-dev
	@$(DEV) python -m benchmarks ingest fit

clean:
	rm -rf .venv .venv-synapse .uv $(DATA) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
