# A fresh machine needs Python 3.11 or later, make and git; `make demo` does the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# One thread a process: small tensors gain nothing from two. A process for each core, up to four: each takes up to 1.7 GB.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

HAPT ?= runs/hapt
UTD ?= runs/utd
BENCH ?= runs/benchmark
SETS := spar utd_mhad tug hapt wisdm dsads
TRAINED := hapt dsads wisdm utd_mhad tug
SIX := "walking,walking upstairs,walking downstairs,sitting,standing,lying"

.PHONY: help venv demo demo-seeds hapt student-text utd benchmark transfer transfer-data transfer-of-all weights tables test test-slow test-baselines lint format docs bench clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

venv: $(VENV)/.installed  ## the virtual environment, renewed when pyproject.toml changes

$(VENV)/.installed: pyproject.toml edge/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Otolith into $(VENV) (a few minutes the first time)"
	@$(PIP) install -e ".[all,dev]" -e ./edge
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(PIP) install -e ".[docs]"
	@touch $@

# Apart from the environment: aeon and its numba hold back numpy and pandas.
$(VENV)/baselines/.installed: $(VENV)/.installed
	@$(PIP) install --no-warn-conflicts --target $(VENV)/baselines "aeon>=1.0"
	@touch $@

demo: venv  ## the whole pipeline on real recordings: runs/demo/report.html
	$(BIN)/otolith demo --output runs/demo

demo-seeds: venv  ## the demo with three seeds: results/demo.csv, from which README.md has its table
	for seed in 0 1 2; do $(BIN)/otolith demo --seed $$seed --output runs/demo-$$seed || exit 1; done
	(head -n 1 runs/demo-0/results.csv; for seed in 0 1 2; do tail -n +2 runs/demo-$$seed/results.csv; done) > results/demo.csv

hapt: venv  ## train `small` on HAPT, measure there and on MotionSense: runs/hapt/results.csv (needs OTOLITH_RAW_DIR)
	$(BIN)/otolith datasets convert hapt -o $(HAPT)/data/hapt
	$(BIN)/otolith datasets convert motionsense -o $(HAPT)/data/motionsense
	$(BIN)/otolith pretrain -c configs/hapt-small-pretrain.yaml -d $(HAPT)/data/hapt -o $(HAPT)/pretrain --resume
	$(BIN)/otolith align -c configs/hapt-small-align.yaml -d $(HAPT)/data/hapt -o $(HAPT)/align --resume \
		--from $(HAPT)/pretrain/best.safetensors
	$(BIN)/otolith evaluate -m $(HAPT)/align/best.safetensors -d $(HAPT)/data/hapt -o $(HAPT)/results.csv --labels $(SIX)
	$(BIN)/otolith evaluate -m $(HAPT)/align/best.safetensors -d $(HAPT)/data/motionsense -o $(HAPT)/results.csv

student-text: hapt  ## distil a student that keeps the words from it, measure both: runs/hapt/student_text.csv
	for data in wisdm tug; do $(BIN)/otolith datasets convert $$data -o $(HAPT)/data/$$data || exit 1; done
	$(BIN)/otolith distil -c configs/student-text.yaml -d $(HAPT)/data/hapt -d $(HAPT)/data/wisdm -d $(HAPT)/data/tug \
		-o $(HAPT)/student --resume --from $(HAPT)/align/best.safetensors
	for model in align student; do \
		$(BIN)/otolith evaluate -m $(HAPT)/$$model/best.safetensors -d $(HAPT)/data/hapt -o $(HAPT)/student_text.csv \
			--labels $(SIX) --examples 1,4,16 || exit 1; \
		$(BIN)/otolith evaluate -m $(HAPT)/$$model/best.safetensors -d $(HAPT)/data/motionsense \
			-o $(HAPT)/student_text.csv --examples 1,4,16 || exit 1; done

utd: $(VENV)/baselines/.installed  ## teachers, students and controls on UTD-MHAD: runs/utd/*.csv (needs OTOLITH_RAW_DIR)
	$(BIN)/otolith datasets convert utd_mhad -o $(UTD)/data
	for study in tuning study ablations; do PYTHONPATH=$(VENV)/baselines $(BIN)/otolith study -c configs/utd-mhad-$$study.yaml -d $(UTD)/data \
		-o $(UTD)/$$study.csv --runs $(UTD)/runs || exit 1; done

