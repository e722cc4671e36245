package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadiness: one check serves all who ask within a second, and who gives up doesn't wait for it.
func TestReadiness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks, red := 0, errors.New("the lock is held")
		r := &readiness{check: func(context.Context) error {
			checks++
			time.Sleep(3 * time.Second)
			return red
		}}
		answers := make(chan error)
		for range 3 {
			go func() { answers <- r.Ready(t.Context()) }()
		}
		synctest.Wait()
		begin := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Ready(impatient); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("who gives up is answered %v after %s", err, time.Since(begin))
		}
		for range 3 {
			if err := <-answers; !errors.Is(err, red) {
				t.Errorf("who waits is answered %v", err)
			}
		}
		if err := r.Ready(t.Context()); !errors.Is(err, red) || checks != 1 {
			t.Errorf("who comes at once is answered %v after %d checks", err, checks)
		}
		time.Sleep(readyFor)
		if err := r.Ready(t.Context()); !errors.Is(err, red) || checks != 2 {
			t.Errorf("who comes later is answered %v after %d checks", err, checks)
		}
	})
}
