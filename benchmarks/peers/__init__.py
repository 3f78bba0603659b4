"""The same work for each job queue: one module a library, run by an environment of its own.

`work` says what the work is and what a module offers; `environments` makes the environments.
"""
