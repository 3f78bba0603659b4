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

// Start begins a job's span.
func (spans *spans) Start(
	ctx context.Context, job *executor.Job,
) (context.Context, func(protocol.Outcome)) {
	ctx = spans.headers.Extract(ctx, propagation.MapCarrier(job.Context.TraceContext))
	ctx, span := spans.tracer.Start(ctx, "run "+job.FunctionName,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.system", "rrq"),
			attribute.String("messaging.message.id", job.JobID),
			attribute.String("messaging.destination.name", job.Context.QueueName),
			attribute.String("rrq.function", job.FunctionName),
			attribute.Int("rrq.attempt", job.Context.Attempt),
		))
	return ctx, func(outcome protocol.Outcome) {
		span.SetAttributes(attribute.String("rrq.outcome", string(outcome.Status)))
		if outcome.Status != protocol.Success {
			span.SetStatus(codes.Error, outcome.ErrorMessage)
		}
		span.End()
	}
}
