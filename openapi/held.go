package openapi

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// heldOut is what keeps a delivery that waits from being tried.
type heldOut struct {
	By    string     `json:"by" doc:"endpoint_disabled, endpoint_paused, endpoint_unverified; tenant_webhooks_disabled or tenant_https_only: the tenant's rules; receiver: it has asked for fewer requests; rate_limit: the endpoint's. More may be added." example:"endpoint_paused"`
	Since rest.Stamp `json:"since,omitzero" doc:"Since when, or when the delivery was made, if that was later; left out where it isn't known." example:"2026-07-01T12:00:00Z"`
}

// Lanes knows what only the memory of the process that delivers knows. What another process's receivers and rate limits
// hold isn't seen.
type Lanes interface {
	// Held returns what keeps an endpoint's due deliveries from being tried, and since when: domain.HeldByReceiver or
	// domain.HeldByRateLimit; "": nothing that this process knows.
	Held(endpoint domain.UUID) (by string, since time.Time)
}

// maxHeldVersions is through how many versions of an endpoint the beginning of what holds it is looked for.
const maxHeldVersions = 20

// holds is what holds the deliveries that wait, by endpoint.
type holds struct {
	byEndpoint map[domain.UUID]heldOut
	lanes      Lanes // nil: they say nothing of the moment asked for
	now        time.Time
}

// readHolds reads what holds those of some deliveries that wait: two queries, however many there are.
func readHolds(
	ctx context.Context, c *call, r projections.Reader, as projections.AsOf, rows []projections.Delivery,
) (holds, error) {
	h := holds{byEndpoint: make(map[domain.UUID]heldOut), now: c.Clock()}
	if !as.Set {
		h.lanes = c.Lanes
	}
	var ids []domain.UUID
	for i := range rows {
		id := rows[i].Endpoint
		if _, known := h.byEndpoint[id]; !known && !rows[i].Status.Ended() {
			h.byEndpoint[id] = heldOut{}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return h, nil
	}
	tenant, err := r.Tenant(ctx, as)
	if isNotFound(err) {
		return h, nil // deleted: what waits is cancelled
	}
	if err != nil {
		return h, err
	}
	newest, err := r.EndpointVersions(ctx, ids, 1, as)
	if err != nil {
		return h, err
	}
	ids = ids[:0]
	for i := range newest {
		by := holder(&newest[i])
		if by != "" {
			ids = append(ids, newest[i].ID)
		} else if !newest[i].Deleted {
			by = string(tenant.Bars(newest[i].EndpointConfig)) // the rules may have changed many times since
		}
		h.byEndpoint[newest[i].ID] = heldOut{By: by}
	}
	if len(ids) == 0 {
		return h, nil
	}
	versions, err := r.EndpointVersions(ctx, ids, maxHeldVersions, as)
	if err != nil {
		return h, err
	}
	over := make(map[domain.UUID]bool) // the version before the hold was found
	for i := range versions {
		v := &versions[i]
		held := h.byEndpoint[v.ID]
		switch {
		case over[v.ID]:
		case holder(v) != held.By:
			over[v.ID] = true
		default:
			held.Since, over[v.ID] = rest.Stamp(v.Updated.RecordedAt), v.Version == 1
			h.byEndpoint[v.ID] = held
		}
	}
	for id, held := range h.byEndpoint {
		if !over[id] { // it goes further back
			held.Since = rest.Stamp{}
			h.byEndpoint[id] = held
		}
	}
	return h, nil
}

// holder returns what of an endpoint's own state holds its deliveries, "" when nothing does.
func holder(e *projections.Endpoint) string {
	switch {
	case e.Deleted:
		return "" // they are cancelled
	case e.Disabled != "":
		return "endpoint_disabled"
	case e.Paused:
		return "endpoint_paused"
	case e.Unverified:
		return "endpoint_unverified"
	}
	return ""
}

// show adds to a delivery what holds it; one that is held has no time at which it would be tried.
func (h *holds) show(d *projections.Delivery, out *deliveryOut) {
	if d.Status.Ended() || d.Open {
		return
	}
	held := h.byEndpoint[d.Endpoint]
	if held.By == "" && h.lanes != nil && !d.NextAttemptAt.After(h.now) {
		by, since := h.lanes.Held(d.Endpoint)
		held = heldOut{by, rest.Stamp(since.UTC().Truncate(time.Microsecond))}
	}
	if held.By == "" {
		return
	}
	if since := time.Time(held.Since); !since.IsZero() && d.Created.RecordedAt.After(since) {
		held.Since = out.CreatedAt
	}
	out.Held, out.NextAttemptAt = &held, rest.Stamp{}
}
