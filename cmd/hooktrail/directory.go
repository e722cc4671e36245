package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/domain"
)

// recordPause is how long after a failure it is tried again to record that the directory stopped.
const recordPause = 5 * time.Second

// followDirectory keeps the directory of keys, tenants and event types up to date until ctx ends. At an entry that it
// can't fold nobody can be let in any more, for a revocation may follow. The API is closed then, and everything that
// asks no key goes on: the views are folded, and deliveries are made, as far as those can fold the entry. Rejected:
// ending the process, which comes to the same entry at each start and takes all that along.
func (s *server) followDirectory(ctx context.Context) error {
	stopped := prometheus.NewGauge(prometheus.GaugeOpts{
		// As the other followers have it, so that one alert serves all.
		Name: "hooktrail_follower_stopped", Help: "1 when the follower stopped at an entry that it can't fold.",
		ConstLabels: prometheus.Labels{"follower": "directory"},
	})
	s.registry.MustRegister(stopped)
	err := s.directory.Follow(ctx, s.entries)
	stop := new(domain.FollowerStop)
	if !errors.As(err, &stop) {
		return err
	}
	s.gate.refuseForGood("This node can't say any more who may call it: it can't fold an entry of the log. " +
		"Its operator has to upgrade or repair this program and start it again.")
	stopped.Set(1)
	s.log.Error("the API is closed: an entry can't be folded, and a key may be revoked after it "+
		"(hint: upgrade or repair this program and start it again)",
		slog.String("follower", stop.Follower), slog.Any("position", stop.At), slog.Any("error", stop.Err))
	for {
		err := stop.Record(ctx, s.entries)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			<-ctx.Done()
			return nil
		}
		s.log.Warn("a follower's stop isn't logged yet", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(recordPause):
		}
	}
}
