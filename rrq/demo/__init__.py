"""The main job on real input: a job for each module of the Python standard library.

`handlers.py` is what the executors run, `run.py` what `rrq demo` does, `report.py` what it shows.
"""
