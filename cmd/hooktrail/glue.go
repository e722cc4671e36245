package main

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
)

// previewed decides as an append would, all of it in one piece.
func (s *server) previewed(
	ctx context.Context, c *projections.Config, tenant domain.TenantID, e *domain.EventAppended,
) (routing domain.Routing, verdicts domain.Verdicts, err error) {
	c.KeepFilters(s.filters.Lazy)
	snapshot := c.Snapshot(tenant)
	if snapshot == nil {
		return routing, verdicts, domain.ErrNotFound
	}
	parts, err := dispatch.Preview(ctx, snapshot, &domain.FilterRun{Event: e, Now: time.Now()})
	for _, part := range parts {
		routing.Deliveries = append(routing.Deliveries, part.Routing.Deliveries...)
		routing.Skipped = append(routing.Skipped, part.Routing.Skipped...)
		verdicts.Skipped = append(verdicts.Skipped, part.Verdicts.Skipped...)
	}
	return routing, verdicts, err
}

// keptSecrets offers the table of secrets to the HTTP surface.
func keptSecrets(log *eventlog.Log, vault *seal.Vault) openapi.Secrets {
	return openapi.Secrets{
		Put: func(ctx context.Context, tenant domain.TenantID, purpose, value string) (domain.UUID, string, error) {
			id := domain.NewUUID()
			fingerprint, err := log.Fingerprint(ctx, tenant, []byte(value))
			if err != nil {
				return id, "", err
			}
			return id, fingerprint, vault.PutSecret(ctx, tenant, id, purpose, []byte(value))
		},
		Delete: func(ctx context.Context, tenant domain.TenantID, ids ...domain.UUID) error {
			for _, id := range ids {
				if err := vault.DeleteSecret(ctx, tenant, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
