package openapi

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// whoamiOut is what a key may do.
type whoamiOut struct {
	KeyID       domain.UUID `json:"key_id" format:"uuid" doc:"The key that was sent." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Role        domain.Role `json:"role" doc:"What it may do." example:"producer"`
	Name        string      `json:"name" doc:"Its name." example:"billing service"`
	Principal   string      `json:"principal" doc:"The person or system behind it." example:"billing"`
	PrincipalID domain.UUID `json:"principal_id" format:"uuid" doc:"The principal in the log." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f"`
	Tenant      string      `json:"tenant,omitempty" doc:"The tenant it is for; absent for a key of the instance." example:"acme"`
	EndpointID  domain.UUID `json:"endpoint_id,omitzero" format:"uuid" doc:"A receiver's one endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	ExpiresAt   rest.Stamp  `json:"expires_at,omitzero" doc:"The key stops working then." example:"2027-07-01T00:00:00Z"`
	// A pointer so that it is absent for other keys.
	Registration *Bounds          `json:"registration,omitempty" doc:"What the holder of a registration may set up."`
	EventTypes   []domain.Pattern `json:"event_types,omitempty" doc:"The types that a receiver's subscriptions may choose from, whose endpoint was made with a registration." example:"[\"offer.*\"]"`
}

// whoami shows the key of the request.
func whoami(_ context.Context, c *call, _ *struct{}) (*rest.Plain[whoamiOut], error) {
	out := whoamiOut{
		KeyID: c.Key.ID, Role: c.Key.Role, Name: c.Key.Name, Principal: c.Key.Principal, PrincipalID: c.Key.PrincipalID,
		EndpointID: c.Key.Endpoint, ExpiresAt: rest.Stamp(c.Key.ExpiresAt),
	}
	switch b := c.Key.Registration; {
	case b == nil:
	case c.Key.Role == domain.RoleRegistrant:
		bounds := showBounds(b)
		out.Registration = &bounds
	default:
		out.EventTypes = b.EventTypes
	}
	if !c.Key.Instance {
		out.Tenant = string(c.Key.Tenant)
	}
	return &rest.Plain[whoamiOut]{Body: out}, nil
}
