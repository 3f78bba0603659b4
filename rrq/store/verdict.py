"""`Verdict`: what becomes of a leased job, as the settle step takes it."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

VerdictKind = Literal["complete", "retry", "fail", "cancel", "release", "lost"]

SettleAnswer = Literal[
    "complete", "retry", "fail", "cancel", "release", "lost", "dead", "repeated", "stale"
]
"""What Redis made of a verdict: a kind if it was applied; `dead` if the job was lost too often;
`repeated` if this verdict had been applied before; `stale` if the lease is another's."""

MAX_ERROR_CHARACTERS = 8192


class Verdict(Struct, kw_only=True, gc=False):
    """One job's fate.

    - `complete`: `text` is the result, as JSON.
    - `retry`: `text` is the error; it runs again after `number` milliseconds.
    - `fail`: `text` is the error; the job goes to the dead letter queue.
    - `cancel`: it was stopped on request.
    - `release`: back to its queue without penalty, due at `number` (milliseconds, epoch;
      0 means now, by Redis' clock).
    - `lost`: `text` is the cause; the process under it died, which is counted.

    `attempt` is a JSON object for the job's history, or empty. `run_ms` is how long the job ran;
    0 if it never began. `function_name` may be left out; of a plain job's success (see
    `Claim.is_plain`) it makes the step cheaper.
    """

    job_id: str
    token: int
    kind: VerdictKind
    queue: str
    text: str | Raw = ""
    number: float = 0
    attempt: bytes = b""
    run_ms: float = 0
    function_name: str | None = None

    @property
    def size_bytes(self) -> int:
        """About how much this adds to a settle call."""
        text = self.text
        return 200 + len(self.attempt) + (len(bytes(text)) if isinstance(text, Raw) else len(text))
