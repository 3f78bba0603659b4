"""What stands on the screen of `rrq top` while a real worker works, and what its keys do."""

from __future__ import annotations

from functools import partial

import pytest

from rrq.client import RRQClient
from rrq.job import JobStatus

from .shop import FAILED, RUNNING, Shop
from .watching import Watching, watching

TITLES = ("1 Queues", "2 Workers", "3 Running jobs", "4 Failures")


async def test_a_small_terminal_shows_all_four_panes(shop: Shop) -> None:
    async with watching(shop.settings) as top:
        await top.shows("no such address <number>")
        await top.shows("\nmail ")

        assert len(top.lines) == 24
        assert max(len(line) for line in top.lines) <= 80
        assert "workers 1 " in top.lines[1]
        assert "running 1 " in top.lines[1]
        assert f"dead {FAILED}" in top.lines[1]
        mail, reports = top.line_with("mail").split(), top.line_with("reports").split()
        assert mail[:3] == ["mail", "0", "0"]
        assert reports[:3] == ["reports", "1", "0"]
        assert "1/8" in top.line_with("mail,slow")
        running = top.line_with("job-that-")
        assert "render" in running
        assert "███░░░░░░░ 30% 3/10 page 3".startswith(running.split(maxsplit=8)[-1].rstrip("…"))
        assert top.line_with("no such address").split()[5] == str(FAILED)


async def test_from_a_queue_one_gets_to_its_jobs_their_details_and_their_function(
    shop: Shop,
) -> None:
    async with watching(shop.settings) as top:
        await _choose_queue(top, "slow")

        await top.press("enter")
        await top.shows("Queue slow")
        await top.shows("1 running, 0 waiting")
        assert "60 min" in top.text
        assert top.line_with("job-that-runs").split()[1:3] == ["render", "ACTIVE"]

        await top.press("enter")
        await top.shows(f"Job {RUNNING}")
        await top.shows("why       It runs")
        assert top.line_with("progress").split()[1:] == [
            "██████░░░░░░░░░░░░░░",
            "3/10",
            "page",
            "3",
        ]
        assert top.line_with("args").split() == ["args", '["never"]']

        await top.press("F")
        await top.shows("Function render")
        await top.shows("in all: 1 enqueued")

        await top.press("escape", "escape", "escape")
        await top.shows("3 Running jobs")


async def test_from_a_failure_one_gets_to_the_jobs_that_failed_so(shop: Shop) -> None:
    async with watching(shop.settings) as top:
        await top.shows("no such address")

        await top.press("4", "enter")
        await top.shows("Failure ValueError: no such address <number>")
        await top.shows(f"fail {FAILED}")
        await top.press("enter")
        await top.shows("status    FAILED")

        assert "error     ValueError: no such address" in top.text
        await top.press("end")
        await top.shows("failed")


async def test_from_a_worker_one_gets_to_what_it_runs(shop: Shop) -> None:
    async with watching(shop.settings) as top:
        await top.shows("mail,slow")

        await top.press("2", "enter")
        await top.shows("Worker rrq_worker_")
        await top.shows("executor  python 1/8 x1")

        assert "5 completed" in top.line_with("jobs  ")
        assert "job-that-runs" in top.text


async def test_functions_and_cron_jobs_have_screens_of_their_own(shop: Shop) -> None:
    from rrq.config import load_settings

    settings = load_settings(str(shop.place.directory / "rrq.toml")).settings
    async with watching(settings) as top:
        await top.press("F")
        await top.shows("Functions  3 functions")
        await top.press("enter")
        await top.shows("Function send_email")
        await top.press("escape", "escape", "c")

        await top.shows("nightly report")
        assert "0 3 * * *" in top.line_with("nightly report")


async def test_pausing_a_queue_asks_and_then_holds_its_jobs_back(shop: Shop) -> None:
    async with watching(shop.settings) as top, RRQClient(shop.settings) as client:
        store = client.job_store
        await _choose_queue(top, "mail")

        await top.press("p")
        await top.shows("Pause queue mail?")
        await top.press("n")
        assert await store.queues.paused() == set()

        await top.press("p", "y")
        await top.shows("Paused mail.")
        await top.shows("paused")
        held = await client.enqueue("send_email", "held", _queue_name="mail")
        other = await client.enqueue("render", __file__, _queue_name="slow")
        assert held is not None
        assert other is not None
        # The worker has taken what came later, from another queue.
        await client.wait(other.id, timeout=10)
        assert await store.get_job_status(held.id) is JobStatus.PENDING
        assert top.line_with("mail").rstrip().endswith("paused")

        await top.press("p", "y")
        await top.shows("Resumed mail.")
        assert await client.wait(held.id, timeout=10) == "held"


