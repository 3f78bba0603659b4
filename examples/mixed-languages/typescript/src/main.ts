/** The executor in TypeScript: it greets, and refuses. */

import { trace } from "@opentelemetry/api";
import { Executor, type Job } from "rrq/executor";
import { openTelemetry } from "rrq/otel";

import { exportSpans } from "./spans.js";

const tracer = trace.getTracer("greetings");

/** Greet somebody, and say in which language. */
async function greet(_job: Job, name: unknown): Promise<object> {
  return tracer.startActiveSpan("compose greeting", (span) => {
    span.end();
    return { greeting: `Hello ${name}`, language: "TypeScript" };
  });
}

/** Fail for this reason. */
async function refuse(_job: Job, reason: unknown): Promise<never> {
  throw new RangeError(String(reason));
}

const flush = exportSpans();
// The worker closes stdin, and only if that is not enough sends the signal.
process.once("SIGTERM", async () => {
  await flush();
  process.exit();
});
await new Executor({ around: openTelemetry() })
  .handle("greet", greet)
  .handle("refuse", refuse)
  .run();
await flush();
process.exit();
