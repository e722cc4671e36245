package webhook

import (
	"errors"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Offers shows the wire formats in the words of the domain, to those who make endpoints. It is safe for concurrent use.
type Offers struct {
	Embedded  *Profiles        // those that the program brings along
	Known     func() *Profiles // those and the ones that operators added, as of now; safe for concurrent use
	UserAgent string           // of requests
}

// Named returns the newest version of a profile.
func (o Offers) Named(name string) (domain.Profile, bool) { return o.offer(o.Known().Named(name)) }

// ByDigest returns one version of a profile.
func (o Offers) ByDigest(digest string) (domain.Profile, bool) {
	return o.offer(o.Known().ByDigest(digest))
}

// All returns every version of every profile.
func (o Offers) All() []domain.Profile {
	known := o.Known().All()
	list := make([]domain.Profile, 0, len(known))
	for _, p := range known {
		offered, _ := o.offer(p)
		list = append(list, offered)
	}
	return list
}

func (o Offers) offer(p *Profile) (domain.Profile, bool) {
	if p == nil {
		return domain.Profile{}, false
	}
	offered := p.Offer()
	offered.BuiltIn = o.Embedded.ByDigest(p.Digest) != nil
	return offered, true
}

// failingFor is how long an endpoint may fail before it is disabled, unless its profile says otherwise.
const failingFor = 5 * 24 * time.Hour

// Offer is the profile in the words of the domain, as if an operator had added it. Endpoints of a vendor's format that
// doesn't honour Retry-After are never disabled: the vendor promises its receivers nothing of the kind.
func (p *Profile) Offer() domain.Profile {
	offered := domain.Profile{
		Name: p.Name, Version: p.Version, Description: p.Description, Document: p.Document, EventTypes: p.EventTypes,
		Digest: p.Digest, HTTPSOnly: p.HTTPSOnly, Signs: p.Signs(), Retry: p.Retry,
		Timeout: domain.Duration(p.Timeout), SelfService: p.SelfService,
	}
	if p.HonoursRetryAfter {
		offered.DisableAfter = domain.Duration(failingFor)
	}
	return offered
}

// Parse reads a document that an operator adds, or returns where it is wrong.
func (o Offers) Parse(document []byte) (domain.Profile, []domain.Fault, error) {
	p, err := ParseProfile(document)
	var wrong *DocumentError
	switch {
	case errors.As(err, &wrong):
		return domain.Profile{}, wrong.Faults, nil
	case err != nil:
		return domain.Profile{}, nil, err
	}
	return p.Offer(), nil, nil
}

// NewKey checks the signing key that an endpoint brings, or makes the one that its profile wants.
func (o Offers) NewKey(digest, given string) (secret, public string, err error) {
	p, err := o.known(digest)
	if err != nil {
		return "", "", err
	}
	secret = given
	if secret == "" {
		if !p.KeyGenerated {
			return "", "", nil
		}
		secret = p.NewSigningKey()
	}
	key, err := p.ParseKey(domain.NewUUID(), secret)
	var invalid *domain.InvalidError
	switch {
	case errors.As(err, &invalid):
		return "", "", invalid
	case err != nil:
		return "", "", domain.Invalid("signing_key", "%v", err)
	}
	return secret, key.PublicKey(), nil
}

// CheckTarget refuses what an endpoint's profile can't serve, and returns the authentication with the profile's
// defaults.
func (o Offers) CheckTarget(t domain.Target) (domain.Auth, error) {
	p, err := o.known(t.Profile)
	if err != nil {
		return domain.Auth{}, err
	}
	auth := p.WithDefaults(t.Auth)
	_, err = NewTarget(TargetConfig{
		Profile: p, URL: t.URL, Auth: auth, Headers: t.Headers, Success: t.Success, UserAgent: o.UserAgent,
	})
	return auth, err
}

func (o Offers) known(digest string) (*Profile, error) {
	if p := o.Known().ByDigest(digest); p != nil {
		return p, nil
	}
	return nil, domain.Invalid("profile", "names a profile of this server")
}

// CheckHeader refuses a custom header that endpoints mustn't set.
func (o Offers) CheckHeader(field, name, value string) error {
	return o.Known().CheckHeader(field, name, value)
}

// SplitURL parts a URL into what may be known of it and what is kept as a secret.
func (Offers) SplitURL(raw string) (shown, secret string) { return SplitURL(raw) }
