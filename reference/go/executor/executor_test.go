package executor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"rrq/executor"
	"rrq/protocol"
)

func TestItIsAPlainExecutorToAWorkerThatKnowsNoFeatures(t *testing.T) {
	talk := start(t, executor.Options{Features: []string{}})
	talk.send("", request("j1", "echo", `["a"]`, ""))

	if said := talk.next(); said.Type != "" || string(said.Result) != `["a"]` {
		t.Errorf("%+v", said)
	}
	talk.send("no request")
	if said := talk.next(); said.JobID != "unknown" || said.Status != "error" {
		t.Errorf("%+v", said)
	}
	talk.send(request("j2", "missing", `[]`, ""))
	if said := talk.next(); said.ErrorType != "handler_not_found" {
		t.Errorf("%+v", said)
	}
}

func TestItsHelloTellsWhatItCanRun(t *testing.T) {
	talk := start(t, executor.Options{Features: []string{"hello"}, MaxInFlight: 3})

	said := talk.next()
	if said.Type != "hello" || said.MaxInFlight != 3 || !slices.Contains(said.Functions, "echo") {
		t.Errorf("%+v", said)
	}
}

func TestACancelledJobIsAnsweredEvenIfItWaitsForItsPlace(t *testing.T) {
	talk := start(t, executor.Options{MaxInFlight: 1})
	talk.send(request("j1", "wait", `[]`, ""))
	if said := talk.next(); said.Type != "progress" {
		t.Fatalf("%+v", said)
	}
	talk.send(request("j2", "wait", `[]`, ""), `{"type":"cancel","job_id":"j2"}`)
	if said := talk.next(); said.JobID != "j2" || said.ErrorType != "Cancelled" {
		t.Errorf("%+v", said)
	}
	talk.send(`{"type":"cancel","job_id":"j1"}`, `{"type":"cancel","job_id":"j1"}`)
	if said := talk.next(); said.JobID != "j1" || said.ErrorType != "Cancelled" {
		t.Errorf("%+v", said)
	}
}

