package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hooktrail/hooktrail/adapters/courier"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
)

// addedProfiles offers the wire formats of the directory to the courier.
type addedProfiles struct {
	directory *projections.Directory
	current   func(ctx context.Context) error
}

func (a addedProfiles) Profiles(n int) []domain.ProfileAdded {
	var added []domain.ProfileAdded
	for _, row := range a.directory.Profiles()[n:] {
		added = append(added, domain.ProfileAdded{Profile: row.ProfileName, Document: row.Document})
	}
	return added
}

func (a addedProfiles) Current(ctx context.Context) error { return a.current(ctx) }

// attempts is the courier as the HTTP surface calls it.
type attempts struct{ *courier.Courier }

// body writes an attempt's body again.
func (a attempts) body(ctx context.Context, sent openapi.SentAttempt) ([]byte, error) {
	appended, ok := sent.Event.Fact.(*domain.EventAppended)
	if !ok {
		return nil, fmt.Errorf("the event's content is gone: %w", domain.ErrNotFound)
	}
	event := domain.LoggedEvent{
		ID: sent.Event.Stream.ID, Sequence: sent.Event.Sequence, RecordedAt: sent.Event.RecordedAt, Fact: appended,
	}
	body, err := a.Body(ctx, sent.Endpoint, event, sent.Started)
	var refused *webhook.RefusedError
	if errors.As(err, &refused) {
		return nil, openapi.ErrNothingSent
	}
	return body, err
}

func (a attempts) handshake(ctx context.Context, order openapi.HandshakeOrder) (domain.HandshakeResult, []byte) {
	return a.Handshake(ctx, order.Endpoint, order.Start)
}

// profileSet is the courier's profiles as the HTTP surface knows them.
type profileSet struct{ *courier.Profiles }

func (s *profileSet) all() *webhook.Profiles { return s.All() }

func (s *profileSet) byDigest(ctx context.Context, digest string) (*webhook.Profile, error) {
	return s.ByDigest(ctx, digest)
}

// offer converts a profile that was looked for; false when there is none.
func (s *profileSet) offer(p *webhook.Profile) (openapi.Profile, bool) {
	if p == nil {
		return openapi.Profile{}, false
	}
	return s.offered(p), true
}

// offered converts a profile.
func (s *profileSet) offered(p *webhook.Profile) openapi.Profile {
	offer := offeredProfile(p)
	offer.BuiltIn = s.Embedded().ByDigest(p.Digest) != nil
	return offer
}

// list returns every version of every profile.
func (s *profileSet) list() []openapi.Profile {
	var list []openapi.Profile
	for _, p := range s.all().All() {
		list = append(list, s.offered(p))
	}
	return list
}

// parseProfile reads a document that an operator adds.
func parseProfile(document []byte) (openapi.Profile, []openapi.Fault, error) {
	p, err := webhook.ParseProfile(document)
	var wrong *webhook.DocumentError
	switch {
	case errors.As(err, &wrong):
		faults := make([]openapi.Fault, len(wrong.Faults))
		for i, f := range wrong.Faults {
			faults[i] = openapi.Fault(f)
		}
		return openapi.Profile{}, faults, nil
	case err != nil:
		return openapi.Profile{}, nil, err
	}
	return offeredProfile(p), nil, nil
}

// webhookOrigin is the name by which receivers know this instance: the one configured, else the machine's if it can be
// one.
func webhookOrigin(configured string) string {
	if configured != "" {
		return configured
	}
	host, err := os.Hostname()
	if err != nil || webhook.CheckOrigin(host) != nil {
		return ""
	}
	return host
}
