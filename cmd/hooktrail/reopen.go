package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
)

// reopenEvery is how often a closed server looks whether the newest copy of its database is back.
const reopenEvery = time.Second

// openWhole opens the log. While the database is an older copy of the one that this node knows, nothing is appended,
// routed, folded, delivered or signed: the server answers every request with 503, as it does where the copy is put
// under it while it runs, and goes on when the newest copy is back or the loss is accepted. baseEnded is closed when
// what the log needs has ended.
func (s *server) openWhole(ctx context.Context, baseEnded <-chan struct{}) error {
	err := s.open(ctx)
	if !errors.Is(err, eventlog.ErrReplaced) {
		return err
	}
	s.log.ErrorContext(
		ctx,
		"closed: put the newest copy of the database back, or stop this server and run hooktrail recover",
		slog.String("address", "http://"+s.gate.address),
		slog.Any("error", err),
	)
	s.gate.refuse("This node can't append or serve: its database is an older copy of the one that it knows.")
	for errors.Is(err, eventlog.ErrReplaced) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.gate.ended:
			return err
		case <-baseEnded:
			return errBaseEnded
		case <-time.After(reopenEvery):
			err = s.open(ctx)
		}
	}
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "opened: the database has all that this node knows")
	return nil
}
