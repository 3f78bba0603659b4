.PHONY: sync demo test compile coverage lint wheels docs profile bench peers faults reference

# uv comes from pip, into a folder of the checkout, when the machine has none.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)

.uv/bin/uv:
	python3 -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv

sync: $(filter .uv/bin/uv,$(UV))
	$(UV) sync --quiet --all-packages

# Six at once, however few processors: most of a test's time is waiting. They would all compile
# the tests of a fresh checkout: it is done once, while lint is under way.
test: sync
	$(MAKE) --jobs=2 lint compile
	$(UV) run --no-sync pytest -n 6

compile: sync
	$(UV) run --no-sync pytest --collect-only --quiet >/dev/null || true  # `test` says why

# Which lines no test reaches.
coverage: sync
	$(UV) run --no-sync pytest -n 6 --cov

lint: sync
	$(UV) run --no-sync ruff check .
	$(UV) run --no-sync ruff format --check .
	$(UV) run --no-sync mypy

wheels: sync
	rm -rf dist && $(UV) build --quiet --all-packages --wheel --out-dir dist

demo: sync
	$(UV) run --no-sync rrq demo

docs: sync
	$(UV) run --no-sync python -m rrq.cli.reference > docs/reference/cli.md

# Where the time of a job goes, in a few seconds.
profile: sync
	$(UV) run --no-sync python benchmarks/where_time_goes.py --jobs 10000

# FULL=1 make bench: every size, a million jobs
bench: sync
	$(UV) run --no-sync python benchmarks/end_to_end.py $(if $(FULL),--full)
	$(UV) run --no-sync python benchmarks/under_load.py
	$(UV) run --no-sync python benchmarks/after_a_kill.py
	$(UV) run --no-sync python benchmarks/memory.py --jobs $(if $(FULL),1000000,100000)
	$(UV) run --no-sync python benchmarks/deep_queues.py --deepest $(if $(FULL),1000000,100000)
	$(UV) run --no-sync python benchmarks/looking.py --most $(if $(FULL),1000000,100000)
	$(UV) run --no-sync python benchmarks/counters.py
	$(UV) run --no-sync python benchmarks/where_time_goes.py

peers: sync
	$(UV) run --no-sync python benchmarks/against_peers.py

# Needs cargo, go and node.
reference: sync
	cd reference/rust && cargo fmt --all --check && cargo clippy -q --workspace --all-targets --all-features --locked -- -D warnings
	cd reference/rust && cargo test -q --workspace --all-features --locked
	$(UV) run --no-sync pytest reference/rust tests/reference -m reference

# MINUTES=10 SEED=7 make faults
faults: sync
	$(UV) run --no-sync python -m tests.faults.soak --minutes $(or $(MINUTES),3) $(if $(SEED),--seed $(SEED))