async def test_a_table_is_sorted_by_the_column_that_is_chosen(shop: Shop) -> None:
    async with watching(shop.settings, only=["slow", "reports", "mail"]) as top:
        await top.shows("reports")
        assert top.column("QUEUE", "▾ 2")[0] == "reports"

        await top.press("left")
        await top.shows("QUEUE▲")
        assert top.column("QUEUE", "▾ 2") == ["mail", "reports", "slow"]

        # The chosen row stays chosen, wherever it goes.
        await top.press("home", "r")
        await top.shows("QUEUE▼")
        assert top.column("QUEUE", "▾ 2") == ["slow", "reports", "mail"]
        await top.press("p")
        await top.shows("Pause queue mail?")
        await top.press("n")

        await top.press("s", "s", "s", "s")
        await top.shows("RUNNING▼")
        assert top.column("QUEUE", "▾ 2")[0] == "slow"


async def test_a_filter_leaves_only_rows_with_its_text(shop: Shop) -> None:
    async with watching(shop.settings) as top:
        await top.shows("reports")

        await top.press("f", *"REPORT", "enter")
        await top.shows("filter: REPORT")
        assert "1 of" in top.line_with("1 Queues")
        assert "job-that" not in top.text

        await top.press("escape")
        await top.shows("job-that")
        assert "filter:" not in top.text


async def test_a_frozen_screen_asks_nothing_more_until_it_goes_on(shop: Shop) -> None:
    async with watching(shop.settings) as top, RRQClient(shop.settings) as client:
        await top.shows("reports")
        await top.press("space")
        await top.shows("FROZEN")
        frozen = top.app.snapshot

        job = await client.enqueue("send_email", "x", _queue_name="frozen", _defer_by=60)
        # Looking into something is asked for, and shows that the rest could have been.
        await top.press("F")
        await top.shows("Functions  3")
        assert top.app.snapshot is frozen
        await top.press("escape", "space")

        await top.shows("frozen ")
        assert job is not None
        await client.cancel(job.id)


async def test_the_interval_is_changed_by_keys_that_the_help_tells(shop: Shop) -> None:
    async with watching(shop.settings, interval_seconds=1.0) as top:
        await top.shows("every 1 s")
        await top.press("plus", "plus")
        await top.shows("every 5 s")
        await top.press("minus", "minus", "minus")
        await top.shows("every 0.5 s")

        await top.press("question_mark")
        await top.shows("+ -            look less often, more often")
        await top.press("escape")
        await top.shows_no("look less often")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_it_is_left_by_q_and_control_c_even_from_a_dialog_or_a_filter(
    shop: Shop, key: str
) -> None:
    async with watching(shop.settings) as top:
        await top.press("question_mark" if key == "ctrl+c" else "4", key)

        assert not top.app.is_running


async def test_every_size_of_a_terminal_is_filled_and_shows_the_pane_of_the_keys(
    shop: Shop,
) -> None:
    async with watching(shop.settings, size=(160, 50)) as top:
        await top.press("3")
        for width, height in ((160, 50), (80, 24), (80, 12), (40, 10), (20, 5), (200, 60)):
            await top.pilot.resize_terminal(width, height)
            # What stood on the larger screen stays until the new one is drawn.
            await top.until(partial(_fills, top, width, height), f"not {width} by {height}")
        await top.until(
            lambda: all(told in top.line_with(RUNNING) for told in ("python", "page 3")),
            "no executor and progress of the job",
        )


async def test_a_filter_of_queues_confines_everything_to_them(shop: Shop) -> None:
    async with watching(shop.settings, only=["rrq:queue:reports"]) as top:
        await top.shows("No job is running.")

        assert "queue: reports" in top.lines[0]
        assert "waiting 1 " in top.lines[1]
        assert "No worker is alive" in top.text
        assert "No job failed" in top.text


def _fills(top: Watching, width: int, height: int) -> bool:
    """Whether the screen has this size, and on it what the size has room for."""
    wanted = ["job-tha" if height >= 10 else "rrq top"]
    if height >= 12 and width >= 80:
        wanted += TITLES
    lines, text = top.lines, top.text
    return (
        len(lines) == height
        and max(map(len, lines)) <= width
        and all(title in text for title in wanted)
    )


async def _choose_queue(top: Watching, name: str) -> None:
    await top.shows(name)
    await top.press("1")
    for _ in range(20):
        row = top.app.screen.query_one("#queues").chosen  # type: ignore[attr-defined]
        if row and row.key == name:
            return
        await top.press("down")
    raise AssertionError(f"no queue {name} in:\n{top.text}")
