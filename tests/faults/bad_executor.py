"""An executor process of plain v1 that misbehaves as its first argument says."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(misbehaviour: str) -> None:
    """Serve requests until stdin ends, one after the other."""
    if misbehaviour == "deaf":
        # Its stdin stays open and unread; it ends by a signal.
        time.sleep(3600)
    if misbehaviour == "die-without" and not Path(os.environ["FILE"]).exists():
        sys.exit("it cannot start")
    for line in sys.stdin:
        request = json.loads(line)
        if misbehaviour == "flood":
            junk = "junk " * 2000
            while True:
                print(junk, flush=True)
        if misbehaviour == "close-stdout":
            os.close(1)
            time.sleep(3600)
        if request["function_name"] == "die" and not Path(os.environ["FILE"]).exists():
            sys.exit("it dies under its job")
        answer = {"job_id": request["job_id"], "status": "success", "result": "fine"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
