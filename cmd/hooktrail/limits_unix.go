//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// openFiles is how many files the process may have open. The runtime has raised it to the hard limit when it started.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("ask for the limit on open files: %w", err)
	}
	return uint64(limit.Cur), nil //nolint:unconvert,nolintlint // signed on some systems
}
