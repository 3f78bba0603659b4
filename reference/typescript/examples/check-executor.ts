/**
 * An executor with the handlers that `rrq executor check` asks for by their usual names.
 *
 *     npm run build && rrq executor check -- node dist/examples/check-executor.js
 */

import { setTimeout as delay } from "node:timers/promises";

import { Executor, Retry } from "../src/executor.js";

const executor = new Executor()
  .handle("echo", (job, ...args) => ({ args, kwargs: job.kwargs }))
  .handle("sleep", async (job, seconds) => {
    await delay(Number(seconds) * 1000, undefined, { signal: job.signal });
  })
  .handle("fail", (_job, message) => {
    throw new Error(String(message));
  })
  // The attempt that is given as `until` succeeds.
  .handle("retry", (job, seconds) => {
    if (job.context.attempt >= Number(job.kwargs["until"] ?? Infinity)) return job.context.attempt;
    throw new Retry("not yet", Number(seconds));
  })
  .handle("report", (job, current, total, message) => {
    job.progress(Number(current), Number(total), String(message));
  })
  .handle("print", (_job, text) => {
    console.log(text);
  });

await executor.run();
// Nothing that a handler left behind is to keep the process alive.
process.exit();
