"""OpenTelemetry traces and metrics for RRQ: one trace from producer to handler."""
