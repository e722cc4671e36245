package dispatch

import (
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// deadLetterEvent drafts the operational event about a dead delivery, nil when there is none to be appended: about
// deliveries of operational events, and about one whose event can't be read, which may be such. Whether anybody wants
// it is the caller's question.
func deadLetterEvent(of *domain.Delivery, event *domain.LoggedEvent, r *domain.AttemptResult, reason string) *domain.Draft {
	if event == nil || event.Fact.Event.Type.Operational() {
		return nil
	}
	attrs := &event.Fact.Event
	draft := domain.OperationalEvent(of.Tenant, domain.EventDeliveryDead, domain.Notice{
		Endpoint: of.Endpoint, Delivery: of.ID, EventID: attrs.ID, Source: attrs.Source, EventType: attrs.Type,
		Attempts: r.Number, Reason: reason, Error: r.Error, StatusCode: r.StatusCode,
	})
	draft.Cause, draft.Subject, draft.Retention = of.EventSequence, attrs.Subject, of.Retention
	return &draft
}

// judgement returns why an endpoint, as it is configured now, is to be disabled; "" when it isn't.
type judgement func(e projections.Endpoint) (reason string)

// gone judges by the answer, of the receiver that was asked, that it wants nothing more.
func gone(asked *domain.EndpointConfig) judgement {
	return func(e projections.Endpoint) string {
		if e.Moved(*asked) {
			return ""
		}
		return domain.DisabledGone
	}
}

// failing judges by an endpoint's health as it was at a time or later. Where the endpoint hasn't failed for too long,
// it notes in sound until when that holds.
func failing(health domain.Health, at time.Time, sound *time.Time) judgement {
	return func(e projections.Endpoint) string {
		changed := e.Updated.RecordedAt
		if e.Failed(health, changed, time.Now()) {
			return domain.DisabledFailing
		}
		*sound = e.FailsAt(health, changed)
		if health.FailingSince.IsZero() { // a failure counts from now on at the earliest
			*sound = at.Add(time.Duration(e.DisableAfter))
		}
		return ""
	}
}

// disablingOf drafts an endpoint's disabling, with the operational event about it; nil when the endpoint is deleted, is
// disabled already or isn't to be.
func disablingOf(
	c configuration, id domain.TenantID, endpoint domain.UUID, judge judgement, cause domain.Sequence,
) []domain.Draft {
	row, ok := c.Endpoint(endpoint)
	if _, lives := c.Tenant(id); !ok || !lives {
		return nil
	}
	reason := judge(row)
	if reason == "" {
		return nil
	}
	fact, err := row.Disable(reason)
	if err != nil || fact == nil {
		return nil
	}
	drafts := []domain.Draft{{
		Tenant: id, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: endpoint},
		Expected: row.Version, Cause: cause, Fact: fact,
	}}
	if c.wants(id, domain.EventEndpointDisabled) {
		n := domain.Notice{Endpoint: endpoint, Reason: reason}
		if reason == domain.DisabledGone {
			n.StatusCode = http.StatusGone
		}
		event := domain.OperationalEvent(id, domain.EventEndpointDisabled, n)
		event.Cause = cause
		drafts = append(drafts, event)
	}
	return drafts
}
