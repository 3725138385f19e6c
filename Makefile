# make demo: run the demo basin for ten days with the surrogate, with physics and with free drainage, and compare them.   make test: lint and test everything.
# make train-demo: train the surrogate on two years of the demo basin and judge it in the third; what is done is kept.
# make docs: write the generated pages and build the documentation site into build/site.
# They set up what is missing: gfortran (by apt when root), .venv, CPU torch, the package with its Fortran kernels.

PYTHON ?= python3
PIP_FLAGS ?=
VENV := .venv
STAMP := $(VENV)/.setup-done
BUILD_TOOLS := "pip>=24" meson-python meson ninja numpy

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: demo train-demo test lint docs setup compiler clean

demo: setup
	bmi-run cfg/coupled.yaml --output output/demo/hybrid --overwrite
	bmi-run cfg/coupled-richards.yaml --output output/demo/physics --overwrite
	bmi-run cfg/coupled-free-drainage.yaml --output output/demo/free_drainage --overwrite
	bmi-evaluate output/demo/physics output/demo/hybrid --free-drainage output/demo/free_drainage \
		--threshold water_table=0.1m --precipitation cfg/demo/weather.nc --output output/demo/evaluation

# A run writes timing.json when it has ended, bmi-train goes on where it was stopped: what is complete is not repeated.
TRAINING := output/demo_training
CHAIN := cfg/demo_training

train-demo: setup
	$(MAKE) $(TRAINING)/report/report.json

$(TRAINING)/%/timing.json: $(CHAIN)/%.yaml
	bmi-run $< --output $(@D) --overwrite

$(TRAINING)/physics_test_year/timing.json $(TRAINING)/free_drainage_test_year/timing.json: $(TRAINING)/physics_years/timing.json
$(TRAINING)/hybrid_test_year/timing.json: $(TRAINING)/structured/.trained

$(TRAINING)/structured/.trained: $(CHAIN)/train.yaml $(TRAINING)/physics_years/timing.json
	bmi-train $<
	@touch $@

$(TRAINING)/segments/.done: $(CHAIN)/segments.sh $(TRAINING)/structured/.trained $(TRAINING)/physics_test_year/timing.json
	sh $< $(TRAINING)/physics_test_year/checkpoints $(TRAINING)/segments
	@touch $@

$(TRAINING)/report/report.json: $(TRAINING)/segments/.done $(patsubst %,$(TRAINING)/%/timing.json,physics_test_year free_drainage_test_year hybrid_test_year)
	bmi-evaluate $(TRAINING)/physics_test_year $(TRAINING)/hybrid_test_year --name structured --free-drainage $(TRAINING)/free_drainage_test_year \
		--climatology $(TRAINING)/physics_years $$(printf -- '--segment %s ' $(TRAINING)/segments/*) \
		--threshold water_table=0.1m --precipitation cfg/demo/weather.nc --output $(@D)

test: lint
	pytest --durations=5

lint: setup
	ruff check .
	ruff format --check .
	mypy
	mypy tools docs/examples/linear_reservoir.py

docs: setup
	python tools/bmi_tables.py
	python tools/cli_options.py
	python tools/configuration_keys.py
	python tools/collected_pages.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "open build/site/index.html"

setup: compiler $(STAMP)

compiler:
	@sh tools/need_gfortran.sh

$(STAMP): pyproject.toml constraints.txt meson.build meson.options bmi_richards/fortran/meson.build bmi_colm/fortran/meson.build
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "the module venv of Python is needed: apt-get install python3-venv"; exit 1; }
	python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt $(BUILD_TOOLS)
	python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt --no-build-isolation \
		--config-settings=setup-args=-Dnative=true --config-settings=build-dir=build --editable '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) build
