# make dataset    set up, build a dataset from a synthetic sample (or COCO=PATH), show it and draw a picture of it
# make test       set up and run the tests
# make help       all targets

PYTHON ?= python3
COCO   ?= data/sample
OUT    ?= data/dataset
ARGS   ?=

# What test-all installs, and bench-peers beside other readers: builds for the CPU.
TORCH      ?= torch==2.13.0
FRAMEWORKS ?= $(TORCH) tensorflow-cpu
PEERS      ?= ffcv webdataset mosaicml-streaming litdata

# For how much processor time `make proof` trains each way, on views that vary by this.
SECONDS ?= 300
VIEWS   ?= scale=0.7-1.2,rotate=30,shift=8,flip=0.5
PROOF   := data/proof
PEOPLE  := --unit person --input-size 96x128 --stride 4 --sigma 5 --min-area 3000 --labels heatmap,mask --shard-size 128

# How many requests to a server `make test-s3` spoils, of each of its campaigns.
FAULTS ?= 1000

# How many mistakes `make mutants` draws, which, and after how many minutes it tries no further one.
MUTANTS ?= 100
SEED    ?= 0
MINUTES ?= 60
MUTMUT  := mutmut==3.8.1

BIN  := .venv/bin
CODE := posegen tests examples

# A browser comes from no package of Python: make test-browser. Google's client takes pip minutes: make test-gs.
WITH_EXTRAS := $(filter-out %/with_browser %/with_gs,$(wildcard tests/*/with_*))

.PHONY: help dataset test test-all test-s3 test-gs test-browser test-oldest mutants bench bench-peers proof lint format clean
.DEFAULT_GOAL := help

help:
	@echo "make dataset [COCO=PATH] [OUT=DIR] [ARGS='...']   build a dataset; without COCO from a synthetic sample"
	@echo "make test      run the tests"
	@echo "make test-all  run these and those that need PyTorch and TensorFlow, which it installs for the CPU"
	@echo "make test-s3   spoil 1,000 requests to an S3 server, while datasets are read from it and built (FAULTS=1000)"
	@echo "make test-gs   build into and read from a server of Google Cloud Storage's protocol, which it installs"
	@echo "make test-browser  run the tests of pages in a Chromium without a window, which the system has to have"
	@echo "make test-oldest  run the tests with the oldest versions that pyproject.toml admits"
	@echo "make mutants   draw mistakes into a copy of the code and list those that no test catches (MUTANTS=100 SEED=0 MINUTES=60)"
	@echo "make bench     measure the labels and the build on this machine (ARGS='--coco PATH')"
	@echo "make bench-peers  install other readers beside posegen, and measure reading against theirs"
	@echo "make proof     train a network on frozen, copied and fresh views (SECONDS=300 of processor time each), and compare"
	@echo "make lint      check style and types; changes nothing"
	@echo "make format    rewrite the code in the project's style"
	@echo "make clean     remove what make made, the datasets in data/ included"

dataset: .venv/posegen
	@if [ "$(COCO)" = data/sample ] && [ ! -d data/sample ]; then \
		rm -rf data/sample.partial && \
		$(BIN)/posegen sample data/sample.partial --images 64 --seed 0 >/dev/null && mv data/sample.partial data/sample; \
	fi
	@$(BIN)/posegen build --coco "$(COCO)" --out "$(OUT)" $(ARGS)
	@$(BIN)/posegen inspect "$(OUT)"
	@printf '\nlook at: ' && $(BIN)/posegen inspect "$(OUT)" --sample 0 --save data/picture.png

test: .venv/dev
	$(BIN)/python -m pytest -n 2

# TensorFlow brings an older h5py: what is written with it has to be right, too.
test-all: test .venv/frameworks
	$(BIN)/python -m pytest -n 2 $(WITH_EXTRAS) tests/shards tests/build/test_exactness.py

test-s3: .venv/frameworks
	POSEGEN_FAULTS=$(FAULTS) $(BIN)/python -m pytest -n 2 --timeout 3600 $(wildcard tests/*/with_s3)

test-gs: .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,remote]' gcsfs gcp-storage-emulator
	$(BIN)/python -m pytest $(wildcard tests/*/with_gs)

# The driver of the browser is a package of Python; the browser comes from the system. H5Web is built where npm is.
test-browser: .venv/dev
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
		echo "test-browser needs chromium and chromedriver, which are not here; on Debian: apt-get install chromium chromium-driver"; \
		exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check selenium
	@command -v npm >/dev/null || echo "without npm H5Web is not built, and its tests are left out"
	@if command -v npm >/dev/null; then rm -rf .venv/h5web && cp -r tests/inspect/with_browser/h5web .venv/h5web && \
		cd .venv/h5web && npm install --silent --no-package-lock --no-audit --no-fund && npm run --silent build; fi
	$(BIN)/python -m pytest $(wildcard tests/*/with_browser)

# The least that pyproject.toml admits of each dependency; of OpenCV the last release of that version.
test-oldest: .venv-oldest/done
	.venv-oldest/bin/python -m pytest -n 2

mutants: .venv/mutants
	$(BIN)/python tests/mutants.py --mutants $(MUTANTS) --seed $(SEED) --minutes $(MINUTES) $(ARGS)

bench: .venv/posegen
	$(BIN)/posegen bench $(ARGS)

# FFCV is built here, with Debian's libopencv-dev, libturbojpeg0-dev and pkg-config.
bench-peers: .venv-peers/installed
	.venv-peers/bin/posegen bench read $(ARGS)

proof: .venv/torch
	@rm -rf $(PROOF) && mkdir -p $(PROOF)
	@$(BIN)/posegen sample $(PROOF)/train --images 800 >/dev/null
	@$(BIN)/posegen sample $(PROOF)/val --images 100 --seed 1 >/dev/null
	@$(BIN)/posegen build --quiet --coco $(PROOF)/train --out $(PROOF)/frozen $(PEOPLE)
	@$(BIN)/posegen build --quiet --coco $(PROOF)/train --out $(PROOF)/copies $(PEOPLE) --copies 4 --augment $(VIEWS)
	@$(BIN)/posegen build --quiet --coco $(PROOF)/val --out $(PROOF)/held-out $(PEOPLE)
	$(BIN)/python examples/compare_views.py $(PROOF)/frozen $(PROOF)/copies $(PROOF)/held-out --views $(VIEWS) --seconds $(SECONDS) $(ARGS)

lint: .venv/dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:
	rm -rf .venv .venv-oldest .venv-peers data dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/posegen: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 10) or sys.exit("posegen needs Python 3.10 or newer, this is %d.%d; name another with make PYTHON=..." % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fast]'
	@touch $@

.venv/dev: .venv/posegen
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

.venv-oldest/done: pyproject.toml
	$(PYTHON) -m venv .venv-oldest
	sed -n '/^dependencies/,/^]/ s/^ *"\([a-z0-9-]*\)>=\([0-9.]*\).*/\1==\2/p' pyproject.toml | \
		sed 's/^opencv-python==.*/&.*/' >.venv-oldest/oldest.txt
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c .venv-oldest/oldest.txt
	@touch $@

.venv/mutants: .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' $(MUTMUT)
	@touch $@

.venv/torch: .venv/posegen
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[torch]' $(TORCH)
	@touch $@

.venv/frameworks: .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,dask,export,remote]' 'moto[server,s3]' datasets pillow $(FRAMEWORKS)
	@touch $@

.venv-peers/installed: pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -e '.[fast]' $(TORCH) $(PEERS)
	@touch $@
