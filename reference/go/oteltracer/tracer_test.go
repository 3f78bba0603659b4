package oteltracer_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"rrq/executor"
	"rrq/oteltracer"
)

const request = `{"protocol_version":"1","job_id":"j1","function_name":"greet","args":[],"kwargs":{},` +
	`"context":{"job_id":"j1","attempt":2,"enqueue_time":"2026-01-01T12:00:00Z",` +
	`"queue_name":"default","trace_context":` +
	`{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}` + "\n"

func TestAJobsSpanHasTheProducersAsParentAndTheHandlersAsChild(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	tracer := provider.Tracer("test")
	var injected map[string]string
	handlers := executor.New(executor.Options{
		Tracer: oteltracer.New(tracer), Stdin: strings.NewReader(request), Stdout: io.Discard,
	})
	handlers.Handle("greet", func(ctx context.Context, _ *executor.Job) (any, error) {
		injected = oteltracer.Inject(ctx)
		return nil, executor.RetryLater("busy")
	})
	if err := handlers.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	ended := recorder.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	span := ended[0]
	if parent := span.Parent().SpanID().String(); parent != "b7ad6b7169203331" {
		t.Errorf("its parent is %s", parent)
	}
	if trace := span.SpanContext().TraceID().String(); trace != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("its trace is %s", trace)
	}
	if span.Name() != "run greet" || span.Status().Code != codes.Error {
		t.Errorf("%s: %v", span.Name(), span.Status())
	}
	if own := span.SpanContext().SpanID().String(); !strings.Contains(injected["traceparent"], own) {
		t.Errorf("%v does not go on from %s", injected, own)
	}
}
