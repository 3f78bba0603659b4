"""How an executor is started, and what is said when it cannot be."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rrq.exc import ExecutorStartError
from rrq_executor_stdio import StdioConfig
from tests.support.processes import is_alive


async def why_not(subject: Any) -> str:
    with pytest.raises(ExecutorStartError) as error:
        await subject.transport.start()
    assert subject.transport.describe().processes == 0
    return str(error.value)


def real(path: Path) -> str:
    return str(path.resolve())


async def test_a_missing_program_is_named_with_the_path_that_was_searched(subject_of: Any) -> None:
    message = await why_not(subject_of(["no-such-program"], env={"PATH": "/one:/two"}))
    assert "'contract'" in message
    assert "no program 'no-such-program' in PATH (/one:/two)" in message


async def test_a_missing_file_is_named_with_the_directory_it_was_looked_for_in(
    subject_of: Any, tmp_path: Path
) -> None:
    message = await why_not(subject_of(["bin/missing"], cwd=str(tmp_path)))
    assert f"there is no program '{tmp_path}/bin/missing'" in message


async def test_a_missing_directory_is_named(subject_of: Any, tmp_path: Path) -> None:
    message = await why_not(subject_of(["true"], cwd=str(tmp_path / "gone")))
    assert f"its directory '{tmp_path}/gone' (cwd) does not exist" in message


async def test_a_program_that_may_not_be_run_is_named(subject_of: Any, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    message = await why_not(subject_of([str(tmp_path / "script")]))
    assert "script': Permission denied" in message


async def test_an_argument_that_no_program_can_be_given_is_refused(subject_of: Any) -> None:
    assert "embedded null byte" in await why_not(subject_of([sys.executable, "a\0b"]))


async def test_a_missing_interpreter_is_told_from_a_missing_program(
    subject_of: Any, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    message = await why_not(subject_of([str(script)]))
    assert f"the interpreter in the first line of '{script}' does not exist" in message


async def test_a_death_at_start_is_told_with_its_status_and_the_last_lines_alone(
    subject_of: Any, program: Any
) -> None:
    source = """
        for n in range(1000):
            print(f"line {n}", file=sys.stderr)
        sys.exit(4)
    """
    message = await why_not(subject_of(program(source)))
    assert "exited with status 4 while it started" in message
    assert message.endswith("line 998\nline 999")
    assert len(message) < 2500
    assert "line 900\n" not in message


async def test_one_death_at_start_stops_the_others(
    subject_of: Any, program: Any, tmp_path: Path
) -> None:
    survivor = tmp_path / "survivor"
    source = f"""
        try:
            file = os.open({str(survivor)!r}, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            sys.exit(5)
        os.write(file, str(os.getpid()).encode())
        time.sleep(600)
    """
    message = await why_not(subject_of(program(source), pool_size=2))
    assert "status 5" in message
    assert not is_alive(int(survivor.read_text()))


async def test_a_process_inherits_the_environment_and_learns_whom_it_works_for(
    running: Any, plain: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    monkeypatch.setenv("REPLACED", "no")
    names = (
        "INHERITED",
        "REPLACED",
        "RRQ_EXECUTOR_NAME",
        "RRQ_WORKER_ID",
        "RRQ_PROTOCOL_FEATURES",
    )
    async with running(plain, env={"REPLACED": "yes"}) as subject:
        outcome = await subject.call("environment", *names)
    assert json.loads(bytes(outcome.result)) == {
        "INHERITED": "yes",
        "REPLACED": "yes",
        "RRQ_EXECUTOR_NAME": "contract",
        "RRQ_WORKER_ID": "rrq_worker_contract",
        "RRQ_PROTOCOL_FEATURES": "hello,cancel,progress",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="nothing comes before the program elsewhere")
async def test_a_program_finds_all_as_if_nothing_had_run_before_it(
    running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python would add a locale of its own to this one.
    monkeypatch.setenv("LC_ALL", "")
    monkeypatch.setenv("LC_CTYPE", "C")
    monkeypatch.setenv("LANG", "C")
    script = tmp_path / "program"
    script.write_text(
        "#!/bin/sh\n"
        "tr '\\0' '\\n' </proc/$$/environ >environment\n"
        "grep SigIgn /proc/$$/status >signals\n"
        "exec sleep 600\n"
    )
    script.chmod(0o755)
    inherited = set(os.environ.items())
    async with running([str(script)], cwd=str(tmp_path)) as subject:
        await subject.eventually((tmp_path / "signals").read_text)

    def lines(name: str) -> list[str]:
        return (tmp_path / name).read_text().splitlines()

    given = {tuple(line.split("=", 1)) for line in lines("environment") if "=" in line}
    assert {name for name, _ in given - inherited} == {
        "RRQ_EXECUTOR_NAME",
        "RRQ_WORKER_ID",
        "RRQ_PROTOCOL_FEATURES",
    }
    assert lines("signals")[0].split()[1] == _ignored_here()


def _ignored_here() -> str:
    """The signals that this process ignores, less those that Python ignores wherever it runs."""
    [mask] = [
        line.split()[1]
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("SigIgn")
    ]
    of_python = sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))
    return f"{int(mask, 16) & ~of_python:016x}"


async def test_a_file_that_no_system_can_run_is_told_of(subject_of: Any, tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF and no more")
    (tmp_path / "program").chmod(0o755)
    message = await why_not(subject_of([str(tmp_path / "program")]))
    assert "Exec format error" in message


async def test_a_relative_program_is_found_in_the_directory_it_runs_in(
    running: Any, plain: list[str], tmp_path: Path
) -> None:
    script = tmp_path / "run"
    script.write_text(f'#!/bin/sh\nexec "{plain[0]}" "{plain[1]}"\n')
    script.chmod(0o755)
    async with running(["./run"], cwd=str(tmp_path)) as subject:
        outcome = await subject.call("cwd")
    assert json.loads(bytes(outcome.result)) == real(tmp_path)


async def test_a_stop_lets_a_process_see_the_end_of_its_stdin(
    running: Any, program: Any, tmp_path: Path
) -> None:
    farewell = tmp_path / "farewell"
    source = f"""
        for line in sys.stdin:
            pass
        open({str(farewell)!r}, "w").close()
    """
    async with running(program(source)) as subject:
        await subject.transport.stop(1)
    assert farewell.exists()


async def test_a_process_that_ignores_the_end_of_its_stdin_and_sigterm_is_killed(
    running: Any, program: Any, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    source = f"""
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open({str(pid_file)!r}, "w").write(str(os.getpid()))
        time.sleep(600)
    """
    async with running(program(source)) as subject:
        await subject.eventually(lambda: pid_file.exists() and bool(pid_file.read_text()))
        await subject.transport.stop(0)
        assert not is_alive(int(pid_file.read_text()))


def test_the_program_is_required_and_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="cmd"):
        StdioConfig.model_validate({})
    with pytest.raises(ValidationError, match="cmd"):
        StdioConfig.model_validate({"cmd": []})
    with pytest.raises(ValidationError, match="pol_size"):
        StdioConfig.model_validate({"cmd": [sys.executable], "pol_size": 2})
