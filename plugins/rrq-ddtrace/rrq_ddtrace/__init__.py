"""Datadog traces for RRQ: one trace from producer to handler."""
