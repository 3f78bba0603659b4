/**
 * Runs handlers in TypeScript for RRQ's workers.
 *
 *     const executor = new Executor();
 *     executor.handle("greet", async (job, name) => `Hello ${name}`);
 *     await executor.run();
 *
 * A worker starts the program and talks to it over stdin and stdout, as
 * docs/reference/protocol.md says. What is printed by `console.log` or `process.stdout` goes to
 * stderr, and so into the worker's log.
 */

import {
  BadLine,
  decode,
  encode,
  failure,
  HANDLER_NOT_FOUND,
  type Hello,
  type Json,
  MAX_MESSAGE_BYTES,
  type Outcome,
  type Progress,
  PROTOCOL_VERSION,
  type Request,
  type RequestContext,
  UNKNOWN_JOB,
} from "./protocol.js";
import { readLines, TOO_LONG } from "./lines.js";

export type { Json, RequestContext };

/**
 * Carries out one job. What it returns is stored as JSON; an error is a failed attempt, a `Retry`
 * asks for another one. It has to end when `job.signal` is aborted: it cannot be stopped from
 * outside, and the worker replaces the process of one that goes on.
 */
export type Handler = (job: Job, ...args: Json[]) => unknown;

/** Thrown by a handler to be run again. */
export class Retry extends Error {
  override readonly name = "Retry";

  /** @param afterSeconds the delay; without it, the worker's usual backoff. */
  constructor(
    message = "Job requested retry",
    readonly afterSeconds?: number,
  ) {
    super(message);
  }
}

/** What a handler may know of its job. */
export interface Job {
  readonly id: string;
  readonly functionName: string;
  /** Keyword arguments. */
  readonly kwargs: Readonly<Record<string, Json>>;
  readonly context: RequestContext;
  /** Aborted when the job is cancelled, and at its deadline. */
  readonly signal: AbortSignal;
  /** Tell how far it is, if the worker wants to know. */
  progress(current?: number, total?: number, message?: string): void;
}

/**
 * Runs around each handler, for a span or a measurement. It has to give what `handler` gives, and
 * throw what that throws. `rrq/otel` has one for OpenTelemetry.
 */
export type Around = (job: Job, handler: () => Promise<unknown>) => Promise<unknown>;

/** Options of an executor; each has a default. */
export interface ExecutorOptions {
  /** How many handlers run at once. */
  maxInFlight?: number;
  /** The longest line, either way. */
  maxMessageBytes?: number;
  /** What the worker understands; by default what RRQ_PROTOCOL_FEATURES lists. */
  features?: readonly string[];
  /** What runs around each handler; by default nothing. */
  around?: Around;
  /** For tests: by default those of the process. */
  stdin?: AsyncIterable<Uint8Array>;
  write?: (line: string) => void;
}

/** Handlers by their names. */
export class Executor {
  readonly #handlers = new Map<string, Handler>();
  readonly #running = new Map<string, AbortController>();
  readonly #waiting: (() => void)[] = [];
  readonly #maxInFlight: number;
  readonly #maxMessageBytes: number;
  readonly #features: readonly string[];
  readonly #around: Around;
  readonly #stdin: AsyncIterable<Uint8Array>;
  #write: ((line: string) => void) | undefined;
  #inFlight = 0;

  constructor(options: ExecutorOptions = {}) {
    this.#maxInFlight = options.maxInFlight ?? 32;
    this.#maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    this.#features = options.features ?? (process.env["RRQ_PROTOCOL_FEATURES"] ?? "").split(",");
    this.#around = options.around ?? ((_job, handler) => handler());
    this.#stdin = options.stdin ?? process.stdin;
    this.#write = options.write;
  }

