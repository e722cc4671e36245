package historytest

import (
	"context"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// event appends some events, each routed to any endpoints of its tenant, in one entry or two.
func (h *History) event() {
	tenant := h.anyTenant()
	var drafts []domain.Draft
	var made []domain.RoutedDelivery
	for range rapid.IntRange(1, 3).Draw(h.t, "events") {
		deliveries := h.deliveries(tenant)
		made = append(made, deliveries...)
		drafts = append(drafts, h.eventDrafts(tenant, deliveries)...)
	}
	h.append(drafts...)
	for _, d := range made {
		h.open = append(h.open, d.ID)
		h.owner[d.ID] = tenant
	}
}

func (h *History) eventDrafts(tenant domain.TenantID, deliveries []domain.RoutedDelivery) []domain.Draft {
	id := domain.NewUUID()
	attrs := domain.EventAttributes{
		EventClass: domain.EventClass{
			SchemaVersion: "v1", Type: rapid.SampledFrom([]domain.EventType{
				"offer.issued", "offer.signed", "a.b", "hooktrail.endpoint.disabled",
			}).Draw(h.t, "type"),
		},
		EventIdentity: domain.EventIdentity{
			ID: id.String(), Source: "/tenants/" + string(tenant),
			Subject: rapid.SampledFrom([]string{"", "person-1", "person-2"}).Draw(h.t, "subject"),
		},
	}
	if rapid.Bool().Draw(h.t, "own id") {
		attrs.ID, attrs.Source = "own-"+attrs.ID, "https://producer.example"
	}
	if rapid.Bool().Draw(h.t, "more attributes") {
		attrs.SchemaVersion, attrs.DataSchema = "v2", "https://schema.example"
		attrs.OccurredAt = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		attrs.Extensions = map[string]domain.Extension{"x": domain.ExtensionText("y")}
	}
	fact := &domain.EventAppended{Event: attrs, Data: []byte(`{"a": 1}`), Routing: domain.Routing{Complete: true}}
	fact.Routing.Skipped, fact.Verdicts.Skipped = h.skips(tenant)
	fact.Routing.Deliveries = deliveries
	drafts := []domain.Draft{h.draft(tenant, domain.StreamEvent, id, fact)}
	if len(deliveries) > 1 && rapid.Bool().Draw(h.t, "two entries") {
		fact.Routing.Deliveries, fact.Routing.Complete = deliveries[:1], false
		further := &domain.EventRouted{Routing: domain.Routing{Deliveries: deliveries[1:], Complete: true}}
		drafts = append(drafts, h.draft(tenant, domain.StreamEvent, id, further))
	}
	for i := range drafts {
		drafts[i].Subject = attrs.Subject
	}
	return drafts
}

// deliveries draws where an event goes, and which first attempts its entry starts.
func (h *History) deliveries(tenant domain.TenantID) (made []domain.RoutedDelivery) {
	for _, n := range h.endpoints {
		if n.Tenant != tenant || n.Deleted || !rapid.Bool().Draw(h.t, "to endpoint") {
			continue
		}
		d := domain.RoutedDelivery{
			ID: domain.NewUUID(), Endpoint: n.ID, EndpointVersion: n.Version, Subscriptions: h.matches(n.ID),
		}
		if rapid.Bool().Draw(h.t, "started") {
			d.First = h.start(1, n.Version)
		}
		made = append(made, d)
	}
	return made
}

func (h *History) start(number, endpointVersion int) *domain.AttemptStarted {
	return &domain.AttemptStarted{
		Number: number, EndpointVersion: endpointVersion, ProfileDigest: "d", At: h.now(), TimeoutMS: 15000, Node: domain.NewUUID(),
	}
}

// skips skips some of a tenant's subscriptions, for reasons of either sort.
func (h *History) skips(tenant domain.TenantID) (skipped, verdicts []domain.Skipped) {
	for _, s := range h.subs {
		if s.Tenant != tenant {
			continue
		}
		row := domain.Skipped{Subscription: s.ID, Version: s.Version, Endpoint: s.Endpoint}
		switch rapid.IntRange(0, 7).Draw(h.t, "skip") {
		case 0:
			row.Reason = domain.SkipSubscriptionPaused
			skipped = append(skipped, row)
		case 1:
			row.Reason = domain.SkipFilter
			verdicts = append(verdicts, row)
		}
	}
	return skipped, verdicts
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
	switch again := rapid.IntRange(0, 3).Draw(h.t, "again"); {
	case !ok:
	case d.Open:
		h.finish(d)
	case d.Status.Ended() && again == 0:
		fact, err := d.Resend(h.now(), rapid.SampledFrom([]domain.UUID{{}, {1: 1}}).Draw(h.t, "replay"))
		if err != nil {
			h.t.Fatal(err)
		}
		h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, fact))
		h.open = append(h.open, d.ID)
	case !d.Status.Ended() && again == 0:
		h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, &domain.DeliveryRescheduled{NextAttemptAt: h.now()}))
	case d.Status == domain.DeliveryDead:
		fact, err := d.Redrive(h.now())
		if err != nil {
			h.t.Fatal(err)
		}
		h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, fact))
	case !d.Status.Ended():
		h.append(h.draft(d.Tenant, domain.StreamDelivery, d.ID, h.start(d.Attempts+1, d.EndpointVersion)))
	}
}

