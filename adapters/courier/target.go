package courier

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// targetKey is what a target depends on: the endpoint's version, and the keys that sign, which change with the end of
// an overlap too.
type targetKey struct {
	endpoint domain.UUID
	version  int
	keys     string
}

// maxTargets bounds the targets that are kept; the least recently used are dropped.
const maxTargets = 20_000

// secretsTimeout bounds how long opening an endpoint's secrets may take: a database that stalls must not hold its slots
// for long.
const secretsTimeout = 5 * time.Second

// target returns the endpoint's target in one version, with the keys given.
func (c *Courier) target(ctx context.Context, e domain.Endpoint, keys []domain.UUID) (*webhook.Target, error) {
	var ids strings.Builder
	for _, id := range keys {
		ids.WriteString(hex.EncodeToString(id[:]))
	}
	key := targetKey{e.ID, e.Version, ids.String()}
	if target, ok := c.targets.Get(key); ok {
		return target, nil
	}
	target, err := c.newTarget(ctx, e, keys)
	if err == nil {
		c.targets.Add(key, target)
	}
	return target, err
}

// newTarget opens an endpoint's secrets and makes its target. keys are those that sign, the current one first.
func (c *Courier) newTarget(ctx context.Context, e domain.Endpoint, keys []domain.UUID) (*webhook.Target, error) {
	ctx, cancel := context.WithTimeout(ctx, secretsTimeout)
	defer cancel()
	profile, err := c.config.Profiles.find(ctx, e)
	if err != nil {
		return nil, err
	}
	config := webhook.TargetConfig{
		Profile: profile, EndpointID: e.ID.String(), URL: e.URL, Success: e.Success, UserAgent: c.config.UserAgent,
	}
	if e.Handshake == domain.HandshakeCloudEvents && !e.Unverified {
		config.Origin = c.config.Origin // the receiver allowed it, and is told it with every request
	}
	for _, id := range keys {
		text, err := c.config.Secrets.Secret(ctx, e.Tenant, id, domain.PurposeSigningKey)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", id, err)
		}
		key, err := profile.ParseKey(id, string(text))
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", id, err)
		}
		config.Keys = append(config.Keys, key)
	}
	if e.Query != nil {
		target, err := c.config.Secrets.Secret(ctx, e.Tenant, e.Query.Secret, domain.PurposeQuery)
		if err != nil {
			return nil, fmt.Errorf("open the path and query of the endpoint's URL: %w", err)
		}
		config.URL = webhook.JoinURL(e.URL, string(target))
	}
	if e.Auth != nil {
		value, err := c.config.Secrets.Secret(ctx, e.Tenant, e.Auth.Secret, domain.PurposeAuth)
		if err != nil {
			return nil, fmt.Errorf("open the endpoint's credentials: %w", err)
		}
		config.Auth = webhook.Auth{Type: e.Auth.Type, In: e.Auth.In, Name: e.Auth.Name, Value: string(value)}
	}
	for _, h := range e.Headers {
		value, err := c.config.Secrets.Secret(ctx, e.Tenant, h.Secret, domain.PurposeHeader)
		if err != nil {
			return nil, fmt.Errorf("open the endpoint's header %s: %w", h.Name, err)
		}
		config.Headers = append(config.Headers, domain.Header{Name: h.Name, Value: string(value)})
	}
	return webhook.NewTarget(config)
}
