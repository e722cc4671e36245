package main

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/courier"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
)

// TestAttempts_body: an attempt whose event the format can't carry sent nothing, and one whose event is erased has no
// body any more.
func TestAttempts_body(t *testing.T) {
	t.Parallel()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	added := addedProfiles{directory: projections.NewDirectory(projections.DirectoryRows{}, 0)}
	c, err := courier.New(courier.Config{Profiles: courier.NewProfiles(profiles, added, slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	sent := openapi.SentAttempt{
		Endpoint: domain.Endpoint{EndpointConfig: domain.EndpointConfig{ProfileDigest: profiles.Named("coherent-spark").Digest}},
		Event:    domain.Entry{Fact: &domain.EventAppended{Data: []byte(`{"FolderName":{}}`)}},
	}
	if got, err := (attempts{c}).body(t.Context(), sent); !errors.Is(err, openapi.ErrNothingSent) {
		t.Errorf("%s, %v; want nothing", got, err)
	}
	sent.Event.Fact = nil
	if got, err := (attempts{c}).body(t.Context(), sent); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%s, %v; want that it is gone", got, err)
	}
}

// TestPurposes: the HTTP surface keeps secrets under the purposes that the courier opens them for.
func TestPurposes(t *testing.T) {
	t.Parallel()
	for kept, opened := range map[string]string{
		openapi.PurposeSigningKey: domain.PurposeSigningKey, openapi.PurposeAuth: domain.PurposeAuth,
		openapi.PurposeHeader: domain.PurposeHeader, openapi.PurposeQuery: domain.PurposeQuery,
	} {
		if kept != opened {
			t.Errorf("kept as %s, opened as %s", kept, opened)
		}
	}
}
