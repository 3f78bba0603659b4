"""Makes plugins look as if they were not installed, for `telemetry_cost.py`.

Python imports this at its start, if the directory is on its path.
"""

import os

if _hidden := os.environ.get("RRQ_BENCH_HIDE_PLUGINS", "").split(","):
    import importlib.metadata

    _real = importlib.metadata.entry_points

    # Not where distributions are read: another package may put its own reader in that place.
    def _entry_points(**which):
        return importlib.metadata.EntryPoints(
            point
            for point in _real(**which)
            if not (point.group == "rrq.plugins" and point.name in _hidden)
        )

    importlib.metadata.entry_points = _entry_points
