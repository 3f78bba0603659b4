"""What `rrq.protocol` sees to, so that no transport need know it."""

from __future__ import annotations

import pytest
from msgspec import Raw

from rrq.protocol import (
    ExecutionContext,
    ExecutionRequest,
    decode_executor_line,
    decode_json,
    encode_line,
)


def request(args: bytes) -> ExecutionRequest:
    context = ExecutionContext(
        job_id="1", attempt=1, enqueue_time="2026-01-01T12:00:00Z", queue_name="default"
    )
    return ExecutionRequest(job_id="1", function_name="f", args=Raw(args), context=context)


def test_raw_text_that_is_spread_over_lines_becomes_one_line() -> None:
    line = encode_line(request(b'[\n  1,\r\n  "a\\nb"\n]'))

    assert b"\n" not in line
    assert b"\r" not in line
    assert decode_json(line)["args"] == [1, "a\nb"]


def test_a_line_that_is_not_in_utf_8_is_no_message_though_its_result_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        decode_executor_line(b'{"job_id": "1", "status": "success", "result": "\xff"}')
