package domain_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func TestRegistration(t *testing.T) {
	t.Parallel()
	bounds := domain.Registration{Profiles: []string{"sparkfly"}, EventTypes: []domain.Pattern{"offer.*"}, Quota: 1}
	config := domain.KeyConfig{KeyNames: domain.KeyNames{Name: "n", Principal: "p"}, KeyRights: domain.KeyRights{Role: domain.RoleRegistrant, Registration: &bounds}}
	if _, err := domain.CreateKey(config, noon); err != nil {
		t.Fatal(err)
	}
	k := domain.Key{KeyConfig: config}
	used, err := k.Use(id(1))
	if err != nil || used.Key.Registration.Used != 1 || used.Made.Endpoint != id(1) || bounds.Used != 0 {
		t.Fatalf("use: %+v, %v; the configuration before mustn't change: %+v", used, err, bounds)
	}
	k.KeyConfig = used.Key
	if _, err := k.Use(id(2)); !errors.Is(err, domain.ErrQuota) {
		t.Errorf("beyond the quota: %v", err)
	}
	if err := bounds.Allows("event_types", []domain.Pattern{"offer.issued", "offer.*", "*"}); err == nil || !strings.HasPrefix(err.Error(), "event_types[2]") {
		t.Errorf("a pattern beyond the registration's: %v", err)
	}
	for field, change := range map[string]func(*domain.Registration){
		"profiles":       func(r *domain.Registration) { r.Profiles = nil },
		"event_types":    func(r *domain.Registration) { r.EventTypes = nil },
		"event_types[0]": func(r *domain.Registration) { r.EventTypes = []domain.Pattern{"a..b"} },
		"quota":          func(r *domain.Registration) { r.Quota = 0 },
		"handshake":      func(r *domain.Registration) { r.Handshake = "x" },
	} {
		wrong := bounds
		change(&wrong)
		config.Registration = &wrong
		_, err := domain.CreateKey(config, noon)
		wrongField(t, err, field)
	}
	config.Registration = nil
	_, err = domain.CreateKey(config, noon)
	wrongField(t, err, "role")
	config.Registration, config.Role = &bounds, domain.RoleAdmin
	_, err = domain.CreateKey(config, noon)
	wrongField(t, err, "role")
}

// TestPattern_Covers: what a covered pattern chooses, the covering one chooses too; and where it says no for patterns of
// few segments, some type tells them apart.
func TestPattern_Covers(t *testing.T) {
	t.Parallel()
	segments := []string{"a", "b", "*", "hooktrail"}
	var types []domain.EventType
	names := []string{"a", "b", "c", "hooktrail"}
	for _, x := range names {
		types = append(types, domain.EventType(x))
		for _, y := range names {
			types = append(types, domain.EventType(x+"."+y))
			for _, z := range append(names, "c.a") {
				types = append(types, domain.EventType(x+"."+y+"."+z))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) domain.Pattern {
			parts := rapid.SliceOfN(rapid.SampledFrom(segments), 1, 3).Draw(t, name)
			return domain.Pattern(strings.Join(parts, "."))
		}
		wide, narrow := draw("wide"), draw("narrow")
		apart := false
		for _, typ := range types {
			apart = apart || narrow.Matches(typ) && !wide.Matches(typ)
		}
		if covers := wide.Covers(narrow); covers == apart {
			t.Fatalf("%s covers %s: %v, but a type tells them apart: %v", wide, narrow, covers, apart)
		}
	})
}
