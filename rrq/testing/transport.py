"""`TransportContract`: the tests that every executor transport must pass.

Subclass it in a test module of your own and say how your transport is made:

    class TestMyTransport(TransportContract):
        def make_transport(self, context, *, executors=1, in_flight=1, start="normal"):
            config = MyConfig(address=..., connections=executors, window=in_flight)
            return MyTransport(config, context)

It needs pytest and pytest-asyncio. The executors at the other end have these handlers; what
they mean by "log" is wherever an executor prints for humans:

| handler | arguments | does |
| --- | --- | --- |
| `echo` | any | succeeds with `{"args": […], "kwargs": {…}}` |
| `context` | | succeeds with the `context` of its request: `job_id`, `attempt`, `enqueue_time`, `queue_name`, `deadline`, `trace_context`, `worker_id`, `lease_token` |
| `pid` | | succeeds with the id of the process that runs it |
| `fail` | message | answers `error`, type `ValueError`, with the message |
| `hold` | folder, name | writes its process id to the file `NAME.began` in the folder and succeeds once `NAME.release` is there; if asked to stop, writes `NAME.stopped` and stops |
| `cling` | folder, name | the same, but does not stop when asked to |
| `die` | status | ends its process with that exit status, without an answer |
| `garbage` | text | prints the text, a line, where the transport expects an outcome |
| `flood` | count | prints that many bytes to the log, then succeeds |
| `report` | current, total, message | reports that progress, then succeeds |
"""  # noqa: E501 (a table's rows cannot be broken)

from __future__ import annotations

from rrq.testing.transport_ends import EndTests
from rrq.testing.transport_losses import GARBAGE, LossTests
from rrq.testing.transport_requests import RequestTests
from rrq.testing.transport_tests import START_FAILURE, Start

__all__ = ["GARBAGE", "START_FAILURE", "Start", "TransportContract"]


class TransportContract(RequestTests, LossTests, EndTests):
    """What the kernel relies on in every transport; see the module for how to use it.

    `TransportTests` has what a subclass can say of its transport.
    """
