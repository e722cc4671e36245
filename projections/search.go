package projections

import (
	"context"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// DeliverySearch restricts a list of deliveries by what no column has. Zero members don't restrict. Outcomes are those of
// a delivery's last finished attempt as of the moment: a delivery without one passes none of those filters.
type DeliverySearch struct {
	DeliveryFilter
	EventType  domain.EventType // exact
	Subject    string           // of the event
	StatusCode int              // what the receiver answered
	Error      string           // the stable code of the failure
	// AtLeast and Below bound the attempt's duration: inclusive, exclusive.
	AtLeast, Below time.Duration
}

// Searches reports whether anything restricts the list beyond its DeliveryFilter.
func (s *DeliverySearch) Searches() bool { return s.byEvent() || s.byOutcome() }

func (s *DeliverySearch) byEvent() bool { return s.EventType != "" || s.Subject != "" }

func (s *DeliverySearch) byOutcome() bool {
	return s.StatusCode != 0 || s.Error != "" || s.AtLeast != 0 || s.Below != 0
}

// MaxSearched bounds the deliveries that one SearchDeliveries examines.
const MaxSearched = 5000

// searchStep is how many deliveries are examined at once.
const searchStep = 250

// SearchDeliveries is one bounded step of a search through a list of deliveries: it examines at most MaxSearched of them.
// last is the last one that was examined, behind which the next step goes on; nil: the list's end was reached.
func SearchDeliveries(
	ctx context.Context, r Reader, s DeliverySearch, page Page, as AsOf,
) (found []Delivery, last *Delivery, err error) {
	limit := page.Limit
	page.Limit = searchStep
	for examined := 0; ; examined += searchStep {
		if examined >= MaxSearched {
			return found, last, nil
		}
		rows, err := r.Deliveries(ctx, s.DeliveryFilter, page, as)
		if err != nil {
			return nil, nil, err
		}
		passes, err := s.passing(ctx, r, rows, as)
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			if passes[i] {
				if len(found) == limit {
					return found, last, nil
				}
				found = append(found, rows[i])
			}
			last = &rows[i]
		}
		if len(rows) < searchStep {
			return found, nil, nil
		}
		page.After, page.AfterID = &last.Created.Sequence, last.ID
	}
}

// passing tells for each row whether the search chooses it.
func (s *DeliverySearch) passing(ctx context.Context, r Reader, rows []Delivery, as AsOf) ([]bool, error) {
	passes := slices.Repeat([]bool{true}, len(rows))
	if s.byEvent() {
		sequences := make([]domain.Sequence, len(rows))
		for i := range rows {
			sequences[i] = rows[i].EventSequence
		}
		chosen, err := r.EventsAmong(ctx, sequences, s.EventType, s.Subject)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			_, passes[i] = slices.BinarySearch(chosen, rows[i].EventSequence)
		}
	}
	if !s.byOutcome() {
		return passes, nil
	}
	var left []Delivery
	for i := range rows {
		if passes[i] {
			left = append(left, rows[i])
		}
	}
	ends, err := r.Ends(ctx, left, as)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if passes[i] {
			passes[i] = s.choosesEnd(ends[0])
			ends = ends[1:]
		}
	}
	return passes, nil
}

// choosesEnd reports whether the last of a delivery's ends passes.
func (s *DeliverySearch) choosesEnd(ends []domain.AttemptEnd) bool {
	if len(ends) == 0 {
		return false
	}
	end := &ends[len(ends)-1]
	took := time.Duration(end.DurationUS) * time.Microsecond
	return (s.StatusCode == 0 || end.StatusCode == s.StatusCode) && (s.Error == "" || end.Error == s.Error) &&
		took >= s.AtLeast && (s.Below == 0 || took < s.Below)
}
