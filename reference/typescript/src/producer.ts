/**
 * Puts jobs into RRQ's queues.
 *
 *     const client = createClient(connectionOptions("redis://localhost:6379/0"));
 *     client.on("error", console.error); // Else a dropped connection ends the program.
 *     await client.connect();
 *     const producer = new Producer(client);
 *     const id = await producer.enqueue("greet", ["world"], { loud: true });
 *
 * It sends the Lua step that RRQ's own client sends, so that a job is written at once or not at
 * all, a sleeping worker wakes, and unique keys are kept. docs/reference/schema.md describes it.
 */

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { ErrorReply } from "@redis/client";

import { connectionOptions } from "./dsn.js";
import { writeJson } from "./json.js";
import { Moment } from "./moment.js";

export { connectionOptions, Moment };

/** How long a unique key is held beyond the due time. */
export const UNIQUE_TTL_SECONDS = 21_600;

/** As much of a client of `@redis/client` or `redis` as a producer needs. */
export interface RedisClient {
  sendCommand(words: string[]): Promise<unknown>;
}

/** Options of a producer, which must be those of the workers. */
export interface ProducerOptions {
  /** The setting `key_prefix`. */
  keyPrefix?: string;
  defaultQueue?: string;
  defaultDlq?: string;
  uniqueTtlSeconds?: number;
}

/** Options of a job; what is not given is left to the worker. */
export interface JobOptions {
  /** Bare or full. */
  queueName?: string;
  /** An id of the caller's own. A waiting job of this id gets the new definition. */
  jobId?: string;
  /** No other job with the same key is made while this one is not done. */
  uniqueKey?: string;
  /**
   * If another job holds the key: `skip` makes no job, `raise` throws DuplicateJobError, `defer`
   * queues the job for when the key is free, `replace` gives the waiting job this definition.
   */
  onConflict?: "skip" | "raise" | "defer" | "replace";
  deferBySeconds?: number;
  /** Counts if `deferBySeconds` is not given. */
  deferUntil?: Date | Moment;
  /** Attempts in all. */
  maxRetries?: number;
  /** The longest an attempt may take. */
  jobTimeoutSeconds?: number;
  /** How long the result stays, in whole seconds; 0 is for ever. */
  resultTtlSeconds?: number;
  /** Propagation headers, such as `traceparent`. */
  traceContext?: Readonly<Record<string, string>>;
}

/** Another job holds the unique key. */
export class DuplicateJobError extends Error {
  override readonly name = "DuplicateJobError";

  constructor(readonly holderId: string) {
    super(`Job ${holderId} holds the unique key`);
  }
}

/** The job of the chosen id runs. */
export class JobRunningError extends Error {
  override readonly name = "JobRunningError";

  constructor(readonly jobId: string) {
    super(`Job ${jobId} is running: it cannot be enqueued again now`);
  }
}

/** Enqueues jobs through one client, whose closing is the caller's affair. */
export class Producer {
  readonly #client: RedisClient;
  readonly #options: Required<ProducerOptions>;

