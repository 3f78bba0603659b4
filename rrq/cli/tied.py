"""A command of `rrq` that ends when the process that started it does.

    python -m rrq.cli.tied worker run --config CONFIG

The starter holds the other end of its stdin. However the starter ends, killed or not, that pipe
closes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def main() -> None:
    """Run the command until it is stopped, or until stdin closes."""
    from rrq.cli.main import run

    threading.Thread(target=_stop_at_the_end_of_stdin, daemon=True).start()
    raise SystemExit(run(sys.argv[1:]))


def _stop_at_the_end_of_stdin() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
