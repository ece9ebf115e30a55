# Every target prepares .venv by itself; nothing else has to be installed but Python >= 3.11.
# Another interpreter: make PYTHON=/path/to/python3.13 test

.DEFAULT_GOAL := help
.PHONY: help demo test check bench soak docs compiled plain clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
SOURCES := $(sort $(patsubst %/,%,$(dir $(wildcard examples/*.py benchmarks/*.py tools/*.py))))

help:
	@echo "make demo      calls, e-mails and posts find their agents, live in this terminal"
	@echo "make test      the whole test suite"
	@echo "make check     lint, format, types, house rules, every code block of the documentation"
	@echo "make bench     the benchmarks of the hot path, the router and the journal"
	@echo "make soak      the property tests, long"
	@echo "make docs      the documentation, into docs/_build"
	@echo "make compiled  the hot path compiled in place, for this Python; needs a C compiler"
	@echo "make plain     the plain sources again; test, check and soak begin with it"
	@echo "make clean     remove everything that the targets above made, .venv included"

# Installed once, and again when the dependencies in pyproject.toml may have changed.
$(STAMP): pyproject.toml
	@python=""; \
	for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	    if "$$candidate" -c "$(ENOUGH)" 2>/dev/null; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "omniroute needs Python 3.11 or newer, and none was found on the PATH." >&2; \
	    echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; \
	    exit 1; \
	fi; \
	echo "preparing $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,docs]'
	@touch $@

demo: $(STAMP)
	$(BIN)/python examples/omnichannel_centre.py

# Kamailio and sipp for tests/telephony, Dovecot for tests/mail, PostgreSQL for
# tests/journal: installed when root on Debian, else named.
test: $(STAMP) plain
	@tools/install_telephony.sh
	@tools/install_mail.sh
	@tools/install_databases.sh
	$(BIN)/python -m pytest -n 2 tests

check: $(STAMP) plain
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	@set -e; for part in src $(SOURCES); do \
	    echo "mypy --strict $$part"; $(BIN)/python -m mypy --strict $$part; \
	done
	$(BIN)/python -m pytest -q tests/test_house.py tests/test_docs.py

# The hot path twice: from the sources, and compiled where this machine has a compiler.
bench: $(STAMP) plain
	$(BIN)/python benchmarks/hot_path.py
	-$(BIN)/python tools/compile_hot_path.py && $(BIN)/python benchmarks/hot_path.py --quick
	@$(BIN)/python tools/compile_hot_path.py --remove
	$(BIN)/python benchmarks/features.py
	$(BIN)/python benchmarks/router.py
	$(BIN)/python benchmarks/journal.py

# Hypothesis marks its own tests, state machines included; theory runs twenty times as long here,
# and every parser gets 100,000 mutated inputs.
soak: $(STAMP) plain
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n 2 -m "hypothesis or theory or mutation or durability" tests

docs: $(STAMP)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "open docs/_build/index.html"

# Optional: the same sources, compiled. Extension modules beside the sources are what Python imports
# then, also after a source has changed, so whatever tests the sources takes them away first.
compiled: $(STAMP)
	$(BIN)/python tools/compile_hot_path.py

plain: $(STAMP)
	@$(BIN)/python tools/compile_hot_path.py --remove

clean:
	rm -rf $(VENV) docs/_build build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src \( -name '*.so' -o -name '*.pyd' \) -delete
	find src tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +
