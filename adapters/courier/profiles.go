package courier

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// Added is the wire formats that operators added to the instance.
type Added interface {
	// Profiles returns the profiles that were added after the first n, in the order in which they were added.
	Profiles(n int) []domain.ProfileAdded
	// Current returns once Profiles knows everything that was committed before the call.
	Current(ctx context.Context) error
}

// Profiles is the wire formats of this node: the program's own, and those that operators added. It is safe for
// concurrent use.
type Profiles struct {
	embedded *webhook.Profiles
	added    Added
	log      *slog.Logger

	mu    sync.Mutex        // guards both below
	taken int               // how many of added are in known
	known *webhook.Profiles // embedded and added
}

// NewProfiles makes a set of the formats that the program brings along and those that are added.
func NewProfiles(embedded *webhook.Profiles, added Added, log *slog.Logger) *Profiles {
	return &Profiles{embedded: embedded, added: added, log: log, known: embedded}
}

// Embedded returns the formats that the program brings along.
func (p *Profiles) Embedded() *webhook.Profiles { return p.embedded }

// All returns every format that is known by now.
func (p *Profiles) All() *webhook.Profiles {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, row := range p.added.Profiles(p.taken) {
		p.taken++
		if p.embedded.ByDigest(row.Profile.Digest) != nil {
			continue // the log has the program's own, too
		}
		profile, err := webhook.ParseProfile(row.Document)
		if err != nil || profile.Digest != row.Profile.Digest {
			// A newer program added it, and only that one can serve its endpoints.
			p.log.Error("a profile that was added can't be read by this program", slog.String("profile", row.Profile.Name),
				slog.Int("version", row.Profile.Version), slog.String("digest", row.Profile.Digest), slog.Any("error", err))
			continue
		}
		next, err := p.known.With(profile)
		if err != nil { // its name is one of the program's by now: endpoints that were made with it go on
			next = p.known.Keeping(profile)
		}
		p.known = next
	}
	return p.known
}

// ByDigest returns a format, even one that another process added a moment ago; nil if there is none.
func (p *Profiles) ByDigest(ctx context.Context, digest string) (*webhook.Profile, error) {
	if profile := p.All().ByDigest(digest); profile != nil {
		return profile, nil
	}
	if err := p.Current(ctx); err != nil {
		return nil, err
	}
	return p.All().ByDigest(digest), nil
}

// Current returns once the set knows everything that was added before the call.
func (p *Profiles) Current(ctx context.Context) error { return p.added.Current(ctx) }

// find returns the format that an endpoint uses, in the version that it uses.
func (p *Profiles) find(ctx context.Context, e domain.Endpoint) (*webhook.Profile, error) {
	profile, err := p.ByDigest(ctx, e.ProfileDigest)
	if err == nil && profile == nil {
		err = fmt.Errorf("this server doesn't have the profile %s as the endpoint uses it", e.Profile)
	}
	return profile, err
}
