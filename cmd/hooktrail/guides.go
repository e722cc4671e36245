package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/adapters/webhook/guide"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// guide writes the integration guide of an event type. The type's first example is the one that is shown.
func (s *profileSet) guide(ctx context.Context, order openapi.GuideOrder) (openapi.Guide, error) {
	profile, err := s.byDigest(ctx, order.Digest)
	if err != nil {
		return openapi.Guide{}, err
	}
	if profile == nil {
		return openapi.Guide{}, fmt.Errorf("this server doesn't have the profile %s", order.Digest)
	}
	g := guide.Guide{
		Profile: profile, Type: string(order.Type.Name), Description: order.Type.Description, SchemaVersion: order.Type.SchemaVersion,
		// Under which name receivers reach this server, it doesn't know.
		Events: "https://HOOKTRAIL/v1/tenants/" + string(order.Tenant) + "/events",
	}
	if order.Type.Schema != "" {
		g.Schema = []byte(order.Type.Schema)
	}
	if len(order.Type.Examples) > 0 {
		g.Example = []byte(order.Type.Examples[0])
	}
	if e := order.Endpoint; e != nil {
		g.EndpointID, g.URL, g.Timeout, g.Retry = e.ID.String(), e.URL, time.Duration(e.Timeout), e.Retry
		if len(e.Success) > 0 {
			if g.Success, err = webhook.ParseSuccess(e.Success); err != nil {
				return openapi.Guide{}, fmt.Errorf("read the endpoint's success statuses: %w", err)
			}
		}
	}
	var page bytes.Buffer
	var refused *webhook.RefusedError
	if err := guide.Write(&page, g); errors.As(err, &refused) {
		return openapi.Guide{}, domain.Invalid("profile", "can't carry the type's example: %s", refused.Text)
	} else if err != nil {
		return openapi.Guide{}, err
	}
	return openapi.Guide{Page: page.Bytes(), Policy: guide.Policy()}, nil
}
