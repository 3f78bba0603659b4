// The executor in Go: it greets, and refuses.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/otel"

	"rrq/executor"
	"rrq/oteltracer"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until the worker closes stdin, or wants the process to end.
func run() error {
	flush, err := exportSpans()
	if err != nil {
		return err
	}
	defer flush()
	handlers := executor.New(executor.Options{Tracer: oteltracer.New(otel.Tracer("rrq"))})
	handlers.Handle("greet", greet)
	handlers.Handle("refuse", refuse)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := handlers.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// greet greets somebody, and says in which language.
func greet(ctx context.Context, job *executor.Job) (any, error) {
	var name string
	if err := job.Arg(0, &name); err != nil {
		return nil, err
	}
	_, span := otel.Tracer("greetings").Start(ctx, "compose greeting")
	defer span.End()
	return map[string]string{"greeting": "Hello " + name, "language": "Go"}, nil
}

// refuse fails for its reason.
func refuse(_ context.Context, job *executor.Job) (any, error) {
	var reason string
	if err := job.Arg(0, &reason); err != nil {
		return nil, err
	}
	return nil, errors.New(reason)
}
