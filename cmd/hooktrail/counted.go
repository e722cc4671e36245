//go:build counted

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/coverage"
)

// counting is only part of the binary that BenchmarkMainLine builds: directories come by standard input, and into each
// goes what was entered since the last.
var _ = counting()

func counting() bool {
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			dir := lines.Text()
			for _, err := range []error{coverage.WriteMetaDir(dir), coverage.WriteCountersDir(dir), coverage.ClearCounters()} {
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(exitFailed)
				}
			}
			fmt.Println(dir)
		}
	}()
	return true
}
