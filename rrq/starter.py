"""`add_starter`: the three files of a small working project, as README's quick start has them.

What is there already is never touched; what is written fits it.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrq.exc import RRQError

CONFIGURATION = "rrq.toml"
HANDLERS = "handlers.py"
REGISTRATION = "executor_config.py"

SETTINGS = f"{REGISTRATION.removesuffix('.py')}:settings"


@dataclass(frozen=True, slots=True)
class Starter:
    """What `add_starter` did.

    Attributes:
        directory: the project.
        written: names of the files that were made, in order.
        kept: names of the files that were there, and were left alone.
        functions: names of the handlers that a worker now knows, as far as `add_starter`
            registered them itself.
        lacks_executor: a configuration was there, and has no executor at all.
    """

    directory: Path
    written: list[str]
    kept: list[str]
    functions: list[str]
    lacks_executor: bool


def add_starter(directory: Path) -> Starter:
    """Write what a directory lacks to run a worker; the directory is made if it is not there.

    A configuration that is there and whose executors run something else needs no handlers of
    ours: then nothing is written.

    Raises:
        RRQError: the directory cannot be made or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return _add(directory)
    except OSError as error:
        where = error.filename or directory
        raise RRQError(f"{where}: {error.strerror}. Name a directory to write to.") from error


def _add(directory: Path) -> Starter:
    executors = _executors(directory / CONFIGURATION)
    kept = [name for name in (CONFIGURATION, HANDLERS, REGISTRATION) if _stands(directory, name)]
    if executors and not any(SETTINGS in _settings_of(table) for table in executors.values()):
        return Starter(directory, [], kept, [], lacks_executor=False)
    functions = _functions(directory) if HANDLERS in kept else ["greet", "word_count"]
    files = {
        CONFIGURATION: CONFIGURATION_TEXT,
        HANDLERS: HANDLERS_TEXT,
        REGISTRATION: registration_text(functions),
    }
    # Handlers that nothing registers would only be in the way.
    unused = REGISTRATION in kept and not _imports_handlers(directory)
    written = [name for name in files if name not in kept and not (name == HANDLERS and unused)]
    for name in written:
        # Whoever makes the same file at this moment keeps it.
        with (directory / name).open("x", encoding="utf-8") as file:
            file.write(files[name])
    return Starter(
        directory,
        written,
        kept,
        functions if REGISTRATION in written else [],
        lacks_executor=CONFIGURATION in kept and executors == {},
    )


def _stands(directory: Path, name: str) -> bool:
    """Whether the file is there, or a package that its module would clash with."""
    package = directory / name.removesuffix(".py")
    return (directory / name).is_symlink() or (directory / name).exists() or package.is_dir()


def _executors(path: Path) -> dict[str, Any] | None:
    """The tables of the configured executors; None without a file or with an unreadable one,
    which `rrq check` and the worker say more about."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, ValueError):
        return None
    root = table.get("rrq", table)
    executors = root.get("executors", {}) if isinstance(root, dict) else {}
    return executors if isinstance(executors, dict) else {}


def _settings_of(table: Any) -> str:
    settings = table.get("settings", "") if isinstance(table, dict) else ""
    return str(settings).replace(".settings", ":settings")


def _functions(directory: Path) -> list[str]:
    """The public functions at the top of handlers.py that take the context at least."""
    try:
        tree = ast.parse((directory / HANDLERS).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return []
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and (node.args.posonlyargs or node.args.args)
    ]


def _imports_handlers(directory: Path) -> bool:
    try:
        text = (directory / REGISTRATION).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return re.search(r"^\s*(import|from) handlers\b", text, re.M) is not None


def registration_text(functions: list[str]) -> str:
    """The text of `executor_config.py` for these functions of `handlers`."""
    registered = "".join(
        f'registry.register("{name}", handlers.{name})\n' for name in dict.fromkeys(functions)
    )
    imported = "import handlers\n\n" if functions else ""
    return (
        "from rrq import JobRegistry, PythonExecutorSettings\n\n"
        f"{imported}"
        "registry = JobRegistry()\n"
        f"{registered or _NOTHING_REGISTERED}\n"
        "settings = PythonExecutorSettings(job_registry=registry)\n"
    )


_NOTHING_REGISTERED = '# registry.register("name", function)\n'

CONFIGURATION_TEXT = """\
[rrq]
redis_dsn = "redis://localhost:6379/0"

[rrq.executors.python]
type = "python"
settings = "executor_config:settings"
pool_size = 2
"""

HANDLERS_TEXT = """\
import asyncio


async def greet(ctx, name, punctuation="!"):
    await asyncio.sleep(0.1)
    return f"Hello, {name}{punctuation}"


def word_count(ctx, text):
    return len(text.split())
"""
