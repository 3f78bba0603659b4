"""`rrq-executor`: the command that starts a Python executor process."""

from __future__ import annotations


def main() -> None:
    """Run the command."""
    raise SystemExit("rrq-executor is being written")
