"""Test data for development: fake jobs and workers, a steady load, and a way to be rid of them.

Everything made here has an id that begins with `test_`, or `rrq_worker_test_` for a worker.
"""
