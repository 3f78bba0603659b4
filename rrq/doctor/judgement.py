"""What is wrong with a job, and how it shall be instead. Pure: a view in, words out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from rrq.doctor.view import WAITING, JobView


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a job.

    Attributes:
        kind: the name of its kind.
        where: the bare name of the queue, the lease set or the job's hash, where it shows.
        detail: what is known beyond that.
        is_mendable: whether a repair is safe.
    """

    kind: str
    where: tuple[Literal["queue", "leases", "hash"], str]
    detail: str = ""
    is_mendable: bool = True


LEASES: tuple[Literal["leases"], str] = ("leases", "")
HASH: tuple[Literal["hash"], str] = ("hash", "")


def faults_of(view: JobView) -> list[Fault]:
    """Everything that is wrong with where a job is, what it counts as and how long it stays."""
    if view.type == "none":
        faults = [Fault("queued-without-hash", ("queue", name)) for name in view.places]
        return [*faults, *([Fault("leased-without-hash", LEASES)] if view.is_leased else [])]
    if view.type != "hash":
        return []
    faults = _leased(view) if view.is_leased else _not_leased(view)
    if view.has_ttl and not view.has_ended and (view.places or view.is_leased):
        faults.append(Fault("may-expire", HASH))
    return faults


def _leased(view: JobView) -> list[Fault]:
    status = f"status {view.status or 'not set'}"
    faults = [Fault("queued-and-leased", ("queue", name)) for name in view.places]
    if view.has_ended:
        return [Fault("leased-but-ended", LEASES, status), *faults]
    if view.lease_token is None:
        return [Fault("leased-without-token", LEASES, status), *faults]
    if view.status != "ACTIVE":
        return [Fault("leased-but-waiting", HASH, status), *faults]
    return faults


def _not_leased(view: JobView) -> list[Fault]:
    status = f"status {view.status or 'not set'}"
    if view.has_ended:
        return [Fault("queued-but-ended", ("queue", name), status) for name in view.places]
    if view.places:
        return _queued(view)
    if view.status == "ACTIVE":
        # A worker of 0.9 runs a job without a lease, and has such a lock for it.
        detail = "an old worker may be running it" if view.has_old_lock else ""
        return [Fault("active-without-lease", HASH, detail, not view.has_old_lock)]
    if view.status in WAITING:
        return [Fault("waiting-nowhere", HASH, status)]
    return [Fault("unknown-status", HASH, status, is_mendable=False)]


def _queued(view: JobView) -> list[Fault]:
    faults = []
    if len(view.places) > 1:
        detail = f"its queue is {view.queue or 'not set'}; it waits in {', '.join(view.places)}"
        is_known = view.queue in view.places
        faults += [
            Fault("queued-twice", ("queue", name), detail, is_known)
            for name in view.places
            if name != view.queue
        ]
    elif view.queue is not None and view.queue not in view.places:
        faults.append(Fault("misplaced", ("queue", view.places[0]), f"its queue is {view.queue}"))
    if view.status == "ACTIVE":
        faults.append(Fault("queued-but-active", HASH, "", not view.has_old_lock))
    return faults


# -- what mends it ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Correction:
    """How a job that has a place shall be instead. What is None stays.

    Attributes:
        leave: the bare names of the queues that it shall not wait in.
        leave_leases: whether it shall not be in the lease set.
    """

    leave: tuple[str, ...] = ()
    leave_leases: bool = False
    status: str | None = None
    queue: str | None = None
    persist: bool = False


@dataclass(frozen=True, slots=True)
class Return:
    """A job that has no place, or none that is worth anything, goes back into its queue.

    Attributes:
        is_lost: whether that counts as the loss of its worker.
    """

    is_lost: bool


def remedy_for(view: JobView, kinds: Collection[str]) -> Correction | Return | None:
    """What is to be done about a job's faults of these kinds; None if nothing can be."""
    faults = [one for one in faults_of(view) if one.kind in kinds and one.is_mendable]
    found = {fault.kind for fault in faults}
    if not found:
        return None
    if found & {"active-without-lease", "leased-without-token"} and not view.places:
        return Return(is_lost=True)
    if "waiting-nowhere" in found:
        return Return(is_lost=False)
    status = queue = None
    if found & {"leased-but-waiting", "queued-and-leased"} and not view.has_ended:
        status = "ACTIVE"
    if found & {"queued-but-active", "leased-without-token"}:
        status = "PENDING"
    if "misplaced" in found:
        queue = view.places[0]
    # One whose lease nobody can use waits already.
    stays_queued = "leased-without-token" in found
    return Correction(
        leave=()
        if stays_queued
        else tuple(fault.where[1] for fault in faults if fault.kind in _LEAVES_QUEUE),
        leave_leases=not found.isdisjoint(_LEAVES_LEASES),
        status=status,
        queue=queue,
        persist="may-expire" in found,
    )


_LEAVES_QUEUE = {
    "queued-without-hash",
    "queued-but-ended",
    "queued-and-leased",
    "queued-twice",
}
_LEAVES_LEASES = {"leased-without-hash", "leased-but-ended", "leased-without-token"}
