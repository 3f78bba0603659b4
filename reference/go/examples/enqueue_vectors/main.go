// A program that enqueues the test vectors.
//
//	go build -o bin/ ./examples/... && rrq producer check -- bin/enqueue_vectors
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"rrq/internal/vectors"
	"rrq/producer"
)

// vector is one case of tests/vectors/jobs.json.
type vector struct {
	Name         string       `json:"name"`
	FunctionName string       `json:"function_name"`
	Args         vectors.Text `json:"args"`
	Kwargs       vectors.Text `json:"kwargs"`
	Options      struct {
		QueueName         string            `json:"queue_name"`
		JobID             string            `json:"job_id"`
		MaxRetries        int               `json:"max_retries"`
		JobTimeoutSeconds float64           `json:"job_timeout_seconds"`
		ResultTTLSeconds  *int64            `json:"result_ttl_seconds"`
		DeferBySeconds    float64           `json:"defer_by_seconds"`
		DeferUntil        time.Time         `json:"defer_until"`
		TraceContext      map[string]string `json:"trace_context"`
		UniqueKey         string            `json:"unique_key"`
		OnConflict        producer.Conflict `json:"on_conflict"`
	} `json:"options"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	text, err := os.ReadFile(os.Getenv("RRQ_VECTORS"))
	if err != nil {
		return err
	}
	var file struct{ Cases []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	options, err := redis.ParseURL(os.Getenv("RRQ_REDIS_DSN"))
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer client.Close()
	jobs := producer.New(client, producer.Options{})
	for _, one := range file.Cases {
		job, err := one.job()
		if err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
		_, err = jobs.Enqueue(ctx, job)
		var duplicate *producer.DuplicateJobError
		if errors.As(err, &duplicate) {
			fmt.Printf("%s: %v\n", one.Name, err)
		} else if err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
	}
	return nil
}

// job is the case as the producer takes it. Its values stay JSON texts, whatever their numbers.
func (one vector) job() (producer.Job, error) {
	var args []json.RawMessage
	var kwargs map[string]json.RawMessage
	err := errors.Join(
		json.Unmarshal([]byte(one.Args), &args), json.Unmarshal([]byte(one.Kwargs), &kwargs))
	options := one.Options
	job := producer.Job{
		FunctionName: one.FunctionName,
		Kwargs:       map[string]any{},
		Queue:        options.QueueName,
		ID:           options.JobID,
		UniqueKey:    options.UniqueKey,
		OnConflict:   options.OnConflict,
		DeferBy:      seconds(options.DeferBySeconds),
		DeferUntil:   options.DeferUntil,
		MaxRetries:   options.MaxRetries,
		Timeout:      seconds(options.JobTimeoutSeconds),
		TraceContext: options.TraceContext,
	}
	for _, arg := range args {
		job.Args = append(job.Args, arg)
	}
	for name, value := range kwargs {
		job.Kwargs[name] = value
	}
	if options.ResultTTLSeconds != nil {
		ttl := time.Duration(*options.ResultTTLSeconds) * time.Second
		job.ResultTTL = &ttl
	}
	return job, err
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}
