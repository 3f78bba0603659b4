"""Faults: real processes, a real server, real signals, and what must stand all the same."""
