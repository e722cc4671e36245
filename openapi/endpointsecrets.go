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
	auth                  Auth
	headers               []domain.Header
	kept                  []domain.UUID // where Put has put them, to be dropped if the append is refused
}

// keepSecrets puts every secret that is in hand where it belongs and names it in the configuration.
func (c *call) keepSecrets(ctx context.Context, config *domain.EndpointConfig, secrets *secretValues) error {
	if secrets.signingKey != "" {
		id, fingerprint, err := c.keep(ctx, PurposeSigningKey, secrets.signingKey, secrets)
		if err != nil {
			return err
		}
		config.Keys = []domain.SigningKey{{ID: id, Fingerprint: fingerprint, PublicKey: secrets.publicKey}}
	}
	if err := c.keepQuery(ctx, config, secrets); err != nil {
		return err
	}
	if a := secrets.auth; a.Type != "" {
		if err := c.keepAuth(ctx, config, a, secrets); err != nil {
			return err
		}
	}
	config.Headers = nil
	for _, h := range secrets.headers {
		id, fingerprint, err := c.keep(ctx, PurposeHeader, h.Value, secrets)
		if err != nil {
			return err
		}
		config.Headers = append(config.Headers, domain.SecretHeader{Name: h.Name, Secret: id, Fingerprint: fingerprint})
	}
	return nil
}

func (c *call) keepQuery(ctx context.Context, config *domain.EndpointConfig, secrets *secretValues) error {
	if secrets.query == "" {
		return nil
	}
	id, fingerprint, err := c.keep(ctx, PurposeQuery, secrets.query, secrets)
	if err != nil {
		return err
	}
	config.Query = &domain.SecretQuery{Secret: id, Fingerprint: fingerprint}
	return nil
}

func (c *call) keepAuth(ctx context.Context, config *domain.EndpointConfig, a Auth, secrets *secretValues) error {
	id, fingerprint, err := c.keep(ctx, PurposeAuth, a.Value, secrets)
	if err != nil {
		return err
	}
	config.Auth = &domain.EndpointAuth{Type: a.Type, In: a.In, Name: a.Name, Secret: id, Fingerprint: fingerprint}
	return nil
}

func (c *call) keep(ctx context.Context, purpose, value string, secrets *secretValues) (domain.UUID, string, error) {
	id, fingerprint, err := c.Secrets.Put(ctx, c.tenant, purpose, value)
	if err == nil {
		secrets.kept = append(secrets.kept, id)
	}
	return id, fingerprint, err
}

// dropRefused destroys secrets whose endpoint certainly wasn't appended. When that isn't certain they stay, sealed.
func (c *call) dropRefused(ctx context.Context, err error, ids []domain.UUID) {
	unknown := errors.Is(err, domain.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if err != nil && !unknown {
		c.dropSecrets(ctx, ids...)
	}
}

// forget destroys what an earlier round of the same decision kept.
func (c *call) forget(ctx context.Context, secrets *secretValues) {
	c.dropSecrets(ctx, secrets.kept...)
	secrets.kept = nil
}
