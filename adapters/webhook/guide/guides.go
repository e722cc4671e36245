package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// Guides writes guides in the wire formats that this program knows. It is safe for concurrent use.
type Guides struct {
	Known func() *webhook.Profiles // as of now; safe for concurrent use
}

// Guide writes the guide of an event type, with the type's first example.
func (g Guides) Guide(_ context.Context, order domain.GuideOrder) (domain.GuidePage, error) {
	profile := g.Known().ByDigest(order.Digest)
	if profile == nil {
		return domain.GuidePage{}, fmt.Errorf("this server doesn't have the profile %s", order.Digest)
	}
	guide := Guide{
		Profile: profile, Type: string(order.Type.Name), Description: order.Type.Description,
		SchemaVersion: order.Type.SchemaVersion,
		// The server doesn't know the name under which receivers reach it.
		Events: "https://HOOKTRAIL/v1/tenants/" + string(order.Tenant) + "/events",
	}
	if order.Type.Schema != "" {
		guide.Schema = []byte(order.Type.Schema)
	}
	if len(order.Type.Examples) > 0 {
		guide.Example = []byte(order.Type.Examples[0])
	}
	if e := order.Endpoint; e != nil {
		guide.EndpointID, guide.URL, guide.Timeout, guide.Retry = e.ID.String(), e.URL, time.Duration(e.Timeout), e.Retry
		if len(e.Success) > 0 {
			success, err := webhook.ParseSuccess(e.Success)
			if err != nil {
				return domain.GuidePage{}, fmt.Errorf("read the endpoint's success statuses: %w", err)
			}
			guide.Success = success
		}
	}
	var page bytes.Buffer
	var refused *webhook.RefusedError
	if err := Write(&page, guide); errors.As(err, &refused) {
		return domain.GuidePage{}, domain.Invalid("profile", "can't carry the type's example: %s", refused.Text)
	} else if err != nil {
		return domain.GuidePage{}, err
	}
	return domain.GuidePage{HTML: page.Bytes(), Policy: Policy()}, nil
}
