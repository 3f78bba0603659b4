package producer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rrq/internal/vectors"
	"rrq/producer"
)

func TestTheLuaFilesAreThoseOfRRQ(t *testing.T) {
	copies, err := filepath.Glob("lua/*.lua")
	if err != nil || len(copies) < 2 {
		t.Fatal(copies, err)
	}
	for _, name := range copies {
		embedded, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile(filepath.Join(vectors.Root(), "rrq", "store", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(embedded, own) {
			t.Errorf("%s differs: cp rrq/store/%s reference/go/producer/%s", name, name, name)
		}
	}
}

func TestAJobIsWrittenWithEveryOption(t *testing.T) {
	client, jobs := connect(t)
	ttl := 119*time.Second + time.Millisecond
	until := time.Date(2035, 6, 1, 8, 30, 0, 123456000, time.UTC)
	id, err := jobs.Enqueue(t.Context(), producer.Job{
		FunctionName: "greet", Args: []any{"<wörld>", json.RawMessage("18446744073709551617")},
		Kwargs: map[string]any{"loud": true}, Queue: "go:queue:urgent", DeferUntil: until,
		MaxRetries: 3, Timeout: 1500 * time.Millisecond, ResultTTL: &ttl,
		TraceContext: map[string]string{"traceparent": "00-1-2-01"},
	})
	if err != nil {
		t.Fatal(err)
	}
	hash := client.HGetAll(t.Context(), "go:job:"+id).Val()
	for name, wanted := range map[string]string{
		"job_args": `["<wörld>",18446744073709551617]`, "job_kwargs": `{"loud":true}`,
		"queue_name": "go:queue:urgent", "max_retries": "3", "job_timeout_seconds": "1.5",
		"result_ttl_seconds": "120", "trace_context": `{"traceparent":"00-1-2-01"}`,
		"next_scheduled_run_time": "2035-06-01T08:30:00.123456Z",
	} {
		if hash[name] != wanted {
			t.Errorf("%s is %q, not %q", name, hash[name], wanted)
		}
	}
	due := client.ZScore(t.Context(), "go:queue:urgent", id).Val()
	if due != 2064299400123.456 {
		t.Errorf("it is due at %f", due)
	}
}

func TestAUniqueKeyThatIsHeldIsSkippedOrRefused(t *testing.T) {
	_, jobs := connect(t)
	job := producer.Job{FunctionName: "greet", UniqueKey: "daily"}
	first, err := jobs.Enqueue(t.Context(), job)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	if second, err := jobs.Enqueue(t.Context(), job); second != "" || err != nil {
		t.Error(second, err)
	}
	job.OnConflict = producer.Raise
	_, err = jobs.Enqueue(t.Context(), job)
	var duplicate *producer.DuplicateJobError
	if !errors.As(err, &duplicate) || duplicate.HolderID != first {
		t.Error(err)
	}
}

func TestACallWhoseAnswerWasLostMakesOneJob(t *testing.T) {
	client, _ := connect(t)
	loser := &answerLoser{Client: client}
	jobs := producer.New(loser, producer.Options{KeyPrefix: "go"})
	id, err := jobs.Enqueue(t.Context(), producer.Job{FunctionName: "greet", ID: "mine"})
	if id != "mine" || err != nil || loser.answers[0] != "queued" || loser.answers[1] != "repeated" {
		t.Error(id, err, loser.answers)
	}
}

func TestArgumentsThatCannotBeJSONAreRefused(t *testing.T) {
	jobs := producer.New(redis.NewClient(&redis.Options{}), producer.Options{})
	for _, value := range []any{make(chan int), json.RawMessage(`"\ud800"`), json.RawMessage("1,2")} {
		if id, err := jobs.Enqueue(t.Context(), producer.Job{Args: []any{value}}); err == nil {
			t.Errorf("%v makes job %s", value, id)
		}
	}
}

func TestOptionsThatNoWorkerCanKeepToAreRefused(t *testing.T) {
	jobs := producer.New(redis.NewClient(&redis.Options{}), producer.Options{})
	ttl := -time.Second
	for wanted, job := range map[string]producer.Job{
		"MaxRetries is -1: it must be at least 1":  {MaxRetries: -1},
		"Timeout is -1s: it must be above 0":       {Timeout: -time.Second},
		"ResultTTL is -1s: it must not be below 0": {ResultTTL: &ttl},
	} {
		if id, err := jobs.Enqueue(t.Context(), job); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s makes job %q: %v", wanted, id, err)
		}
	}
}

// answerLoser sends each call twice, as a client does whose connection drops before the answer.
type answerLoser struct {
	*redis.Client
	answers []string
}

func (loser *answerLoser) EvalSha(
	ctx context.Context, digest string, keys []string, args ...any,
) *redis.Cmd {
	if err := loser.ScriptLoad(ctx, producer.Script()).Err(); err != nil {
		panic(err)
	}
	var last *redis.Cmd
	for range 2 {
		last = loser.Client.EvalSha(ctx, digest, keys, args...)
		answer, _ := last.Slice()
		kind, _ := answer[1].([]any)[0].(string)
		loser.answers = append(loser.answers, kind)
	}
	return last
}

// connect empties what earlier tests left under their prefix.
func connect(t *testing.T) (*redis.Client, *producer.Producer) {
	t.Helper()
	dsn := os.Getenv("RRQ_REDIS_DSN")
	if dsn == "" {
		t.Skip("RRQ_REDIS_DSN names no Redis to test with")
	}
	options, err := redis.ParseURL(dsn)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	keys, err := client.Keys(t.Context(), "go:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) > 0 {
		client.Del(t.Context(), keys...)
	}
	return client, producer.New(client, producer.Options{KeyPrefix: "go"})
}
