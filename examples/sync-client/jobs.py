"""The one client of a web process: in a Django project, a module such as `shop/jobs.py`.

It is made at the first use, serves all threads, and works on after a fork, so that it goes with
gunicorn's prefork workers and `runserver` alike.
"""

from __future__ import annotations

import atexit
from functools import cache

from rrq import SyncRRQClient
from rrq.config import load_toml_settings


@cache
def client() -> SyncRRQClient:
    """The client of this process."""
    made = SyncRRQClient(load_toml_settings())
    atexit.register(made.close)
    return made


def send_receipt(order: str) -> str | None:
    """Enqueue a receipt; its job's id, or None if one for this order is under way.

    In Django, once the order is certain to be there:

        transaction.on_commit(lambda: jobs.send_receipt(order.id))
    """
    job = client().enqueue("send_receipt", order, _unique_key=f"receipt:{order}")
    return job.id if job else None


def status_of(job_id: str) -> str | None:
    """What has become of a job, or None if there is none of this id."""
    job = client().get_job(job_id)
    return job.status.value if job else None
