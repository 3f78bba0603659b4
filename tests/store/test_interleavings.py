"""Random interleavings of all steps, against a model, with every promise checked after each.

`HYPOTHESIS_PROFILE=soak` runs it for some minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, event
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rrq.embedded import EmbeddedRedis
from rrq.exc import DuplicateJob, JobAlreadyRunning
from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from rrq.store.jobs import NewJob
from tests.store.driving import Driver, new_job, verdict
from tests.store.model import MAX_LOST, Model, ModelJob

HOUR_MS = 3_600_000
OWN_IDS = ["a", "b", "c", "d"]
KEYS = ["", "", "k", "l"]
QUEUES = ["q", "r"]
WORKERS = ["w1", "w2", "w3"]
KINDS = ["complete", "retry", "fail", "cancel", "release", "lost"]

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
PROFILE = hypothesis_settings(
    max_examples=2000 if SOAK else 30,
    stateful_step_count=80 if SOAK else 50,
    # The default run is the same for everybody; the soak explores.
    derandomize=not SOAK,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

picks = st.integers(0, 1000)

Wish = tuple[str, str, str, int]
wishes = st.tuples(
    st.sampled_from(KEYS),
    st.sampled_from(["skip", "raise", "defer", "replace"]),
    st.sampled_from(QUEUES),
    st.sampled_from([0, 0, HOUR_MS]),
)


class Interleavings(RuleBasedStateMachine):
    """Producers, workers, reapers, operators and strangers, one step at a time."""

    def __init__(self, server: EmbeddedRedis) -> None:
        super().__init__()
        server.flush()
        self.runner = asyncio.Runner()
        self.driver = self._run(self._open(server))
        self.model = Model()
        self.claims: list[Claim] = []
        self.sent: list[tuple[NewJob, str]] = []
        self.number = 0

    async def _open(self, server: EmbeddedRedis) -> Driver:
        return Driver(RRQSettings(redis_dsn=server.dsn, max_lost=MAX_LOST))

    def _run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    def teardown(self) -> None:
        self._run(self.driver.store.aclose())
        self.runner.close()

    # -- producers ------------------------------------------------------------------------

    @rule(job=wishes)
    def enqueue(self, job: Wish) -> None:
        self._enqueue(None, *job)

    @rule(own_id=st.sampled_from(OWN_IDS), job=wishes)
    def enqueue_an_id_of_ones_own(self, own_id: str, job: Wish) -> None:
        self._enqueue(own_id, *job)

    def _enqueue(
        self, own_id: str | None, key: str, policy: Any, queue: str, delay_ms: int
    ) -> None:
        self.number += 1
        job_id = own_id or f"fresh{self.number}"
        job = new_job(
            job_id,
            queue=queue,
            unique_key=key,
            unique_ttl_ms=HOUR_MS,
            on_conflict=policy,
            delay_ms=delay_ms,
            nonce=f"n{self.number}" if own_id else "",
        )
        holder = self.model.holders.get(key)
        if holder == job_id:
            holder = None
        if self.model.is_running(job_id):
            self._is_refused(job, JobAlreadyRunning)
        elif holder and policy == "raise":
            self._is_refused(job, DuplicateJob)
        else:
            expected = self._expect_enqueued(job, holder)
            [answer] = self._run(self.driver.store.jobs.enqueue([job]))
            assert (answer.is_duplicate, answer.job_id) == expected
            if not answer.is_duplicate:
                self.sent.append((job, answer.job_id))

    def _expect_enqueued(self, job: NewJob, holder: str | None) -> tuple[bool, str]:
        model = self.model
        if holder and job.on_conflict == "skip":
            return True, holder
        key, mark = job.unique_key, job.nonce or job.job_id
        old = model.jobs.get(job.job_id)
        if job.nonce:
            model.forget(job.job_id, key, self._first_held(old.key, job.job_id) if old else None)
        job_id = job.job_id
        if holder and job.on_conflict == "replace":
            next_id = self._head_held(key)
            if model.is_waiting(holder):
                event("replaced the holder")
                model.forget(holder, key, None)
                model.write(holder, ModelJob(job.queue, key, mark=mark))
                return False, holder
            if next_id and model.is_waiting(next_id):
                event("replaced behind a running holder")
                model.forget(next_id, key, None)
                job_id = next_id
        model.write(job_id, ModelJob(job.queue, key, mark=mark))
        if holder:
            model.hold_back(job_id, key)
        elif key:
            model.holders[key] = job_id
        return False, job_id

    def _is_refused(self, job: NewJob, error: type[Exception]) -> None:
        self._changes_nothing(lambda: self._raises(job, error))

    def _raises(self, job: NewJob, error: type[Exception]) -> None:
        with pytest.raises(error):
            self._run(self.driver.store.jobs.enqueue([job, new_job(f"beside{self.number}")]))

    @precondition(lambda self: self.sent)
    @rule(pick=picks)
    def send_a_call_again(self, pick: int) -> None:
        job, answered_id = self.sent[-1 - pick % min(3, len(self.sent))]
        now = self.model.jobs.get(answered_id)
        if now is None or now.mark != (job.nonce or job.job_id):
            return
        if answered_id != job.job_id:
            # It replaced another's definition: known again while that one holds the key, or is
            # the next behind the holder.
            holder = self.model.holders.get(job.unique_key)
            if holder is None or answered_id not in (holder, self._head_held(job.unique_key)):
                return
            if job.job_id in self.model.jobs:
                return
        event("sent a call again")

        def again() -> None:
            [answer] = self._run(self.driver.store.jobs.enqueue([job]))
            assert (answer.is_duplicate, answer.job_id) == (False, answered_id)

        self._changes_nothing(again)

    @rule(key=st.sampled_from(KEYS), queue=st.sampled_from(QUEUES), has_hash=st.booleans())
    def a_plain_producer_writes(self, key: str, queue: str, has_hash: bool) -> None:
        if self.model.unborn:
            [(job_id, queue), *_] = self.model.unborn.items()
            del self.model.unborn[job_id]
            self._write_foreign_hash(job_id, queue, key)
            self._run(self.driver.make_due(job_id, queue))
            return
        self.number += 1
        job_id = f"foreign{self.number}"
        if has_hash:
            self._write_foreign_hash(job_id, queue, key)
        else:
            self.model.unborn[job_id] = queue
        self._run(self.driver.redis.zadd(self.driver.keys.queue(queue), {job_id: self.number}))

    def _write_foreign_hash(self, job_id: str, queue: str, key: str) -> None:
        fields = {"function_name": "f", "status": "PENDING", "queue_name": f"rrq:queue:{queue}"}
        fields |= {"result_ttl_seconds": "100"}
        if key:
            fields["job_unique_key"] = key
        self._run(self.driver.redis.hset(self.driver.keys.job(job_id), mapping=fields))
        self.model.jobs[job_id] = ModelJob(queue, key)

    @precondition(lambda self: self.model.jobs)
    @rule(pick=picks)
    def stranger_queues_any_id_now(self, pick: int) -> None:
        job_id = self._choose(sorted(self.model.jobs), pick)
        job = self.model.jobs[job_id]
        self._run(self.driver.make_due(job_id, job.queue))
        if job.place != "queue":
            self.model.strays.add(job_id)
            self._run(self.driver.redis.zadd(self.driver.keys.queue(job.queue), {job_id: 5}))

    # -- workers --------------------------------------------------------------------------

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        self._claim(worker, QUEUES, 20)

    @rule(worker=st.sampled_from(WORKERS), queues=st.permutations(QUEUES), room=st.integers(1, 3))
    def claim_a_few(self, worker: str, queues: list[str], room: int) -> None:
        self._claim(worker, queues[:room], room)

    def _claim(self, worker: str, queues: list[str], room: int) -> None:
        before = self._state()
        called = self._run(self.driver.claim_call(worker, queues, room))
        # By then a job may be due that was not yet: one that was lost more than once.
        now_ms = called.now_ms
        due = [
            job_id
            for queue in queues
            for job_id, score in before[f"rrq:queue:{queue}"].items()
            if score <= now_ms
        ]
        after = self._state()
        assert len(called.claims) <= room
        for claim in called.claims:
            assert claim.job_id in due
            assert claim.queue in queues
            self.model.lease(claim.job_id, claim.token, worker)
            self.claims.append(claim)
        for job_id in called.dropped:
            assert self.model.unborn.pop(job_id) in queues
        claimed = {claim.job_id for claim in called.claims}
        if len(claimed) < room:
            event("claimed all that was due")
        for job_id in set(due) - claimed:
            self._check_passed_over(job_id, now_ms, after, was_seen=len(claimed) < room)

    def _check_passed_over(
        self, job_id: str, now_ms: float, after: dict[str, Any], *, was_seen: bool
    ) -> None:
        model = self.model
        job = model.jobs.get(job_id)
        queue = job.queue if job else model.unborn.get(job_id)
        score = after[f"rrq:queue:{queue}"].get(job_id) if queue else None
        still_due = score is not None and score <= now_ms
        assert not (was_seen and still_due), f"{job_id} was due and passed over"
        if job_id in model.strays:
            if score is None:
                model.strays.discard(job_id)
        elif job is not None and not still_due:
            assert model.holders.get(job.key, job_id) != job_id, f"{job_id} was held back"
            event("held back")
            model.hold_back(job_id, job.key)

    @precondition(lambda self: self.model.ids_in("leased"))
    @rule(pick=picks, kind=st.sampled_from(["complete", "fail", "cancel"]))
    def a_job_ends(self, pick: int, kind: str) -> None:
        self._settle(self._running(pick), kind, later=False)

    @precondition(lambda self: self.model.ids_in("leased"))
    @rule(pick=picks, kind=st.sampled_from(["retry", "release", "lost"]), later=st.booleans())
    def a_job_is_to_run_again(self, pick: int, kind: str, later: bool) -> None:
        self._settle(self._running(pick), kind, later)

    def _running(self, pick: int) -> Claim:
        token = self.model.jobs[self._choose(self.model.ids_in("leased"), pick)].token
        [claim] = [claim for claim in self.claims if claim.token == token]
        return claim

    @precondition(lambda self: self.claims)
    @rule(pick=picks, kind=st.sampled_from(KINDS), later=st.booleans())
    def settle_a_lease_of_any_time(self, pick: int, kind: Any, later: bool) -> None:
        self._settle(self._choose(self.claims, pick), kind, later)

    def _settle(self, claim: Claim, kind: Any, later: bool) -> None:
        number = {"retry": HOUR_MS * later, "release": claim.due_ms}.get(kind, 0)
        job = self.model.jobs.get(claim.job_id)
        first_held = self._first_held(job.key, claim.job_id) if job else None
        expected = self.model.settle(claim.job_id, claim.token, kind, first_held)

        def send() -> None:
            sent = verdict(claim, kind, "1", number, b'{"outcome":"x"}')
            assert self._run(self.driver.store.leases.settle([sent])) == [expected]

        event(f"settle: {expected}")
        if expected in ("stale", "repeated"):
            self._changes_nothing(send)
        else:
            send()

    @precondition(lambda self: self.claims)
    @rule(start=picks, count=st.integers(1, 4))
    def renew(self, start: int, count: int) -> None:
        claims = [self._choose(self.claims, start + number) for number in range(count)]
        held = {claim.job_id: claim.token for claim in claims}
        expected = []
        for job_id, token in held.items():
            job = self.model.jobs.get(job_id)
            holds = job is not None and job.place == "leased" and job.token == token
            if holds and job and job.key and job.lease_is_over:
                holds = self.model.holders.get(job.key, job_id) == job_id
            if not holds or job is None:
                expected.append((job_id, "lost"))
                continue
            job.lease_is_over = False
            if job.key:
                self.model.holders.setdefault(job.key, job_id)
            if job.cancel_requested:
                expected.append((job_id, "cancel"))
        assert self._run(self.driver.store.leases.renew(held.items())) == expected

    # -- time, reapers, operators -----------------------------------------------------------

    @rule(pick=picks, what=st.sampled_from(["lease", "lease", "due", "key", "unborn"]))
    def time_passes(self, pick: int, what: str) -> None:
        if what == "lease":
            self._a_lease_runs_out(pick)
        elif what == "due":
            self._a_waiting_job_becomes_due(pick)
        elif what == "key":
            self._the_time_of_a_key_is_over(pick)
        else:
            self._run(self._the_time_of_the_unborn_is_over())

    def _a_lease_runs_out(self, pick: int) -> None:
        if running := self.model.ids_in("leased"):
            job_id = self._choose(running, pick)
            self._run(self.driver.expire_lease(job_id))
            self.model.jobs[job_id].lease_is_over = True

    def _a_waiting_job_becomes_due(self, pick: int) -> None:
        if waiting := self.model.ids_in("queue"):
            job_id = self._choose(waiting, pick)
            self._run(self.driver.make_due(job_id, self.model.jobs[job_id].queue))

    def _the_time_of_a_key_is_over(self, pick: int) -> None:
        if not self.model.holders:
            return
        key = self._choose(sorted(self.model.holders), pick)
        job = self.model.jobs[self.model.holders[key]]
        # The key of a running job outlives its lease.
        if job.place != "leased" or job.lease_is_over:
            self._run(self.driver.redis.delete(self.driver.keys.unique(key)))
            del self.model.holders[key]

    async def _the_time_of_the_unborn_is_over(self) -> None:
        long_ago = await self.driver.now_ms() - 6000
        for job_id, queue in self.model.unborn.items():
            await self.driver.redis.zadd(self.driver.keys.unborn, {job_id: long_ago}, xx=True)
            await self.driver.make_due(job_id, queue)

    def _over(self) -> set[str]:
        leased = self.model.ids_in("leased")
        return {job_id for job_id in leased if self.model.jobs[job_id].lease_is_over}

    @precondition(lambda self: self._over())
    @rule(most=st.integers(1, 3))
    def reap(self, most: int) -> None:
        # One at a time: an end may pass a key on to a job that the next one holds back.
        for _ in range(most):
            if over := self._over():
                self._reap_one(over)
        if not self._over():
            assert self._run(self.driver.store.leases.reap(most)) == []

    def _reap_one(self, over: set[str]) -> None:
        head = next(iter(self._state()["rrq:leases"]))
        assert head in over
        worker, key = self.model.jobs[head].worker, self.model.jobs[head].key
        expected = self.model.reap(head, self._first_held(key, head))
        [reaped] = self._run(self.driver.store.leases.reap(1))
        event(f"reap: {expected}")
        assert (reaped.job_id, reaped.became, reaped.worker_id) == (head, expected, worker)

    @rule(pick=picks, also_unknown=st.booleans())
    def cancel(self, pick: int, also_unknown: bool) -> None:
        ids = sorted(self.model.jobs) + sorted(self.model.unborn) * also_unknown + ["nothing"]
        job_id = self._choose(ids, pick)
        job = self.model.jobs.get(job_id)
        first_held = self._first_held(job.key, job_id) if job else None
        expected = self.model.cancel(job_id, first_held)
        assert self._run(self.driver.store.jobs.cancel(job_id)) == expected

    # -- what is always true ----------------------------------------------------------------

    @invariant()
    def every_promise_is_kept(self) -> None:
        state, model = self._state(), self.model
        now_ms = self._run(self.driver.now_ms())
        dead = state["rrq:dlq:default"]
        assert {key[8:] for key in state if key.startswith("rrq:job:")} == set(model.jobs)
        for job_id, job in model.jobs.items():
            fields = state[f"rrq:job:{job_id}"]
            places = [queue for queue in QUEUES if job_id in state[f"rrq:queue:{queue}"]]
            if job_id in model.strays:
                places.remove(job.queue)
            if job_id in state["rrq:leases"]:
                places.append("leased")
            if fields["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
                places.append("ended")
            assert places == [job.queue if job.place == "queue" else job.place], job_id
            assert fields["status"] == job.status
            assert int(fields.get("current_retries", 0)) == job.retries
            assert int(fields.get("lost_count", 0)) == job.lost
            assert fields["TTL"] == (job.place == "ended")
            assert dead.count(job_id) == (job.status == "FAILED")
        known = set(model.jobs) | set(model.unborn)
        for queue in QUEUES:
            assert set(state[f"rrq:queue:{queue}"]) <= known
        assert set(state["rrq:leases"]) <= set(model.jobs)
        assert set(dead) <= set(model.jobs)
        self._check_unique_keys(state, now_ms)

    def _check_unique_keys(self, state: dict[str, Any], now_ms: float) -> None:
        root = "rrq:lock:unique:"
        holders = {key[len(root) :]: value for key, value in state.items() if key.startswith(root)}
        assert holders == self.model.holders
        for key, holder in holders.items():
            assert self.model.jobs[holder].key == key
            assert self.model.jobs[holder].place != "ended"
        running = [
            self.model.jobs[job_id].key
            for job_id, expiry in state["rrq:leases"].items()
            if expiry > now_ms and self.model.jobs[job_id].key
        ]
        assert len(running) == len(set(running)), "two jobs run under one key"
        for key in ("k", "l"):
            held = {j for j in state[f"rrq:held:{key}"] if self.model.is_waiting(j)}
            assert held == {j for j in self.model.held.get(key, ()) if self.model.is_waiting(j)}

    # -- looks --------------------------------------------------------------------------------

    def _choose(self, among: list[Any], pick: int) -> Any:
        return among[pick % len(among)]

    def _head_held(self, key: str) -> str | None:
        return next(iter(self._state()[f"rrq:held:{key}"]), None) if key else None

    def _first_held(self, key: str, but: str) -> str | None:
        """The first job held back behind the key that still waits."""
        if not key:
            return None
        held = self._state()[f"rrq:held:{key}"]
        return next((j for j in held if j != but and self.model.is_waiting(j)), None)

    def _changes_nothing(self, step: Callable[[], None]) -> None:
        before = self._state()
        step()
        assert self._state() == before

    def _state(self) -> dict[str, Any]:
        """All that is in Redis but mailboxes and TTLs of keys other than jobs."""
        dump = json.loads(self._run(self.driver.redis.eval(_DUMP, 0)))
        state: dict[str, Any] = {
            f"rrq:{name}": {} for name in ("leases", "queue:q", "queue:r", "held:k", "held:l")
        }
        state["rrq:dlq:default"] = []
        for key, kind, value, ttl in dump:
            if kind == "zset":
                state[key] = {value[i]: float(value[i + 1]) for i in range(0, len(value), 2)}
            elif kind == "hash":
                fields = {value[i]: value[i + 1] for i in range(0, len(value), 2)}
                state[key] = {**fields, "TTL": ttl > 0}
            else:
                state[key] = value
        return state


_DUMP = """
local read = {zset = {'ZRANGE', 0, -1, 'WITHSCORES'}, hash = {'HGETALL'}, string = {'GET'},
  list = {'LRANGE', 0, -1}, set = {'SMEMBERS'}}
local dump = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  if not string.find(key, ':mailbox:') and not string.find(key, ':idle:') then
    local call = read[kind]
    dump[#dump + 1] = {key, kind, redis.call(call[1], key, unpack(call, 2)), redis.call('TTL', key)}
  end
end
return #dump > 0 and cjson.encode(dump) or '[]'
"""


# A failure takes minutes to be made small.
@pytest.mark.timeout(0 if SOAK else 400)
def test_no_interleaving_of_the_steps_breaks_a_promise(redis_server: EmbeddedRedis) -> None:
    run_state_machine_as_test(lambda: Interleavings(redis_server), settings=PROFILE)
