package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"rrq/protocol"
)

// ErrorTypeCancelled is the error type in the outcome of a job that the worker cancelled.
const ErrorTypeCancelled = "Cancelled"

// errCancelled is the cause of a context that the worker cancelled.
var errCancelled = errors.New("The job was cancelled.")

// carryOut is the outcome of one request, whatever its handler does.
func (executor *Executor) carryOut(ctx context.Context, request *protocol.Request) protocol.Outcome {
	handler := executor.handlers[request.FunctionName]
	if handler == nil {
		message := fmt.Sprintf("No handler registered for function '%s'", request.FunctionName)
		return protocol.Failure(request.JobID, message, protocol.HandlerNotFound)
	}
	if deadline := request.Context.Deadline; deadline != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, *deadline)
		defer cancel()
	}
	select {
	case executor.slots <- struct{}{}:
		defer func() { <-executor.slots }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return failed(ctx, request.JobID, ctx.Err())
	}
	job := &Job{Request: request, executor: executor}
	if executor.options.Tracer == nil {
		return call(ctx, handler, job)
	}
	ctx, end := executor.options.Tracer.Start(ctx, job)
	outcome := call(ctx, handler, job)
	end(outcome)
	return outcome
}

// call runs the handler.
func call(ctx context.Context, handler Handler, job *Job) (outcome protocol.Outcome) {
	defer func() {
		if panicked := recover(); panicked != nil {
			fmt.Fprintf(os.Stderr, "panic in job %s: %v\n%s", job.JobID, panicked, debug.Stack())
			outcome = protocol.Failure(job.JobID, fmt.Sprint(panicked), "panic")
		}
	}()
	result, err := handler(ctx, job)
	if err != nil {
		return failed(ctx, job.JobID, err)
	}
	text, err := protocol.Encode(result)
	if err != nil {
		message := fmt.Sprintf("The result cannot be sent: %v", err)
		return protocol.Failure(job.JobID, message, typeName(err))
	}
	return protocol.Outcome{JobID: job.JobID, Status: protocol.Success, Result: text}
}

// failed is the outcome of a handler that returned an error.
func failed(ctx context.Context, jobID string, err error) protocol.Outcome {
	var retry *retryError
	if errors.As(err, &retry) {
		return protocol.Outcome{
			JobID:             jobID,
			Status:            protocol.Retry,
			ErrorMessage:      err.Error(),
			ErrorType:         "Retry",
			RetryAfterSeconds: retry.seconds,
		}
	}
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		return protocol.Failure(jobID, errCancelled.Error(), ErrorTypeCancelled)
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		outcome := protocol.Failure(jobID, "Job timed out.", "Timeout")
		outcome.Status = protocol.Timeout
		return outcome
	}
	return protocol.Failure(jobID, err.Error(), typeName(err))
}

func typeName(err error) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", err), "*")
}

// RetryAfter asks for another attempt after a delay.
func RetryAfter(delay time.Duration, message string) error {
	seconds := max(delay, 0).Seconds()
	return &retryError{message: message, seconds: &seconds}
}

// RetryLater asks for another attempt after the worker's usual backoff.
func RetryLater(message string) error {
	return &retryError{message: message}
}

type retryError struct {
	message string
	seconds *float64
}

func (retry *retryError) Error() string { return retry.message }
