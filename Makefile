# make demo: run the demo basin for ten days with the surrogate, with physics and with free drainage, and compare them.
# make test: lint and test everything.   make test-fast: the unit tests alone, in less than a minute.
# make fuzz: feed the readers of files with new hostile inputs; ROOTZONE_FUZZ=10 draws ten times as many.
# make train-demo: train the surrogate on two years of the demo basin and judge it in the third; what is done is kept.
# make demo-basin: invent the landscape of the demo basin, build the basin from its maps and spin it up (an hour at most).
# make docs: write the generated pages and build the documentation site into build/site.
# They set up what is missing: compilers (by apt when root), .venv, the package with its Fortran kernels and PyTorch; all but
# `make demo` and `make train-demo` the development tools, too.

PYTHON ?= python3
PIP_FLAGS ?=
VENV := .venv
RUN_STAMP := $(VENV)/.ready-to-run
DEVELOP_STAMP := $(VENV)/.ready-to-develop
# build requirements are pinned, too: what has no wheel is built in an environment of its own
INSTALL := python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --constraint constraints.txt
INSTALL_REQUIREMENTS := $(INSTALL) --build-constraint constraints.txt --requirement

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# a worker a core; the tests of a file share what it sets up
IN_PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
# the other folders make whole runs
UNIT_TESTS := $(addprefix tests/,bmi_common bmi_colm bmi_richards bmi_surrogate coupler setup)
# packages of other environments must not shadow those of this one
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

.PHONY: demo demo-basin train-demo test test-fast fuzz lint docs setup setup-development prerequisites clean

demo: setup
	bmi-run cfg/coupled.yaml --output output/demo/hybrid --overwrite
	bmi-run cfg/coupled-richards.yaml --output output/demo/physics --overwrite
	bmi-run cfg/coupled-free-drainage.yaml --output output/demo/free_drainage --overwrite
	bmi-evaluate output/demo/physics output/demo/hybrid --free-drainage output/demo/free_drainage \
		--threshold water_table=0.1m --output output/demo/evaluation --overwrite

demo-basin: setup-development
	python cfg/demo/make_landscape.py cfg/demo/maps
	bmi-domain cfg/demo/basin.yaml --output output/demo/basin --overwrite
	cp output/demo/basin/domain.nc output/demo/basin/domain.yaml cfg/demo/
	bmi-run cfg/demo_recharge.yaml --output output/demo/recharge --overwrite
	cp output/demo/recharge/initial_state.nc cfg/demo/steady_recharge.nc
	bmi-run cfg/demo_spin_up.yaml --output output/demo/spin_up --overwrite
	cp output/demo/spin_up/initial_state.nc cfg/demo/initial.nc
	python cfg/demo/make_pymt_case.py

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
		--threshold water_table=0.1m --precipitation cfg/demo/weather.nc --output $(@D) --overwrite
	python benchmarks/yardsticks.py $(@D)

test: lint
	pytest $(IN_PARALLEL) --durations=5

test-fast: setup-development
	pytest $(IN_PARALLEL) -m "not slow and not reference and not fuzz" $(UNIT_TESTS)

fuzz: setup-development
	pytest $(IN_PARALLEL) -m fuzz --hypothesis-profile=explore tests/hostile

lint: setup-development
	ruff check .
	ruff format --check .
	mypy
	mypy tools docs/examples/linear_reservoir.py

docs: setup-development
	python tools/bmi_tables.py
	python tools/cli_options.py
	python tools/configuration_keys.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "open build/site/index.html (with search: python -m http.server --directory build/site)"

setup: prerequisites $(RUN_STAMP)

setup-development: setup $(DEVELOP_STAMP)

prerequisites:
	@sh tools/prerequisites.sh "$(PYTHON)" $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt tools/requirements.py meson.build meson.options $(wildcard */fortran/meson.build) | prerequisites
	"$(PYTHON)" -m venv $(VENV)
	$(INSTALL) pip
	python tools/requirements.py --build --extra surrogate > $(VENV)/requirements.txt
	@echo "installing PyTorch and the other packages: some minutes"
	$(INSTALL_REQUIREMENTS) $(VENV)/requirements.txt
	$(INSTALL) --no-build-isolation --no-deps --config-settings=setup-args=-Dnative=true --config-settings=build-dir=build --editable .
	@touch $@

$(DEVELOP_STAMP): $(RUN_STAMP)
	python tools/requirements.py --extra dev > $(VENV)/requirements-dev.txt
	$(INSTALL_REQUIREMENTS) $(VENV)/requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build
