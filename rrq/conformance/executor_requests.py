"""Points about one request at a time: what is understood, what is refused, what comes back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from rrq.conformance import vectors
from rrq.conformance.executor_answer import AbsentPoint, UnansweredPoint, WrongPoint
from rrq.conformance.executor_bench import Bench, check_status
from rrq.conformance.vectors import Case
from rrq.protocol import HANDLER_NOT_FOUND, MAX_MESSAGE_BYTES
from rrq.wording import counted

VERSION_MESSAGE = "Unsupported protocol version"

PRINTED = "a word from a handler"

PAUSE_SECONDS = 0.03
"""Between pieces, so that they are read one by one."""

BIG_BYTES = 4 * 1024 * 1024


async def good_request(bench: Bench) -> str:
    """Have one answered; from its answer it is known how the echo gives arguments back."""
    process = await bench.process()
    job_id, line = bench.good_request()
    answer = await process.answer(await process.send(line, job_id))
    if bench.subject.function is not None:
        check_status(answer, "success")
        return f"`{bench.subject.function}` succeeds"
    echo = bench.subject.handlers.echo
    if answer.outcome.error_type == HANDLER_NOT_FOUND:
        raise WrongPoint(
            f"it has no handler `{echo}`: name the one that gives back its arguments with --echo, "
            "or any that succeeds with --function"
        )
    check_status(answer, "success")
    bench.learn_shape(answer, ["hello"], {})
    again = await process.answer(await process.send(*_parts(bench, '["hello"]', '{"loud":true}')))
    bench.check_echo(again, '["hello"]', '{"loud":true}')
    return f"`{echo}` gives back its {bench.shape}"


async def every_form(bench: Bench) -> str:
    """Requests of every form are understood."""
    _need_echo(bench)
    for case in vectors.cases("requests"):
        with _named(case):
            await _understand(bench, case)
    return counted(len(vectors.cases("requests")), "request")


async def _understand(bench: Bench, case: Case) -> None:
    expected = case["expect"]
    line = vectors.line(case)
    is_unusual = expected["function_name"] != "echo"
    if (echo := bench.subject.handlers.echo) != "echo" and not is_unusual:
        name = json.dumps(echo).encode()
        line, replaced = re.subn(rb'("function_name"\s*:\s*)"echo"', rb"\g<1>" + name, line)
        if not replaced:
            return
    process = await bench.process()
    answer = await process.answer(await process.send(line, expected["job_id"]))
    # In between, so that a second answer is not taken for one to the next of the same id.
    await bench.succeed(process)
    if is_unusual and answer.outcome.status == "error":
        return  # It is no handler's name; in which words is another point's affair.
    bench.check_echo(answer, vectors.text(expected["args"]), vectors.text(expected["kwargs"]))


async def values(bench: Bench) -> str:
    """Values come back as they were sent."""
    _need_echo(bench)
    cases = [case for case in vectors.cases("values") if not vectors.needs(case)]
    for case in cases:
        with _named(case):
            await _give_back(bench, case)
    return counted(len(cases), "value")


async def _give_back(bench: Bench, case: Case) -> None:
    process = await bench.process()
    args = f"[{vectors.text(case['json'])}]"
    answer = await process.answer(await process.send(*_parts(bench, args, "{}")))
    bench.check_echo(answer, args, "{}")


async def big_integers(bench: Bench) -> str:
    """Integers of 64 bits keep their digits."""
    return await _kept(bench, "big_integers", "send them as text")


async def huge_integers(bench: Bench) -> str:
    """Integers of any length keep their digits."""
    return await _kept(bench, "huge_integers", "send them as text")


async def negative_zero(bench: Bench) -> str:
    """Zero keeps its sign."""
    return await _kept(bench, "negative_zero", "do not rely on it")


async def _kept(bench: Bench, need: str, advice: str) -> str:
    _need_echo(bench)
    cases = [case for case in vectors.cases("values") if need in vectors.needs(case)]
    for case in cases:
        process = await bench.process()
        line, job_id = _parts(bench, f"[{vectors.text(case['json'])}]", "{}")
        # One that cannot read the number at all cannot tell whose it was.
        answer = await process.answer(await process.send(line, job_id, "unknown"))
        try:
            bench.check_echo(answer, f"[{vectors.text(case['json'])}]", "{}")
        except WrongPoint as lost:
            raise AbsentPoint(f"optional: {lost}; {advice}") from None
    return counted(len(cases), "value")


async def unknown_handler(bench: Bench) -> str:
    """A handler that is not there is told by the reserved error type."""
    answer = await bench.call("no_such_handler")
    if answer.outcome.status == "success":
        bench.has_every_handler = True
        raise AbsentPoint("not tried: it has a handler for every name")
    check_status(answer, "error")
    if answer.outcome.error_type != HANDLER_NOT_FOUND:
        raise WrongPoint(
            f"its error_type is {json.dumps(answer.outcome.error_type)}, not "
            f'"{HANDLER_NOT_FOUND}": the job would be tried again'
        )
    return answer.outcome.error_message or ""


async def failing(bench: Bench) -> str:
    """A handler's failure is an error with its message."""
    message = "no such customer: \u00e9 \U0001f600"
    answer = await bench.try_handler(bench.subject.handlers.fail, message)
    check_status(answer, "error")
    if message not in (answer.outcome.error_message or ""):
        raise WrongPoint(f"its error_message is {json.dumps(answer.outcome.error_message)}")
    return f"error_type {json.dumps(answer.outcome.error_type)}"


