package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// Bootstrap makes the instance's own log and the default tenant unless they are there. No older program has read the new
// log, so it is raised to the newest format. Run must be running. Any number of
// processes may call it at once.
func Bootstrap(ctx context.Context, log domain.Log) error {
	head, err := log.Head(ctx)
	if err != nil || head > 0 {
		return err
	}
	instance := domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}
	byDefault := domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}
	_, err = domain.AppendOne(ctx, log, domain.Group{Drafts: []domain.Draft{
		creation(domain.InstanceTenant, "Instance", instance),
		creation(domain.DefaultTenant, "Default", byDefault),
		{
			Tenant: domain.InstanceTenant, Stream: byDefault, Expected: domain.AnyVersion,
			Fact: &domain.TenantRegistered{ID: domain.DefaultTenant, Stream: byDefault.ID},
		},
		{Tenant: domain.InstanceTenant, Stream: ofInstance(), Fact: &domain.FormatRaised{Format: domain.Format}},
	}})
	if errors.Is(err, domain.ErrConflict) { // another process was quicker
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the instance's log: %w", err)
	}
	return nil
}

func creation(tenant domain.TenantID, name string, stream domain.Stream) domain.Draft {
	return domain.Draft{
		Tenant: tenant, Stream: stream,
		Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: tenant, Name: name, WebhooksEnabled: true}},
	}
}
