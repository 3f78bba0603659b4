import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, test } from "node:test";

import { propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";

import { Executor, Retry } from "../src/executor.js";
import { currentTraceContext, openTelemetry } from "../src/otel.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PRODUCER = "b7ad6b7169203331";

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();

beforeEach(() => exporter.reset());

const tracer = trace.getTracer("test");
const stopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));

/** Run one job to its end, and give its span. */
async function ran(name: string, more: object = {}, headers?: object): Promise<ReadableSpan> {
  const stdin = new PassThrough();
  const executor = new Executor({
    around: openTelemetry(),
    features: ["progress"],
    stdin,
    write: (line) => {
      if (line.includes("has begun")) stdin.end('{"type": "cancel", "job_id": "j1"}\n');
    },
  });
  executor
    .handle("child", async () => {
      await delay(1);
      return tracer.startActiveSpan("charge card", async (span) => {
        await delay(1);
        span.end();
      });
    })
    .handle("fail", () => {
      throw new RangeError("no such customer");
    })
    .handle("busy", () => {
      throw new Retry("not yet");
    })
    .handle("stopped", async (job) => {
      if (job.context.deadline === null) job.progress(0, 1, "has begun");
      await stopped(job.signal);
    });
  const context = {
    job_id: "j1",
    attempt: 2,
    enqueue_time: "2026-01-01T12:00:00Z",
    queue_name: "default",
    worker_id: "w1",
    trace_context: headers ?? { traceparent: `00-${TRACE}-${PRODUCER}-01` },
    ...more,
  };
  const job = { job_id: "j1", function_name: name, args: [], kwargs: {}, context };
  stdin.write(`${JSON.stringify({ protocol_version: "1", ...job })}\n`);
  if (name !== "stopped" || "deadline" in more) stdin.end();
  await executor.run();
  const [span, ...others] = exporter.getFinishedSpans().filter((one) => one.name === "rrq.executor");
  assert.ok(span !== undefined && others.length === 0);
  return span;
}

const eventNames = (span: ReadableSpan): string[] => span.events.map((event) => event.name);

test("a job's span has the producer's as parent, and the handler's own as children", async () => {
  const span = await ran("child");
  assert.equal(span.spanContext().traceId, TRACE);
  assert.equal(span.parentSpanContext?.spanId, PRODUCER);
  const child = exporter.getFinishedSpans().find((one) => one.name === "charge card");
  assert.equal(child?.parentSpanContext?.spanId, span.spanContext().spanId);
  assert.equal(child?.spanContext().traceId, TRACE);
});

test("it says which job it is about", async () => {
  const span = await ran("child");
  assert.equal(span.kind, SpanKind.INTERNAL);
  assert.equal(span.status.code, SpanStatusCode.UNSET);
  assert.deepEqual(span.attributes, {
    "messaging.system": "redis",
    "messaging.destination.name": "default",
    "messaging.destination_kind": "queue",
    "messaging.operation": "process",
    "messaging.operation.type": "process",
    "messaging.operation.name": "run",
    "messaging.message.id": "j1",
    "rrq.job_id": "j1",
    "rrq.function": "child",
    "rrq.queue": "default",
    "rrq.attempt": 2,
    "rrq.worker_id": "w1",
    "rrq.outcome": "success",
    "span.kind": "internal",
  });
});

test("a job that carries no trace begins one", async () => {
  const span = await ran("child", {}, {});
  assert.equal(span.parentSpanContext, undefined);
  assert.notEqual(span.spanContext().traceId, TRACE);
});

test("an error is recorded with its type and its stack", async () => {
  const span = await ran("fail");
  assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message: "no such customer" });
  assert.equal(span.attributes["rrq.outcome"], "error");
  assert.equal(span.attributes["error.type"], "RangeError");
  assert.deepEqual(eventNames(span), ["exception"]);
  assert.match(String(span.events[0]?.attributes?.["exception.stacktrace"]), /otel\.test\.js/);
});

test("a handler that asks for another attempt is no error", async () => {
  const span = await ran("busy");
  assert.equal(span.status.code, SpanStatusCode.UNSET);
  assert.equal(span.attributes["rrq.outcome"], "retry");
  assert.deepEqual(span.events.map(({ name, attributes }) => [name, attributes]), [
    ["rrq.retry", { "rrq.reason": "not yet" }],
  ]);
});

test("a handler that is cancelled is no error", async () => {
  const span = await ran("stopped");
  assert.equal(span.status.code, SpanStatusCode.UNSET);
  assert.equal(span.attributes["rrq.outcome"], "cancelled");
  assert.deepEqual(eventNames(span), ["rrq.cancel"]);
});

test("a handler that is late is an error that says so", async () => {
  const span = await ran("stopped", { deadline: new Date(Date.now() + 300) });
  assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message: "Job timed out." });
  assert.equal(span.attributes["rrq.outcome"], "timeout");
  assert.equal(span.attributes["error.type"], "Timeout");
});

test("a producer's headers name the current span", () => {
  tracer.startActiveSpan("GET /buy", (span) => {
    const { traceId, spanId } = span.spanContext();
    assert.deepEqual(currentTraceContext(), { traceparent: `00-${traceId}-${spanId}-01` });
    span.end();
  });
  assert.ok(propagation.fields().includes("traceparent"));
  assert.deepEqual(currentTraceContext(), {});
});
