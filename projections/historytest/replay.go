package historytest

import (
	"context"
	"fmt"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// replay asks for a replay, or moves one on.
func (h *History) replay() {
	if len(h.replays) == 0 || rapid.IntRange(0, 5).Draw(h.t, "new replay") == 0 {
		h.newReplay()
		return
	}
	id := rapid.SampledFrom(h.replays).Draw(h.t, "replay")
	var r projections.Replay
	h.read(h.owner[id], func(reader projections.Reader) (err error) {
		r, err = reader.Replay(context.Background(), id)
		return err
	})
	var fact domain.Fact
	var err error
	switch step := rapid.IntRange(0, 9).Draw(h.t, "step of a replay"); {
	case r.Status == domain.ReplayAwaiting && step > 0:
		fact, err = r.Approve()
	case r.Status == domain.ReplayStatusPaused && step > 0:
		fact, err = r.Resume()
	case step == 0 && !r.Status.Ended():
		fact, err = r.Cancel()
	case step == 1 && r.Status.Active():
		fact, err = r.Pause()
	case step == 2 && r.Status.Active():
		fact = &domain.ReplayFinished{Problem: rapid.SampledFrom([]string{"", "its endpoint is deleted"}).Draw(h.t, "problem")}
	case r.Status.Active():
		h.advance(&r)
		return
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if fact != nil {
		h.append(h.draft(r.Tenant, domain.StreamReplay, r.ID, fact))
	}
}

func (h *History) newReplay() {
	tenant, id := h.anyTenant(), domain.NewUUID()
	h.append(h.draft(tenant, domain.StreamReplay, id, &domain.ReplayCreated{Replay: domain.ReplayConfig{
		As:   rapid.SampledFrom([]domain.ReplayAs{domain.AsRedrive, domain.AsReplay}).Draw(h.t, "as"),
		Walk: domain.WalkDeliveries, To: 1000, Approval: rapid.Bool().Draw(h.t, "approval"),
	}}))
	h.replays, h.owner[id] = append(h.replays, id), tenant
}

// advance has a replay refuse something and resend some deliveries that have ended, in one group.
func (h *History) advance(r *projections.Replay) {
	through, counts := r.Through, r.Counts.Clone()
	through.Sequence += domain.Sequence(rapid.IntRange(0, 3).Draw(h.t, "further"))
	if rapid.Bool().Draw(h.t, "refuses") {
		counts.Refuse(rapid.SampledFrom([]string{"event_erased", "not_ended"}).Draw(h.t, "reason"))
	}
	var facts []domain.Draft
	h.read(r.Tenant, func(reader projections.Reader) error {
		rows, err := reader.Deliveries(context.Background(), projections.DeliveryFilter{}, projections.Page{Limit: 100}, projections.AsOf{})
		for _, d := range rows {
			if fact, err := d.Resend(h.now(), r.ID); err == nil && rapid.Bool().Draw(h.t, "resends") {
				counts.Send()
				facts = append(facts, h.draft(d.Tenant, domain.StreamDelivery, d.ID, fact))
				h.open = append(h.open, d.ID)
			}
		}
		return err
	})
	advanced := h.draft(r.Tenant, domain.StreamReplay, r.ID, &domain.ReplayAdvanced{Through: through, Counts: counts})
	h.append(append([]domain.Draft{advanced}, facts...)...)
}

// takeReplays lists the replays of both sorts. At every moment the results of each add up with what it still has in hand.
func takeReplays(ctx context.Context, r projections.Reader, deliveries []projections.Delivery, size int) ([]projections.Replay, error) {
	var found []projections.Replay
	for _, as := range []domain.ReplayAs{domain.AsRedrive, domain.AsReplay} {
		rows, err := all(size, func(p projections.Page) ([]projections.Replay, error) { return r.Replays(ctx, as, p) },
			func(row projections.Replay) (domain.UUID, projections.Origin) { return row.ID, row.Created },
			func(id domain.UUID) (projections.Replay, error) { return r.Replay(ctx, id) })
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	inHand, untried := make(map[domain.UUID]int), make(map[domain.UUID]int)
	for _, d := range deliveries {
		inHand[d.Replay]++
		if d.Attempts == d.ScheduleBase || d.Open && d.Attempts == d.ScheduleBase+1 {
			untried[d.Replay]++
		}
	}
	for _, row := range found {
		refused := 0
		for _, r := range row.Counts.Refused {
			refused += r.Count
		}
		// Between a step's own entry and those of its deliveries, in the same group, it has fewer in hand.
		if row.Unfinished() < inHand[row.ID] || row.Untried() < untried[row.ID] || row.Counts.Examined != row.Counts.Sent+refused || row.Done() > row.Total() {
			return nil, fmt.Errorf("replay %+v doesn't add up: it has %d in hand and %d refused", row, inHand[row.ID], refused)
		}
	}
	return found, nil
}
