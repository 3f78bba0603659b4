// Package producer puts jobs into RRQ's queues.
//
//	jobs := producer.New(redis.NewClient(&redis.Options{Addr: "localhost:6379"}), producer.Options{})
//	id, err := jobs.Enqueue(ctx, producer.Job{FunctionName: "greet", Args: []any{"world"}})
//
// It sends the Lua step that RRQ's own client sends, so that a job is written at once or not at
// all, a sleeping worker wakes, and unique keys are kept. docs/reference/schema.md describes it.
package producer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"rrq/protocol"
)

// UniqueTTL is how long a unique key is held beyond the due time, unless Options say otherwise.
const UniqueTTL = 6 * time.Hour

// Conflict says what becomes of a job whose unique key another job holds.
type Conflict string

// The ways out of a conflict.
const (
	// Skip makes no job; Enqueue gives an empty id. It is the default.
	Skip Conflict = "skip"
	// Raise makes no job; Enqueue gives a *DuplicateJobError.
	Raise Conflict = "raise"
	// Defer queues the job for when the key is free.
	Defer Conflict = "defer"
	// Replace gives the waiting job that holds the key this definition and due time.
	Replace Conflict = "replace"
)

// Job is a job to be enqueued. Only FunctionName must be set; what is not is left to the worker.
type Job struct {
	// FunctionName is the handler's name, or `executor#handler`.
	FunctionName string
	// Args and Kwargs are written by encoding/json. A json.RawMessage is passed on as it is.
	Args   []any
	Kwargs map[string]any
	// Queue is bare or full.
	Queue string
	// ID is one of the caller's own. A waiting job of this id gets this definition.
	ID string
	// UniqueKey keeps other jobs with the same key from being made while this one is not done.
	UniqueKey  string
	OnConflict Conflict
	// DeferBy, or else DeferUntil, is when the job is due. Otherwise it is due at once.
	DeferBy    time.Duration
	DeferUntil time.Time
	// MaxRetries is the number of attempts in all.
	MaxRetries int
	// Timeout is the longest an attempt may take.
	Timeout time.Duration
	// ResultTTL is how long the result stays, in whole seconds, rounded up; 0 is for ever, nil is
	// the worker's default.
	ResultTTL *time.Duration
	// TraceContext has propagation headers, such as traceparent.
	TraceContext map[string]string
}

// DuplicateJobError says that another job holds the unique key.
type DuplicateJobError struct{ HolderID string }

func (err *DuplicateJobError) Error() string {
	return fmt.Sprintf("job %s holds the unique key", err.HolderID)
}

// JobRunningError says that the job of the chosen id runs.
type JobRunningError struct{ JobID string }

func (err *JobRunningError) Error() string {
	return fmt.Sprintf("job %s is running: it cannot be enqueued again now", err.JobID)
}

// Options of a producer; the zero value is RRQ's defaults. They must be those of the workers.
type Options struct {
	// KeyPrefix is the setting `key_prefix`.
	KeyPrefix    string
	DefaultQueue string
	DefaultDLQ   string
	// UniqueTTL is how long a unique key is held beyond the due time.
	UniqueTTL time.Duration
}

// Producer enqueues jobs. It is safe for use by several goroutines.
type Producer struct {
	client  redis.Scripter
	options Options
}

// New makes a producer that uses this client; closing it is the caller's affair.
//
// A call whose answer was lost may be sent again, as go-redis does by itself: the step recognises
// it, and makes one job.
func New(client redis.Scripter, options Options) *Producer {
	for _, one := range []struct {
		option *string
		usual  string
	}{{&options.KeyPrefix, "rrq"}, {&options.DefaultQueue, "default"}, {&options.DefaultDLQ, "default"}} {
		if *one.option == "" {
			*one.option = one.usual
		}
	}
	if options.UniqueTTL == 0 {
		options.UniqueTTL = UniqueTTL
	}
	return &Producer{client: client, options: options}
}

// Enqueue puts one job into its queue and gives its id, which is empty if the job was skipped.
// The error is a *DuplicateJobError, a *JobRunningError, that of an argument which cannot be JSON,
// that of an option which is less than it can be, or that of Redis.
func (producer *Producer) Enqueue(ctx context.Context, job Job) (string, error) {
	arguments, err := producer.arguments(job)
	if err != nil {
		return "", err
	}
	keys := []string{producer.options.KeyPrefix + ":"}
	answer, err := step.Run(ctx, producer.client, keys, arguments...).Slice()
	if err != nil {
		return "", fmt.Errorf("producer: %s cannot be enqueued: %w", job.FunctionName, err)
	}
	return read(answer)
}

