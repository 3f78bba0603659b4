/**
 * A span of OpenTelemetry around each handler, as a child of the trace that its job carries.
 *
 *     const executor = new Executor({ around: openTelemetry() });
 *
 * It needs `@opentelemetry/api`, and an SDK that is registered before: without one there are no
 * spans. `NodeTracerProvider.register()` brings W3C's headers and the async context with it.
 */

import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";

import { type Around, endingOf, type Job } from "./executor.js";

const MOST_ERROR_CHARACTERS = 1024;

/**
 * For an executor's option `around`: the span `rrq.executor`, current while the handler runs, so
 * that the handler's own spans are its children.
 *
 * @param tracer by default one of the global provider, even if that is registered later.
 */
export function openTelemetry(tracer: Tracer = trace.getTracer("rrq")): Around {
  return async (job, handler) => {
    const parent = propagation.extract(ROOT_CONTEXT, job.context.traceContext ?? {});
    const options = { kind: SpanKind.INTERNAL, attributes: attributesOf(job) };
    const span = tracer.startSpan("rrq.executor", options, parent);
    try {
      const result = await context.with(trace.setSpan(parent, span), handler);
      span.setAttribute("rrq.outcome", "success");
      return result;
    } catch (error) {
      tell(span, job, error);
      throw error;
    } finally {
      span.end();
    }
  };
}

/** The headers of the current span, for the producer's option `traceContext`. */
export function currentTraceContext(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** What a span tells of a handler that threw. */
function tell(span: Span, job: Job, error: unknown): void {
  const ending = endingOf(error, job);
  span.setAttribute("rrq.outcome", ending);
  // What a handler throws when it is stopped says less than why it was.
  const cause: unknown = ending === "timeout" ? job.signal.reason : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (ending === "retry") {
    span.addEvent("rrq.retry", { "rrq.reason": short(message) });
  } else if (ending === "cancelled") {
    span.addEvent("rrq.cancel");
  } else {
    const type = error instanceof Error ? error.name : typeof error;
    span.setAttribute("error.type", ending === "timeout" ? "Timeout" : type);
    span.recordException(error instanceof Error ? error : message);
    span.setStatus({ code: SpanStatusCode.ERROR, message: short(message) });
  }
}

function attributesOf({ id, functionName, context }: Job): Attributes {
  return {
    "messaging.system": "redis",
    "messaging.destination.name": context.queueName,
    "messaging.destination_kind": "queue",
    "messaging.operation": "process",
    "messaging.operation.type": "process",
    "messaging.operation.name": "run",
    "messaging.message.id": id,
    "rrq.job_id": id,
    "rrq.function": functionName,
    "rrq.queue": context.queueName,
    "rrq.attempt": context.attempt,
    ...(context.workerId === null ? {} : { "rrq.worker_id": context.workerId }),
    "span.kind": "internal",
  };
}

function short(text: string): string {
  return text.length <= MOST_ERROR_CHARACTERS ? text : `${text.slice(0, MOST_ERROR_CHARACTERS - 1)}…`;
}
