import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";

import { createClient } from "@redis/client";

import { connectionOptions, DuplicateJobError, Moment, Producer } from "../src/producer.js";
import { ROOT } from "./vectors.js";

test("the Lua files are those of RRQ", () => {
  const copies = new URL("reference/typescript/lua/", ROOT);
  for (const name of readdirSync(copies)) {
    const own = readFileSync(new URL(`rrq/store/lua/${name}`, ROOT), "utf8");
    assert.equal(readFileSync(new URL(name, copies), "utf8"), own, `cp rrq/store/lua/${name}`);
  }
});

test("arguments that cannot be JSON are refused", async () => {
  const producer = new Producer({ sendCommand: () => assert.fail("it was sent") });
  for (const value of ["\ud800", NaN, () => 1]) {
    await assert.rejects(producer.enqueue("greet", [value]), TypeError);
  }
  await assert.rejects(producer.enqueue("greet", [], {}, { deferUntil: new Date("?") }), TypeError);
});

test("options that no worker can keep to are refused by name", async () => {
  const producer = new Producer({ sendCommand: () => assert.fail("it was sent") });
  for (const [name, value] of [
    ["maxRetries", 0],
    ["maxRetries", 1.5],
    ["jobTimeoutSeconds", 0],
    ["jobTimeoutSeconds", NaN],
    ["resultTtlSeconds", -1],
    ["resultTtlSeconds", 0.5],
  ] as const) {
    const message = new RegExp(`${name} is ${value}: it must be`);
    await assert.rejects(producer.enqueue("greet", [], {}, { [name]: value }), message);
  }
});

test("a Unix socket is an address, with its password and database", () => {
  assert.deepEqual(connectionOptions("unix://me:p%40ss@/run/redis.sock?db=3"), {
    socket: { path: "/run/redis.sock", tls: false },
    database: 3,
    username: "me",
    password: "p@ss",
  });
  assert.deepEqual(connectionOptions("redis://h/1"), { url: "redis://h/1" });
});

const url = process.env["RRQ_REDIS_DSN"];
describe("with Redis", { skip: url ? false : "RRQ_REDIS_DSN names no Redis to test with" }, () => {
  const client = createClient(connectionOptions(url ?? "redis://localhost"));
  const producer = new Producer(client, { keyPrefix: "ts" });

  before(() => client.connect());
  after(() => client.destroy());
  beforeEach(async () => {
    const keys = await client.keys("ts:*");
    if (keys.length > 0) await client.del(keys);
  });

  test("a job is written with every option", async () => {
    const id = await producer.enqueue("greet", ["wörld", 18446744073709551617n], { loud: true }, {
      queueName: "ts:queue:urgent",
      deferUntil: Moment.parse("2035-06-01T08:30:00.123456Z"),
      maxRetries: 3,
      jobTimeoutSeconds: 1.5,
      resultTtlSeconds: 0,
      traceContext: { traceparent: "00-1-2-01" },
    });
    const hash = await client.hGetAll(`ts:job:${id}`);
    assert.equal(hash["job_args"], '["wörld",18446744073709551617]');
    assert.equal(hash["job_kwargs"], '{"loud":true}');
    assert.equal(hash["queue_name"], "ts:queue:urgent");
    assert.equal(hash["max_retries"], "3");
    assert.equal(hash["job_timeout_seconds"], "1.5");
    assert.equal(hash["result_ttl_seconds"], "0");
    assert.equal(hash["trace_context"], '{"traceparent":"00-1-2-01"}');
    assert.equal(hash["next_scheduled_run_time"], "2035-06-01T08:30:00.123456Z");
    assert.equal(await client.zScore("ts:queue:urgent", String(id)), 2064299400123.456);
  });

  test("a unique key that is held is skipped or refused", async () => {
    const first = await producer.enqueue("greet", [], {}, { uniqueKey: "daily" });
    assert.equal(await producer.enqueue("greet", [], {}, { uniqueKey: "daily" }), null);
    await assert.rejects(
      producer.enqueue("greet", [], {}, { uniqueKey: "daily", onConflict: "raise" }),
      (error) => error instanceof DuplicateJobError && error.holderId === first,
    );
  });

  test("a call whose answer was lost is sent again and makes one job", async () => {
    const kinds: unknown[] = [];
    const loser = new Producer({
      sendCommand: async (words) => {
        const answer = (await client.sendCommand(words)) as unknown as [unknown, unknown[]];
        kinds.push(answer[1][0]);
        if (kinds.length === 1) throw new Error("the connection was closed");
        return answer;
      },
    }, { keyPrefix: "ts" });
    assert.equal(await loser.enqueue("greet", [], {}, { jobId: "mine" }), "mine");
    assert.deepEqual(kinds, ["queued", "repeated"]);
    assert.equal(await client.zCard("ts:queue:default"), 1);
  });

  test("the script is sent again when Redis has forgotten it", async () => {
    await producer.enqueue("greet");
    await client.sendCommand(["SCRIPT", "FLUSH"]);
    assert.ok(await producer.enqueue("greet"));
  });
});
