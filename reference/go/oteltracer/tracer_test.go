package oteltracer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"rrq/executor"
	"rrq/oteltracer"
)

const request = `{"protocol_version":"1","job_id":"j1","function_name":"greet","args":[],"kwargs":{},` +
	`"context":{"job_id":"j1","attempt":2,"enqueue_time":"2026-01-01T12:00:00Z",` +
	`"queue_name":"default","worker_id":"w1","deadline":%s,"trace_context":` +
	`{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}` + "\n"

func TestAJobsSpanHasTheProducersAsParentAndTheHandlersAsChild(t *testing.T) {
	var injected map[string]string
	spans := ran(t, "null", func(ctx context.Context, _ *executor.Job) (any, error) {
		_, child := trace.SpanFromContext(ctx).TracerProvider().Tracer("mine").Start(ctx, "charge card")
		child.End()
		injected = oteltracer.Inject(ctx)
		return nil, nil
	})
	child, span := spans[0], spans[1]

	if parent := span.Parent().SpanID().String(); parent != "b7ad6b7169203331" {
		t.Errorf("its parent is %s", parent)
	}
	if trace := span.SpanContext().TraceID().String(); trace != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("its trace is %s", trace)
	}
	if child.Name() != "charge card" || child.Parent().SpanID() != span.SpanContext().SpanID() {
		t.Errorf("%s is a child of %s", child.Name(), child.Parent().SpanID())
	}
	if own := span.SpanContext().SpanID().String(); !strings.Contains(injected["traceparent"], own) {
		t.Errorf("%v does not go on from %s", injected, own)
	}
}

func TestItSaysWhichJobItIsAbout(t *testing.T) {
	span := ran(t, "null", func(context.Context, *executor.Job) (any, error) { return nil, nil })[0]

	if span.Name() != "rrq.executor" || span.SpanKind() != trace.SpanKindInternal {
		t.Errorf("%s is %s", span.Name(), span.SpanKind())
	}
	expect(t, span, map[string]string{
		"messaging.system":           "redis",
		"messaging.destination.name": "default",
		"messaging.destination_kind": "queue",
		"messaging.operation":        "process",
		"messaging.operation.type":   "process",
		"messaging.operation.name":   "run",
		"messaging.message.id":       "j1",
		"rrq.job_id":                 "j1",
		"rrq.function":               "greet",
		"rrq.queue":                  "default",
		"rrq.attempt":                "2",
		"rrq.worker_id":              "w1",
		"rrq.outcome":                "success",
		"span.kind":                  "internal",
	})
	if span.Status().Code != codes.Unset || len(span.Events()) != 0 {
		t.Errorf("%v, %v", span.Status(), span.Events())
	}
}

func TestAnErrorIsRecordedWithItsType(t *testing.T) {
	span := ran(t, "null", func(context.Context, *executor.Job) (any, error) {
		return nil, errors.New("no such customer")
	})[0]

	expect(t, span, map[string]string{"rrq.outcome": "error", "error.type": "errors.errorString"})
	if status := span.Status(); status.Code != codes.Error || status.Description != "no such customer" {
		t.Errorf("%v", status)
	}
	if events := span.Events(); len(events) != 1 || events[0].Name != "exception" {
		t.Errorf("%v", events)
	}
}

func TestAPanicIsAnErrorToo(t *testing.T) {
	span := ran(t, "null", func(context.Context, *executor.Job) (any, error) { panic("at the disco") })[0]

	if span.Status().Code != codes.Error || span.Status().Description != "at the disco" {
		t.Errorf("%v", span.Status())
	}
}

func TestAHandlerThatAsksForAnotherAttemptIsNoError(t *testing.T) {
	span := ran(t, "null", func(context.Context, *executor.Job) (any, error) {
		return nil, executor.RetryLater("busy")
	})[0]

	expect(t, span, map[string]string{"rrq.outcome": "retry"})
	if events := span.Events(); len(events) != 1 || events[0].Name != "rrq.retry" {
		t.Errorf("%v", events)
	}
	if span.Status().Code != codes.Unset {
		t.Errorf("%v", span.Status())
	}
}

func TestACancelledHandlerIsNoErrorAndALateOneIs(t *testing.T) {
	wait := func(ctx context.Context, _ *executor.Job) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	soon := fmt.Sprintf("%q", time.Now().Add(300*time.Millisecond).UTC().Format(time.RFC3339Nano))
	late := ran(t, soon, wait)[0]
	expect(t, late, map[string]string{"rrq.outcome": "timeout", "error.type": "Timeout"})
	if late.Status().Code != codes.Error {
		t.Errorf("%v", late.Status())
	}

	stdin, worker := io.Pipe()
	cancelled := answered(t, stdin, func(ctx context.Context, job *executor.Job) (any, error) {
		go func() {
			_, _ = io.WriteString(worker, `{"type":"cancel","job_id":"j1"}`+"\n")
			_ = worker.Close()
		}()
		return wait(ctx, job)
	}, func() { _, _ = fmt.Fprintf(worker, request, "null") })[0]
	expect(t, cancelled, map[string]string{"rrq.outcome": "cancelled"})
	if cancelled.Status().Code != codes.Unset {
		t.Errorf("%v", cancelled.Status())
	}
}

// ran carries out one job, and gives the spans that ended, in that order.
func ran(t *testing.T, deadline string, handler executor.Handler) []sdktrace.ReadOnlySpan {
	stdin := strings.NewReader(fmt.Sprintf(request, deadline))
	return answered(t, stdin, handler, func() {})
}

func answered(
	t *testing.T, stdin io.Reader, handler executor.Handler, send func(),
) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	handlers := executor.New(executor.Options{
		Tracer: oteltracer.New(provider.Tracer("test")), Stdin: stdin, Stdout: io.Discard,
	})
	handlers.Handle("greet", handler)
	go send()
	if err := handlers.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return recorder.Ended()
}

// expect has each attribute looked at as text.
func expect(t *testing.T, span sdktrace.ReadOnlySpan, wanted map[string]string) {
	t.Helper()
	found := attribute.NewSet(span.Attributes()...)
	for name, text := range wanted {
		if value, _ := found.Value(attribute.Key(name)); value.Emit() != text {
			t.Errorf("%s is %q, not %q", name, value.Emit(), text)
		}
	}
}
