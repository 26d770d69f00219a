# The front door. `make` alone lists every command. Needs Python 3.11+; the README says what else.
PYTHON ?= python3
BOOT_PINS := deploy/local/src/cairn_local/provision/pins/uv.txt
BOOT := .boot
BOOT_UV := UV_PYTHON_DOWNLOADS=never $(BOOT)/bin/uv
BIN := .venv/bin
SYNCED := .venv/.synced
# In how many processes tests run. Each has servers of its own; the tests of a file stay together and share what they set up.
PROCESSES ?= 2
SIDE_BY_SIDE = $(if $(filter-out 1,$(PROCESSES)),-n $(PROCESSES) --dist loadfile --no-loadscope-reorder)

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-long check format schemas bench up down status doctor clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BOOT)/bin/uv: $(BOOT_PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Cairn needs Python 3.11 or later: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(BOOT)
	@$(BOOT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: --requirement $(BOOT_PINS)
	@touch $@

$(SYNCED): $(BOOT)/bin/uv uv.lock pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml gateway/pyproject.toml deploy/local/pyproject.toml)
	@$(BOOT_UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

demo: $(SYNCED) ## start everything and do the main job on real data (EXIT=1 stops it at the end)
	@$(BIN)/cairn demo $(if $(filter-out 0,$(EXIT)),--exit)

test: $(SYNCED) ## every test, on real servers (PROCESSES=1 runs them in one process)
	@$(BIN)/cairn provision
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-unit: $(SYNCED) ## decisions and contracts, without servers, in seconds
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/unit tests/contracts

test-long: $(SYNCED) ## what is too slow for `test`, within an hour: other random cases each time (CAIRN_FUZZ_SEED=7 repeats)
	@$(BIN)/cairn provision
	@seed="$${CAIRN_FUZZ_SEED:-$$(date +%s)}"; CAIRN_FUZZ_SEED="$$seed" CAIRN_FUZZ_EXAMPLES="$${CAIRN_FUZZ_EXAMPLES:-2000}" $(BIN)/python -m pytest $(SIDE_BY_SIDE) \
		-m 'long or fuzz' --timeout=2400 --session-timeout=3400 --hypothesis-profile=long --hypothesis-seed="$$seed"

check: $(SYNCED) ## format, lint, types, import rules, stale schemas
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy libs services gateway deploy/local tests/support tests/e2e tests/benchmarks
	@$(BIN)/lint-imports
	@$(BIN)/python -m contracts.documents --check
	@$(BIN)/python -m gateway openapi --check

format: $(SYNCED) ## format the code and sort the imports
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(SYNCED) ## write JSON Schemas, AsyncAPI and OpenAPI documents
	@$(BIN)/python -m contracts.documents
	@$(BIN)/python -m gateway openapi

bench: $(SYNCED) ## measure (ONLY=name,name for some, SCALE=0.1 for a quick look)
	@$(BIN)/cairn provision
	@$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

up: $(SYNCED) ## start everything
	@$(BIN)/cairn up

down: ## stop everything; data stays
	@$(if $(wildcard $(BIN)/cairn),$(BIN)/cairn down,echo "Nothing was started from here.")

status: ## what runs where
	@$(if $(wildcard $(BIN)/cairn),$(BIN)/cairn status || [ $$? = 3 ],echo "Nothing was started from here.")

doctor: $(SYNCED) ## what is missing on this machine
	@$(BIN)/cairn doctor

clean: down ## stop everything, remove what was built in the checkout (not the data in .cairn)
	@rm -rf .venv $(BOOT) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -path './.*' -prune -o -name __pycache__ -prune -exec rm -rf {} +
