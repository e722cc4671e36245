package openapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// registered is one use of a registration.
type registered struct {
	key  domain.Key // as it is now
	used *domain.RegistrationUsed
}

// useRegistration counts the endpoint that a registrant makes; nil where an administrator makes it.
func useRegistration(ctx context.Context, c *call, endpoint domain.UUID) (*registered, error) {
	if c.Key.Role != domain.RoleRegistrant {
		return nil, nil
	}
	var row projections.Key
	_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		row, err = r.Key(ctx, c.Key.ID, projections.AsOf{})
		return err
	})
	if err != nil {
		return nil, err
	}
	used, err := row.Use(endpoint)
	if errors.Is(err, domain.ErrQuota) {
		return nil, rest.Refuse(http.StatusConflict, "quota_exhausted",
			"The registration's endpoints are all made. Ask the tenant's admins for another registration.")
	}
	return &registered{row.Key, used}, err
}

// id is the registration in the endpoint's configuration.
func (r *registered) id() domain.UUID {
	if r == nil {
		return domain.UUID{}
	}
	return r.key.ID
}

func (r *registered) https() bool { return r != nil && r.key.Registration.HTTPSOnly }

// bound holds what a registrant asks for to the registration, and fills in what that demands.
func (r *registered) bound(in *endpointIn) error {
	if r == nil {
		return nil
	}
	b := r.key.Registration
	if in.Profile == "" && (len(b.Profiles) == 1 || !slices.Contains(b.Profiles, defaultProfile)) {
		in.Profile = b.Profiles[0]
	}
	if in.Profile == "" {
		in.Profile = defaultProfile
	}
	switch {
	case !slices.Contains(b.Profiles, in.Profile):
		return domain.Invalid("profile", "is one of the registration's: %s", strings.Join(b.Profiles, ", "))
	case in.Concurrency > domain.DefaultConcurrency:
		return domain.Invalid("concurrency", "is at most %d with a registration", domain.DefaultConcurrency)
	case in.DisableAfter != "":
		return domain.Invalid("disable_after", "is the profile's default with a registration: leave it out")
	case b.Handshake != "" && in.Handshake != "" && in.Handshake != string(b.Handshake):
		return domain.Invalid("handshake", "is %s with this registration", b.Handshake)
	}
	if b.Handshake != "" {
		in.Handshake = string(b.Handshake)
	}
	return b.Allows("event_types", in.EventTypes)
}

// drafts are what goes into the log beside the endpoint: the key with which its receiver sees to it, and the count.
func (r *registered) drafts(c *call, endpoint domain.UUID, in endpointIn, secret string) ([]domain.Draft, error) {
	hash := rest.HashKey(secret)
	fact, err := domain.CreateKey(domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: in.Name, Principal: r.key.Principal},
		KeyRights: domain.KeyRights{
			ID: domain.NewUUID(), Role: domain.RoleReceiver, PrincipalID: r.key.PrincipalID,
			Endpoint: endpoint, Hash: hash[:], MadeBy: c.By(), Registration: &domain.Registration{
				EventTypes: r.key.Registration.EventTypes, HTTPSOnly: r.key.Registration.HTTPSOnly,
			},
		},
	}, c.Clock())
	if err != nil {
		return nil, err
	}
	drafts := keyGroup(c, domain.Key{KeyConfig: fact.Key}, fact, in.Reason).Drafts
	return append(drafts, keyGroup(c, r.key, r.used, in.Reason).Drafts...), nil
}