func (h *History) finish(d projections.Delivery) {
	r := domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{
			Number: d.Attempts, StatusCode: 500, DurationUS: 1234, FinishedAt: h.now(), RequestBytes: 8,
			Outcome: rapid.SampledFrom([]domain.AttemptOutcome{
				domain.OutcomeSucceeded, domain.OutcomeFailed, domain.OutcomeUnknown,
			}).Draw(h.t, "outcome"),
		},
		Exchange: domain.Exchange{
			Request: domain.SentRequest{Method: "POST", URL: "https://receiver.example/hook", BodySHA256: "00"},
		},
	}
	permanent := rapid.Bool().Draw(h.t, "permanent")
	r.Status, r.NextAttemptAt = domain.DefaultSchedule().Decide(d.Attempts, d.ScheduleBase, domain.Verdict{Outcome: r.Outcome, Permanent: permanent}, h.now(), 0.5)
	if d.Status == domain.DeliveryStatusCancelled && r.Status != domain.DeliverySucceeded {
		r.Status, r.NextAttemptAt = domain.DeliveryStatusCancelled, time.Time{}
	}
	draft := h.draft(d.Tenant, domain.StreamDelivery, d.ID, &domain.AttemptFinished{Result: r, Body: []byte("answer")})
	draft.SubjectKey, draft.Retention = d.SubjectKey, d.Retention
	h.append(draft)
}

// ask makes a delivery of an event to an endpoint that its routing didn't choose.
func (h *History) ask() {
	tenant := h.anyTenant()
	var event projections.Event
	var sent []projections.Delivery
	h.read(tenant, func(r projections.Reader) error {
		all := projections.Page{Limit: 100}
		events, err := r.Events(context.Background(), projections.EventFilter{}, all)
		if len(events) == 0 || err != nil {
			return err
		}
		event = rapid.SampledFrom(events).Draw(h.t, "event")
		sent, err = r.Deliveries(context.Background(), projections.DeliveryFilter{Event: event.ID}, all, projections.AsOf{})
		return err
	})
	for _, n := range h.endpoints {
		id := domain.DerivedDelivery(event.ID, n.ID)
		to := func(d projections.Delivery) bool { return d.Endpoint == n.ID }
		if n.Tenant != tenant || n.Deleted || event.ID.IsZero() || slices.ContainsFunc(sent, to) {
			continue
		}
		draft := h.draft(tenant, domain.StreamDelivery, id, &domain.DeliveryCreated{
			Event: event.ID, EventSequence: event.Created.Sequence, Endpoint: n.ID, EndpointVersion: n.Version,
			Replay: rapid.SampledFrom([]domain.UUID{{}, {1: 1}}).Draw(h.t, "replay"),
		})
		draft.Expected, draft.Cause = 0, event.Created.Sequence
		h.append(draft)
		h.open, h.owner[id] = append(h.open, id), tenant
		return
	}
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
