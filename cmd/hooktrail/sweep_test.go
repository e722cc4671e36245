package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSweeper: it sweeps at the start and every hour, also after a failure, and says what it did only when it did
// something.
func TestSweeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		outcomes := []struct {
			destroyed int
			err       error
			says      string
		}{{0, nil, ""}, {0, errors.New("no database"), "level=WARN"}, {3, nil, "secrets=3"}, {0, nil, ""}}
		var said bytes.Buffer
		times := 0
		s := sweeper{
			log: slog.New(slog.NewTextHandler(&said, nil)),
			sweep: func(_ context.Context, grace time.Duration) (int, error) {
				if at := time.Since(begun); at != time.Duration(times)*time.Hour || grace != time.Hour {
					t.Errorf("sweep %d after %s with grace %s", times, at, grace)
				}
				if times > 0 {
					if want := outcomes[times-1].says; !strings.Contains(said.String(), want) || want == "" && said.Len() > 0 {
						t.Errorf("says %q, want %q", &said, want)
					}
				}
				said.Reset()
				o := outcomes[times]
				if times++; times == len(outcomes) {
					stop()
				}
				return o.destroyed, o.err
			},
		}
		if err := s.run(ctx); err != nil || times != len(outcomes) {
			t.Errorf("swept %d times: %v", times, err)
		}
	})
}