// arguments are the step's: the default dead letter queue, the number of jobs, the job.
func (producer *Producer) arguments(job Job) ([]any, error) {
	if job.Queue == "" {
		job.Queue = producer.options.DefaultQueue
	}
	fields, err := job.fields()
	if err = errors.Join(job.check(), err); err != nil {
		return nil, fmt.Errorf("producer: %s: %w", job.FunctionName, err)
	}
	// The same when the call is sent again, so that it is carried out once.
	id, nonce := job.ID, ""
	if id == "" {
		id = randomID()
	} else {
		nonce = randomID()
	}
	when, due := "in", milliseconds(job.DeferBy.Microseconds())
	if job.DeferBy == 0 && !job.DeferUntil.IsZero() {
		when, due = "at", milliseconds(job.DeferUntil.UnixMicro())
	}
	conflict := job.OnConflict
	if conflict == "" {
		conflict = Skip
	}
	return append([]any{
		producer.options.DefaultDLQ, 1,
		id,
		strings.TrimPrefix(job.Queue, producer.options.KeyPrefix+":queue:"),
		when, due,
		job.UniqueKey, producer.options.UniqueTTL.Milliseconds(), string(conflict),
		nonce,
		len(fields) / 2,
	}, fields...), nil
}

// check refuses what no worker can keep to.
func (job Job) check() error {
	switch {
	case job.MaxRetries < 0:
		return fmt.Errorf("MaxRetries is %d: it must be at least 1", job.MaxRetries)
	case job.Timeout < 0:
		return fmt.Errorf("Timeout is %s: it must be above 0", job.Timeout)
	case job.ResultTTL != nil && *job.ResultTTL < 0:
		return fmt.Errorf("ResultTTL is %s: it must not be below 0", *job.ResultTTL)
	}
	return nil
}

// fields are the hash's, each a name and its text.
func (job Job) fields() ([]any, error) {
	if job.Args == nil {
		job.Args = []any{}
	}
	if job.Kwargs == nil {
		job.Kwargs = map[string]any{}
	}
	args, err := protocol.Encode(job.Args)
	if err != nil {
		return nil, fmt.Errorf("args: %w", err)
	}
	kwargs, err := protocol.Encode(job.Kwargs)
	if err != nil {
		return nil, fmt.Errorf("kwargs: %w", err)
	}
	fields := []any{
		"function_name", job.FunctionName,
		"job_args", args,
		"job_kwargs", kwargs,
		"queue_name", job.Queue,
	}
	if job.MaxRetries != 0 {
		fields = append(fields, "max_retries", job.MaxRetries)
	}
	if job.Timeout != 0 {
		seconds := strconv.FormatFloat(job.Timeout.Seconds(), 'f', -1, 64)
		fields = append(fields, "job_timeout_seconds", seconds)
	}
	if job.ResultTTL != nil {
		// Not cut off: half a second would be 0, which is for ever.
		seconds := int64(math.Ceil(job.ResultTTL.Seconds()))
		fields = append(fields, "result_ttl_seconds", seconds)
	}
	if len(job.TraceContext) > 0 {
		headers, err := protocol.Encode(job.TraceContext)
		if err != nil {
			return nil, fmt.Errorf("trace context: %w", err)
		}
		fields = append(fields, "trace_context", headers)
	}
	return fields, nil
}

// read is what the step answered for one job.
func read(answer []any) (string, error) {
	var words []string
	if len(answer) == 2 {
		texts, _ := answer[1].([]any)
		for _, text := range texts {
			words = append(words, fmt.Sprint(text))
		}
	}
	switch {
	case len(words) >= 2 && (words[0] == "queued" || words[0] == "repeated"):
		return words[1], nil
	case len(words) == 2 && words[0] == "duplicate":
		return "", nil
	case len(words) == 4 && words[0] == "refused" && words[2] == "running":
		return "", &JobRunningError{JobID: words[3]}
	case len(words) == 4 && words[0] == "refused":
		return "", &DuplicateJobError{HolderID: words[3]}
	}
	return "", fmt.Errorf("producer: the step answered %v, which is none of its answers", answer)
}

func milliseconds(microseconds int64) string {
	return strconv.FormatFloat(float64(microseconds)/1000, 'f', -1, 64)
}

// randomID is a UUID of version 4.
func randomID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // It never fails.
	id[6] = id[6]&0x0F | 0x40
	id[8] = id[8]&0x3F | 0x80
	text := hex.EncodeToString(id[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}
