package protocol_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"rrq/internal/vectors"
	"rrq/protocol"
)

type moment struct {
	UnixSeconds int64 `json:"unix_seconds"`
	Nanoseconds int   `json:"nanoseconds"`
}

func (wanted moment) is(read time.Time) bool {
	return read.Unix() == wanted.UnixSeconds && read.Nanosecond() == wanted.Nanoseconds
}

type expectedRequest struct {
	JobID        string       `json:"job_id"`
	FunctionName string       `json:"function_name"`
	Args         vectors.Text `json:"args"`
	Kwargs       vectors.Text `json:"kwargs"`
	Context      struct {
		Attempt      int               `json:"attempt"`
		EnqueueTime  moment            `json:"enqueue_time"`
		QueueName    string            `json:"queue_name"`
		Deadline     *moment           `json:"deadline"`
		TraceContext map[string]string `json:"trace_context"`
		WorkerID     *string           `json:"worker_id"`
		LeaseToken   *int64            `json:"lease_token"`
	} `json:"context"`
}

func TestRequestsAreReadAsTheyAreMeant(t *testing.T) {
	vectors.Run(t, "requests", func(t *testing.T, c struct {
		vectors.Line
		Expect expectedRequest
	}) {
		message, err := protocol.Decode(c.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		request, wanted := message.(*protocol.Request), c.Expect
		if request.JobID != wanted.JobID || request.FunctionName != wanted.FunctionName {
			t.Errorf("%q runs %q", request.JobID, request.FunctionName)
		}
		if !vectors.Same(encode(t, request.Args), []byte(wanted.Args)) {
			t.Errorf("args: %.200s", encode(t, request.Args))
		}
		if !vectors.Same(encode(t, request.Kwargs), []byte(wanted.Kwargs)) {
			t.Errorf("kwargs: %.200s", encode(t, request.Kwargs))
		}
		told, context := request.Context, wanted.Context
		if told.Attempt != context.Attempt || told.QueueName != context.QueueName {
			t.Errorf("attempt %d in %q", told.Attempt, told.QueueName)
		}
		if !context.EnqueueTime.is(told.EnqueueTime) {
			t.Errorf("enqueued %v", told.EnqueueTime)
		}
		if (told.Deadline == nil) != (context.Deadline == nil) ||
			told.Deadline != nil && !context.Deadline.is(*told.Deadline) {
			t.Errorf("deadline %v", told.Deadline)
		}
		rest := []any{told.TraceContext, told.WorkerID, told.LeaseToken}
		wantedRest := []any{context.TraceContext, context.WorkerID, context.LeaseToken}
		if !vectors.Same(encode(t, rest), encode(t, wantedRest)) {
			t.Errorf("%s, not %s", encode(t, rest), encode(t, wantedRest))
		}
	})
}

func TestLinesThatAreNoRequestAreRefusedInTheRightWords(t *testing.T) {
	vectors.Run(t, "bad_requests", func(t *testing.T, c struct {
		vectors.Line
		Answer struct {
			JobID        []string `json:"job_id"`
			ErrorMessage *string  `json:"error_message"`
		}
	}) {
		message, err := protocol.Decode(c.Bytes())
		bad, ok := err.(*protocol.BadLine)
		if !ok {
			t.Fatalf("it is read: %v", message)
		}
		outcome := bad.Outcome()
		if outcome.Status != protocol.Error || !slices.Contains(c.Answer.JobID, outcome.JobID) {
			t.Errorf("%s for %q", outcome.Status, outcome.JobID)
		}
		if wanted := c.Answer.ErrorMessage; wanted != nil && outcome.ErrorMessage != *wanted {
			t.Errorf("it says %q", outcome.ErrorMessage)
		}
	})
}

func TestNamesInAnotherCaseAreUnknownFields(t *testing.T) {
	_, err := protocol.Decode([]byte(`{"type":"cancel","Job_ID":"j1"}`))

	if err == nil || err.(*protocol.BadLine).JobID != protocol.UnknownJob {
		t.Errorf("%v", err)
	}
}

func TestDoubtfulLinesAreReadOrRefusedUnderTheirOwnId(t *testing.T) {
	vectors.Run(t, "doubtful_requests", func(t *testing.T, c vectors.Line) {
		_, err := protocol.Decode(c.Bytes())
		if bad, ok := err.(*protocol.BadLine); ok {
			if bad.JobID != "j1" && bad.JobID != protocol.UnknownJob {
				t.Errorf("%q", bad.JobID)
			}
		} else if err != nil {
			t.Error(err)
		}
	})
}

func TestOutcomesSayWhatTheyAreMeantTo(t *testing.T) {
	vectors.Run(t, "outcomes", func(t *testing.T, c struct {
		vectors.Line
		Outcome struct {
			JobID             string          `json:"job_id"`
			Status            protocol.Status `json:"status"`
			Result            vectors.Text    `json:"result"`
			ErrorMessage      string          `json:"error_message"`
			ErrorType         string          `json:"error_type"`
			RetryAfterSeconds *float64        `json:"retry_after_seconds"`
		}
	}) {
		wanted := c.Outcome
		outcome := protocol.Outcome{
			JobID:             wanted.JobID,
			Status:            wanted.Status,
			Result:            json.RawMessage(wanted.Result),
			ErrorMessage:      wanted.ErrorMessage,
			ErrorType:         wanted.ErrorType,
			RetryAfterSeconds: wanted.RetryAfterSeconds,
		}
		if wanted.Result == "" {
			outcome.Result = nil
		}
		known := []string{
			"job_id", "status", "result", "error_message", "error_type", "retry_after_seconds",
		}
		same(t, encode(t, outcome), c.Bytes(), known)
	})
}

func TestHelloAndProgressSayWhatTheyAreMeantToAndACancelIsRead(t *testing.T) {
	vectors.Run(t, "messages", func(t *testing.T, c struct {
		vectors.Line
		Type    string
		Message struct {
			JobID       string `json:"job_id"`
			Features    []string
			MaxInFlight int `json:"max_in_flight"`
			Functions   []string
			Runtime     string
			Current     *float64
			Total       *float64
			Message     string
		}
	}) {
		said := c.Message
		switch c.Type {
		case "hello":
			hello := protocol.Hello{
				Features: said.Features, MaxInFlight: said.MaxInFlight,
				Functions: said.Functions, Runtime: said.Runtime,
			}
			known := []string{
				"type", "protocol_version", "features", "max_in_flight", "functions", "runtime",
			}
			same(t, encode(t, hello), c.Bytes(), known)
		case "progress":
			progress := protocol.Progress{
				JobID: said.JobID, Current: said.Current, Total: said.Total, Message: said.Message,
			}
			known := []string{"type", "job_id", "current", "total", "message"}
			same(t, encode(t, progress), c.Bytes(), known)
		default:
			message, err := protocol.Decode(c.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if cancel := message.(*protocol.Cancel); cancel.JobID != said.JobID {
				t.Errorf("%q", cancel.JobID)
			}
		}
	})
}

func TestTimesAreTheMomentsThatTheyNameAndAreWrittenSoAgain(t *testing.T) {
	vectors.Run(t, "times", func(t *testing.T, c struct {
		Text string
		moment
	}) {
		read, err := protocol.ParseTime(c.Text)
		if err != nil || !c.is(read) {
			t.Fatalf("%v, %v", read, err)
		}
		again, err := protocol.ParseTime(read.Format(time.RFC3339Nano))
		if err != nil || !again.Equal(read) {
			t.Errorf("%v, %v", again, err)
		}
	})
	vectors.Run(t, "bad_times", func(t *testing.T, c struct{ Text string }) {
		if read, err := protocol.ParseTime(c.Text); err == nil {
			t.Errorf("it is read as %v", read)
		}
	})
}

func TestEveryValueIsPassedOnToTheLastDigit(t *testing.T) {
	vectors.Run(t, "values", func(t *testing.T, c struct{ JSON vectors.Text }) {
		line := `{"protocol_version":"1","job_id":"j1","function_name":"echo","args":[` +
			string(c.JSON) + `],"kwargs":{},"context":{"job_id":"j1","attempt":1,` +
			`"enqueue_time":"2026-01-01T12:00:00Z","queue_name":"default"}}`
		message, err := protocol.Decode([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		result := message.(*protocol.Request).Args[0]
		outcome := encode(t, protocol.Outcome{JobID: "j1", Status: protocol.Success, Result: result})
		var said struct{ Result json.RawMessage }
		if err := json.Unmarshal(outcome, &said); err != nil {
			t.Fatal(err)
		}
		if !vectors.Same(said.Result, []byte(c.JSON)) {
			t.Errorf("%.200s", said.Result)
		}
	})
}

func TestHalfASurrogatePairIsNoText(t *testing.T) {
	for _, text := range []string{`"\ud800"`, `"\udc00\ud800"`, `"\\\udFFF"`, `"\ud83dx"`} {
		if line, err := protocol.Encode(json.RawMessage(text)); err == nil {
			t.Errorf("%s is written as %s", text, line)
		}
	}
	for _, text := range []string{`"\ud83d\ude00"`, `"\\ud800"`, `"\u00e9"`, `"\\\\"`} {
		if _, err := protocol.Encode(json.RawMessage(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func encode(t *testing.T, message any) []byte {
	t.Helper()
	line, err := protocol.Encode(message)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// same compares two objects by the known fields; null, and an empty list, is as if it were missing.
func same(t *testing.T, written, line []byte, known []string) {
	t.Helper()
	said, wanted := fields(t, written), fields(t, line)
	for _, name := range known {
		one, other := string(said[name]), string(wanted[name])
		if missing(name, one) && missing(name, other) {
			continue
		}
		if !vectors.Same([]byte(one), []byte(other)) {
			t.Errorf("%s is %.200s, not %.200s", name, one, other)
		}
	}
	for name := range said {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no field", name)
		}
	}
}

func missing(name, text string) bool {
	return text == "" || text == "null" && name != "result" || text == "[]" && name == "features"
}

func fields(t *testing.T, line []byte) map[string]json.RawMessage {
	t.Helper()
	var read map[string]json.RawMessage
	if err := json.Unmarshal(line, &read); err != nil {
		t.Fatal(err)
	}
	return read
}
