package eventlog_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
)

// unready holds Ready to an answer in time, and to its reason.
func unready(t *testing.T, log *eventlog.Log, reason string) {
	t.Helper()
	begin := time.Now()
	err := log.Ready(t.Context())
	if !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
		t.Errorf("ready: %v, want %q", err, reason)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

func ready(t *testing.T, log *eventlog.Log) {
	t.Helper()
	waitFor(t, "the log to be ready", func() bool { return log.Ready(t.Context()) == nil })
}

// TestLog_Ready asks while what an append needs is taken away, and when it is back.
func TestLog_Ready(t *testing.T) {
	t.Parallel()
	log := open(t)
	log.mustAppend(t, group(event(`{}`))) // which keeps what preparing an append reads
	ready(t, log.Log)
	t.Run("the lock is held", func(t *testing.T) {
		admin := connect(t, log.db.AdminURL)
		mustExec(t, admin, `SELECT pg_advisory_lock(hashtextextended('hooktrail/log', 0))`)
		unready(t, log.Log, "append lock")
		mustExec(t, admin, `SELECT pg_advisory_unlock_all()`)
		ready(t, log.Log)
	})
	t.Run("all look-ups are busy", func(t *testing.T) {
		release := eventlog.TakeLookUps(t.Context(), log.Log)
		unready(t, log.Log, "connections for look-ups")
		release()
		ready(t, log.Log)
	})
	t.Run("the database only reads", func(t *testing.T) {
		admin := connect(t, log.db.AdminURL)
		mustExec(t, admin, `ALTER DATABASE `+log.db.Name+` SET default_transaction_read_only = on`)
		standby := reopen(t, log.db, log.key)
		waitFor(t, "the appender to run", func() bool { return !strings.Contains(errorText(standby.Ready(t.Context())), "doesn't run") })
		unready(t, standby.Log, "only reads")
		mustExec(t, admin, `ALTER DATABASE `+log.db.Name+` RESET default_transaction_read_only`)
	})
	t.Run("the database is away", func(t *testing.T) {
		admin := connect(t, strings.Replace(log.db.AdminURL, "/"+log.db.Name, "/postgres", 1))
		mustExec(t, admin, `ALTER DATABASE `+log.db.Name+` ALLOW_CONNECTIONS false`)
		mustExec(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, log.db.Name)
		unready(t, log.Log, "")
		appended := make(chan error, 1)
		go func() {
			_, err := domain.AppendOne(t.Context(), log, group(event(`{}`)))
			appended <- err
		}()
		waitFor(t, "the appender to notice", func() bool { return strings.HasPrefix(errorText(log.Ready(t.Context())), "append: ") })
		mustExec(t, admin, `ALTER DATABASE `+log.db.Name+` ALLOW_CONNECTIONS true`)
		ready(t, log.Log)
		if err := <-appended; err != nil && !errors.Is(err, domain.ErrUnavailable) {
			t.Errorf("append: %v", err)
		}
	})
	log.mustAppend(t, group(event(`{}`)))
	t.Run("the appender doesn't run", func(t *testing.T) {
		idle, err := eventlog.Open(t.Context(), eventlog.Config{URL: log.db.URL, MasterKey: log.key})
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		unready(t, idle, "doesn't run")
	})
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := log.Ready(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ready: %v", err)
		}
	})
	log.check(t)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
