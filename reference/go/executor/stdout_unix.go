//go:build unix

package executor

import (
	"io"
	"os"
	"syscall"
)

// takeStdout moves stdout's descriptor away and puts stderr in its place, so that no print, no
// library and no child process can break a line.
func takeStdout() (io.Writer, error) {
	syscall.ForkLock.RLock()
	moved, err := syscall.Dup(1)
	if err == nil {
		syscall.CloseOnExec(moved)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	if err := duplicate(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(moved), "protocol"), nil
}