  /** Register a handler, before `run`. Throws Error if the name has one already. */
  handle(name: string, handler: Handler): this {
    if (this.#handlers.has(name)) throw new Error(`There are two handlers for ${name}`);
    this.#handlers.set(name, handler);
    return this;
  }

  /** Answer requests until stdin ends, then finish those that run. */
  async run(): Promise<void> {
    this.#write ??= takeStdout();
    if (this.#features.includes("hello")) this.#send(this.#hello());
    const answers = new Set<Promise<void>>();
    for await (const line of readLines(this.#stdin, this.#maxMessageBytes)) {
      if (line === TOO_LONG) {
        const limit = `it is longer than ${this.#maxMessageBytes} bytes`;
        this.#send(failure(UNKNOWN_JOB, `The line is not a request: ${limit}`));
        continue;
      }
      const answer = this.#take(line);
      answers.add(answer);
      void answer.finally(() => answers.delete(answer));
    }
    await Promise.all(answers);
  }

  /** Act on one line. */
  async #take(line: Uint8Array): Promise<void> {
    let message;
    try {
      message = decode(line);
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      return this.#send(error.outcome);
    }
    if (message.type === "cancel") {
      return this.#running.get(message.jobId)?.abort(CANCELLED);
    }
    const stop = new AbortController();
    this.#running.set(message.jobId, stop);
    const outcome = await this.#carryOut(message, stop);
    // Before the answer: the worker may send the same job again at once.
    if (this.#running.get(message.jobId) === stop) this.#running.delete(message.jobId);
    this.#send(outcome);
  }

  /** The outcome of one request, whatever its handler does. */
  async #carryOut(request: Request, stop: AbortController): Promise<Outcome> {
    const { jobId, functionName, args, kwargs, context } = request;
    const handler = this.#handlers.get(functionName);
    if (handler === undefined) {
      const message = `No handler registered for function '${functionName}'`;
      return failure(jobId, message, HANDLER_NOT_FOUND);
    }
    const disarm = abortAt(context.deadline?.unixMilliseconds, stop);
    const job: Job = {
      id: jobId,
      functionName,
      kwargs,
      context,
      signal: stop.signal,
      progress: (current, total, message) => this.#progress(jobId, current, total, message),
    };
    try {
      await this.#place(stop.signal);
      try {
        stop.signal.throwIfAborted();
        const result = await this.#around(job, async () => handler(job, ...args));
        return { job_id: jobId, status: "success", result: result === undefined ? null : result };
      } finally {
        this.#leave();
      }
    } catch (error) {
      return failed(jobId, error, stop.signal);
    } finally {
      disarm();
    }
  }

  /** Wait for one of the places. Throws the signal's reason if that comes first. */
  async #place(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#inFlight < this.#maxInFlight) {
      this.#inFlight += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(wake), 1);
        reject(signal.reason);
      };
      this.#waiting.push(wake);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Pass the place on to the first that waits. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inFlight -= 1;
    else next();
  }

  #progress(jobId: string, current?: number, total?: number, message?: string): void {
    if (!this.#features.includes("progress")) return;
    const progress: Progress = { type: "progress", job_id: jobId };
    if (current !== undefined) progress.current = current;
    if (total !== undefined) progress.total = total;
    if (message !== undefined) progress.message = message;
    this.#write?.(`${encode(progress)}\n`);
  }

  /** Write one message; for an outcome that cannot be written, one that says so. */
  #send(message: Outcome | Hello): void {
    let line;
    try {
      line = encode(message);
      const bytes = Buffer.byteLength(line);
      if (bytes > this.#maxMessageBytes) {
        throw new RangeError(`its line has ${bytes} bytes, the most is ${this.#maxMessageBytes}`);
      }
    } catch (error) {
      if (!("job_id" in message)) throw error;
      const why = `The result cannot be sent: ${(error as Error).message}`;
      line = encode(failure(message.job_id, why.slice(0, 1000), (error as Error).name));
    }
    this.#write?.(`${line}\n`);
  }

  #hello(): Hello {
    return {
      type: "hello",
      protocol_version: PROTOCOL_VERSION,
      features: ["cancel", "progress"],
      max_in_flight: this.#maxInFlight,
      functions: [...this.#handlers.keys()].sort(),
      runtime: `node ${process.versions.node}`,
    };
  }
}

const CANCELLED = new Error("The job was cancelled.");
const TIMED_OUT = new Error("Job timed out.");

/** How a job ended whose handler threw. */
export type Ending = "retry" | "cancelled" | "timeout" | "error";

/** How a job has ended whose handler threw this. */
export function endingOf(error: unknown, job: Pick<Job, "signal">): Ending {
  if (error instanceof Retry) return "retry";
  if (job.signal.reason === CANCELLED) return "cancelled";
  return job.signal.reason === TIMED_OUT ? "timeout" : "error";
}

/** The outcome of a handler that threw. */
function failed(jobId: string, error: unknown, signal: AbortSignal): Outcome {
  if (error instanceof Retry) {
    const outcome: Outcome = { ...failure(jobId, error.message, "Retry"), status: "retry" };
    if (error.afterSeconds !== undefined) outcome.retry_after_seconds = error.afterSeconds;
    return outcome;
  }
  const ending = endingOf(error, { signal });
  if (ending === "cancelled") return failure(jobId, CANCELLED.message, "Cancelled");
  if (ending === "timeout") {
    return { ...failure(jobId, TIMED_OUT.message, "Timeout"), status: "timeout" };
  }
  process.stderr.write(`job ${jobId}: ${error instanceof Error ? error.stack : String(error)}\n`);
  return error instanceof Error
    ? failure(jobId, error.message, error.name)
    : failure(jobId, String(error));
}

/** Abort at a time, and give what calls that off. */
function abortAt(unixMilliseconds: number | undefined, stop: AbortController): () => void {
  let timer: NodeJS.Timeout | undefined;
  const arm = (deadline: number): void => {
    const left = deadline - Date.now();
    if (left <= 0) return stop.abort(TIMED_OUT);
    // A longer timer would fire at once.
    timer = setTimeout(arm, Math.min(left, 2 ** 31 - 1), deadline);
  };
  if (unixMilliseconds !== undefined) arm(unixMilliseconds);
  return () => clearTimeout(timer);
}

/** Keep stdout for the protocol: whatever else is printed goes to stderr. */
function takeStdout(): (line: string) => void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return (line) => void write(line);
}
