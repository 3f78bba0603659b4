package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// BadLine is a line that is neither a request nor a cancel.
type BadLine struct {
	// JobID is whose request it is, or UnknownJob.
	JobID   string
	Message string
}

func (bad *BadLine) Error() string { return bad.Message }

// Outcome is the answer to it.
func (bad *BadLine) Outcome() Outcome { return Failure(bad.JobID, bad.Message, "") }

// Decode reads one line of an executor's stdin, which must not be blank: a *Request, or a *Cancel.
// The error is a *BadLine, which has its answer.
func Decode(line []byte) (any, error) {
	jobID, message, err := decode(line)
	if err == nil {
		return message, nil
	}
	if !errors.Is(err, errVersion) {
		err = fmt.Errorf("The line is not a request: %w", err)
	}
	return nil, &BadLine{JobID: jobID, Message: err.Error()}
}

// The protocol gives these words.
var errVersion = errors.New("Unsupported protocol version")

func decode(line []byte) (jobID string, message any, err error) {
	jobID = UnknownJob
	textErr := checkText(line)
	if errors.Is(textErr, errNotUTF8) {
		return jobID, nil, textErr
	}
	fields, err := object(line)
	if err != nil {
		return jobID, nil, err
	}
	var id string
	if err := fields.required("job_id", &id); err != nil {
		return jobID, nil, err
	}
	if err := checkText(fields["job_id"]); err != nil {
		return jobID, nil, err
	}
	jobID = id
	if textErr != nil {
		return jobID, nil, textErr
	}
	var kind, version string
	if fields.optional("type", &kind) == nil && kind == "cancel" {
		return jobID, &Cancel{JobID: jobID}, nil
	}
	if err := fields.required("protocol_version", &version); err != nil {
		return jobID, nil, err
	}
	if version != Version {
		return jobID, nil, errVersion
	}
	request, err := decodeRequest(fields)
	return jobID, request, err
}

func decodeRequest(fields fieldTexts) (*Request, error) {
	request := &Request{}
	context := fieldTexts{}
	err := errors.Join(
		fields.required("job_id", &request.JobID),
		fields.required("function_name", &request.FunctionName),
		fields.required("args", &request.Args),
		fields.required("kwargs", &request.Kwargs),
		fields.required("context", &context),
	)
	if err != nil {
		return nil, err
	}
	told := &request.Context
	return request, errors.Join(
		context.required("job_id", &told.JobID),
		context.required("attempt", &told.Attempt),
		context.required("enqueue_time", &told.EnqueueTime),
		context.required("queue_name", &told.QueueName),
		context.optional("deadline", &told.Deadline),
		context.optional("trace_context", &told.TraceContext),
		context.optional("worker_id", &told.WorkerID),
		context.optional("lease_token", &told.LeaseToken),
	)
}

// ParseTime reads a time of the protocol, to the nanosecond.
func ParseTime(text string) (time.Time, error) {
	var moment time.Time
	err := moment.UnmarshalText([]byte(text))
	return moment, err
}

// fieldTexts are an object's fields. A struct would take names in another case as well.
type fieldTexts map[string]json.RawMessage

func object(line []byte) (fieldTexts, error) {
	var fields fieldTexts
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("it is no object")
	}
	return fields, nil
}

func (fields fieldTexts) required(name string, into any) error {
	if text, ok := fields[name]; !ok || bytes.Equal(text, []byte("null")) {
		return fmt.Errorf("`%s` is not set", name)
	}
	return fields.optional(name, into)
}

func (fields fieldTexts) optional(name string, into any) error {
	text, ok := fields[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("`%s`: %w", name, err)
	}
	return nil
}