benchmark: $(VENV)/baselines/.installed  ## all models on six datasets: runs/benchmark/benchmark.csv (needs OTOLITH_RAW_DIR; a GPU, or days)
	for data in $(SETS); do $(BIN)/otolith datasets convert $$data -o $(BENCH)/data/$$data || exit 1; done
	for protocol in supervised group-kfold supervised-10pct supervised-1pct; do \
		PYTHONPATH=$(VENV)/baselines $(BIN)/otolith study -c src/otolith/evaluate/benchmark.yaml --protocols $$protocol \
			$(foreach data,$(SETS),-d $(BENCH)/data/$(data)) -o $(BENCH)/benchmark.csv --runs $(BENCH)/runs || exit 1; done

# Who of each training set chooses the checkpoint: a run over some of the sets names those of these sets alone.
VAL_hapt := user07,user16,user23,user29
VAL_dsads := p4
VAL_wisdm := "1609"
VAL_utd_mhad := s7
VAL_tug := s04,s09,s14,s19
comma := ,
empty :=
space := $(empty) $(empty)
join_by_comma = $(subst $(space),$(comma),$(strip $(1)))

transfer: venv transfer-of-all $(addprefix transfer-without-,hapt dsads wisdm utd_mhad)  ## the encoder on all training sets, and on all but one: runs/benchmark/transfer.csv (likewise)

transfer-data: venv
	for data in $(TRAINED) spar motionsense; do $(BIN)/otolith datasets convert $$data -o $(BENCH)/data/$$data || exit 1; done

transfer-of-all: transfer-data
	$(BIN)/otolith align -c configs/align-all.yaml $(foreach data,$(TRAINED),-d $(BENCH)/data/$(data)) -o $(BENCH)/all --resume
	$(BIN)/otolith evaluate -m $(BENCH)/all -d $(BENCH)/data/spar -d $(BENCH)/data/motionsense -o $(BENCH)/transfer.csv --examples 1,4,16

weights: transfer-of-all  ## weights as they come with the package, made anew: runs/benchmark/weights (likewise)
	$(BIN)/otolith align -c configs/align-all.yaml $(foreach data,$(TRAINED),-d $(BENCH)/data/$(data)) --size tiny --steps 1500 --set 'loader.patch_seconds=[0.75,0.6,1.0]' -o $(BENCH)/all-tiny --resume
	$(BIN)/otolith distil -c configs/student-all.yaml $(foreach data,$(filter-out dsads,$(TRAINED)),-d $(BENCH)/data/$(data)) \
		--from $(BENCH)/all/best.safetensors -o $(BENCH)/all-student --resume
	for name in small tiny student; do from=$(BENCH)/all-$$name; test $$name = small && from=$(BENCH)/all; \
		$(BIN)/otolith release $$from/best.safetensors -o $(BENCH)/weights/otolith-$$name.safetensors \
			$$(for data in $(TRAINED); do test $$name-$$data = student-dsads || echo -d $(BENCH)/data/$$data; done) || exit 1; done

transfer-without-%: transfer-data
	$(BIN)/otolith align -c configs/align-all.yaml $(foreach data,$(filter-out $*,$(TRAINED)),-d $(BENCH)/data/$(data)) \
		-o $(BENCH)/without-$* --resume \
		--set 'data.val=[$(call join_by_comma,$(foreach data,$(filter-out $*,$(TRAINED)),$(VAL_$(data))))]'
	$(BIN)/otolith evaluate leave-one-dataset-out -m $(BENCH)/without-$* -d $(BENCH)/data/$* -o $(BENCH)/transfer.csv

tables: venv  ## the tables of README.md and docs/datasets.md
	$(BIN)/python tools/doc_tables.py

# Modules in their order: by the number of their tests, as xdist has it, long ones of few tests come last.
test: venv  ## all fast tests
	$(PYTEST) -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

test-slow: venv  ## slow tests, and those on real data where OTOLITH_RAW_DIR is set
	$(PYTEST) -m "slow or real" --durations=10

test-baselines: $(VENV)/baselines/.installed  ## tests of the control that needs the extra `baselines`
	PYTHONPATH=$(VENV)/baselines $(PYTEST) tests/evaluate/test_baselines.py

lint: venv  ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict edge/src

format: venv  ## rewrites the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-docs  ## the documentation, built strictly, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: venv  ## speed, as ratios to a reference measured in the same run
	@for script in benchmarks/bench_*.py; do echo "$$script"; $(BIN)/python "$$script" --threads 1 || exit 1; done

clean:  ## removes what make made, except runs/
	rm -rf $(VENV) site build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
