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
	SigningKey string `json:"signing_key,omitempty" maxLength:"1024" doc:"The new key in the profile's own form; made by the server by default." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	rest.ReasonBody
}

// defaultOverlap gives a receiver a day to take the new key over.
const defaultOverlap = domain.Duration(24 * time.Hour)

func rotateKey(ctx context.Context, c *call, in *rotateKeyIn) (*rest.Made[endpointOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	var body rotateIn
	if in.Body != nil {
		body = *in.Body
	}
	var secrets secretValues
	out, err := rest.Once(ctx, c.Request, rest.Post[rest.Made[endpointOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideRotation(ctx, c, id, body, &secrets) },
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[endpointOut], error) {
			if replayed {
				dropSecrets(ctx, c, secrets.kept...)
			}
			secrets.kept = nil
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
	dropRefused(ctx, c, err, secrets.kept)
	return out, err
}

func decideRotation(ctx context.Context, c *call, id domain.UUID, in rotateIn, secrets *secretValues) (domain.Group, error) {
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
	// Judged with a stand-in first: a secret is kept only for what will be appended.
	if _, err := row.RotateKey(domain.SigningKey{}, time.Duration(overlap), c.Clock()); err != nil {
		return domain.Group{}, err
	}
	if secrets.signingKey == "" {
		profile, err := profileOf(ctx, c, row.EndpointConfig)
		if err != nil {
			return domain.Group{}, err
		}
		if secrets.signingKey, secrets.publicKey, err = c.Profiles.NewKey(row.ProfileDigest, in.SigningKey); err != nil {
			return domain.Group{}, err
		}
		if secrets.signingKey == "" && profile.Signs {
			return domain.Group{}, domain.Invalid("signing_key", "is needed: for the profile %s none is made", profile.Name)
		}
		if secrets.signingKey == "" {
			return domain.Group{}, rest.Refuse(http.StatusConflict, "profile_has_no_key", "The endpoint's profile doesn't sign: there is no key to rotate.")
		}
	}
	key, err := keepRotated(ctx, c, secrets)
	if err != nil {
		return domain.Group{}, err
	}
	fact, err := row.RotateKey(key, time.Duration(overlap), c.Clock())
	if err != nil {
		return domain.Group{}, err
	}
	return endpointGroup(c, row.Endpoint, fact, in.Reason), nil
}

// rotated keeps the new key; of a rotation that is decided anew only the last copy stays.
func keepRotated(ctx context.Context, c *call, secrets *secretValues) (domain.SigningKey, error) {
	forgetSecrets(ctx, c, secrets)
	id, fingerprint, err := keepSecret(ctx, c, domain.PurposeSigningKey, secrets.signingKey, secrets)
	return domain.SigningKey{ID: id, Fingerprint: fingerprint, PublicKey: secrets.publicKey}, err
}
