"""Is RRQ well? Facts are asked of Redis, judged by pure functions, and told as findings.

`asking` asks, `server` and `work` judge, `examination` puts it together; `plugin_checks` runs what
plugins add. The command is `rrq check`.
"""
