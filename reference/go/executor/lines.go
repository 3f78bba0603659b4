package executor

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"rrq/protocol"
)

// line is one of stdin's, or why there are no more.
type line struct {
	text    []byte
	tooLong bool
	err     error
}

// readLines gives the lines that are not blank, without their ends.
func readLines(ctx context.Context, stdin io.Reader, limit int) <-chan line {
	lines := make(chan line)
	go func() {
		reader := bufio.NewReaderSize(stdin, 64<<10)
		for {
			read := readLine(reader, limit)
			if read.err == nil && !read.tooLong && len(bytes.TrimSpace(read.text)) == 0 {
				continue
			}
			select {
			case lines <- read:
			case <-ctx.Done():
				return
			}
			if read.err != nil {
				return
			}
		}
	}()
	return lines
}

func readLine(reader *bufio.Reader, limit int) line {
	var read line
	for {
		piece, err := reader.ReadSlice('\n')
		read.tooLong = read.tooLong || len(read.text)+len(bytes.TrimSuffix(piece, []byte("\n"))) > limit
		if read.tooLong {
			read.text = nil
		} else {
			read.text = append(read.text, piece...)
		}
		switch {
		case err == bufio.ErrBufferFull:
		case err == io.EOF && (len(read.text) > 0 || read.tooLong):
			return read // The end comes with the next call.
		default:
			read.err = err
			return read
		}
	}
}

// output is stdout, a line at a time.
type output struct {
	lock   sync.Mutex
	writer io.Writer
	limit  int
	broken func(error)
}

// send writes one message; for an outcome that cannot be written, one that says so.
func (output *output) send(message any) {
	text, err := protocol.Encode(message)
	if err == nil && len(text) > output.limit {
		err = fmt.Errorf("its line has %d bytes, the most is %d", len(text), output.limit)
	}
	if err != nil {
		outcome, ok := message.(protocol.Outcome)
		if !ok {
			fmt.Fprintf(os.Stderr, "a message could not be sent: %v\n", err)
			return
		}
		failure := fmt.Sprintf("The result cannot be sent: %v", err)
		text, _ = protocol.Encode(protocol.Failure(outcome.JobID, failure, ""))
	}
	output.lock.Lock()
	defer output.lock.Unlock()
	if _, err := output.writer.Write(append(text, '\n')); err != nil {
		output.broken(fmt.Errorf("executor: stdout cannot be written: %w", err))
	}
}
