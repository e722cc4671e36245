package domain

import (
	"context"
	"errors"
	"time"
)

// ErrFilterBudget means that an event's budget for filters is spent: the subscription is skipped with SkipFilterBudget,
// and so is every later one of this event that has a filter. It depends on the event and on the filters asked before,
// so a caller asks them in the same order each time.
var ErrFilterBudget = errors.New("the event's budget for filters is spent")

// Budgets of filters, in units of about one operation, 50 ns.
const (
	// EventFilterBudget is what the filters of one event may cost together. A filter that people write costs 15 to 35
	// units, one that goes through a list some 8 for each element: 7,000 filters fit, or two of the most expensive. All of it
	// takes 10 to 25 ms.
	EventFilterBudget = 250_000
	// RequestFilterBudget is what the filters of all events of one request may cost together: a batch of 1,000 events
	// at 1,000 filters fits. Past it the request is refused, since what an event's routing says mustn't depend on the
	// other events of its request. All of it takes 1 to 2 s.
	RequestFilterBudget = 20_000_000
)

// Filter is a subscription's content filter, compiled. It is cheap to copy and safe for concurrent use, so that whoever
// holds the configuration holds its filters too. Errors:
//   - ErrFilterBudget, as it says;
//   - what ctx ended with (context.Cause), and then nothing is known of the filter and nothing may be decided by it;
//   - any other means that the filter failed on this event, and would fail each time (SkipFilterFailed). It names the place
//     and kind of the failure and no value of the event.
type Filter func(ctx context.Context, run *FilterRun) (bool, error)

// FilterRun is one event while its subscriptions' filters are asked about it, one after another: its data is decoded
// once and what the filters cost is added up. It is not safe for concurrent use, and the event must not change while it
// is in use.
type FilterRun struct {
	Event *EventAppended
	// Now is what the variable occurred_at has for an event that names no time of its own. An append gives every event one
	// before its filters are asked, so that it reads back with what they saw.
	Now time.Time
	// Budget is how much the filters may cost together; 0: EventFilterBudget.
	Budget uint64
	// Spent is how much they have cost so far. A filter adds to it.
	Spent uint64
	// Decoded belongs to the filters: the event's data as they read it. Callers leave it nil.
	Decoded any
}
