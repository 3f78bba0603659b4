"""`python -m rrq`: the command `rrq` of this very interpreter."""

from rrq.cli.main import main

main()
