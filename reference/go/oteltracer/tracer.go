// Package oteltracer has a span of OpenTelemetry around each handler, whose parent is the job's
// trace context. It is a module of its own, so that nobody else needs OpenTelemetry.
//
//	executor.New(executor.Options{Tracer: oteltracer.New(otel.Tracer("rrq"))})
package oteltracer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"rrq/executor"
	"rrq/protocol"
)

// New makes an executor's tracer that reads W3C trace context and baggage.
func New(tracer trace.Tracer) executor.Tracer {
	headers := propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{})
	return &spans{tracer: tracer, headers: headers}
}

// Inject gives the headers of the current span, for producer.Job's TraceContext.
func Inject(ctx context.Context) map[string]string {
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	propagation.Baggage{}.Inject(ctx, headers)
	return headers
}

type spans struct {
	tracer  trace.Tracer
	headers propagation.TextMapPropagator
}

// Start begins the span rrq.executor.
func (spans *spans) Start(
	ctx context.Context, job *executor.Job,
) (context.Context, func(protocol.Outcome)) {
	ctx = spans.headers.Extract(ctx, propagation.MapCarrier(job.Context.TraceContext))
	ctx, span := spans.tracer.Start(ctx, "rrq.executor",
		trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(attributes(job)...))
	return ctx, func(outcome protocol.Outcome) {
		tell(span, outcome)
		span.End()
	}
}

// attributes say which job it is, as the spans of RRQ's workers do.
func attributes(job *executor.Job) []attribute.KeyValue {
	found := []attribute.KeyValue{
		attribute.String("messaging.system", "redis"),
		attribute.String("messaging.destination.name", job.Context.QueueName),
		attribute.String("messaging.destination_kind", "queue"),
		attribute.String("messaging.operation", "process"),
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.operation.name", "run"),
		attribute.String("messaging.message.id", job.JobID),
		attribute.String("rrq.job_id", job.JobID),
		attribute.String("rrq.function", job.FunctionName),
		attribute.String("rrq.queue", job.Context.QueueName),
		attribute.Int("rrq.attempt", job.Context.Attempt),
		attribute.String("span.kind", "internal"),
	}
	if worker := job.Context.WorkerID; worker != nil {
		found = append(found, attribute.String("rrq.worker_id", *worker))
	}
	return found
}

// tell says how the job ended. One that was cancelled, or asks for another attempt, is no error.
func tell(span trace.Span, outcome protocol.Outcome) {
	kind := string(outcome.Status)
	if outcome.ErrorType == executor.ErrorTypeCancelled {
		kind = "cancelled"
	}
	span.SetAttributes(attribute.String("rrq.outcome", kind))
	switch kind {
	case string(protocol.Success):
	case string(protocol.Retry):
		span.AddEvent("rrq.retry", trace.WithAttributes(
			attribute.String("rrq.reason", outcome.ErrorMessage)))
	case "cancelled":
		span.AddEvent("rrq.cancel")
	default:
		span.SetAttributes(attribute.String("error.type", outcome.ErrorType))
		span.AddEvent("exception", trace.WithAttributes(
			attribute.String("exception.type", outcome.ErrorType),
			attribute.String("exception.message", outcome.ErrorMessage)))
		span.SetStatus(codes.Error, outcome.ErrorMessage)
	}
}
