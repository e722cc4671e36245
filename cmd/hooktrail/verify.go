package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
)

type verifyCommand struct {
	Storage storageFlags `embed:""`
	Log     logFlags     `embed:""`
	Views   bool         `name:"views" help:"Compare the views with a fresh fold of the log, too."`
	After   int64        `name:"after" help:"Go on behind this position, up to which an earlier run found everything right."`
}

// Run recomputes everything that the database holds of the log, and exits 1 at the first thing that is wrong.
func (c verifyCommand) Run(ctx context.Context, p process) error {
	if c.After < 0 {
		return usagef("--after is a position: what an earlier run printed last")
	}
	return c.Storage.withLog(ctx, c.Log, func(log *eventlog.Log, views *views.Views) error {
		head, err := eventlog.CheckLog(ctx, log, eventlog.CheckOptions{After: domain.Position(c.After), Progress: checked(p)})
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "the log is whole: %d entries\n", head)
		if !c.Views {
			return nil
		}
		differences, err := views.VerifyViews(ctx, folded(p, head))
		if err != nil {
			return err
		}
		for _, d := range differences {
			fmt.Fprintf(p.stdout, "%s: %d rows that the log doesn't yield, %d missing\n", d.Table, d.Wrong, d.Missing)
		}
		if len(differences) > 0 {
			return errors.New("the views differ from the log (hint: run `hooktrail rebuild`)")
		}
		_, err = fmt.Fprintln(p.stdout, "the views are what the log yields")
		return err
	})
}

type rebuildCommand struct {
	Storage storageFlags `embed:""`
	Log     logFlags     `embed:""`
}

// Run rebuilds the views; a server that runs on the same database goes on reading the old ones until then.
func (c rebuildCommand) Run(ctx context.Context, p process) error {
	return c.Storage.withLog(ctx, c.Log, func(log *eventlog.Log, views *views.Views) error {
		head, err := log.Head(ctx)
		if err != nil {
			return err
		}
		if err := views.Rebuild(ctx, folded(p, head)); err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, "the views are rebuilt")
		return err
	})
}

// checked tells now and then how far a check has come.
func checked(p process) func(at, last domain.Position) {
	told := time.Now()
	return func(at, last domain.Position) {
		if now := time.Now(); now.Sub(told) >= 5*time.Second {
			told = now
			fmt.Fprintf(p.stderr, "checked %d of %d entries (hooktrail verify --after %d goes on from here)\n", at, last, at)
		}
	}
}

// folded tells how far a fold has come.
func folded(p process, head domain.Position) func(domain.Position) {
	return func(at domain.Position) { fmt.Fprintf(p.stderr, "folded %d of %d entries\n", at, head) }
}

// withLog opens the log for reading, without appending to it, and calls f. A private Postgres is started for it, which
// a running server must have given up.
func (f storageFlags) withLog(
	ctx context.Context,
	logs logFlags,
	do func(*eventlog.Log, *views.Views) error,
) (err error) {
	if err := f.validate(); err != nil {
		return err
	}
	dir, err := dataDir(f.DataDir)
	if err != nil {
		return err
	}
	logger := logs.logger(os.Stderr)
	if err := f.makeDataDir(dir, logger); err != nil {
		return err
	}
	store, err := f.open(ctx, dir, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	master, err := f.masterKey(dir)
	if err != nil {
		return err
	}
	log, err := eventlog.Open(ctx, eventlog.Config{URL: store.url, MasterKey: master, Logger: logger})
	if err != nil {
		return err
	}
	defer log.Close()
	pool, err := pgxpool.New(ctx, store.url)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(log, views.NewViews(pool, log, nil))
}
