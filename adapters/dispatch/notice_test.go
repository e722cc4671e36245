package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// TestDispatcher_Notices: what becomes of an endpoint and its deliveries is told, as events, to whom has asked for
// them, but not to the endpoint itself, and not what becomes of such events.
func TestDispatcher_Notices(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(func(c *domain.EndpointConfig) {
			c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(time.Minute)}}
		})
		w.subscribe(endpoint, "*", "hooktrail.*")
		watcher := w.endpoint(func(c *domain.EndpointConfig) { c.Retry = domain.Schedule{Gaps: []domain.Duration{1000}} })
		w.subscribe(watcher, "hooktrail.*")
		set := func(answer func(domain.Shipment) domain.Answer) {
			w.receiver.set(func(s domain.Shipment) domain.Answer {
				if s.Endpoint.ID == watcher { // it fails too, about which nobody is told
					return fails(s)
				}
				return answer(s)
			})
		}
		set(fails)
		n := w.start(slowBeat)
		time.Sleep(time.Second)
		dead := w.eventOf("order.placed", func(f *domain.EventAppended) { f.Event.ID, f.Event.Subject = "order-1", "ann" })
		time.Sleep(10 * time.Minute)
		set(func(s domain.Shipment) domain.Answer {
			a := fails(s)
			a.Permanent, a.Result.Error, a.Result.StatusCode = true, "too_large", 0
			return a
		})
		refused := w.event("order.paid")
		time.Sleep(time.Minute)
		set(isGone)
		gone := w.event("order.sent")
		time.Sleep(time.Hour)
		n.end(t)

		deliveries := make(map[domain.UUID]domain.UUID)
		for _, d := range w.deliveries() {
			if d.Endpoint == endpoint {
				deliveries[d.Event] = d.ID
			}
		}
		about := func(e domain.Entry, id string, typ domain.EventType, rest string) string {
			return fmt.Sprintf(`delivery.dead {"endpoint_id":%q,"delivery_id":%q,"event_id":%q,"event_source":"/tenants/acme","event_type":%q,%s}`,
				endpoint, deliveries[e.Stream.ID], id, typ, rest)
		}
		want := []string{
			about(dead, "order-1", "order.placed", `"attempts":2,"reason":"schedule_ended","error":"status","status_code":503`),
			about(refused, refused.Stream.ID.String(), "order.paid", `"attempts":1,"reason":"refused","error":"too_large"`),
			about(gone, gone.Stream.ID.String(), "order.sent", `"attempts":1,"reason":"gone","status_code":410`),
			fmt.Sprintf(`endpoint.disabled {"endpoint_id":%q,"reason":"gone","status_code":410}`, endpoint),
		}
		if got := w.notices(); !slices.Equal(got, want) {
			t.Errorf("operational events:\n%q, want\n%q", got, want)
		}
		entries := w.entries()
		sent := make(map[domain.UUID][]domain.UUID)
		for _, r := range w.receiver.seen() {
			sent[r.event] = append(sent[r.event], r.endpoint)
		}
		for _, e := range entries {
			f, ok := e.Fact.(*domain.EventAppended)
			if !ok || !f.Event.Type.Operational() {
				continue
			}
			if before := entries[e.Position-2]; e.RecordedAt.Sub(before.RecordedAt) != time.Microsecond || before.Stream.ID == e.Stream.ID {
				t.Errorf("%s isn't appended with what it speaks of", f.Event.Type)
			}
			if f.Event.About != endpoint || e.Cause == 0 {
				t.Errorf("%s is about %s, caused by %d", f.Event.Type, f.Event.About, e.Cause)
			}
			if got := sent[e.Stream.ID]; !slices.Equal(got, []domain.UUID{watcher, watcher}) {
				t.Errorf("%s was sent to %v, want twice to %s", f.Event.Type, got, watcher)
			}
			if got := w.skips(e.Stream.ID); !slices.Equal(got, []domain.SkipReason{domain.SkipOwnEndpoint}) {
				t.Errorf("%s was skipped for %q", f.Event.Type, got)
			}
		}
		w.check()

		w.memory.Erase(acme, "ann")
		if got := w.notices(); len(got) != len(want)-1 {
			t.Errorf("after the subject's erasure %q are left", got)
		}
	})
}

// TestDispatcher_NoticesUnasked: without a subscription by name nothing is appended.
func TestDispatcher_NoticesUnasked(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "*")
		w.receiver.answer = isGone
		n := w.start(nil)
		w.event("a")
		time.Sleep(time.Minute)
		n.end(t)
		if got, _ := w.disabled(endpoint); len(got) != 1 || len(w.notices()) != 0 {
			t.Errorf("disabled for %q, operational events %q", got, w.notices())
		}
	})
}

// TestDispatcher_NoticeOfUnknown: a delivery whose last attempt is closed as unknown at a take-over is told of as well,
// and its endpoint judged.
func TestDispatcher_NoticeOfUnknown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(func(c *domain.EndpointConfig) {
			c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(2 * time.Hour)}}
			c.DisableAfter = domain.MinDisableAfter
		})
		w.subscribe(endpoint, "*")
		w.subscribe(w.endpoint(nil), "hooktrail.*")
		w.receiver.answer = fails
		log := &faulty{Log: w.memory}
		n := w.start(func(s *dispatch.Settings) { s.Log = log; slowBeat(s) })
		w.eventOf("order.placed", func(f *domain.EventAppended) { f.Event.ID = "order-1" })
		time.Sleep(time.Hour)
		w.receiver.delay(10 * time.Second)
		time.Sleep(time.Hour + 5*time.Second) // the last attempt is under way
		log.kill()
		n.end(t)
		w.receiver.set(succeeds)
		after := w.start(func(s *dispatch.Settings) { s.Displaced = []domain.UUID{n.set.Node} })
		time.Sleep(time.Hour)
		after.end(t)
		var id domain.UUID
		for _, d := range w.deliveries() {
			if d.Endpoint == endpoint {
				id = d.ID
			}
		}
		want := []string{
			fmt.Sprintf(`delivery.dead {"endpoint_id":%q,"delivery_id":%q,"event_id":"order-1","event_source":"/tenants/acme","event_type":"order.placed","attempts":2,"reason":"schedule_ended"}`, endpoint, id),
			fmt.Sprintf(`endpoint.disabled {"endpoint_id":%q,"reason":"failing"}`, endpoint),
		}
		if got := w.notices(); !slices.Equal(got, want) {
			t.Errorf("operational events:\n%q, want\n%q; the log tells %q", got, want, w.story(id))
		}
		w.check()
	})
}
