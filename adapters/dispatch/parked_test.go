package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// choosyLog refuses the starts of second attempts for good.
type choosyLog struct{ domain.Log }

func (l choosyLog) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	outcomes := make([]domain.Outcome, len(groups))
	for i := range groups {
		if f, ok := groups[i].Drafts[0].Fact.(*domain.AttemptStarted); ok && f.Number == 2 {
			outcomes[i].Err = domain.ErrRefused
		} else {
			outcomes[i] = l.Log.Append(ctx, groups[i])[0]
		}
	}
	return outcomes
}

// TestDispatcher_Parks: a delivery of which the log refuses a fact for good is left alone and told of. It keeps no slot:
// the endpoint's only one serves the others.
func TestDispatcher_Parks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 1 }), "*")
		w.receiver.set(fails)
		n := w.start(func(s *dispatch.Settings) { s.Log = choosyLog{w.memory} })
		time.Sleep(5 * time.Second)
		w.event("refused")
		time.Sleep(time.Minute)
		w.receiver.set(succeeds)
		w.event("fine")
		time.Sleep(time.Minute)
		stories := make([]string, 0, 2)
		for _, d := range w.deliveries() {
			stories = append(stories, strings.Join(w.story(d.ID), ", "))
		}
		if want := []string{"started 1, failed 1 retrying", "started 1, succeeded 1 succeeded"}; !slices.Equal(stories, want) {
			t.Errorf("the log tells %q", stories)
		}
		n.end(t)
	})
}
