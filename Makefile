# The front door: `make repro` runs the benchmark, `make test` the tests. Both set up what they need.

PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
# The stages call `python`, which is to be the one of .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro app experiments studies test coverage lint lock sartaj verify reproduce vulnerabilities bench cluster team gpu judge

repro: .venv/installed  ## run every stage that something it depends on has changed
	dvc repro
	@git diff --quiet HEAD -- dvc.lock reports || echo 'To keep this run, and be able to come back to it: git commit -am "My run"'

# `make app HOST=0.0.0.0` shows it to the network; a HOST in the environment alone does not.
HOST := 127.0.0.1
PORT := 8501
app: .venv/app  ## show a page that answers slices by models/best.keras
	@python -m brain_mri.app models/best.keras --host $(HOST) --port $(PORT)

experiments: .venv/installed  ## compare experiments by macro F1 and the parameters that differ
	dvc exp show --only-changed --drop '.*(/|None|accuracy|loss|auc|sensitivity|seconds)|Created|State|Executor'

studies: .venv/installed  ## run every study, after what it needs of the benchmark
	dvc repro prepare
	$(foreach study,$(dir $(wildcard studies/*/dvc.yaml)),dvc --cd $(study) repro &&) true

# Three at once, since on two cores one often waits, for a server or for a process to end.
PYTEST := pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 25

test: .venv/app .venv/cluster .venv/team .venv/test  ## run the tests, and show the slowest
	$(PYTEST)

coverage: .venv/app .venv/cluster .venv/team .venv/test  ## run the tests, and show how much of the code they run
	coverage erase
	$(PYTEST) --cov --cov-report=
	coverage report

lint: .venv/installed  ## check style and format
	ruff check .
	ruff format --check .

verify: .venv/installed  ## compare outputs and cache with dvc.lock; name what is damaged
	python tools/verify.py

reproduce: .venv/installed  ## run the last commit three times; name what differs
	python tools/reproduce.py

# What the benchmarks compare with, and on which images.
SARTAJ ?= data/sartaj
bench: .venv/installed .venv-peers/installed  ## measure speed, and write docs/performance.md
	python benchmarks/machine.py
	python benchmarks/training.py
	python benchmarks/layers.py
	python benchmarks/audit.py $(SARTAJ)
	python benchmarks/prepare.py $(SARTAJ)
	python benchmarks/pipeline.py $(SARTAJ)
	python benchmarks/growth.py
	python benchmarks/replicas.py
	python benchmarks/table.py

# In an environment of its own, since it is no part of the lock that it looks at.
vulnerabilities: .venv/installed  ## tell of known faults in the packages of the lock
	uvx pip-audit $(foreach lock,$(wildcard requirements*.txt),--requirement $(lock)) \
	  --require-hashes --disable-pip --strict || \
	  { echo "Above: known faults, or why the database of advisories could not be asked" >&2; exit 1; }

# Where the public set is, and at which commit, whose digest Git checks. It has no licence: no .dvc
# file tracks it, so that DVC pushes it nowhere and does not look for it where it was not brought.
SARTAJ_URL ?= https://github.com/SartajBhuvaji/Brain-Tumor-Classification-DataSet
SARTAJ_REV ?= 3ea9f4eae54c67e5bddbf6f7a73582967a5f5f79

sartaj: data/sartaj  ## bring the public data set
data/sartaj: | .venv/installed
	rm -rf data/.sartaj.partial
	dvc get "$(SARTAJ_URL)" . --rev $(SARTAJ_REV) --out data/.sartaj.partial
	mv data/.sartaj.partial data/sartaj

cluster: .venv/cluster  ## install Dask, for `compute: tcp://...`; see docs/scaling.md

team: .venv/team  ## install what remotes over SSH and in S3 need; docs/team.md tells of them

gpu: .venv/gpu  ## install what TensorFlow needs for an NVIDIA card, on Linux with its driver

# In an environment of its own: files that other people made are opened there.
judge: .venv-judge/installed  ## install what asks other people's models; see docs/judge.md

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --custom-compile-command 'make lock' --quiet

lock: .venv/installed  ## make each requirements*.txt from its .in, one after the other
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-app.in --output-file requirements-app.txt
	$(COMPILE) requirements-cluster.in --output-file requirements-cluster.txt
	$(COMPILE) requirements-team.in --output-file requirements-team.txt
	$(COMPILE) requirements-gpu.in --output-file requirements-gpu.txt
	$(COMPILE) requirements-judge.in --output-file requirements-judge.txt
	$(COMPILE) requirements-test.in --output-file requirements-test.txt

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or \
	  sys.exit(f"Python 3.11 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12")'
	@echo "Installing requirements.txt into .venv, which takes a few minutes the first time"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements.txt
	@touch $@

.venv/%: requirements-%.txt .venv/installed
	@echo "Installing $< into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-judge/installed: requirements-judge.txt
	@$(PYTHON) -m venv .venv-judge
	@.venv-judge/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements-judge.txt
	@touch $@

.venv-peers/installed: benchmarks/requirements.txt
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r benchmarks/requirements.txt
	@touch $@
