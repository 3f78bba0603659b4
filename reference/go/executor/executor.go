// Package executor runs handlers in Go for RRQ's workers.
//
//	handlers := executor.New(executor.Options{})
//	handlers.Handle("greet", func(ctx context.Context, job *executor.Job) (any, error) {
//		var name string
//		if err := job.Arg(0, &name); err != nil {
//			return nil, err
//		}
//		return "Hello " + name, nil
//	})
//	err := handlers.Run(context.Background())
//
// A worker starts the program and talks to it over stdin and stdout, as
// docs/reference/protocol.md says. While Run is under way, whatever the program prints goes to
// stderr, and so into the worker's log.
package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"rrq/protocol"
)

// Handler carries out one job. Its result is stored as JSON; an error is a failed attempt, one
// made by RetryAfter or RetryLater asks for another attempt.
//
// The context ends when the job is cancelled and at its deadline. A handler must return then: it
// cannot be stopped from outside, and the worker replaces the process of one that goes on.
type Handler func(ctx context.Context, job *Job) (any, error)

// Options of an executor; the zero value is good for most.
type Options struct {
	// MaxInFlight is how many handlers run at once; 0 means 32.
	MaxInFlight int
	// MaxMessageBytes is the longest line, either way; 0 means protocol.MaxMessageBytes.
	MaxMessageBytes int
	// Tracer, if any, has a span around each handler.
	Tracer Tracer
	// Stdin and Stdout are for tests; nil means those of the process.
	Stdin  io.Reader
	Stdout io.Writer
	// Features is what the worker understands; nil means what RRQ_PROTOCOL_FEATURES lists.
	Features []string
}

// Tracer starts a span around a handler, whose parent is in the job's Context.TraceContext. The
// function that it returns ends the span. Package rrq/oteltracer has one for OpenTelemetry.
type Tracer interface {
	Start(ctx context.Context, job *Job) (context.Context, func(protocol.Outcome))
}

// Executor has handlers by their names.
type Executor struct {
	options  Options
	handlers map[string]Handler
	output   *output
	slots    chan struct{}
	lock     sync.Mutex
	running  map[string]*run
}

// run is a request that has no answer yet.
type run struct {
	cancel context.CancelCauseFunc
}

// New makes an executor without handlers.
func New(options Options) *Executor {
	if options.MaxInFlight == 0 {
		options.MaxInFlight = 32
	}
	if options.MaxMessageBytes == 0 {
		options.MaxMessageBytes = protocol.MaxMessageBytes
	}
	if options.Features == nil {
		options.Features = strings.Split(os.Getenv("RRQ_PROTOCOL_FEATURES"), ",")
	}
	return &Executor{
		options:  options,
		handlers: map[string]Handler{},
		slots:    make(chan struct{}, options.MaxInFlight),
		running:  map[string]*run{},
	}
}

// Handle registers a handler, before Run. It panics if the name has one already.
func (executor *Executor) Handle(name string, handler Handler) {
	if _, taken := executor.handlers[name]; taken {
		panic(fmt.Sprintf("executor: there are two handlers for %q", name))
	}
	executor.handlers[name] = handler
}

// Run answers requests until stdin ends, then waits for those that run. If ctx ends before, they
// are cancelled. The error is why stdin or stdout broke, or that of ctx.
func (executor *Executor) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stdout, err := executor.stdout()
	if err != nil {
		return fmt.Errorf("executor: stdout cannot be kept for the protocol: %w", err)
	}
	executor.output = &output{
		writer: stdout, limit: executor.options.MaxMessageBytes, broken: stop,
	}
	if executor.understands(protocol.FeatureHello) {
		executor.output.send(executor.hello())
	}
	var answers sync.WaitGroup
	lines := readLines(ctx, executor.stdin(), executor.options.MaxMessageBytes)
	for {
		select {
		case <-ctx.Done():
			answers.Wait()
			return context.Cause(ctx)
		case read := <-lines:
			if read.err != nil {
				answers.Wait()
				if errors.Is(read.err, io.EOF) {
					return context.Cause(ctx)
				}
				return fmt.Errorf("executor: stdin cannot be read: %w", read.err)
			}
			executor.take(ctx, read, &answers)
		}
	}
}

// take acts on one line.
func (executor *Executor) take(ctx context.Context, read line, answers *sync.WaitGroup) {
	if read.tooLong {
		message := fmt.Sprintf(
			"The line is not a request: it is longer than %d bytes", executor.options.MaxMessageBytes)
		executor.output.send(protocol.Failure(protocol.UnknownJob, message, ""))
		return
	}
	message, err := protocol.Decode(read.text)
	var bad *protocol.BadLine
	if errors.As(err, &bad) {
		executor.output.send(bad.Outcome())
		return
	}
	switch message := message.(type) {
	case *protocol.Cancel:
		executor.lock.Lock()
		defer executor.lock.Unlock()
		if one := executor.running[message.JobID]; one != nil {
			one.cancel(errCancelled)
		}
	case *protocol.Request:
		runCtx, cancel := context.WithCancelCause(ctx)
		one := &run{cancel: cancel}
		executor.lock.Lock()
		executor.running[message.JobID] = one
		executor.lock.Unlock()
		answers.Go(func() {
			defer cancel(nil)
			outcome := executor.carryOut(runCtx, message)
			// Before the answer: the worker may send the same job again at once.
			executor.lock.Lock()
			if executor.running[message.JobID] == one {
				delete(executor.running, message.JobID)
			}
			executor.lock.Unlock()
			executor.output.send(outcome)
		})
	}
}

func (executor *Executor) hello() protocol.Hello {
	functions := make([]string, 0, len(executor.handlers))
	for name := range executor.handlers {
		functions = append(functions, name)
	}
	slices.Sort(functions)
	return protocol.Hello{
		Features:    []string{protocol.FeatureCancel, protocol.FeatureProgress},
		MaxInFlight: executor.options.MaxInFlight,
		Functions:   functions,
		Runtime:     "go " + strings.TrimPrefix(runtime.Version(), "go"),
	}
}

func (executor *Executor) understands(feature string) bool {
	return slices.Contains(executor.options.Features, feature)
}

func (executor *Executor) stdin() io.Reader {
	if executor.options.Stdin != nil {
		return executor.options.Stdin
	}
	return os.Stdin
}

func (executor *Executor) stdout() (io.Writer, error) {
	if executor.options.Stdout != nil {
		return executor.options.Stdout, nil
	}
	return takeStdout()
}
