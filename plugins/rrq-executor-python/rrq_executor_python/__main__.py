"""`python -m rrq_executor_python` is `rrq-executor`."""

from rrq_executor_python.main import main

main()
