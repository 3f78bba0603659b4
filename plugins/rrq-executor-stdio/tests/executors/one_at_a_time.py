"""A plain executor of version 1: no hello, one request after another. Argument: its start."""

from __future__ import annotations

import json
import sys
from typing import Any

from handlers import begin, run


def say(line: str | dict[str, Any]) -> None:
    """Print a line to stdout."""
    print(line if isinstance(line, str) else json.dumps(line), flush=True)


begin(sys.argv[1] if len(sys.argv) > 1 else "normal")
for text in sys.stdin:
    request = json.loads(text)
    if "type" in request:
        sys.exit(f"a plain executor was sent {text}")
    say(run(request, say, stop=lambda: False))
