"""`run_checks`: the checks that plugins add, each alone and for a limited time.

Whatever one does, it raises, blocks or answers nonsense, becomes its own finding and touches no
other. For that each runs in a thread of its own, which is left behind when its time is over: a
blocked thread cannot be ended, but the process that ends does not wait for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from rrq.health.finding import STATES, Finding

if TYPE_CHECKING:
    from rrq.hookspecs import Check

T = TypeVar("T")

LIMIT_SECONDS = 5.0
"""How long a plugin's check may take."""


async def run_checks(
    checks: Sequence[Check], limit_seconds: float = LIMIT_SECONDS
) -> list[Finding]:
    """Run all checks at once; one finding for each, in order."""
    return await asyncio.gather(*(_run(check, limit_seconds) for check in checks))


async def _run(check: Check, limit_seconds: float) -> Finding:
    name = str(check.name)
    try:
        answer = await within(limit_seconds, lambda: asyncio.run(_probe(check)))
    except TimeoutError:
        return Finding(name, "failed", f"The check took longer than {limit_seconds:g} s.")
    except Exception as error:
        lines = str(error).strip().splitlines()
        said = f": {lines[0][:300]}" if lines else ""
        return Finding(name, "failed", f"The check raised {type(error).__name__}{said}.")
    match answer:
        case (str(state), str(message)) if state in STATES:
            return Finding(name, state, message)
        case _:
            return Finding(name, "failed", "The check answered no state and message.")


def _probe(check: Check) -> Coroutine[Any, Any, object]:
    async def probed() -> object:
        return await check.probe()

    return probed()


async def within(limit_seconds: float, call: Callable[[], T]) -> T:
    """What a blocking call returns or raises, in a thread of its own.

    Raises:
        TimeoutError: its time is over; it goes on, unheard.
        RuntimeError: it tried to end the process.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            answer = call()
        except Exception as error:
            tell(answered.set_exception, error)
        except BaseException as error:
            tell(answered.set_exception, RuntimeError(f"it raised {type(error).__name__}"))
        else:
            tell(answered.set_result, answer)

    def tell(how: Callable[[Any], None], what: Any) -> None:
        # When its time is over, nobody listens, and the loop may be closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if answered.done() else how(what))

    threading.Thread(target=run, name="plugin", daemon=True).start()
    async with asyncio.timeout(limit_seconds):
        return await answered
