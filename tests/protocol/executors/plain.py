"""A plain executor of version 1, as they were written before there was a hello: one request after
another, no features, nothing but a loop."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def answer(request: Any) -> dict[str, Any]:
    """The outcome of one request."""
    job_id = request["job_id"]
    if request["protocol_version"] != "1":
        return failed(job_id, "Unsupported protocol version")
    if not isinstance(request["args"], list) or not isinstance(request["kwargs"], dict):
        raise ValueError("args or kwargs")
    match request["function_name"]:
        case "echo":
            return {"job_id": job_id, "status": "success", "result": request["args"]}
        case "sleep":
            time.sleep(request["args"][0])
            return {"job_id": job_id, "status": "success"}
        case "fail":
            return failed(job_id, request["args"][0])
        case "retry":
            after_seconds = {"retry_after_seconds": request["args"][0]}
            return {"job_id": job_id, "status": "retry", **after_seconds}
        case str(unknown):
            return failed(job_id, f"no handler {unknown}", "handler_not_found")
        case other:
            raise ValueError(f"function_name {other}")


def failed(job_id: str, message: str, error_type: str | None = None) -> dict[str, Any]:
    """An outcome that is no success."""
    return {
        "job_id": job_id,
        "status": "error",
        "error_message": message,
        "error_type": error_type,
    }


for line in sys.stdin.buffer:
    if line.isspace():
        continue
    try:
        request = json.loads(line.decode())
        if not isinstance(request["job_id"], str):
            raise TypeError("job_id")
        text = json.dumps(answer(request), ensure_ascii=False, allow_nan=False).encode()
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        text = json.dumps(failed("unknown", f"bad request: {error!r}")).encode()
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()
