"""How a process of RRQ's ends."""

from __future__ import annotations

import subprocess
import sys

LEAVING = """
import atexit, sys, threading, time
from rrq.ending import leave

def slow():
    time.sleep(0.2)
    print("the thread ended")

class Fragile:
    def __del__(self):
        print("taken apart", flush=True)

kept = Fragile()
atexit.register(print, "atexit")
threading.Thread(target=slow).start()
sys.stdout.write("the end\\n")
leave(7)
"""


def test_the_process_ends_as_others_do_but_is_not_taken_apart() -> None:
    ended = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True)

    assert ended.stdout.splitlines() == ["the end", "the thread ended", "atexit"]
    assert (ended.returncode, ended.stderr) == (7, "")
