"""`Selection`: which files count, when something changes below a directory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

JUNK_DIRECTORIES = frozenset(
    {
        *(".git", ".hg", ".svn", ".idea", ".vscode"),
        *(".venv", "venv", "site-packages", "node_modules", ".tox", ".nox", ".eggs"),
        *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
    }
)
"""Nothing below a directory of such a name is ever the source of a worker."""

GIT_ANSWERS_WITHIN_SECONDS = 5.0


class Selection:
    """The files below a directory that a worker depends on.

    Args:
        root: the directory.
        patterns: what a file's name, or its path below the root, must match.
        ignored: what neither may match, nor any directory above it.
    """

    def __init__(self, root: Path, patterns: Sequence[str], ignored: Sequence[str] = ()) -> None:
        self._root = root
        self._patterns = patterns
        self._ignored = ignored

    def has(self, path: str | Path) -> bool:
        """Whether a file counts, whatever git thinks of it."""
        try:
            below = Path(path).relative_to(self._root)
        except ValueError:
            return False
        if JUNK_DIRECTORIES.intersection(below.parts[:-1]):
            return False
        return _matches(below, self._patterns) and not any(
            _matches(part, self._ignored) for part in (below, *below.parents[:-1])
        )

    def changed(self, paths: Iterable[str]) -> list[str]:
        """Those of these files that count and that git does not ignore, below the root."""
        counting = sorted({path for path in paths if self.has(path)})
        ignored = _ignored_by_git(self._root, counting)
        return [str(Path(path).relative_to(self._root)) for path in counting if path not in ignored]


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(
        fnmatchcase(path.name, pattern) or fnmatchcase(path.as_posix(), pattern)
        for pattern in patterns
    )


def _ignored_by_git(root: Path, paths: Sequence[str]) -> set[str]:
    """Those that `.gitignore` and its like name; none without git or outside a repository."""
    if not paths:
        return set()
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "check-ignore", "-z", "--stdin"],
            input="\0".join(paths),
            capture_output=True,
            text=True,
            timeout=GIT_ANSWERS_WITHIN_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return set()
    return set(answer.stdout.split("\0")) if answer.returncode == 0 else set()
