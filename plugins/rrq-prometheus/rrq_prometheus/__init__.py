"""Prometheus metrics and health endpoints for RRQ workers: see `plugin.py`."""
