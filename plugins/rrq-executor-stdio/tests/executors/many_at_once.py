"""An executor with hello and cancel, a thread for each request. Arguments: its start, and how
many requests it wants at once."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from handlers import begin, run

_turn = threading.Lock()
_stops: dict[str, threading.Event] = {}


def say(line: str | dict[str, Any]) -> None:
    """Print a line to stdout."""
    text = line if isinstance(line, str) else json.dumps(line)
    with _turn:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def answer(request: dict[str, Any], stop: threading.Event) -> None:
    """Run one request and print its outcome."""
    outcome = run(request, say, stop.is_set)
    del _stops[request["job_id"]]
    say(outcome)


start, wanted = sys.argv[1], int(sys.argv[2])
begin(start)
say(
    {
        "type": "hello",
        "protocol_version": "1",
        "features": ["cancel"],
        "max_in_flight": wanted,
        "functions": ["echo", "hold"],
        "runtime": "threads",
    }
)
for text in sys.stdin:
    message = json.loads(text)
    job_id = message["job_id"]
    if message.get("type") == "cancel":
        if job_id in _stops:
            _stops[job_id].set()
        continue
    _stops[job_id] = threading.Event()
    threading.Thread(target=answer, args=(message, _stops[job_id]), daemon=True).start()
