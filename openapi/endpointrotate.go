package openapi

import (
	"context"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

type rotateKeyIn struct {
	rest.ThingPath
	rest.PostHeader
	Body *rotateIn
}

type rotateIn struct {
	Overlap    string `json:"overlap,omitempty" maxLength:"32" doc:"How long the old keys stay valid beside the new one, at most 720h; 24h by default." example:"24h"`
	SigningKey string `json:"signing_key,omitempty" maxLength:"1024" doc:"The new key in the profile's own form, as when an endpoint is made (whsec_… or, for Ed25519, whsk_…); made by the server by default." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	rest.ReasonBody
}

// defaultOverlap gives a receiver a day to take the new key over.
const defaultOverlap = domain.Duration(24 * time.Hour)

// rotateKey makes a new signing key the current one; the old ones stay valid for the overlap.
func rotateKey(ctx context.Context, c *call, in *rotateKeyIn) (*rest.Made[endpointOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	var body rotateIn
	if in.Body != nil {
		body = *in.Body
	}
	var secrets credentials
	out, err := rest.Once(ctx, c.Request, rest.Post[rest.Made[endpointOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideRotation(ctx, c, id, body, &secrets) },
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[endpointOut], error) {
			if replayed {
				dropSecrets(ctx, c, secrets.stored...)
			}
			secrets.stored = nil
			row, err := endpointOf(ctx, c, entries[0])
			if err != nil {
				return nil, err
			}
			shown := showEndpoint(row)
			if !replayed {
				shown.SigningKey = secrets.signingKey
			}
			return rest.NewMade(entries[0], replayed, endpointPath(c, id), shown), nil
		},
	})
	dropRefused(ctx, c, err, &secrets)
	return out, err
}

// decideRotation makes the new key once, and its copy in the vault once a round: of a rotation that is decided again
// only the last copy stays.
func decideRotation(
	ctx context.Context, c *call, id domain.UUID, in rotateIn, secrets *credentials,
) (domain.Group, error) {
	forgetSecrets(ctx, c, secrets)
	row, err := endpointNow(ctx, c, id)
	if err != nil {
		return domain.Group{}, err
	}
	overlap := defaultOverlap
	if in.Overlap != "" {
		if overlap, err = duration("overlap", in.Overlap); err != nil {
			return domain.Group{}, err
		}
	}
	if err := rest.CheckReason("body.reason", in.Reason); err != nil {
		return domain.Group{}, err
	}
	if secrets.signingKey == "" {
		profile, err := profileOf(ctx, c, row.EndpointConfig)
		if err != nil {
			return domain.Group{}, err
		}
		secrets.signingKey, secrets.publicKey, err = c.Profiles.NewKey(row.ProfileDigest, in.SigningKey)
		switch {
		case err != nil:
			return domain.Group{}, err
		case secrets.signingKey == "" && profile.Signs:
			return domain.Group{}, domain.Invalid("signing_key", "is needed: for the profile %s none is made",
				profile.Name)
		case secrets.signingKey == "":
			return domain.Group{}, rest.Refuse(http.StatusConflict, "profile_has_no_key",
				"The endpoint's profile doesn't sign: there is no key to rotate.")
		}
	}
	key, err := nameSigningKey(ctx, c, secrets)
	if err != nil {
		return domain.Group{}, err
	}
	fact, err := row.RotateKey(key, time.Duration(overlap), c.Clock())
	if err != nil {
		return domain.Group{}, err
	}
	return endpointGroup(c, row.Endpoint, fact, in.Reason), storeSecrets(ctx, c, secrets)
}
