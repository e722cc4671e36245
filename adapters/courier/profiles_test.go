package courier

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// addedProfile is a profile of an operator's, made from one of the program's.
func addedProfile(t *testing.T, name string, change func(document string) string) (*webhook.Profile, domain.ProfileAdded) {
	t.Helper()
	document := string(embedded(t).Named("firespring").Document)
	document = change(strings.Replace(document, `"name":"firespring"`, `"name":"`+name+`"`, 1))
	p, err := webhook.ParseProfile([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p, domain.ProfileAdded{
		Profile: domain.ProfileName{Name: p.Name, Version: p.Version, Digest: p.Digest}, Document: p.Document,
	}
}

func unchanged(document string) string { return document }

// TestProfiles_added: formats that operators add are found by name and by digest; one that another process added a
// moment ago is found once this process has caught up.
func TestProfiles_added(t *testing.T) {
	t.Parallel()
	early, earlyRow := addedProfile(t, "early", unchanged)
	late, lateRow := addedProfile(t, "late", unchanged)
	directory := &added{known: []domain.ProfileAdded{earlyRow}, later: []domain.ProfileAdded{lateRow}}
	profiles := NewProfiles(embedded(t), directory, slog.New(slog.DiscardHandler))
	if profiles.All().Named("early") == nil || profiles.All().Named("late") != nil {
		t.Error("a profile is missing, or is known before it was added")
	}
	for _, want := range []*webhook.Profile{late, early, embedded(t).Named("cloudevents")} {
		if p, err := profiles.ByDigest(t.Context(), want.Digest); err != nil || p == nil || p.Name != want.Name {
			t.Errorf("%s: %v, %v", want.Name, p, err)
		}
	}
	if p, err := profiles.ByDigest(t.Context(), "unknown"); p != nil || err != nil {
		t.Errorf("an unknown digest: %v, %v", p, err)
	}
	directory.err = errors.New("the database is unreachable")
	if _, err := profiles.ByDigest(t.Context(), "unknown"); !errors.Is(err, directory.err) {
		t.Errorf("%v, want that the directory couldn't catch up", err)
	}
	if profiles.Embedded().Named("early") != nil {
		t.Error("an added profile counts as the program's own")
	}
}

// TestProfiles_newerProgram: a document that this program can't read is passed over, and one whose name became the
// program's own is found by its digest alone.
func TestProfiles_newerProgram(t *testing.T) {
	t.Parallel()
	_, broken := addedProfile(t, "newer", unchanged)
	broken.Document = []byte(`{"name":"newer"}`)
	shadowed, shadowedRow := addedProfile(t, "firespring", func(document string) string {
		return strings.Replace(document, `"version":1`, `"version":9`, 1)
	})
	fine, fineRow := addedProfile(t, "fine", unchanged)
	var log bytes.Buffer
	profiles := NewProfiles(embedded(t), &added{known: []domain.ProfileAdded{broken, shadowedRow, fineRow}},
		slog.New(slog.NewTextHandler(&log, nil)))
	all := profiles.All()
	if all.Named("newer") != nil || all.Named("fine") == nil || all.ByDigest(fine.Digest) == nil {
		t.Error("one broken document hides another")
	}
	if named := all.Named("firespring"); named.Version == 9 || all.ByDigest(shadowed.Digest) == nil {
		t.Errorf("firespring is version %d, and the added one is known by its digest: %v", named.Version, all.ByDigest(shadowed.Digest) != nil)
	}
	profiles.All()
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "newer") {
		t.Errorf("%d lines are logged: %s", lines, &log)
	}
}
