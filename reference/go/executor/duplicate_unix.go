//go:build unix && !linux

package executor

import "syscall"

// duplicate makes the descriptor to another one of from's file.
func duplicate(from, to int) error { return syscall.Dup2(from, to) }
