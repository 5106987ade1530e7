# Two commands do everything, set-up included: `make demo` and `make test`.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null))
UV := $(shell command -v uv 2>/dev/null)
VENV := .venv
BIN := $(VENV)/bin
# One cache of bytecode for all that run from here: without it every task compiles Airflow again.
export PYTHONDONTWRITEBYTECODE :=
# What the machine trusts, uv may trust: behind a proxy its own list of certificates is not enough.
export UV_SYSTEM_CERTS := 1
export UV_NATIVE_TLS := 1

# $(call install,FOLDER,WHAT): uv where it is there, else pip; every version from constraints.txt.
ifdef UV
install = $(UV) pip install --quiet --python $(1)/bin/python --constraints constraints.txt --compile-bytecode $(2)
else
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(2)
endif

.PHONY: demo ui test test-pure lint bench constraints clean

demo: $(VENV)/.demo  ## the main job: a release that passes, and one that is refused
	@$(BIN)/python -m airflow_mltest.demo

ui: $(VENV)/.demo  ## Airflow's UI over the demo's home
	@$(BIN)/python -m airflow_mltest.demo ui

test: $(VENV)/.dev lint test-pure  ## everything
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-pure: .venv-pure/.ready  ## what needs no Airflow, where there is none
	.venv-pure/bin/python -m pytest tests/core tests/checks tests/reports -p no:cacheprovider

bench: $(VENV)/.dev  ## ratios, side by side in one run
	$(BIN)/python -m benchmarks

constraints:  ## lock every version anew; needs uv
	uv pip compile pyproject.toml requirements-dev.txt --all-extras --universal --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-package airflow-mltest --output-file constraints.txt --quiet

clean:
	rm -rf .venv .venv-pure .demo

$(VENV)/bin/python:
	$(if $(UV),$(UV) venv --quiet --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,$(VENV),-e '.[demo]')
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.demo
	$(call install,$(VENV),-r requirements-dev.txt)
	@touch $@

.venv-pure/.ready: requirements-pure.txt constraints.txt
	$(if $(UV),$(UV) venv --quiet --python $(PYTHON) .venv-pure,$(PYTHON) -m venv .venv-pure)
	$(call install,.venv-pure,-r requirements-pure.txt)
	@touch $@
