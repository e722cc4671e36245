package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// profilesFor offers the wire formats to the HTTP surface.
func profilesFor(profiles *profileSet) openapi.Profiles {
	return openapi.Profiles{
		Lookup: func(name string) (openapi.Profile, bool) {
			return profiles.offer(profiles.all().Named(name))
		},
		ByDigest: func(digest string) (openapi.Profile, bool) {
			return profiles.offer(profiles.all().ByDigest(digest))
		},
		All:   profiles.list,
		Parse: parseProfile,
		Names: func() []string { return names(profiles.all()) },
		NewKey: func(digest, given string) (string, string, error) {
			return newSigningKey(profiles.all().ByDigest(digest), given)
		},
		Check: func(t openapi.Target) (openapi.Auth, error) {
			return checkTarget(profiles.all().ByDigest(t.Profile), t)
		},
		CheckHeader: func(field, name, value string) error { return profiles.all().CheckHeader(field, name, value) },
	}
}

// names lists a set's profiles in alphabetical order.
func names(profiles *webhook.Profiles) []string {
	var names []string
	for _, p := range profiles.All() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// offeredProfile is a wire format as the HTTP surface knows it.
func offeredProfile(p *webhook.Profile) openapi.Profile {
	return openapi.Profile{
		Name: p.Name, Version: p.Version, Description: p.Description, Document: p.Document, EventTypes: p.EventTypes,
		Digest: p.Digest, HTTPSOnly: p.HTTPSOnly, Signs: p.Signs(), Retry: p.Retry,
		Timeout: domain.Duration(p.Timeout), DisableAfter: disableAfter(p), SelfService: p.SelfService,
	}
}

// disableAfter is the default of a profile's endpoints. What a vendor promises its receivers has no such end.
func disableAfter(p *webhook.Profile) domain.Duration {
	if p.HonoursRetryAfter {
		return domain.Duration(5 * 24 * time.Hour)
	}
	return 0
}

// newSigningKey checks the key that an endpoint brings, or makes the one that its profile wants.
func newSigningKey(p *webhook.Profile, given string) (secret, public string, err error) {
	if p == nil {
		return "", "", domain.Invalid("profile", "names a profile of this server")
	}
	secret = given
	if secret == "" {
		if !p.KeyGenerated {
			return "", "", nil
		}
		secret = p.NewSigningKey()
	}
	key, err := p.ParseKey(domain.NewUUID(), secret)
	if err != nil {
		var invalid *domain.InvalidError
		if errors.As(err, &invalid) {
			return "", "", invalid
		}
		return "", "", domain.Invalid("signing_key", "%v", err)
	}
	return secret, key.PublicKey(), nil
}

// checkTarget refuses an endpoint that its profile can't serve. A secret that stays as it was stands in as a text that
// every check passes.
func checkTarget(p *webhook.Profile, t openapi.Target) (openapi.Auth, error) {
	if p == nil {
		return openapi.Auth{}, domain.Invalid("profile", "names a profile of this server")
	}
	auth := p.WithDefaults(webhook.Auth(t.Auth))
	_, err := webhook.NewTarget(webhook.TargetConfig{
		Profile: p, URL: t.URL, Auth: auth, Headers: t.Headers, Success: t.Success, UserAgent: "Hooktrail/" + strings.TrimSpace(version),
	})
	return openapi.Auth(auth), err
}
