package openapi

import (
	"context"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

type createEndpointIn struct {
	rest.PostHeader
	rest.TenantPath
	Body endpointIn
}

// newEndpoint is an endpoint in the making, with what is shown of it once.
type newEndpoint struct {
	in          endpointIn
	secrets     credentials
	receiverKey string // of an endpoint that a registrant makes
}

// createEndpoint makes an endpoint, and in the same group the subscription that was asked for and what a registration
// brings.
func createEndpoint(ctx context.Context, c *call, in *createEndpointIn) (*rest.Made[endpointOut], error) {
	n := newEndpoint{in: in.Body}
	if c.Key.Role == domain.RoleRegistrant {
		leave, err := c.registrants.Take(ctx, c.Key.ID)
		if err != nil {
			return nil, err
		}
		defer leave()
		n.receiverKey = rest.NewKey()
	}
	out, err := rest.Once(ctx, c.Request, rest.Post[rest.Made[endpointOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideEndpoint(ctx, c, &n) },
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[endpointOut], error) {
			if replayed {
				dropSecrets(ctx, c, n.secrets.stored...) // another request was faster
			}
			n.secrets.stored = nil
			row, err := endpointOf(ctx, c, entries[0])
			if err != nil {
				return nil, err
			}
			if c.Key.Role == domain.RoleRegistrant { // the new key opens at once, and whoami counts it
				if err := c.Await(ctx, entries[len(entries)-1].Position); err != nil {
					return nil, err
				}
			}
			body := showEndpoint(row)
			for _, e := range entries[1:] {
				if e.Stream.Kind == domain.StreamSubscription {
					body.SubscriptionID = e.Stream.ID
				}
			}
			if !replayed {
				body.SigningKey, body.ReceiverKey = n.secrets.signingKey, n.receiverKey
			}
			return rest.NewMade(entries[0], replayed, endpointPath(c, row.ID), body), nil
		},
	})
	dropRefused(ctx, c, err, &n.secrets)
	return out, err
}

// decideEndpoint decides on the endpoint and what is made in the same group, then stores its secrets.
func decideEndpoint(ctx context.Context, c *call, n *newEndpoint) (domain.Group, error) {
	forgetSecrets(ctx, c, &n.secrets)
	in, id := n.in, domain.NewUUID()
	use, err := useRegistration(ctx, c, id)
	if err != nil {
		return domain.Group{}, err
	}
	if err := use.bound(&in); err != nil {
		return domain.Group{}, err
	}
	config, https, err := resolveEndpoint(ctx, c, in, &n.secrets)
	if err != nil {
		return domain.Group{}, err
	}
	config.Registration, https = use.id(), https || use.https()
	if err := nameAll(ctx, c, &config, &n.secrets); err != nil {
		return domain.Group{}, err
	}
	fact, err := domain.CreateEndpoint(config, https)
	if err != nil {
		return domain.Group{}, err
	}
	if err := rest.CheckReason("body.reason", in.Reason); err != nil {
		return domain.Group{}, err
	}
	group := endpointGroup(c, domain.Endpoint{ID: id}, fact, in.Reason)
	if len(in.EventTypes) > 0 {
		fact, err := domain.CreateSubscription(domain.SubscriptionConfig{Endpoint: id, EventTypes: in.EventTypes})
		if err != nil {
			return domain.Group{}, err
		}
		group.Drafts = append(group.Drafts, domain.Draft{
			Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamSubscription, ID: domain.NewUUID()}, By: c.By(),
			Fact: fact, Reason: in.Reason,
		})
	}
	if use != nil {
		drafts, err := use.drafts(c, id, in, n.receiverKey)
		if err != nil {
			return domain.Group{}, err
		}
		group.Drafts = append(group.Drafts, drafts...)
	}
	if err := withinLimits(ctx, c, group); err != nil {
		return domain.Group{}, err
	}
	return group, storeSecrets(ctx, c, &n.secrets)
}

// resolveEndpoint reads what a client asks for and fills in the profile's defaults. https reports whether the URL must
// begin with https. The secrets aren't named yet.
func resolveEndpoint(
	ctx context.Context, c *call, in endpointIn, secrets *credentials,
) (config domain.EndpointConfig, https bool, err error) {
	name := in.Profile
	if name == "" {
		name = defaultProfile
	}
	profile, ok, err := profileNamed(ctx, c, name)
	if err != nil {
		return config, false, err
	}
	if !ok {
		return config, false, domain.Invalid("profile", "is one of %s", strings.Join(profileNames(c), ", "))
	}
	if err := checkOrdered(in.Ordered); err != nil {
		return config, false, err
	}
	config = domain.EndpointConfig{
		Name: in.Name, Profile: profile.Name, ProfileDigest: profile.Digest, Concurrency: in.Concurrency,
		ExternalID: in.ExternalID, Metadata: in.Metadata, Timeout: profile.Timeout, Retry: profile.Retry,
		Success: in.Success, DisableAfter: profile.DisableAfter, Handshake: domain.HandshakeKind(in.Handshake),
	}
	if config.URL, secrets.query, err = splitURL(c, in.URL); err != nil {
		return config, false, err
	}
	if in.RateLimit != nil {
		config.RateLimit = &domain.RateLimit{PerSecond: in.RateLimit.PerSecond, Burst: in.RateLimit.Burst}
	}
	if in.Timeout != "" {
		if config.Timeout, err = duration("timeout", in.Timeout); err != nil {
			return config, false, err
		}
	}
	if in.Retry != nil {
		if config.Retry, err = in.Retry.schedule(); err != nil {
			return config, false, err
		}
	}
	if in.DisableAfter != "" {
		if config.DisableAfter, err = duration("disable_after", in.DisableAfter); err != nil {
			return config, false, err
		}
	}
	https, err = httpsOnly(ctx, c, profile)
	if err != nil {
		return config, false, err
	}
	if secrets.signingKey, secrets.publicKey, err = c.Profiles.NewKey(profile.Digest, in.SigningKey); err != nil {
		return config, false, err
	}
	if secrets.auth, err = in.Auth.auth(); err != nil {
		return config, false, err
	}
	if secrets.headers, err = customHeaders(c, in.Headers); err != nil {
		return config, false, err
	}
	secrets.auth, err = judgeTarget(c, domain.Target{
		Profile: profile.Digest, URL: in.URL, Auth: secrets.auth, Headers: secrets.headers, Success: in.Success,
	})
	return config, https, err
}
