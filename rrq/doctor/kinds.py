"""`KINDS`: everything that can be wrong, what it means, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which the data can be wrong.

    Attributes:
        meaning: what follows from it.
        remedy: what the repair does; None if nobody can know what is right.
    """

    name: str
    meaning: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong that was confirmed.

    Attributes:
        kind: the name of its kind.
        key: the key in which it shows.
        job_id: the job that it is about; None if it is about the key.
        detail: what is known beyond that, in a few words.
        is_mendable: whether the repair would act; it never does where the kind has no remedy.
        count: how many entries of the key it stands for.
    """

    kind: str
    key: str
    job_id: str | None = None
    detail: str = ""
    is_mendable: bool = True
    count: int = 1

    @property
    def identity(self) -> tuple[str, str, str | None]:
        """What makes it the same finding at a second look."""
        return self.kind, self.key, self.job_id

    @property
    def meaning(self) -> str:
        """What follows from it."""
        return KINDS[self.kind].meaning

    @property
    def remedy(self) -> str | None:
        """What the repair would do; None if nothing."""
        return KINDS[self.kind].remedy if self.is_mendable else None

    def as_json(self) -> dict[str, Any]:
        """As `rrq doctor --json` has it."""
        return {
            "kind": self.kind,
            "key": self.key,
            "job_id": self.job_id,
            "count": self.count,
            "detail": self.detail,
            "meaning": self.meaning,
            "remedy": self.remedy,
        }


_ALL = [
    # -- a job's place ------------------------------------------------------------------
    Kind(
        "queued-without-hash",
        "The id waits in a queue, but there is no job: nothing will run.",
        "take the id out of the queue",
    ),
    Kind(
        "queued-but-ended",
        "The job has ended, and its id waits in a queue all the same.",
        "take the id out of the queue",
    ),
    Kind(
        "queued-but-active",
        "The job waits in a queue, but counts as running.",
        "mark it as PENDING",
    ),
    Kind(
        "queued-and-leased",
        "The job runs, and waits in a queue as well.",
        "take the id out of the queue; the run stands",
    ),
    Kind(
        "queued-twice",
        "The job waits in several queues, and may run more than once.",
        "leave it in the queue that its hash names",
    ),
    Kind(
        "misplaced",
        "The job waits in another queue than its hash names: it cannot be cancelled or replaced.",
        "name in its hash the queue where it is",
    ),
    Kind(
        "waiting-nowhere",
        "The job counts as waiting, but is in no queue: it will never run.",
        "put it into its queue, due when it was to be",
    ),
    Kind(
        "active-without-lease",
        "The job counts as running, but nobody has a lease of it: it will never end.",
        "queue it again, as one whose worker was lost",
    ),
    Kind(
        "leased-without-hash",
        "There is a lease of a job that is gone.",
        "take the lease away",
    ),
    Kind(
        "leased-but-ended",
        "The job has ended, and there is a lease of it all the same.",
        "take the lease away",
    ),
    Kind(
        "leased-but-waiting",
        "The job runs, but counts as waiting: somebody wrote its hash anew meanwhile.",
        "mark it as ACTIVE",
    ),
    Kind(
        "leased-without-token",
        "There is a lease of the job that no worker can renew or settle.",
        "queue it again, as one whose worker was lost",
    ),
    Kind(
        "unknown-status",
        "The job has no status that RRQ knows, and is in no queue.",
    ),
    Kind(
        "may-expire",
        "The job has yet to run or to end, but its hash has a TTL: it may be gone by then.",
        "take the TTL away",
    ),
    # -- beside the job -----------------------------------------------------------------
    Kind(
        "unique-without-owner",
        "A unique key is held by a job that is gone, has ended or has another key: it keeps new "
        "jobs out until it expires.",
        "free the key, or pass it to the next job that waits for it",
    ),
    Kind(
        "held-without-job",
        "An id waits for a unique key, but its job is gone, has ended or has another key.",
        "take the id out of the set",
    ),
    Kind(
        "dlq-without-hash",
        "Dead letters whose job is gone: after seven days it expires, and the entry stays.",
        "remove the entries",
    ),
    Kind(
        "dlq-but-alive",
        "The job stands in a dead letter queue, but did not fail, or is to run again.",
        "remove the entry; the job stays as it is",
    ),
    Kind(
        "twice-dead",
        "The job is in dead letter queues more than once: somebody queued it again without taking "
        "it out.",
        "leave the newest entry",
    ),
    Kind(
        "old-lock",
        "A lock of RRQ 0.9: left over, or of a worker of that version that still runs.",
        "delete it; one that may be in use is left alone",
    ),
    Kind(
        "token-went-back",
        "Leases got higher tokens than the counter says: later ones may get the same again, and "
        "fencing fails.",
        "set the counter to the highest token",
    ),
    Kind(
        "wrong-type",
        "The key holds another type of value than it must: RRQ passes over it, or fails at it.",
    ),
]

KINDS = {kind.name: kind for kind in _ALL}
"""Every kind, by its name."""
