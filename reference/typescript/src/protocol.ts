/**
 * The messages of RRQ's executor protocol, version 1: JSON Lines between a worker and an executor.
 * docs/reference/protocol.md says what they mean.
 */

import { type Json, parseJson, writeJson } from "./json.js";
import { Moment } from "./moment.js";

export { Moment, parseJson, writeJson };
export type { Json };

export const PROTOCOL_VERSION = "1";

/** The job id in the answer to a line that is no request. */
export const UNKNOWN_JOB = "unknown";

/** The error type that sends a job straight to its dead letter queue. */
export const HANDLER_NOT_FOUND = "handler_not_found";

/** The longest line that a worker takes by default. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** One job to carry out. */
export interface Request {
  readonly type: "request";
  readonly jobId: string;
  /** The handler's name, without the prefix that names the executor. */
  readonly functionName: string;
  readonly args: readonly Json[];
  readonly kwargs: Readonly<Record<string, Json>>;
  readonly context: RequestContext;
}

/** What is known of a job that is carried out. */
export interface RequestContext {
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
  readonly enqueueTime: Moment;
  /** Bare or full, as the producer gave it. */
  readonly queueName: string;
  /** When the worker stops waiting. */
  readonly deadline: Moment | null;
  /** Propagation headers, such as `traceparent`. */
  readonly traceContext: Readonly<Record<string, string>> | null;
  readonly workerId: string | null;
  /** Grows with every lease of the job: a service that is written to can refuse smaller ones. */
  readonly leaseToken: number | null;
}

/** A request is no longer wanted: it is to be answered with any outcome. */
export interface Cancel {
  readonly type: "cancel";
  readonly jobId: string;
}

/** What became of one request, as it is written. */
export interface Outcome {
  job_id: string;
  status: "success" | "retry" | "timeout" | "error";
  result?: unknown;
  error_message?: string;
  error_type?: string;
  /** With `retry`; without it, the worker's usual backoff. */
  retry_after_seconds?: number;
}

/** An executor's first line, as it is written. */
export interface Hello {
  type: "hello";
  protocol_version: typeof PROTOCOL_VERSION;
  features?: string[];
  max_in_flight?: number;
  functions?: string[];
  runtime?: string;
}

/** How far a job is, as it is written. */
export interface Progress {
  type: "progress";
  job_id: string;
  current?: number;
  total?: number;
  message?: string;
}

/** A line that is neither a request nor a cancel. */
export class BadLine extends Error {
  override readonly name = "BadLine";

  constructor(
    /** Whose request it is, or `UNKNOWN_JOB`. */
    readonly jobId: string,
    message: string,
  ) {
    super(message);
  }

  /** The answer to it. */
  get outcome(): Outcome {
    return failure(this.jobId, this.message);
  }
}

/** An outcome of status `error`. */
export function failure(jobId: string, message: string, errorType?: string): Outcome {
  const outcome: Outcome = {
    job_id: jobId,
    status: "error",
    error_message: message.toWellFormed(),
  };
  return errorType === undefined ? outcome : { ...outcome, error_type: errorType.toWellFormed() };
}

/** One line, without its end. Throws TypeError or RangeError: it cannot be JSON. */
export function encode(message: Outcome | Hello | Progress): string {
  return writeJson(message);
}

/** Read one line of an executor's stdin, which must not be blank. Throws BadLine. */
export function decode(line: Uint8Array): Request | Cancel {
  let jobId = UNKNOWN_JOB;
  try {
    const message = new Fields(parseJson(UTF_8.decode(line)), "it");
    const id = message.text("job_id");
    if (!id.isWellFormed()) throw new TypeError("`job_id` has half of a surrogate pair");
    jobId = id;
    if (message.value("type") === "cancel") return { type: "cancel", jobId };
    if (message.text("protocol_version") === PROTOCOL_VERSION) return readRequest(jobId, message);
  } catch (error) {
    throw new BadLine(jobId, `The line is not a request: ${(error as Error).message}`);
  }
  throw new BadLine(jobId, "Unsupported protocol version");
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readRequest(jobId: string, message: Fields): Request {
  const context = message.object("context");
  return {
    type: "request",
    jobId,
    functionName: message.text("function_name"),
    args: message.array("args"),
    kwargs: message.object("kwargs").all,
    context: {
      jobId: context.text("job_id"),
      attempt: context.integer("attempt"),
      enqueueTime: Moment.parse(context.text("enqueue_time")),
      queueName: context.text("queue_name"),
      deadline: context.has("deadline") ? Moment.parse(context.text("deadline")) : null,
      traceContext: context.has("trace_context") ? context.object("trace_context").texts() : null,
      workerId: context.has("worker_id") ? context.text("worker_id") : null,
      leaseToken: context.has("lease_token") ? context.integer("lease_token") : null,
    },
  };
}

/** An object's fields, each asked for by its type. */
class Fields {
  readonly all: { [name: string]: Json };

  constructor(value: Json | undefined, called: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new TypeError(`${called} is no object`);
    }
    this.all = value;
  }

  value(name: string): Json | undefined {
    return Object.hasOwn(this.all, name) ? this.all[name] : undefined;
  }

  has(name: string): boolean {
    return (this.value(name) ?? null) !== null;
  }

  text(name: string): string {
    const value = this.value(name);
    if (typeof value !== "string") throw new TypeError(`\`${name}\` is no text`);
    return value;
  }

  integer(name: string): number {
    const value = this.value(name);
    if (!Number.isSafeInteger(value)) throw new TypeError(`\`${name}\` is no integer`);
    return value as number;
  }

  array(name: string): Json[] {
    const value = this.value(name);
    if (!Array.isArray(value)) throw new TypeError(`\`${name}\` is no array`);
    return value;
  }

  object(name: string): Fields {
    return new Fields(this.value(name), `\`${name}\``);
  }

  texts(): Record<string, string> {
    for (const name of Object.keys(this.all)) this.text(name);
    return this.all as Record<string, string>;
  }
}
