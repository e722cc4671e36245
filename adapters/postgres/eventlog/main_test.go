package eventlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
)

// The environment that turns the test binary into a program that does nothing but append.
const (
	appenderURL = "HOOKTRAIL_TEST_APPENDER_URL"
	appenderKey = "HOOKTRAIL_TEST_APPENDER_KEY"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(appenderURL); url != "" {
		if err := appendForEver(url, os.Getenv(appenderKey)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// appendForEver appends from several goroutines until SIGTERM.
func appendForEver(url, keyFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	key, err := seal.LoadMasterKey(keyFile)
	if err != nil {
		return err
	}
	log, err := eventlog.Open(ctx, eventlog.Config{URL: url, MasterKey: key, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer log.Close()
	for range 32 {
		go func() {
			for ctx.Err() == nil {
				log.Append(ctx, group(event(`{"from":"another process"}`)))
			}
		}()
	}
	return log.Run(ctx)
}
