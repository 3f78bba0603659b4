import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";

import { Executor, Retry, type ExecutorOptions } from "../src/executor.js";

interface Message {
  type?: string;
  job_id?: string;
  status?: string;
  result?: unknown;
  error_message?: string;
  error_type?: string;
  retry_after_seconds?: number;
  max_in_flight?: number;
  functions?: string[];
}

/** A worker's side of the conversation. */
class Worker {
  readonly #stdin = new PassThrough();
  readonly #said: Message[] = [];
  #listener: (() => void) | undefined;
  readonly ended: Promise<void>;

  constructor(options: ExecutorOptions = {}) {
    const executor = new Executor({
      features: ["cancel", "progress"],
      ...options,
      stdin: this.#stdin,
      write: (line) => {
        this.#said.push(JSON.parse(line) as Message);
        this.#listener?.();
      },
    });
    executor
      .handle("echo", (_job, ...args) => args)
      .handle("wait", async (job) => {
        job.progress(0, 1, "it has begun");
        await new Promise((_, reject) => {
          job.signal.addEventListener("abort", () => reject(new Error("interrupted")));
        });
      })
      .handle("busy", (_job, seconds) => {
        throw typeof seconds === "number" ? new Retry("busy", seconds) : new Retry("busy");
      })
      .handle("half a pair", () => "\ud800")
      .handle("circle", () => {
        const circle: unknown[] = [];
        circle.push(circle);
        return circle;
      })
      .handle("too long", () => "x".repeat(1000));
    this.ended = executor.run();
  }

  send(...lines: string[]): void {
    for (const line of lines) this.#stdin.write(`${line}\n`);
  }

  end(): void {
    this.#stdin.end();
  }

  async next(): Promise<Message> {
    while (this.#said.length === 0) {
      await new Promise<void>((resolve) => (this.#listener = resolve));
    }
    return this.#said.shift() ?? {};
  }
}

function request(jobId: string, name: string, args: unknown[] = [], deadline?: Date): string {
  const context = {
    job_id: jobId,
    attempt: 1,
    enqueue_time: "2026-01-01T12:00:00Z",
    queue_name: "default",
    deadline,
  };
  const job = { job_id: jobId, function_name: name, args, kwargs: {}, context };
  return JSON.stringify({ protocol_version: "1", ...job });
}

const cancel = (jobId: string): string => JSON.stringify({ type: "cancel", job_id: jobId });

test("it is a plain executor to a worker that knows no features", async () => {
  const worker = new Worker({ features: [] });
  worker.send("", request("j1", "echo", ["a"]));
  assert.deepEqual(await worker.next(), { job_id: "j1", status: "success", result: ["a"] });
  worker.send("no request");
  assert.equal((await worker.next()).job_id, "unknown");
  worker.send(request("j2", "missing"));
  assert.equal((await worker.next()).error_type, "handler_not_found");
});

test("its hello tells what it can run", async () => {
  const said = await new Worker({ features: ["hello"], maxInFlight: 3 }).next();
  assert.equal(said.type, "hello");
  assert.equal(said.max_in_flight, 3);
  assert.ok(said.functions?.includes("echo"));
});

test("a job that is cancelled while it waits for its place leaves it to the next", async () => {
  const worker = new Worker({ maxInFlight: 1 });
  worker.send(request("j1", "wait"));
  assert.equal((await worker.next()).type, "progress");
  worker.send(request("j2", "wait"), request("j3", "echo"), cancel("j2"));
  const second = await worker.next();
  assert.deepEqual([second.job_id, second.error_type], ["j2", "Cancelled"]);
  worker.send(cancel("j1"), cancel("j1"));
  assert.deepEqual((await worker.next()).error_type, "Cancelled");
  assert.equal((await worker.next()).job_id, "j3");
});

test("a handler's signal is aborted at the deadline, even one that is long past", async () => {
  const worker = new Worker();
  worker.send(request("j1", "wait", [], new Date(Date.now() + 50)));
  await worker.next();
  const said = await worker.next();
  assert.deepEqual([said.status, said.error_message], ["timeout", "Job timed out."]);
  worker.send(request("j2", "echo", [], new Date(0)));
  assert.equal((await worker.next()).status, "timeout");
});

test("a deadline that is far away leaves the handler alone", async () => {
  const warnings: Error[] = [];
  process.on("warning", (warning) => warnings.push(warning));
  const worker = new Worker();
  worker.send(request("j1", "wait", [], new Date("2099-01-01T00:00:00Z")));
  await worker.next();
  worker.send(cancel("j1"));
  assert.equal((await worker.next()).error_type, "Cancelled");
  // Node warns of a timer that is too long for it, and lets it end at once.
  assert.deepEqual(warnings, []);
});

test("a handler asks for another attempt", async () => {
  const worker = new Worker();
  worker.send(request("j1", "busy", [1.5]));
  const said = await worker.next();
  assert.deepEqual([said.status, said.retry_after_seconds], ["retry", 1.5]);
  worker.send(request("j2", "busy"));
  assert.equal((await worker.next()).retry_after_seconds, undefined);
});

test("a result that cannot be sent is an error that says why", async () => {
  const worker = new Worker({ maxMessageBytes: 1000 });
  for (const name of ["half a pair", "circle", "too long"]) {
    worker.send(request(name, name));
    const said = await worker.next();
    assert.equal(said.status, "error", name);
    assert.match(said.error_message ?? "", /The result cannot be sent/);
  }
});

test("a line that is too long is refused, and the next one read", async () => {
  const worker = new Worker({ maxMessageBytes: 1000 });
  worker.send("x".repeat(200_000), request("j1", "echo"));
  assert.equal((await worker.next()).job_id, "unknown");
  assert.equal((await worker.next()).job_id, "j1");
});

test("at the end of stdin what runs is finished", async () => {
  const worker = new Worker();
  worker.send(request("j1", "wait", [], new Date(Date.now() + 50)));
  worker.end();
  await worker.ended;
  await worker.next();
  assert.equal((await worker.next()).status, "timeout");
});
