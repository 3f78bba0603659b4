from rrq.store.keys import Keys


def test_a_queue_named_bare_or_by_its_full_key_is_the_same_queue() -> None:
    keys = Keys()
    assert keys.queue("urgent") == keys.queue("rrq:queue:urgent") == "rrq:queue:urgent"
    assert keys.dlq("default") == keys.dlq("rrq:dlq:default") == "rrq:dlq:default"


def test_every_key_starts_with_the_prefix() -> None:
    keys = Keys("{shop}")
    names = [
        keys.job("1"),
        keys.waiters("1"),
        keys.queue("q"),
        keys.queues,
        keys.dlq("d"),
        keys.unique("u"),
        keys.held("u"),
        keys.unborn,
        keys.leases,
        keys.lease_token,
        keys.idle("q"),
        keys.mailbox("w"),
        keys.health("w"),
        keys.workers,
        keys.cron("c"),
    ]
    assert all(name.startswith("{shop}:") for name in names)
    assert len(set(names)) == len(names)
