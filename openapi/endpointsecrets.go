package openapi

import (
	"context"
	"errors"

	"github.com/hooktrail/hooktrail/domain"
)

// secretValues are the credentials of an endpoint that are in hand.
type secretValues struct {
	signingKey, publicKey string
	query                 string // of the URL; empty: it has no values
	auth                  domain.Auth
	headers               []domain.Header
	kept                  []domain.UUID // where Put has put them, to be dropped if the append is refused
}

// keepSecrets puts every secret that is in hand where it belongs and names it in the configuration.
func keepSecrets(ctx context.Context, c *call, config *domain.EndpointConfig, secrets *secretValues) error {
	if secrets.signingKey != "" {
		id, fingerprint, err := keepSecret(ctx, c, domain.PurposeSigningKey, secrets.signingKey, secrets)
		if err != nil {
			return err
		}
		config.Keys = []domain.SigningKey{{ID: id, Fingerprint: fingerprint, PublicKey: secrets.publicKey}}
	}
	if err := keepQuery(ctx, c, config, secrets); err != nil {
		return err
	}
	if a := secrets.auth; a.Type != "" {
		if err := keepAuth(ctx, c, config, a, secrets); err != nil {
			return err
		}
	}
	config.Headers = nil
	for _, h := range secrets.headers {
		id, fingerprint, err := keepSecret(ctx, c, domain.PurposeHeader, h.Value, secrets)
		if err != nil {
			return err
		}
		config.Headers = append(config.Headers, domain.SecretHeader{Name: h.Name, Secret: id, Fingerprint: fingerprint})
	}
	return nil
}

func keepQuery(ctx context.Context, c *call, config *domain.EndpointConfig, secrets *secretValues) error {
	if secrets.query == "" {
		return nil
	}
	id, fingerprint, err := keepSecret(ctx, c, domain.PurposeQuery, secrets.query, secrets)
	if err != nil {
		return err
	}
	config.Query = &domain.SecretQuery{Secret: id, Fingerprint: fingerprint}
	return nil
}

func keepAuth(ctx context.Context, c *call, config *domain.EndpointConfig, a domain.Auth, secrets *secretValues) error {
	id, fingerprint, err := keepSecret(ctx, c, domain.PurposeAuth, a.Value, secrets)
	if err != nil {
		return err
	}
	config.Auth = &domain.EndpointAuth{Type: a.Type, In: a.In, Name: a.Name, Secret: id, Fingerprint: fingerprint}
	return nil
}

func keepSecret(ctx context.Context, c *call, purpose, value string, secrets *secretValues) (domain.UUID, string, error) {
	id := domain.NewUUID()
	fingerprint, err := c.Fingerprints.Fingerprint(ctx, c.Tenant, []byte(value))
	if err != nil {
		return id, "", err
	}
	if err := c.Vault.PutSecret(ctx, c.Tenant, id, purpose, []byte(value)); err != nil {
		return id, "", err
	}
	secrets.kept = append(secrets.kept, id)
	return id, fingerprint, nil
}

// dropRefused destroys secrets whose endpoint certainly wasn't appended. When that isn't certain they stay, sealed.
func dropRefused(ctx context.Context, c *call, err error, ids []domain.UUID) {
	unknown := errors.Is(err, domain.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if err != nil && !unknown {
		dropSecrets(ctx, c, ids...)
	}
}

// forget destroys what an earlier round of the same decision kept.
func forgetSecrets(ctx context.Context, c *call, secrets *secretValues) {
	dropSecrets(ctx, c, secrets.kept...)
	secrets.kept = nil
}
