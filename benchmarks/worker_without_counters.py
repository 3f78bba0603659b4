"""`rrq` with steps that count nothing: the other side of `counters.py`'s comparison."""

from __future__ import annotations

import sys

from counters import steps

from rrq.cli.main import main

if __name__ == "__main__":
    with steps(without_counters=True):
        sys.exit(main())
