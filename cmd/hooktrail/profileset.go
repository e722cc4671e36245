package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/projections"
)

// profileSet is the wire formats of this node: the program's own, and those that operators added, which are read from the
// directory when they are asked for. It is safe for concurrent use.
type profileSet struct {
	embedded *webhook.Profiles
	added    func() []projections.Profile // only ever grows
	catchUp  func(ctx context.Context) error
	log      *slog.Logger

	mu    sync.Mutex        // guards both below
	taken int               // how many of added are in known
	known *webhook.Profiles // embedded and added
}

// newProfileSet returns a set. catchUp returns when added knows all that was committed before the call.
func newProfileSet(embedded *webhook.Profiles, added func() []projections.Profile, catchUp func(context.Context) error, log *slog.Logger) *profileSet {
	return &profileSet{embedded: embedded, added: added, catchUp: catchUp, log: log, known: embedded}
}

// all are the formats that are known by now.
func (s *profileSet) all() *webhook.Profiles {
	added := s.added()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; s.taken < len(added); s.taken++ {
		s.take(added[s.taken])
	}
	return s.known
}

// take wants mu. A profile whose name the program took later on is kept for the endpoints that it has. One that this
// program can't read was added by a newer one, whose endpoints only that can serve.
func (s *profileSet) take(row projections.Profile) {
	p, err := webhook.ParseProfile(row.Document)
	if err != nil || p.Digest != row.Digest {
		s.log.Error("a profile that was added can't be read by this program", slog.String("profile", row.Name),
			slog.Int("version", row.Version), slog.String("digest", row.Digest), slog.Any("error", err))
		return
	}
	next, err := s.known.With(p)
	if err != nil {
		next = s.known.Keeping(p)
	}
	s.known = next
}

// byDigest finds a format, also one that was added a moment ago by another process; nil for none.
func (s *profileSet) byDigest(ctx context.Context, digest string) (*webhook.Profile, error) {
	if p := s.all().ByDigest(digest); p != nil {
		return p, nil
	}
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	return s.all().ByDigest(digest), nil
}
