"""Prometheus metrics and health endpoints for RRQ workers."""
