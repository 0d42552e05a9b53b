# Everything one does with a checkout. demo, cab, office, test, lint and bench first do all their own set-up (setup/bootstrap).
#   make PYTHON=/path/to/python3.12 <target>    choose the interpreter

SHELL := /bin/bash
BIN := .venv/bin
# The rig finds what setup/bootstrap put there (a private PulseAudio, where the machine's own sound server is PipeWire).
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Every top-level package is checked; a new one is covered the day it appears.
PACKAGES := $(sort $(patsubst %/__init__.py,%,$(filter-out tests/%,$(wildcard */__init__.py))))

# How many tests `make test` runs side by side.
JOBS ?= $(shell echo $$(( $$(nproc) * 2 )))
TIMED_JOBS ?= $(shell nproc)
# What `make sim` runs.
SEEDS ?= 2000
FROM ?= 0

.DEFAULT_GOAL := help
.PHONY: help demo cab office test sim lint format bench install clean distclean setup setup-demo check-setup pins

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s'|'

demo: $(if $(VOICE),setup,setup-demo) ## one press heard in the other cars: SAY=<wav> lets car-1 say yours, LIVE=1 leaves it running, VOICE=agora-stub
	@$(BIN)/ptt-lab demo --out build/demo $(if $(VOICE),--voice $(VOICE)) $(if $(SAY),--say '$(subst ','\'',$(SAY))') $(if $(filter-out 0,$(LIVE)),--live)

cab: setup-demo ## sit in virtual vehicles, in a browser: CARS=1..3, PORT=
	@$(BIN)/ptt-lab cab --out build/cab $(if $(CARS),--cars $(CARS)) $(if $(PORT),--port $(PORT))

office: setup-demo ## an office with virtual vehicles and some made-up days, its pages in a browser: CARS=, DAYS=, SPEED=, PORT=
	@$(BIN)/ptt-lab office --out build/office $(if $(CARS),--cars $(CARS)) $(if $(DAYS),--days $(DAYS)) $(if $(SPEED),--speed $(SPEED)) $(if $(PORT),--port $(PORT))

# Tests in which sound or time is measured (tests/conftest.py) run behind the others, one for each processor; the
# whole demo, a browser among four voices, with nothing beside it at the end. What of these fails runs once more, alone
# (ADR 0027): a machine that stood still is no defect, and a defect fails again. It is named either way.
define again
	echo "make test: once more, with nothing beside them:" && $(BIN)/python -m pytest -v --last-failed --last-failed-no-failures none -m
endef

test: setup ## every test but the rig's; ARGS="-k floor -x" goes to one pytest, JOBS=1 TIMED_JOBS=1 runs nothing side by side
ifneq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest $(ARGS)
else
	@failed=; \
	$(BIN)/python -m pytest -m "not timed and not alone" -n $(JOBS) --dist loadfile --no-loadscope-reorder || failed=1; \
	$(BIN)/python -m pytest -m "timed and not alone" -n $(TIMED_JOBS) --dist loadfile --no-loadscope-reorder || \
		{ [ $$? = 1 ] && $(again) "timed and not alone"; } || failed=1; \
	$(BIN)/python -m pytest -m alone || { [ $$? = 1 ] && $(again) alone; } || failed=1; \
	[ -z "$$failed" ]
endif

sim: setup ## a long run of the simulator: SEEDS=2000 from FROM=0; what fails is replayed by python -m tests.sim <seed>
	@$(BIN)/python -m tests.sim --from $(FROM) --to $$(( $(FROM) + $(SEEDS) ))

lint: setup ## ruff, mypy --strict, import directions
	@failed=; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/mypy $(PACKAGES) || failed=1; \
	$(BIN)/python -m pytest tests/test_import_direction.py || failed=1; \
	[ -z "$$failed" ]

format: setup ## let ruff format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup ## every benchmark, into build/bench/
	@$(BIN)/ptt-lab bench --out build/bench $(ARGS)

docs: setup ## write the generated parts of docs/*.md anew
	@$(BIN)/python -m lab.docs

install: ## as root: /opt/ptt, systemd units, example configurations; DESTDIR= and PREFIX= as usual
	@setup/install

setup: ## only the set-up: apt packages and .venv
	@setup/bootstrap full

setup-demo:
	@setup/bootstrap base

check-setup: ## say what the set-up lacks; changes nothing
	@setup/bootstrap --check

pins: setup ## after a change of dependencies: newest versions into constraints.txt
	@setup/pin

clean: ## remove what was built; keeps .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0r rm -rf

distclean: clean ## remove .venv too
	@rm -rf .venv
