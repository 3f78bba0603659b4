"""A site without an event loop, as plain WSGI, so that it runs without any framework.

The two views are what a Django view is: a function that calls `jobs` and answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from wsgiref.simple_server import make_server

import jobs

Answer = tuple[str, str]


def place_order(order: str) -> Answer:
    """`POST /orders/ORDER`: take the order; the receipt is sent by a worker."""
    job_id = jobs.send_receipt(order)
    return ("202 Accepted", job_id) if job_id else ("409 Conflict", "is being sent")


def show_status(job_id: str) -> Answer:
    """`GET /jobs/ID`: what has become of it."""
    status = jobs.status_of(job_id)
    return ("200 OK", status) if status else ("404 Not Found", "no such job")


VIEWS: dict[tuple[str, str], Callable[[str], Answer]] = {
    ("POST", "orders"): place_order,
    ("GET", "jobs"): show_status,
}


def application(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
    """The WSGI application."""
    _, room, name, *_ = [*environ["PATH_INFO"].split("/"), "", ""]
    view = VIEWS.get((environ["REQUEST_METHOD"], room))
    status, text = view(name) if view and name else ("404 Not Found", "no such page")
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]


if __name__ == "__main__":
    make_server("127.0.0.1", 8000, application).serve_forever()
