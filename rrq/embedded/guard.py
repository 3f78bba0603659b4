"""The guard: a small `/bin/sh` process that cleans up when its parent ends, however it ends.

It holds a pipe to the parent. When the parent is gone, killed with SIGKILL or not, the pipe
closes, and the guard kills the server and removes its directory. A thread or an exit handler
in the parent could not promise that, and the kernel's own parent-death signal is Linux only.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Reads orders from the pipe to the parent: the pid of the server to end, or "leave". The end
# of the pipe is the end of the parent. A dying server may still write, so `rm` tries again.
_GUARD = """
PATH=/usr/bin:/bin:$PATH
server=
while read -r order; do
  case $order in
    leave) exit 0 ;;
    *) server=$order ;;
  esac
done
if [ -n "$server" ]; then kill -9 "$server" 2>/dev/null; fi
tries=0
until rm -rf -- "$1" 2>/dev/null || [ "$tries" -ge 50 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
"""

# Tells the guard its pid (stdout is the guard's pipe) before it becomes the server, so that
# there is no moment at which the parent can be killed and the server stay.
LAUNCHER = """
echo "$$"
log=$1
shift
exec "$@" >>"$log" 2>&1
"""


class Guard:
    """The process that cleans up after us, and our end of the pipe to it."""

    def __init__(self, directory: Path) -> None:
        theirs, self.orders = os.pipe()
        _close_in_forks(self.orders)
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "rrq-embedded-redis-guard", str(directory)],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            self._hang_up()
            raise
        finally:
            os.close(theirs)

    def forget_server(self) -> None:
        """The server has ended: another process may get its id, which must not be killed."""
        self._say("")

    def leave(self) -> None:
        """Send the guard away; it ends nothing and removes nothing."""
        self._say("leave")
        self._hang_up()
        self._process.wait()

    def _say(self, order: str) -> None:
        try:
            os.write(self.orders, f"{order}\n".encode())
        except BrokenPipeError:
            # Somebody killed the guard. There is nobody to tell, and nothing else is amiss.
            return

    def _hang_up(self) -> None:
        _open_pipes.discard(self.orders)
        os.close(self.orders)


_open_pipes: set[int] = set()


def _close_in_forks(pipe: int) -> None:
    """Keep a fork of this process, such as a pool's worker, from holding the guard's pipe.

    It would seem to the guard that the parent lives.
    """
    global _watches_forks
    if not _watches_forks:
        os.register_at_fork(after_in_child=_close_open_pipes)
        _watches_forks = True
    _open_pipes.add(pipe)


_watches_forks = False


def _close_open_pipes() -> None:
    while _open_pipes:
        os.close(_open_pipes.pop())