func TestAHandlersContextEndsAtTheDeadline(t *testing.T) {
	talk := start(t, executor.Options{})
	soon := time.Now().Add(50 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	talk.send(request("j1", "wait", `[]`, soon))
	talk.next()

	if said := talk.next(); said.Status != "timeout" || said.ErrorMessage != "Job timed out." {
		t.Errorf("%+v", said)
	}
}

func TestAHandlerAsksForAnotherAttempt(t *testing.T) {
	talk := start(t, executor.Options{})
	talk.send(request("j1", "busy", `[1.5]`, ""))
	said := talk.next()
	if said.Status != "retry" || said.RetryAfterSeconds == nil || *said.RetryAfterSeconds != 1.5 {
		t.Errorf("%+v", said)
	}
	talk.send(request("j2", "busy", `[]`, ""))
	if said := talk.next(); said.Status != "retry" || said.RetryAfterSeconds != nil {
		t.Errorf("%+v", said)
	}
}

func TestAPanicFailsItsJobAlone(t *testing.T) {
	talk := start(t, executor.Options{})
	talk.send(request("j1", "panic", `[]`, ""))
	if said := talk.next(); said.ErrorType != "panic" || said.ErrorMessage != "out of order" {
		t.Errorf("%+v", said)
	}
	talk.send(request("j2", "echo", `[2]`, ""))
	if said := talk.next(); said.Status != "success" {
		t.Errorf("%+v", said)
	}
}

func TestAResultThatCannotBeSentIsAnErrorThatSaysWhy(t *testing.T) {
	for _, name := range []string{"channel", "half a pair", "too long"} {
		talk := start(t, executor.Options{MaxMessageBytes: 1000})
		talk.send(request("j1", name, `[]`, ""))
		said := talk.next()
		if said.Status != "error" || !strings.Contains(said.ErrorMessage, "cannot be sent") {
			t.Errorf("%s: %+v", name, said)
		}
	}
}

func TestALineThatIsTooLongIsRefusedAndTheNextOneRead(t *testing.T) {
	talk := start(t, executor.Options{MaxMessageBytes: 1000})
	talk.send(strings.Repeat("x", 200_000), request("j1", "echo", `[]`, ""))

	if said := talk.next(); said.JobID != "unknown" || said.Status != "error" {
		t.Errorf("%+v", said)
	}
	if said := talk.next(); said.JobID != "j1" || said.Status != "success" {
		t.Errorf("%+v", said)
	}
}

func TestAtTheEndOfStdinWhatRunsIsFinished(t *testing.T) {
	talk := start(t, executor.Options{})
	talk.send(request("j1", "wait", `[]`, time.Now().Add(50*time.Millisecond).UTC().Format(time.RFC3339Nano)))
	talk.next()
	if err := talk.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if said := talk.next(); said.Status != "timeout" {
		t.Errorf("%+v", said)
	}
	if err := <-talk.ended; err != nil {
		t.Error(err)
	}
}

func TestATracerIsAroundTheHandler(t *testing.T) {
	tracer := &tracer{}
	talk := start(t, executor.Options{Tracer: tracer})
	talk.send(request("j1", "traced", `[]`, ""))

	if said := talk.next(); string(said.Result) != `"j1"` {
		t.Errorf("%+v", said)
	}
	if tracer.ended != protocol.Success {
		t.Errorf("it ended with %q", tracer.ended)
	}
}

type tracer struct{ ended protocol.Status }

type traceKey struct{}

func (tracer *tracer) Start(
	ctx context.Context, job *executor.Job,
) (context.Context, func(protocol.Outcome)) {
	ctx = context.WithValue(ctx, traceKey{}, job.JobID)
	return ctx, func(outcome protocol.Outcome) { tracer.ended = outcome.Status }
}

// message is any line that an executor writes.
type message struct {
	Type              string          `json:"type"`
	JobID             string          `json:"job_id"`
	Status            string          `json:"status"`
	Result            json.RawMessage `json:"result"`
	ErrorMessage      string          `json:"error_message"`
	ErrorType         string          `json:"error_type"`
	RetryAfterSeconds *float64        `json:"retry_after_seconds"`
	MaxInFlight       int             `json:"max_in_flight"`
	Functions         []string        `json:"functions"`
}

// conversation is a worker's side.
type conversation struct {
	t      *testing.T
	stdin  *io.PipeWriter
	stdout *bufio.Scanner
	ended  chan error
}

func start(t *testing.T, options executor.Options) *conversation {
	stdin, toStdin := io.Pipe()
	fromStdout, stdout := io.Pipe()
	options.Stdin, options.Stdout = stdin, stdout
	if options.Features == nil {
		options.Features = []string{"cancel", "progress"}
	}
	handlers := executor.New(options)
	handlers.Handle("echo", func(_ context.Context, job *executor.Job) (any, error) {
		return job.Args, nil
	})
	handlers.Handle("wait", func(ctx context.Context, job *executor.Job) (any, error) {
		job.Progress(0, 1, "it has begun")
		<-ctx.Done()
		return nil, fmt.Errorf("interrupted: %w", ctx.Err())
	})
	handlers.Handle("busy", func(_ context.Context, job *executor.Job) (any, error) {
		var seconds float64
		if job.Arg(0, &seconds) != nil {
			return nil, executor.RetryLater("busy")
		}
		delay := time.Duration(seconds * float64(time.Second))
		return nil, fmt.Errorf("wrapped: %w", executor.RetryAfter(delay, "busy"))
	})
	handlers.Handle("panic", func(context.Context, *executor.Job) (any, error) {
		panic(errors.New("out of order"))
	})
	handlers.Handle("traced", func(ctx context.Context, _ *executor.Job) (any, error) {
		return ctx.Value(traceKey{}), nil
	})
	for name, result := range map[string]any{
		"channel":     make(chan int),
		"half a pair": json.RawMessage(`"\ud800"`),
		"too long":    strings.Repeat("x", 1000),
	} {
		handlers.Handle(name, func(context.Context, *executor.Job) (any, error) { return result, nil })
	}
	ctx, cancel := context.WithCancel(context.Background())
	talk := &conversation{t, toStdin, bufio.NewScanner(fromStdout), make(chan error, 1)}
	go func() { talk.ended <- handlers.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = toStdin.Close()
		_ = fromStdout.Close()
	})
	return talk
}

func (talk *conversation) send(lines ...string) {
	talk.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(talk.stdin, line+"\n"); err != nil {
			talk.t.Fatal(err)
		}
	}
}

func (talk *conversation) next() message {
	talk.t.Helper()
	var said message
	if !talk.stdout.Scan() {
		talk.t.Fatal("it says no more")
	}
	if err := json.Unmarshal(talk.stdout.Bytes(), &said); err != nil {
		talk.t.Fatal(err)
	}
	return said
}

func request(jobID, name, args, deadline string) string {
	context := fmt.Sprintf(
		`{"job_id":%q,"attempt":1,"enqueue_time":"2026-01-01T12:00:00Z","queue_name":"default"`, jobID)
	if deadline != "" {
		context += fmt.Sprintf(`,"deadline":%q`, deadline)
	}
	return fmt.Sprintf(
		`{"protocol_version":"1","job_id":%q,"function_name":%q,"args":%s,"kwargs":{},"context":%s}}`,
		jobID, name, args, context)
}
