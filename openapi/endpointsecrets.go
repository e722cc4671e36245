package openapi

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// credentials are the secrets of an endpoint that a request brings. A decision names them in the endpoint's
// configuration, which has no effect outside. Once it is made they are stored, and then the fact that names them is
// appended: so what is refused was never stored, and a fact never names a secret that isn't there.
type credentials struct {
	signingKey, publicKey string
	query                 string // of the URL, with its path; "": nothing in it looks like a secret
	auth                  domain.Auth
	headers               []domain.Header

	named  []namedSecret // in a configuration, and not stored yet
	stored []domain.UUID // to be destroyed if the append is refused
}

type namedSecret struct {
	id             domain.UUID
	purpose, value string
}

// nameSecret makes the id and the keyed fingerprint by which a configuration names a secret. A signing key's id is the
// key's.
func nameSecret(ctx context.Context, c *call, s *credentials, purpose, value string) (domain.UUID, string, error) {
	id := domain.NewUUID()
	fingerprint, err := c.Fingerprints.Fingerprint(ctx, c.Tenant, []byte(value))
	s.named = append(s.named, namedSecret{id, purpose, value})
	return id, fingerprint, err
}

// nameAll names every secret of a new endpoint.
func nameAll(ctx context.Context, c *call, config *domain.EndpointConfig, s *credentials) error {
	if s.signingKey != "" {
		key, err := nameSigningKey(ctx, c, s)
		if err != nil {
			return err
		}
		config.Keys = []domain.SigningKey{key}
	}
	if err := nameQuery(ctx, c, config, s); err != nil {
		return err
	}
	if s.auth.Type != "" {
		if err := nameAuth(ctx, c, config, s.auth, s); err != nil {
			return err
		}
	}
	for _, h := range s.headers {
		id, fingerprint, err := nameSecret(ctx, c, s, domain.PurposeHeader, h.Value)
		if err != nil {
			return err
		}
		config.Headers = append(config.Headers, domain.SecretHeader{Name: h.Name, Secret: id, Fingerprint: fingerprint})
	}
	return nil
}

func nameSigningKey(ctx context.Context, c *call, s *credentials) (domain.SigningKey, error) {
	id, fingerprint, err := nameSecret(ctx, c, s, domain.PurposeSigningKey, s.signingKey)
	return domain.SigningKey{ID: id, Fingerprint: fingerprint, PublicKey: s.publicKey}, err
}

// nameQuery names what of a new URL is a secret, if anything is.
func nameQuery(ctx context.Context, c *call, config *domain.EndpointConfig, s *credentials) error {
	if s.query == "" {
		return nil
	}
	id, fingerprint, err := nameSecret(ctx, c, s, domain.PurposeQuery, s.query)
	config.Query = &domain.SecretQuery{Secret: id, Fingerprint: fingerprint}
	return err
}

// nameAuth names the secret of a credential.
func nameAuth(ctx context.Context, c *call, config *domain.EndpointConfig, a domain.Auth, s *credentials) error {
	id, fingerprint, err := nameSecret(ctx, c, s, domain.PurposeAuth, a.Value)
	config.Auth = &domain.EndpointAuth{Type: a.Type, In: a.In, Name: a.Name, Secret: id, Fingerprint: fingerprint}
	return err
}

// keepSame leaves secrets as they are that a change gives the values which they have already.
func (s *credentials) keepSame(before domain.EndpointConfig, after *domain.EndpointConfig) {
	same := func(was, is *domain.UUID, wasPrint, isPrint string) {
		if wasPrint == isPrint && *was != *is {
			s.named = slices.DeleteFunc(s.named, func(n namedSecret) bool { return n.id == *is })
			*is = *was
		}
	}
	if was, is := before.Query, after.Query; was != nil && is != nil {
		same(&was.Secret, &is.Secret, was.Fingerprint, is.Fingerprint)
	}
	if was, is := before.Auth, after.Auth; was != nil && is != nil {
		same(&was.Secret, &is.Secret, was.Fingerprint, is.Fingerprint)
	}
	for i := range after.Headers {
		for k := range before.Headers {
			if was, is := &before.Headers[k], &after.Headers[i]; was.Name == is.Name {
				same(&was.Secret, &is.Secret, was.Fingerprint, is.Fingerprint)
			}
		}
	}
}

// storeSecrets stores what the decision has named.
func storeSecrets(ctx context.Context, c *call, s *credentials) error {
	for _, n := range s.named {
		if err := c.Vault.PutSecret(ctx, c.Tenant, n.id, n.purpose, []byte(n.value)); err != nil {
			return err
		}
		s.stored = append(s.stored, n.id)
	}
	s.named = nil
	return nil
}

// forgetSecrets destroys what an earlier round of the same decision stored.
func forgetSecrets(ctx context.Context, c *call, s *credentials) {
	dropSecrets(ctx, c, s.stored...)
	s.named, s.stored = nil, nil
}

// dropRefused destroys secrets if the error means that the fact which names them was certainly not appended. Where that
// isn't certain they stay, sealed.
func dropRefused(ctx context.Context, c *call, err error, s *credentials) {
	unknown := errors.Is(err, domain.ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
	if err != nil && !unknown {
		dropSecrets(ctx, c, s.stored...)
	}
}

// secretsOf names all secrets of a configuration.
func secretsOf(config domain.EndpointConfig) []domain.UUID {
	var ids []domain.UUID
	for _, k := range config.Keys {
		ids = append(ids, k.ID)
	}
	if config.Query != nil {
		ids = append(ids, config.Query.Secret)
	}
	if config.Auth != nil {
		ids = append(ids, config.Auth.Secret)
	}
	for _, h := range config.Headers {
		ids = append(ids, h.Secret)
	}
	return ids
}

// dropSecrets destroys secrets that nothing names any more. A failure leaves them sealed and unused: the change itself
// was made, so the failure is logged and not answered.
func dropSecrets(ctx context.Context, c *call, ids ...domain.UUID) {
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rest.DefaultWait)
	defer cancel()
	for _, id := range ids {
		if err := c.Vault.DeleteSecret(ctx, c.Tenant, id); err != nil {
			c.Logger.LogAttrs(ctx, slog.LevelError, "a secret of an endpoint could not be destroyed",
				slog.String("tenant", string(c.Tenant)), slog.Any("error", err))
		}
	}
}
