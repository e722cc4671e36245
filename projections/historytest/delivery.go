package historytest

import (
	"context"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

func (h *History) event() {
	tenant := h.anyTenant()
	var drafts []domain.Draft
	for range rapid.IntRange(1, 3).Draw(h.t, "events") {
		drafts = append(drafts, h.eventDraft(tenant))
	}
	h.unrouted = append(h.unrouted, h.append(drafts...)...)
}

func (h *History) eventDraft(tenant domain.TenantID) domain.Draft {
	id := domain.NewUUID()
	attrs := domain.EventAttributes{
		ID: id.String(), Source: "/tenants/" + string(tenant), SchemaVersion: "v1",
		Type:    rapid.SampledFrom([]domain.EventType{"offer.issued", "offer.signed", "a.b", "hooktrail.endpoint.disabled"}).Draw(h.t, "type"),
		Subject: rapid.SampledFrom([]string{"", "person-1", "person-2"}).Draw(h.t, "subject"),
	}
	if rapid.Bool().Draw(h.t, "own id") {
		attrs.ID, attrs.Source = "own-"+attrs.ID, "https://producer.example"
	}
	if rapid.Bool().Draw(h.t, "more attributes") {
		attrs.SchemaVersion, attrs.DataSchema = "v2", "https://schema.example"
		attrs.OccurredAt = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		attrs.Extensions = map[string]string{"x": "y"}
	}
	d := h.draft(tenant, domain.StreamEvent, id, &domain.EventAppended{Event: attrs, Data: []byte(`{"a": 1}`)})
	d.Subject = attrs.Subject
	return d
}

// route routes one event, to any endpoints of its tenant, in one entry or two.
func (h *History) route() {
	if len(h.unrouted) == 0 {
		return
	}
	e := h.unrouted[0]
	h.unrouted = h.unrouted[1:]
	var made []domain.RoutedDelivery
	for _, n := range h.endpoints {
		if n.Tenant == e.Tenant && !n.Deleted && rapid.Bool().Draw(h.t, "to endpoint") {
			made = append(made, domain.RoutedDelivery{
				ID: domain.NewUUID(), Endpoint: n.ID, EndpointVersion: n.Version, Subscriptions: h.matches(n.ID),
			})
		}
	}
	for _, d := range made {
		h.open = append(h.open, d.ID)
		h.owner[d.ID] = e.Tenant
	}
	cut := len(made)
	if cut > 1 && rapid.Bool().Draw(h.t, "two entries") {
		cut = 1
		h.routed(e, &domain.EventRouted{Deliveries: made[:cut]})
		made = made[cut:]
	}
	h.routed(e, &domain.EventRouted{Deliveries: made, Skipped: h.skips(e.Tenant), Complete: true})
}

func (h *History) routed(e domain.Entry, fact *domain.EventRouted) {
	d := h.draft(e.Tenant, domain.StreamEvent, e.Stream.ID, fact)
	d.Cause = e.Sequence
	h.append(d)
}

// skips passes over some of a tenant's subscriptions.
func (h *History) skips(tenant domain.TenantID) (skipped []domain.Skipped) {
	for _, s := range h.subs {
		if s.Tenant == tenant && rapid.IntRange(0, 3).Draw(h.t, "skip") == 0 {
			skipped = append(skipped, domain.Skipped{Subscription: s.ID, Version: s.Version, Endpoint: s.Endpoint, Reason: domain.SkipFilter})
		}
	}
	return skipped
}

func (h *History) matches(endpoint domain.UUID) []domain.SubscriptionMatch {
	matches := []domain.SubscriptionMatch{{ID: domain.NewUUID(), Version: 1}} // one that is unknown by now
	for _, s := range h.subs {
		if s.Endpoint == endpoint {
			matches = append(matches, domain.SubscriptionMatch{ID: s.ID, Version: s.Version})
		}
	}
	return matches
}

// attempt moves a delivery on: a start, a finish or a redrive, whichever it is ready for.
func (h *History) attempt() {
	d, ok := h.anyDelivery()
	switch {
	case !ok:
	case d.Open:
		h.finish(d)
	case d.Status == domain.DeliveryDead:
		fact, err := d.Redrive(h.now())
		if err != nil {
			h.t.Fatal(err)
		}
		h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, fact))
	case !d.Status.Ended():
		fact := &domain.AttemptStarted{
			Number: d.Attempts + 1, EndpointVersion: d.EndpointVersion, ProfileDigest: "d", At: h.now(), TimeoutMS: 15000, Node: domain.NewUUID(),
		}
		h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, fact))
	}
}

func (h *History) finish(d projections.Delivery) {
	r := domain.AttemptResult{
		Number: d.Attempts, StatusCode: 500, DurationUS: 1234, FinishedAt: h.now(),
		Outcome: rapid.SampledFrom([]domain.AttemptOutcome{
			domain.OutcomeSucceeded, domain.OutcomeFailed, domain.OutcomeUnknown,
		}).Draw(h.t, "outcome"),
		Request: domain.SentRequest{Method: "POST", URL: "https://receiver.example/hook", BodySHA256: "00", BodyBytes: 8},
	}
	permanent := rapid.Bool().Draw(h.t, "permanent")
	r.Status, r.NextAttemptAt = domain.DefaultSchedule().Decide(d.Attempts, d.ScheduleBase, domain.Verdict{Outcome: r.Outcome, Permanent: permanent}, h.now(), 0.5)
	if d.Status == domain.DeliveryGivenUp && r.Status != domain.DeliverySucceeded {
		r.Status, r.NextAttemptAt = domain.DeliveryGivenUp, time.Time{}
	}
	h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, &domain.AttemptFinished{Result: r, Body: []byte("answer")}))
}

// end cancels a delivery, also one with an attempt under way.
func (h *History) end() {
	d, ok := h.anyDelivery()
	if !ok || d.Status.Ended() {
		return
	}
	fact := &domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}
	h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, fact))
}

func (h *History) anyDelivery() (d projections.Delivery, ok bool) {
	if len(h.open) == 0 {
		return d, false
	}
	id := rapid.SampledFrom(h.open).Draw(h.t, "delivery")
	h.read(h.owner[id], func(r projections.Reader) (err error) {
		d, err = r.Delivery(context.Background(), id, projections.AsOf{})
		return err
	})
	if d.Status.Ended() && d.Status != domain.DeliveryDead && !d.Open {
		h.open = slices.DeleteFunc(h.open, func(o domain.UUID) bool { return o == id })
	}
	return d, true
}
