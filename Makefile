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

# $(call install-only,FOLDER,WHAT): the same where other versions are the point.
ifdef UV
install-only = $(UV) pip install --quiet --python $(1)/bin/python --compile-bytecode $(2)
else
install-only = $(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2)
endif
# The oldest Python here that a tested project may have.
OLDEST = $(shell for minor in 9 10 11 12 13; do \
  python3.$$minor -c 'import venv, ensurepip' 2>/dev/null && echo python3.$$minor && break; done)

.PHONY: demo ui test test-pure lint bench bench-code bench-data bench-model constraints clean

demo: $(VENV)/.demo  ## the main job: a release that passes, and one that is refused
	@$(BIN)/python -m airflow_mltest.demo

ui: $(VENV)/.demo  ## Airflow's UI over the demo's home
	@$(BIN)/python -m airflow_mltest.demo ui

test: $(VENV)/.dev .venv-oldest/.ready lint test-pure  ## everything
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-pure: .venv-pure/.ready  ## what needs no Airflow, where there is none
	.venv-pure/bin/python -m pytest tests/attacks tests/core tests/checks tests/reports -p no:cacheprovider

bench: $(VENV)/.dev  ## ratios, side by side in one run
	$(BIN)/python -m benchmarks

bench-code: $(VENV)/.dev .venv-bench/.ready  ## what is promised of code tests, beside what others do; an hour
	$(BIN)/python -m benchmarks.code

bench-data: $(VENV)/.dev .venv-bench-evidently/.ready  ## what is promised of data tests, beside evidently
	$(BIN)/python -m benchmarks.data

bench-model: .venv-bench-model/.ready  ## what is promised of model tests, beside ART and SciPy; half an hour
	.venv-bench-model/bin/python -m benchmarks.model

constraints:  ## lock every version anew; needs uv
	uv pip compile pyproject.toml requirements-dev.txt --all-extras --universal --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-package airflow-mltest --output-file constraints.txt --quiet

clean:
	rm -rf .venv .venv-pure .venv-oldest .venv-bench .venv-bench-evidently .venv-bench-model .demo

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

.venv-oldest/.ready: requirements-oldest.txt
	$(if $(UV),$(UV) venv --quiet --python $(OLDEST) .venv-oldest,$(OLDEST) -m venv .venv-oldest)
	$(call install-only,.venv-oldest,-r requirements-oldest.txt)
	@touch $@

.venv-bench/.ready: benchmarks/requirements-code.txt
	$(if $(UV),$(UV) venv --quiet --python $(PYTHON) .venv-bench,$(PYTHON) -m venv .venv-bench)
	$(call install-only,.venv-bench,-r benchmarks/requirements-code.txt)
	@touch $@

.venv-bench-model/.ready: benchmarks/requirements-model.txt
	$(if $(UV),$(UV) venv --quiet --python $(PYTHON) .venv-bench-model,$(PYTHON) -m venv .venv-bench-model)
	$(call install-only,.venv-bench-model,-r benchmarks/requirements-model.txt)
	@touch $@

.venv-bench-evidently/.ready: benchmarks/requirements-evidently.txt
	$(if $(UV),$(UV) venv --quiet --python $(PYTHON) .venv-bench-evidently,$(PYTHON) -m venv .venv-bench-evidently)
	$(call install-only,.venv-bench-evidently,-r benchmarks/requirements-evidently.txt)
	@touch $@