  constructor(client: RedisClient, options: ProducerOptions = {}) {
    this.#client = client;
    this.#options = {
      keyPrefix: "rrq",
      defaultQueue: "default",
      defaultDlq: "default",
      uniqueTtlSeconds: UNIQUE_TTL_SECONDS,
      ...options,
    };
  }

  /**
   * Enqueue one job and give its id, or null if it was skipped.
   *
   * Throws DuplicateJobError, JobRunningError, TypeError for an argument that cannot be JSON,
   * RangeError for an option that no worker can keep to, and the client's errors. A call whose connection dropped is sent again, and carried out once.
   */
  async enqueue(
    functionName: string,
    args: readonly unknown[] = [],
    kwargs: Readonly<Record<string, unknown>> = {},
    options: JobOptions = {},
  ): Promise<string | null> {
    check(options);
    const queue = options.queueName ?? this.#options.defaultQueue;
    const traced = Object.keys(options.traceContext ?? {}).length > 0;
    const fields = Object.entries({
      function_name: functionName,
      job_args: writeJson(args),
      job_kwargs: writeJson(kwargs),
      queue_name: queue,
      max_retries: options.maxRetries,
      job_timeout_seconds: options.jobTimeoutSeconds,
      result_ttl_seconds: options.resultTtlSeconds,
      trace_context: traced ? writeJson(options.traceContext) : undefined,
    }).filter(([, value]) => value !== undefined);
    const prefix = `${this.#options.keyPrefix}:queue:`;
    const answer = await this.#call([
      this.#options.defaultDlq,
      1,
      options.jobId ?? randomUUID(),
      queue.startsWith(prefix) ? queue.slice(prefix.length) : queue,
      ...due(options),
      options.uniqueKey ?? "",
      this.#options.uniqueTtlSeconds * 1000,
      options.onConflict ?? "skip",
      // The same when the call is sent again, so that it is carried out once.
      options.jobId === undefined ? "" : randomUUID(),
      fields.length,
      ...fields.flat(),
    ]);
    return read(answer);
  }

  /** Run the step; after a dropped connection, again with the same arguments. */
  async #call(step: unknown[]): Promise<unknown> {
    const rest = ["1", `${this.#options.keyPrefix}:`, ...step.map(String)];
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#client.sendCommand(["EVALSHA", DIGEST, ...rest]).catch((error) => {
          if (!(error as Error).message.startsWith("NOSCRIPT")) throw error;
          return this.#client.sendCommand(["EVAL", SCRIPT, ...rest]);
        });
      } catch (error) {
        if (error instanceof ErrorReply || attempt === 3) throw error;
        await delay(100 * attempt);
      }
    }
  }
}

/** Refuse what no worker can keep to. */
function check({ maxRetries, jobTimeoutSeconds, resultTtlSeconds }: JobOptions): void {
  if (maxRetries !== undefined && !(Number.isSafeInteger(maxRetries) && maxRetries >= 1)) {
    throw new RangeError(`maxRetries is ${maxRetries}: it must be an integer from 1`);
  }
  if (jobTimeoutSeconds !== undefined && !(jobTimeoutSeconds > 0 && jobTimeoutSeconds < 1e15)) {
    throw new RangeError(`jobTimeoutSeconds is ${jobTimeoutSeconds}: it must be above 0`);
  }
  if (
    resultTtlSeconds !== undefined &&
    !(Number.isSafeInteger(resultTtlSeconds) && resultTtlSeconds >= 0)
  ) {
    throw new RangeError(`resultTtlSeconds is ${resultTtlSeconds}: it must be an integer from 0`);
  }
}

/** When the job is due: in so many milliseconds, or at so many since 1970. */
function due(options: JobOptions): [string, number] {
  const { deferBySeconds, deferUntil } = options;
  const isDelay = deferBySeconds !== undefined || deferUntil === undefined;
  const milliseconds = isDelay
    ? (deferBySeconds ?? 0) * 1000
    : deferUntil instanceof Date
      ? deferUntil.getTime()
      : deferUntil.unixMilliseconds;
  if (!Number.isFinite(milliseconds)) throw new TypeError("The job is deferred to no time at all");
  return [isDelay ? "in" : "at", milliseconds];
}

/** What the step answered for one job. */
function read(answer: unknown): string | null {
  const [kind, ...words] = (answer as [unknown, unknown[]])[1].map(String);
  switch (kind) {
    case "queued":
    case "repeated":
      return words[0] ?? null;
    case "duplicate":
      return null;
    case "refused":
      throw words[1] === "running"
        ? new JobRunningError(words[2] ?? "")
        : new DuplicateJobError(words[2] ?? "");
    default:
      throw new Error(`The step answered ${kind}, which is none of its answers`);
  }
}

/** The step's text: what stands before it, what its first line names, and itself. */
function joinedScript(): string {
  const file = (name: string): string =>
    readFileSync(new URL(`../../lua/${name}.lua`, import.meta.url), "utf8");
  const step = file("enqueue");
  const used = /^--! use (.*)/.exec(step)?.[1]?.trim().split(/\s+/) ?? [];
  return ["_base", ...used].map(file).concat(step).join("\n");
}

const SCRIPT = joinedScript();
const DIGEST = createHash("sha1").update(SCRIPT).digest("hex");
