package export

import (
	"context"
	"fmt"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Sizes of the steps in which deliveries are read.
const (
	// sparseness is how many entries a delivery may be apart from the next for the log to be read in one pass: an event with
	// one delivery has two entries, and each further attempt two more.
	sparseness = 10
	// ahead bounds how many entries are read ahead for the last deliveries of a page, for each that it has at most. They are
	// kept for the next page.
	ahead = 3
	// streamsAtOnce bounds how many streams are read at once: a delivery may have dozens of attempts, each with an answer.
	streamsAtOnce = 64
)

// deliveries is the source of rows that are deliveries with their attempts.
type deliveries struct {
	log    Log
	pacer  *pacer // nil: none
	views  projections.Views
	tenant domain.TenantID
	query  *domain.ExportQuery
	pinned domain.Sequence
	span   span
	size   steps
	window window
	events map[domain.Sequence]*eventInfo // of the present page
}

func newDeliveries(log Log, p *pacer, views projections.Views, tenant domain.TenantID, order *domain.ExportOrder, s span, size steps) *deliveries {
	return &deliveries{
		log: log, pacer: p, views: views, tenant: tenant, query: &order.Query, pinned: order.Sequence, span: s, size: size,
		window: window{scanner: scanner{log: log, tenant: tenant, end: order.Sequence + 1, size: size}},
	}
}

// history is a delivery with its attempts, folded from the log as far as it was read.
type history struct {
	projections.Delivery
	attempts projections.Attempts
}

// fold applies a step of the delivery. Steps that are applied already, and those after one that was left out, aren't.
func (h *history) fold(e *domain.Entry) error {
	if e.StreamVersion != h.Version+1 {
		return nil
	}
	if err := h.Delivery.Fold(e); err != nil {
		return err
	}
	h.attempts.Fold(e)
	if f, ok := e.Fact.(*domain.AttemptFinished); ok { // the answer isn't exported, and may be large
		for i := range h.attempts.Rows {
			if h.attempts.Rows[i].Result == &f.Result {
				result := f.Result
				result.Response = domain.CapturedAnswer{}
				h.attempts.Rows[i].Result = &result
			}
		}
	}
	return nil
}

// next implements source.
func (s *deliveries) next(ctx context.Context, at place) (page, error) {
	most := s.size.deliveries
	if s.pacer != nil {
		most = s.pacer.pageOf(ctx, most)
	}
	rows, err := s.page(ctx, at, most)
	if err != nil {
		return page{}, err
	}
	p := page{next: at, done: len(rows) < most, reached: s.span.to}
	if n := len(rows); n > 0 {
		last := &rows[n-1]
		p.next = place{last.Created.Sequence, last.ID}
		if p.reached = last.Created.Sequence; last.Created.Sequence >= s.span.to {
			p.done = true
		}
	}
	rows = slices.DeleteFunc(rows, func(d projections.Delivery) bool { return d.Created.Sequence >= s.span.to })
	if p.done {
		p.reached = s.span.to
	}
	if len(rows) == 0 {
		return p, nil
	}
	histories, err := s.histories(ctx, rows)
	if err != nil {
		return page{}, err
	}
	if err := s.findEvents(ctx, rows); err != nil {
		return page{}, err
	}
	for i := range histories {
		p.rows = s.appendRows(p.rows, &histories[i])
	}
	return p, nil
}

// close implements source.
func (s *deliveries) close() { s.window.close() }

// page asks the views which deliveries come next. A filter by status is left to appendRows: the views might have to go
// through all deliveries to find few.
func (s *deliveries) page(ctx context.Context, at place, most int) (rows []projections.Delivery, err error) {
	filter := projections.DeliveryFilter{Endpoint: s.query.Endpoint, Subscription: s.query.Subscription}
	before := projections.Page{Limit: most}
	switch {
	case !at.ID.IsZero():
		before.After, before.AfterID = &at.Sequence, at.ID
	case s.span.from > 0:
		last := s.span.from - 1
		before.After = &last
	}
	as := projections.AsOf{Sequence: s.pinned, Set: true}
	read := func(bool) error {
		return s.views.Read(ctx, s.tenant, s.pinned, func(r projections.Reader) (err error) {
			rows, err = r.Deliveries(ctx, filter, before, as)
			return err
		})
	}
	if s.pacer == nil {
		err = read(false)
	} else {
		err = s.pacer.pace(ctx, read)
	}
	return rows, err
}

// appendRows writes a delivery's rows unless a filter leaves it out.
func (s *deliveries) appendRows(rows []row, h *history) []row {
	if s.query.Status != "" && h.Status != s.query.Status {
		return rows
	}
	event := s.events[h.EventSequence]
	if event == nil {
		event = new(eventInfo) // of a delivery whose event can't be read any more
	}
	if len(s.query.Types) > 0 && (event.class.Type == "" || !matches(s.query.Types, event.class.Type)) {
		return rows
	}
	one := row{delivery: &h.Delivery, event: event, erased: event.erased, sequence: h.EventSequence}
	if len(h.attempts.Rows) == 0 {
		return append(rows, one)
	}
	for i := range h.attempts.Rows {
		one.attempt = &h.attempts.Rows[i]
		one.erased = event.erased || one.attempt.Erased
		rows = append(rows, one)
	}
	return rows
}

// histories folds the deliveries of a page from the log.
func (s *deliveries) histories(ctx context.Context, rows []projections.Delivery) ([]history, error) {
	first, last := rows[0].Created.Sequence, rows[len(rows)-1].Created.Sequence
	s.events = make(map[domain.Sequence]*eventInfo, len(rows))
	dense := int(last-first) <= sparseness*len(rows)
	if dense {
		if err := s.window.read(ctx, rows); err != nil {
			return nil, err
		}
		s.events = s.window.take(first, last)
	}
	found := make([]history, len(rows))
	var late []int
	for i := range rows {
		h := s.window.histories[rows[i].ID]
		if !dense || h == nil || h.Version != rows[i].Version {
			late = append(late, i)
			continue
		}
		found[i] = *h
	}
	for batch := range slices.Chunk(late, streamsAtOnce) {
		if err := s.readStreams(ctx, rows, batch, found); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		if h := &found[i]; h.Version != rows[i].Version || h.Status != rows[i].Status {
			return nil, fmt.Errorf("delivery %s was %s in version %d, as the log has it, and %s in version %d, as the views have it: %w",
				rows[i].ID, h.Status, h.Version, rows[i].Status, rows[i].Version, errApart)
		}
	}
	s.window.forget(rows[len(rows)-1])
	return found, nil
}

// readStreams folds deliveries from their own streams.
func (s *deliveries) readStreams(ctx context.Context, rows []projections.Delivery, batch []int, into []history) error {
	var streams []domain.Stream
	var made []domain.Sequence
	at := make(map[domain.UUID]int, len(batch))
	for _, i := range batch {
		streams = append(streams, domain.Stream{Kind: domain.StreamDelivery, ID: rows[i].ID})
		at[rows[i].ID] = i
		if h := s.window.histories[rows[i].ID]; h != nil {
			into[i] = *h // what the pass read: the steps go on from there
			continue
		}
		made = append(made, rows[i].Created.Sequence)
	}
	slices.Sort(made)
	for some := range slices.Chunk(slices.Compact(made), opened) {
		entries, err := s.log.Entries(ctx, s.tenant, some)
		if err != nil {
			return err
		}
		for i := range entries {
			s.see(&entries[i])
			for _, h := range routed(&entries[i]) {
				if i, ok := at[h.ID]; ok {
					into[i] = h
				}
			}
		}
	}
	for _, i := range batch {
		if into[i].ID.IsZero() { // its routing can't be read any more, or it wasn't routed
			into[i] = history{Delivery: rows[i]}
			into[i].Version = 0
			into[i].Status, into[i].Attempts, into[i].Open = domain.DeliveryPending, 0, false
			if rows[i].Version == 0 {
				into[i].Delivery = rows[i]
			}
		}
	}
	steps, err := s.log.Streams(ctx, s.tenant, streams, s.pinned)
	if err != nil {
		return err
	}
	for i := range steps {
		if err := into[at[steps[i].Stream.ID]].fold(&steps[i]); err != nil {
			return err
		}
	}
	return nil
}

// see notes what a page's rows need of an event's entry.
func (s *deliveries) see(e *domain.Entry) {
	if info := infoOf(e); info != nil {
		s.events[e.Sequence] = info
	}
}

// findEvents reads the events of the page that the pass over the log didn't come by.
func (s *deliveries) findEvents(ctx context.Context, rows []projections.Delivery) error {
	var missing []domain.Sequence
	for i := range rows {
		if s.events[rows[i].EventSequence] == nil {
			missing = append(missing, rows[i].EventSequence)
		}
	}
	slices.Sort(missing)
	for some := range slices.Chunk(slices.Compact(missing), opened) {
		entries, err := s.log.Entries(ctx, s.tenant, some)
		if err != nil {
			return err
		}
		for i := range entries {
			s.see(&entries[i])
		}
	}
	return nil
}

// infoOf takes from an event's entry what rows need; nil: it is none.
func infoOf(e *domain.Entry) *eventInfo {
	if e.Kind != domain.KindEventAppended {
		return nil
	}
	info := &eventInfo{erased: e.Erased}
	if f, ok := e.Fact.(*domain.EventAppended); ok {
		info.id, info.class = f.Event.ID, f.Event.EventClass
	}
	return info
}

// routed returns the deliveries that an entry makes, with the attempts that it starts.
func routed(e *domain.Entry) []history {
	made := projections.Routed(e)
	if len(made) == 0 {
		return nil
	}
	histories := make([]history, len(made))
	for i := range made {
		histories[i] = history{Delivery: made[i], attempts: projections.AttemptsIn(&made[i], e)}
	}
	return histories
}

// window is what one pass over the log has read and is still needed.
type window struct {
	scanner
	// histories are of the deliveries that the pass came by and no page has had; events of those pages' events.
	histories map[domain.UUID]*history
	events    map[domain.Sequence]*eventInfo
}

// read goes on with the pass to the end of a page, and beyond it as long as deliveries of the page haven't ended.
func (w *window) read(ctx context.Context, rows []projections.Delivery) error {
	first, last := rows[0].Created.Sequence, rows[len(rows)-1].Created.Sequence
	if w.histories == nil || w.at < first-domain.Sequence(w.size.deliveries) || w.at > first && w.histories[rows[0].ID] == nil {
		w.histories, w.events = make(map[domain.UUID]*history), make(map[domain.Sequence]*eventInfo)
		w.seek(first)
	}
	behind := func() (n int) {
		for i := range rows {
			if h := w.histories[rows[i].ID]; h == nil || h.Version != rows[i].Version {
				n++
			}
		}
		return n
	}
	for w.at <= last {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	for n := behind(); n > streamsAtOnce && w.at < w.end && w.at <= last+domain.Sequence(ahead*w.size.deliveries); {
		if err := w.step(ctx); err != nil {
			return err
		}
		before := n
		if n = behind(); before-n < streamsAtOnce {
			break // the others come much later
		}
	}
	return nil
}

// step reads some entries.
func (w *window) step(ctx context.Context) error {
	if w.at >= w.end {
		return fmt.Errorf("the log of %s ends before sequence %d: %w", w.tenant, w.end, errApart)
	}
	found, err := w.next(ctx)
	if err != nil {
		return err
	}
	for i := range found {
		e := &found[i]
		if info := infoOf(e); info != nil {
			w.events[e.Sequence] = info
		}
		for _, h := range routed(e) {
			w.histories[h.ID] = &h
		}
		if h := w.histories[e.Stream.ID]; h != nil && e.Stream.Kind == domain.StreamDelivery {
			if err := h.fold(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// take hands out the events that a page may need, and forgets those before it.
func (w *window) take(first, last domain.Sequence) map[domain.Sequence]*eventInfo {
	const most = 16 // further entries of an event's routing are right behind it
	taken := make(map[domain.Sequence]*eventInfo)
	for at, info := range w.events {
		switch {
		case at < first-most:
			delete(w.events, at)
		case at <= last:
			taken[at] = info
		}
	}
	return taken
}

// forget drops the deliveries up to a page's last one.
func (w *window) forget(last projections.Delivery) {
	for id, h := range w.histories {
		if h.Created.Sequence < last.Created.Sequence ||
			h.Created.Sequence == last.Created.Sequence && slices.Compare(id[:], last.ID[:]) <= 0 {
			delete(w.histories, id)
		}
	}
}
