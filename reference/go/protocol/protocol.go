// Package protocol has the messages of RRQ's executor protocol, version 1: JSON Lines between a
// worker and an executor. docs/reference/protocol.md says what they mean.
//
// Values of jobs stay as the JSON texts that came: nothing of them is lost or rounded, whatever
// the length of a number.
package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Version is the protocol's.
const Version = "1"

// UnknownJob is the job id in the answer to a line that is no request.
const UnknownJob = "unknown"

// HandlerNotFound is the error type that sends a job straight to its dead letter queue.
const HandlerNotFound = "handler_not_found"

// MaxMessageBytes is the longest line that a worker takes by default.
const MaxMessageBytes = 16 << 20

// What a worker may understand beyond version 1, as RRQ_PROTOCOL_FEATURES lists it.
const (
	FeatureHello    = "hello"
	FeatureCancel   = "cancel"
	FeatureProgress = "progress"
)

// Request is one job to carry out.
type Request struct {
	JobID string
	// FunctionName is the handler's name, without the prefix that names the executor.
	FunctionName string
	Args         []json.RawMessage
	Kwargs       map[string]json.RawMessage
	Context      Context
}

// Context is what is known of a job that is carried out. What is not known is nil.
type Context struct {
	JobID string
	// Attempt counts from 1.
	Attempt     int
	EnqueueTime time.Time
	// QueueName is bare or full, as the producer gave it.
	QueueName string
	// Deadline is when the worker stops waiting.
	Deadline *time.Time
	// TraceContext has the propagation headers, such as traceparent.
	TraceContext map[string]string
	WorkerID     *string
	// LeaseToken grows with every lease of the job: a service that the handler writes to can
	// refuse smaller ones, and so the writes of an attempt that was given up.
	LeaseToken *int64
}

// Cancel says that a request is no longer wanted: it is to be answered with any outcome.
type Cancel struct {
	JobID string
}

// Status says what became of a request.
type Status string

// The statuses of an outcome.
const (
	Success Status = "success"
	Retry   Status = "retry"
	Timeout Status = "timeout"
	Error   Status = "error"
)

// Outcome answers one request.
type Outcome struct {
	JobID  string `json:"job_id"`
	Status Status `json:"status"`
	// Result is stored if the status is Success.
	Result       json.RawMessage `json:"result,omitempty"`
	ErrorMessage string          `json:"error_message,omitempty"`
	ErrorType    string          `json:"error_type,omitempty"`
	// RetryAfterSeconds is for the status Retry; nil is the worker's usual backoff.
	RetryAfterSeconds *float64 `json:"retry_after_seconds,omitempty"`
}

// Failure is an outcome of status Error.
func Failure(jobID, message, errorType string) Outcome {
	return Outcome{JobID: jobID, Status: Error, ErrorMessage: message, ErrorType: errorType}
}

// Hello is an executor's first line: it is ready, and this is what it can do.
type Hello struct {
	Features    []string
	MaxInFlight int
	Functions   []string
	Runtime     string
}

// MarshalJSON adds the type and the version; what is not set is left out.
func (hello Hello) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type            string   `json:"type"`
		ProtocolVersion string   `json:"protocol_version"`
		Features        []string `json:"features,omitempty"`
		MaxInFlight     int      `json:"max_in_flight,omitempty"`
		Functions       []string `json:"functions,omitempty"`
		Runtime         string   `json:"runtime,omitempty"`
	}{"hello", Version, hello.Features, hello.MaxInFlight, hello.Functions, hello.Runtime})
}

// Progress says how far a job is. What is nil or empty is not told.
type Progress struct {
	JobID   string
	Current *float64
	Total   *float64
	Message string
}

// MarshalJSON adds the type.
func (progress Progress) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type    string   `json:"type"`
		JobID   string   `json:"job_id"`
		Current *float64 `json:"current,omitempty"`
		Total   *float64 `json:"total,omitempty"`
		Message string   `json:"message,omitempty"`
	}{"progress", progress.JobID, progress.Current, progress.Total, progress.Message})
}

// Encode writes a message, or any value, as one line without its end. It refuses what is no JSON
// in UTF-8, half a surrogate pair in a json.RawMessage among it.
func Encode(message any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(line.Bytes(), []byte("\n"))
	if err := checkText(text); err != nil {
		return nil, err
	}
	return text, nil
}

var (
	errNotUTF8  = errors.New("it is not UTF-8")
	errHalfPair = errors.New("it has half of a surrogate pair, which is no text")
)

// checkText finds what encoding/json would silently replace or pass on.
func checkText(text []byte) error {
	if !utf8.Valid(text) {
		return errNotUTF8
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch unit := escapedUnit(text[i:]); {
		case unit>>10 == 0xDC00>>10:
			return errHalfPair
		case unit>>10 == 0xD800>>10:
			if escapedUnit(text[i+6:])>>10 != 0xDC00>>10 {
				return errHalfPair
			}
			i += 11
		default:
			i++ // What is escaped may be a backslash.
		}
	}
	return nil
}

// escapedUnit is the UTF-16 unit of an escape at the beginning of text, or 0.
func escapedUnit(text []byte) (unit uint16) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	if _, err := fmt.Sscanf(string(text[2:6]), "%04x", &unit); err != nil {
		return 0
	}
	return unit
}