async def retrying(bench: Bench) -> str:
    """A handler can ask to be run again after a delay."""
    answer = await bench.try_handler(bench.subject.handlers.retry, 2.5)
    check_status(answer, "retry")
    if answer.outcome.retry_after_seconds != 2.5:
        raise WrongPoint(f"its retry_after_seconds is {answer.outcome.retry_after_seconds}")
    return "after 2.5 s"


async def other_version(bench: Bench) -> str:
    """A request of another version is refused in the right words."""
    cases = [case for case in vectors.cases("bad_requests") if _is_version(case)]
    await _refuse(bench, cases)
    return counted(len(cases), "line")


async def bad_requests(bench: Bench) -> str:
    """A line that is no request is answered with an error, and does no harm."""
    cases = [case for case in vectors.cases("bad_requests") if not _is_version(case)]
    await _refuse(bench, cases)
    return counted(len(cases), "line")


async def _refuse(bench: Bench, cases: Sequence[Case]) -> None:
    for case in cases:
        with _named(case):
            process, wanted = await bench.process(), case["answer"]
            expectation = await process.send(vectors.line(case), *wanted["job_id"])
            answer = await process.answer(expectation)
            check_status(answer, wanted["status"])
            message = wanted.get("error_message", answer.outcome.error_message)
            if answer.outcome.error_message != message:
                raise WrongPoint(f"its error_message is {json.dumps(answer.outcome.error_message)}")
            await bench.succeed(process)


def _is_version(case: Case) -> bool:
    return bool(case["answer"].get("error_message") == VERSION_MESSAGE)


async def doubtful_requests(bench: Bench) -> str:
    """A doubtful request is answered, and does no harm."""
    for case in vectors.cases("doubtful_requests"):
        with _named(case):
            process = await bench.process()
            await process.answer(await process.send(vectors.line(case), "j1", "unknown"))
            await bench.succeed(process)
    return counted(len(vectors.cases("doubtful_requests")), "line")


async def blank_lines(bench: Bench) -> str:
    """Blank lines are ignored."""
    process = await bench.process()
    for line in (b"", b"   ", b"\t", b"\r"):
        await process.send(line)
    await bench.succeed(process)
    return ""


async def pieces(bench: Bench) -> str:
    """A request that arrives in pieces is put together."""
    process = await bench.process()
    word = "\u00e9\U0001f600"
    job_id, line = bench.good_request(word=word)
    line = line.replace(json.dumps(word).encode(), f'"{word}"'.encode())
    # One of the cuts goes through a character.
    cuts = (0, 1, len(line) // 3, max(2, line.find(b"\xf0") + 2), len(line))
    for begin, end in pairwise(sorted(cuts)):
        if end < len(line):
            await process.write(line[begin:end])
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            answer = await process.answer(await process.send(line[begin:], job_id))
    bench.check_good(answer, word)
    return counted(len(cuts) - 1, "piece")


async def big_request(bench: Bench) -> str:
    """Some megabytes pass in both directions."""
    _need_echo(bench)
    process = await bench.process()
    args = json.dumps(["x" * BIG_BYTES])
    answer = await process.answer(await process.send(*_parts(bench, args, "{}")))
    bench.check_echo(answer, args, "{}")
    # Its answer is beyond the limit for one that writes every character as an escape.
    args = json.dumps(["\U0001f600" * (MAX_MESSAGE_BYTES // 12)], ensure_ascii=False)
    answer = await process.answer(await process.send(*_parts(bench, args, "{}")))
    if answer.outcome.status == "error":
        return f"{BIG_BYTES // 2**20} MiB; beyond the limit: {answer.outcome.error_message}"
    bench.check_echo(answer, args, "{}")
    return f"{BIG_BYTES // 2**20} MiB"


async def too_long_a_line(bench: Bench) -> str:
    """A line beyond max_message_bytes is refused, and does no harm."""
    process = await bench.process()
    job_id, line = bench.request("no_such_handler", json.dumps(["x" * MAX_MESSAGE_BYTES]))
    try:
        answer = await process.answer(await process.send(line, job_id, "unknown"))
    except UnansweredPoint as unanswered:
        await bench.replace()
        raise AbsentPoint(f"optional: {unanswered}; the worker sends none so long") from None
    await bench.succeed(process)
    if answer.outcome.status == "success" or answer.outcome.error_type == HANDLER_NOT_FOUND:
        raise AbsentPoint("optional: it takes lines of any length; the worker sends none")
    return answer.outcome.error_message or ""


async def same_job_again(bench: Bench) -> str:
    """A job that was answered can come again."""
    process = await bench.process()
    for word in ("once", "again"):
        job_id, line = bench.good_request(job_id="check-again", word=word)
        bench.check_good(await process.answer(await process.send(line, job_id)), word)
    return ""


async def printing(bench: Bench) -> str:
    """What a handler prints does not get onto the protocol's stdout."""
    process = await bench.process()
    await bench.try_handler(bench.subject.handlers.print, PRINTED)
    await bench.succeed(process)
    bench.blame(process, PRINTED)
    return ""


def _need_echo(bench: Bench) -> None:
    if bench.shape is None:
        raise AbsentPoint("not tried: that takes a handler that gives back its arguments (--echo)")


def _parts(bench: Bench, args: str, kwargs: str) -> tuple[bytes, str]:
    """A request to the echo as `send` takes it."""
    job_id, line = bench.request(bench.subject.handlers.echo, args, kwargs)
    return line, job_id


@contextmanager
def _named(case: Case) -> Iterator[None]:
    """Name the case that something is wrong with."""
    try:
        yield
    except WrongPoint as wrong:
        raise WrongPoint(f"{case['name']}: {wrong}") from None
