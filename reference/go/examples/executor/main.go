// An executor with the handlers that `rrq executor check` asks for by their usual names.
//
//	go build -o bin/ ./examples/... && rrq executor check -- bin/executor
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"rrq/executor"
)

func main() {
	handlers := executor.New(executor.Options{})
	handlers.Handle("echo", echo)
	handlers.Handle("sleep", sleep)
	handlers.Handle("fail", fail)
	handlers.Handle("retry", retry)
	handlers.Handle("report", report)
	handlers.Handle("print", say)
	if err := handlers.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// echo gives its arguments back, untouched: their JSON texts are passed on as they came.
func echo(_ context.Context, job *executor.Job) (any, error) {
	return map[string]any{"args": job.Args, "kwargs": job.Kwargs}, nil
}

// sleep takes so many seconds, unless it is stopped.
func sleep(ctx context.Context, job *executor.Job) (any, error) {
	var seconds float64
	if err := job.Arg(0, &seconds); err != nil {
		return nil, err
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fail fails with its message.
func fail(_ context.Context, job *executor.Job) (any, error) {
	var message string
	if err := job.Arg(0, &message); err != nil {
		return nil, err
	}
	return nil, errors.New(message)
}

// retry asks to be run again after so many seconds; the attempt given as `until` succeeds.
func retry(_ context.Context, job *executor.Job) (any, error) {
	var seconds float64
	if err := job.Arg(0, &seconds); err != nil {
		return nil, err
	}
	var until int
	if given, err := job.Kwarg("until", &until); err != nil {
		return nil, err
	} else if given && job.Context.Attempt >= until {
		return job.Context.Attempt, nil
	}
	return nil, executor.RetryAfter(time.Duration(seconds*float64(time.Second)), "not yet")
}

// report tells how far it is.
func report(_ context.Context, job *executor.Job) (any, error) {
	var current, total float64
	var message string
	err := errors.Join(job.Arg(0, &current), job.Arg(1, &total), job.Arg(2, &message))
	if err == nil {
		job.Progress(current, total, message)
	}
	return nil, err
}

// say prints, which must not reach the worker as a line of the protocol.
func say(_ context.Context, job *executor.Job) (any, error) {
	var text string
	if err := job.Arg(0, &text); err != nil {
		return nil, err
	}
	_, err := fmt.Println(text)
	return nil, err
}
