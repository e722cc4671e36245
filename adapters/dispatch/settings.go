package dispatch

import (
	"errors"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/prometheus/client_golang/prometheus"
)

// Defaults of Settings.
const (
	defaultWindow       = 4096
	defaultBudget       = 400_000
	defaultAttempts     = 8192
	defaultContentBytes = 64 << 20
	defaultExpiry       = 3 * time.Second
	defaultBeat         = time.Second
	defaultGrace        = 20 * time.Second
)

// Settings is what a Dispatcher is made of.
type Settings struct {
	Log    domain.Log
	State  State
	Leases Leases
	Sender Sender

	// Filter makes a subscription's filter, at little cost: most are never asked in this process. Filters are asked
	// from many goroutines, and while the log's lock is held. nil: none can be evaluated, and what has a filter is
	// skipped as failed.
	Filter func(expression string) domain.Filter

	// Node is this process: a new id at each start. It holds the leases, and every attempt names it.
	Node domain.UUID
	// Displaced are nodes that are known to be dead, such as the one that ran on this data directory before. What they
	// hold is taken over at once.
	Displaced []domain.UUID

	// Window is how many waiting deliveries of one endpoint are kept in memory at least before the rest is left to the
	// view; 0: defaultWindow.
	Window int
	// Budget is how many are kept in all; past it, an endpoint keeps smallWindow. 0: defaultBudget.
	Budget int
	// Attempts bounds how many attempts are under way at once, whatever the endpoints allow. A tenant alone has at most
	// three quarters of them, an endpoint alone three quarters of those (see slots). 0: defaultAttempts.
	Attempts int
	// ContentBytes bounds the events kept in memory for sending; 0: defaultContentBytes.
	ContentBytes int
	// Expiry is how old a node's last heartbeat must be for its leases to be free; 0: defaultExpiry.
	Expiry time.Duration
	// Beat is the pause between heartbeats; 0: defaultBeat.
	Beat time.Duration
	// Grace is how long attempts under way may take after Run's context has ended; 0: defaultGrace.
	Grace time.Duration

	Logger  *slog.Logger          // nil: slog.Default()
	Metrics prometheus.Registerer // nil: metrics are kept but not offered
	// Random gives numbers in [0, 1) for the jitter of schedules and is called from many goroutines; nil: math/rand/v2.
	Random func() float64
}

func (s Settings) withDefaults() Settings {
	orInt := func(value *int, standard int) {
		if *value == 0 {
			*value = standard
		}
	}
	orTime := func(value *time.Duration, standard time.Duration) {
		if *value == 0 {
			*value = standard
		}
	}
	orInt(&s.Window, defaultWindow)
	orInt(&s.Budget, defaultBudget)
	orInt(&s.Attempts, defaultAttempts)
	orInt(&s.ContentBytes, defaultContentBytes)
	orTime(&s.Expiry, defaultExpiry)
	orTime(&s.Beat, defaultBeat)
	orTime(&s.Grace, defaultGrace)
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	if s.Random == nil {
		s.Random = random
	}
	return s
}

func (s Settings) validate() error {
	switch {
	case s.Log == nil || s.State == nil || s.Leases == nil || s.Sender == nil:
		return errors.New("dispatch: log, state, leases and sender are needed")
	case s.Node.IsZero():
		return errors.New("dispatch: the node needs an id")
	case s.Window < 2 || s.Budget < 1:
		return errors.New("dispatch: the window has at least 2 deliveries, the budget at least 1")
	case s.Attempts < 1:
		return errors.New("dispatch: at least 1 attempt may be under way")
	}
	return nil
}
