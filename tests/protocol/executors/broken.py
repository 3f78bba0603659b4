"""Executors that are wrong in one way each, made from the reference executor: `broken.py WAY`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "reference" / "python"))

import broken_lines
import check_handlers
import stdio_executor as executor

carry_out, parse, send = executor.carry_out, executor.parse, executor.send


def prints_to_stdout() -> None:
    async def chatty(request: Any) -> Any:
        executor.protocol.write(f"running {request['job_id']}\n".encode())
        return await carry_out(request)

    executor.carry_out = chatty


def answers_under_another_id() -> None:
    executor.send = lambda message: send({**message, "job_id": f"job {message.get('job_id')}"})


def answers_twice() -> None:
    def twice(message: Any) -> None:
        send(message)
        if "status" in message:
            send(message)

    executor.send = twice


def never_flushes() -> None:
    executor.protocol = open(os.dup(executor.protocol.fileno()), "wb", buffering=2**26)  # noqa: PTH123, SIM115
    executor.protocol.flush = lambda: None


def dies_of_bad_lines() -> None:
    def or_die(line: bytes) -> Any:
        try:
            return parse(line)
        except (ValueError, RecursionError) as error:
            if line.isspace():
                raise
            sys.exit(f"no request: {error}")

    executor.parse = or_die


def ignores_bad_lines() -> None:
    executor.send = lambda message: message.get("job_id") == "unknown" or send(message)


def takes_every_version() -> None:
    def lenient(line: bytes) -> Any:
        message = parse(line)
        return message if message.get("type") else {**message, "protocol_version": "1"}

    executor.parse = lenient


def takes_nan() -> None:
    executor.parse = lambda line: parse(line.replace(b"NaN", b"null"))


def calls_a_missing_handler_an_error() -> None:
    async def plain(request: Any) -> Any:
        outcome = await carry_out(request)
        missing = outcome.get("error_type") == "handler_not_found"
        return {**outcome, "error_type": "KeyError"} if missing else outcome

    executor.carry_out = plain


def delays_in_words() -> None:
    executor.send = lambda message: send(
        {**message, "retry_after_seconds": "2.5 s"} if message.get("status") == "retry" else message
    )


def runs_one_after_the_other() -> None:
    turn = asyncio.Lock()

    async def in_turn(request: Any) -> Any:
        async with turn:
            return await carry_out(request)

    executor.carry_out = in_turn


def ignores_cancel() -> None:
    def deaf(line: bytes) -> Any:
        message = parse(line)
        return {**message, "job_id": "other"} if message.get("type") == "cancel" else message

    executor.parse = deaf


def answers_a_cancel_for_nothing() -> None:
    def eager(line: bytes) -> Any:
        message = parse(line)
        if message.get("type") == "cancel":
            send(executor.failure(message["job_id"], "cancelled"))
        return message

    executor.parse = eager


def joins_accents() -> None:
    def joined(line: bytes) -> Any:
        message = parse(line)
        if "args" in message:
            text = json.dumps(message["args"], ensure_ascii=False)
            message["args"] = json.loads(unicodedata.normalize("NFC", text))
        return message

    executor.parse = joined


def reads_64_kib_lines() -> None:
    executor.MAX_LINE_BYTES = 2**16


def takes_chunks_for_lines() -> None:
    def read_chunks(loop: Any, lines: Any) -> None:
        while chunk := os.read(0, 2**24):
            loop.call_soon_threadsafe(lines.put_nowait, chunk)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    executor.read_lines = read_chunks


def greets_unasked() -> None:
    executor.FEATURES.append("hello")


def greets_late() -> None:
    hello: list[Any] = []

    def late(message: Any) -> None:
        if message.get("type") == "hello":
            hello.append(message)
            return
        send(message)
        while hello:
            send(hello.pop())

    executor.send = late


def outlives_its_stdin() -> None:
    serve = executor.main

    async def forever() -> None:
        await serve()
        await asyncio.sleep(600)

    check_handlers.main = forever


def leaves_a_child() -> None:
    subprocess.Popen(["sleep", "600"])


def crashes_at_the_end() -> None:
    serve = executor.main

    async def crash() -> None:
        await serve()
        os.kill(os.getpid(), signal.SIGSEGV)

    check_handlers.main = crash


def calls_the_cancelled_cancelled() -> None:
    executor.send = lambda message: send(
        {**message, "status": "cancelled"} if message.get("error_type") == "Cancelled" else message
    )


def asks_for_the_past() -> None:
    executor.send = lambda message: send(
        {**message, "retry_after_seconds": -1} if message.get("status") == "retry" else message
    )


def greets_in_version_2() -> None:
    executor.send = lambda message: send(
        {**message, "protocol_version": "2"} if message.get("type") == "hello" else message
    )


def offers_no_place() -> None:
    executor.send = lambda message: send(
        {**message, "max_in_flight": 0} if message.get("type") == "hello" else message
    )


def lists_other_functions() -> None:
    executor.send = lambda message: send(
        {**message, "functions": ["resize"]} if message.get("type") == "hello" else message
    )


def calls_every_error_not_found() -> None:
    async def lost(request: Any) -> Any:
        outcome = await carry_out(request)
        is_error = outcome["status"] == "error"
        return {**outcome, "error_type": "handler_not_found"} if is_error else outcome

    executor.carry_out = lost


def reports_unasked() -> None:
    executor.FEATURES.append("progress")


def reports_for_another() -> None:
    executor.send = lambda message: send(
        {**message, "job_id": "other"} if message.get("type") == "progress" else message
    )


def answers_from_memory() -> None:
    known: dict[str, Any] = {}

    async def remembered(request: Any) -> Any:
        if request["job_id"] not in known:
            known[request["job_id"]] = await carry_out(request)
        return known[request["job_id"]]

    executor.carry_out = remembered


def goes_on_after_a_cancel() -> None:
    running: set[str] = set()

    async def run(request: Any) -> Any:
        running.add(request["job_id"])
        try:
            return await carry_out(request)
        finally:
            running.discard(request["job_id"])

    def answer_at_once(line: bytes) -> Any:
        message = parse(line)
        if message.get("type") != "cancel":
            return message
        if message["job_id"] in running:
            send(executor.failure(message["job_id"], "cancelled"))
        return {**message, "job_id": "other"}

    executor.carry_out, executor.parse = run, answer_at_once


def keeps_the_places_of_the_cancelled() -> None:
    places = asyncio.Semaphore(executor.MAX_IN_FLIGHT)

    async def cling(request: Any) -> Any:
        await places.acquire()
        handler = asyncio.create_task(carry_out(request))
        handler.add_done_callback(lambda _: places.release())
        return await asyncio.shield(handler)

    executor.carry_out = cling


def cuts_deadlines_to_seconds() -> None:
    change_deadlines(lambda text: f"{text[:19]}Z")


def takes_deadlines_for_local_time() -> None:
    if "TZ" not in os.environ:
        os.environ["TZ"] = "UTC"
        time.tzset()
    change_deadlines(lambda text: datetime.fromisoformat(text[:-1]).astimezone().isoformat())


def greets_slowly() -> None:
    time.sleep(0.7)


def passes_over_long_lines() -> None:
    executor.send = lambda message: "longer than" in str(message) or send(message)


def counts_in_doubles() -> None:
    json_loads = json.loads
    executor.json.loads = lambda text, **how: json_loads(text, parse_int=float, **how)


def change_deadlines(changed: Any) -> None:
    """Have another deadline kept than the one that was given."""

    async def carry_out_until_another(request: Any) -> Any:
        context = request["context"]
        if context.get("deadline"):
            context["deadline"] = changed(context["deadline"])
        return await carry_out(request)

    executor.carry_out = carry_out_until_another


{**vars(broken_lines), **globals()}[sys.argv[1]]()
asyncio.run(check_handlers.main())
