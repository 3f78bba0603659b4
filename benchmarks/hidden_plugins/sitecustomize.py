"""Makes plugins look as if they were not installed, for `telemetry_cost.py`.

Python imports this at its start, if the directory is on its path.
"""

import os

if _hidden := os.environ.get("RRQ_BENCH_HIDE_PLUGINS", "").split(","):
    import importlib.metadata

    _real = importlib.metadata.Distribution.entry_points.fget

    def _entry_points(self):
        return importlib.metadata.EntryPoints(
            point
            for point in _real(self)
            if not (point.group == "rrq.plugins" and point.name in _hidden)
        )

    importlib.metadata.Distribution.entry_points = property(_entry_points)
