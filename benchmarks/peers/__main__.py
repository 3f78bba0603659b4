"""`python -m peers NAME VERB …`, with the Python of the library's environment."""

from __future__ import annotations

import importlib
import sys

from peers import work

# Under its own name: many a library finds handlers again by the module that they were made in.
work.run(importlib.import_module(f"peers.{sys.argv[1]}").PEER, sys.argv[2], sys.argv[3:])
