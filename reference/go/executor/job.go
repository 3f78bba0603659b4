package executor

import (
	"encoding/json"
	"fmt"

	"rrq/protocol"
)

// Job is what a handler carries out. Its arguments are the JSON texts that came, so that they can
// be passed on unchanged; Arg and Kwarg read them.
type Job struct {
	*protocol.Request
	executor *Executor
}

// Arg reads the positional argument of this index, from 0.
func (job *Job) Arg(index int, into any) error {
	if index >= len(job.Args) {
		return fmt.Errorf(
			"%s: argument %d is missing, there are %d", job.FunctionName, index+1, len(job.Args))
	}
	if err := json.Unmarshal(job.Args[index], into); err != nil {
		return fmt.Errorf("%s: argument %d: %w", job.FunctionName, index+1, err)
	}
	return nil
}

// Kwarg reads a keyword argument. It leaves into as it is, and gives false, if there is none.
func (job *Job) Kwarg(name string, into any) (bool, error) {
	text, given := job.Kwargs[name]
	if !given {
		return false, nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return true, fmt.Errorf("%s: argument %q: %w", job.FunctionName, name, err)
	}
	return true, nil
}

// Progress tells how far the job is, if the worker wants to know.
func (job *Job) Progress(current, total float64, message string) {
	if job.executor.understands(protocol.FeatureProgress) {
		job.executor.output.send(protocol.Progress{
			JobID: job.JobID, Current: &current, Total: &total, Message: message,
		})
	}
}
