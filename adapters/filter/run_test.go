package filter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"pgregory.net/rapid"
)

func compiledFilter(t testing.TB, f *Filters, src string) domain.Filter {
	t.Helper()
	filter, err := f.Compile(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return filter
}

// looping is a list over which a filter goes.
func looping(elements int) *domain.EventAppended {
	return &domain.EventAppended{Data: []byte(`[` + strings.Repeat(`2,`, elements-1) + `1]`)}
}

// TestFilters_Compile: what doesn't compile is refused, lazily when it is asked, and then for good.
func TestFilters_Compile(t *testing.T) {
	t.Parallel()
	f := filters(t)
	var invalid *domain.InvalidError
	if filter, err := f.Compile(`data.a >`); filter != nil || !errors.As(err, &invalid) {
		t.Errorf("compiled what is no filter: %v", err)
	}
	wrong, right := f.Lazy(`data.a >`), f.Lazy(`data.price == 10`)
	for range 2 {
		run := &domain.FilterRun{Event: order()}
		if matches, err := wrong(t.Context(), run); matches || !errors.As(err, &invalid) || errors.Is(err, domain.ErrFilterBudget) {
			t.Error(matches, err)
		}
		if matches, err := right(t.Context(), run); !matches || err != nil || run.Spent <= baseCost {
			t.Error(matches, err, run.Spent)
		}
	}
}

// TestFilterRun_decodesOnce: an event's data is decoded for the first filter that reads it.
func TestFilterRun_decodesOnce(t *testing.T) {
	t.Parallel()
	f := filters(t)
	attributes, data := compiledFilter(t, f, `subject == "customer-17"`), compiledFilter(t, f, `data.price == 10`)
	run := &domain.FilterRun{Event: order()}
	if ok, err := attributes(t.Context(), run); !ok || err != nil || run.Decoded != nil {
		t.Error("data was decoded that no filter reads", ok, err)
	}
	if ok, err := data(t.Context(), run); !ok || err != nil || run.Decoded == nil {
		t.Fatal(ok, err)
	}
	before := run.Decoded
	if ok, err := data(t.Context(), run); !ok || err != nil || run.Decoded != before {
		t.Error("the same data was decoded again", ok, err)
	}
	broken := &domain.FilterRun{Event: &domain.EventAppended{Data: []byte(`{`)}}
	for range 2 {
		if _, err := data(t.Context(), broken); err == nil || err.Error() != "the event's data isn't JSON" {
			t.Error(err)
		}
	}
}

// TestFilterRun_Budget: the filters of one event share a budget. Past it none is asked, however cheap, and the one that
// would have passed it has not failed.
func TestFilterRun_Budget(t *testing.T) {
	t.Parallel()
	f, e := filters(t), looping(5_000)
	cheap, dear := compiledFilter(t, f, `data.size() == 5000`), compiledFilter(t, f, `data.exists(x, x == 1)`)
	alone := &domain.FilterRun{Event: e}
	if ok, err := dear(t.Context(), alone); !ok || err != nil || alone.Spent < 5_000 || alone.Spent > costLimit {
		t.Fatalf("%t, %v, spent %d", ok, err, alone.Spent)
	}
	run := &domain.FilterRun{Event: e}
	asked := 0
	for ; ; asked++ {
		ok, err := dear(t.Context(), run)
		if errors.Is(err, domain.ErrFilterBudget) {
			break
		}
		if !ok || err != nil || run.Spent != uint64(asked+1)*alone.Spent {
			t.Fatalf("%t, %v, spent %d after %d", ok, err, run.Spent, asked+1)
		}
	}
	if want := int(domain.EventFilterBudget / alone.Spent); asked != want {
		t.Errorf("%d filters were asked, not %d", asked, want)
	}
	if _, err := cheap(t.Context(), run); !errors.Is(err, domain.ErrFilterBudget) || run.Spent != domain.EventFilterBudget {
		t.Errorf("past the budget: %v, spent %d", err, run.Spent)
	}
	// A filter beyond its own limit has failed, and the others go on.
	run = &domain.FilterRun{Event: looping(200_000 / 2)}
	if _, err := dear(t.Context(), run); err == nil || errors.Is(err, domain.ErrFilterBudget) || run.Spent != costLimit+baseCost {
		t.Errorf("a filter beyond its limit: %v, spent %d", err, run.Spent)
	}
	if _, err := cheap(t.Context(), run); err != nil {
		t.Error(err)
	}
	// A budget of the caller's.
	run = &domain.FilterRun{Event: e, Budget: alone.Spent}
	if ok, err := dear(t.Context(), run); !ok || err != nil || run.Spent != run.Budget {
		t.Errorf("an exact budget: %t, %v, spent %d of %d", ok, err, run.Spent, run.Budget)
	}
	for _, budget := range []uint64{1, baseCost, alone.Spent - 1} {
		run = &domain.FilterRun{Event: e, Budget: budget}
		if ok, err := dear(t.Context(), run); ok || !errors.Is(err, domain.ErrFilterBudget) || run.Spent != budget {
			t.Errorf("budget %d: %t, %v, spent %d", budget, ok, err, run.Spent)
		}
	}
}

// TestFilterRun_Budget_isTheSame: the same event, filters and order decide the same and cost the same, also past the
// budget.
func TestFilterRun_Budget_isTheSame(t *testing.T) {
	t.Parallel()
	f := filters(t)
	var all []domain.Filter
	for _, src := range []string{
		`subject == "x"`, `data.exists(x, x == 1)`, `data.exists(x, x == 3)`, `data.a == 1`, `data.all(x, x > 0) && data.size() > 10`,
	} {
		all = append(all, compiledFilter(t, f, src))
	}
	rapid.Check(t, func(t *rapid.T) {
		e := looping(rapid.IntRange(1, 300).Draw(t, "elements"))
		budget := rapid.Uint64Range(1, 20_000).Draw(t, "budget")
		order := rapid.SliceOfN(rapid.SampledFrom(all), 1, 30).Draw(t, "filters")
		decide := func() string {
			run := &domain.FilterRun{Event: e, Budget: budget}
			var said []string
			spent, over := uint64(0), false
			for _, filter := range order {
				ok, err := filter(context.Background(), run)
				said = append(said, fmt.Sprint(ok, err, run.Spent))
				if over && !errors.Is(err, domain.ErrFilterBudget) {
					t.Fatal("a filter was asked past the budget")
				}
				over = over || errors.Is(err, domain.ErrFilterBudget)
				if run.Spent < spent || run.Spent > budget || over && run.Spent != budget {
					t.Fatalf("spent %d of %d, over: %t", run.Spent, budget, over)
				}
				spent = run.Spent
			}
			return strings.Join(said, "\n")
		}
		if first, second := decide(), decide(); first != second {
			t.Fatalf("first\n%s\nthen\n%s", first, second)
		}
	})
}

// TestFilter_isInterrupted: when its caller has gone an evaluation ends, and decides nothing.
func TestFilter_isInterrupted(t *testing.T) {
	t.Parallel()
	f := filters(t)
	gone := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	for _, src := range []string{`true`, `data.exists(x, x == 1)`} {
		run := &domain.FilterRun{Event: looping(1000)}
		if ok, err := compiledFilter(t, f, src)(ctx, run); ok || !errors.Is(err, gone) || run.Spent != 0 {
			t.Errorf("%s gives %t, %v", src, ok, err)
		}
	}
	// While a filter goes through a list: the event's data ends the context when it is first looked at.
	ctx, cancel = context.WithCancelCause(t.Context())
	run := &domain.FilterRun{Event: looping(20_000)}
	contentOf(run)
	late := &lateContext{Context: ctx, onDone: func() { cancel(gone) }}
	if ok, err := compiledFilter(t, f, `data.exists(x, x == 1)`)(late, run); ok || !errors.Is(err, gone) || run.Spent > 5_000 {
		t.Errorf("gives %t, %v, spent %d", ok, err, run.Spent)
	}
}

// lateContext ends as soon as somebody wants to be told of its end.
type lateContext struct {
	context.Context
	onDone func()
}

func (c *lateContext) Done() <-chan struct{} {
	defer c.onDone()
	return c.Context.Done()
}

// TestVariables: every variable has what the API shows of the event.
func TestVariables(t *testing.T) {
	t.Parallel()
	f := filters(t)
	now := time.Date(2026, 7, 1, 12, 0, 0, 123456789, time.FixedZone("", 7200))
	named := order()
	named.Event.OccurredAt = time.Date(2025, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	bare := new(domain.EventAppended)
	bare.Event.ID, bare.Event.Source, bare.Event.Type, bare.Event.SchemaVersion = "x", "/tenants/acme", "a.b", "v1"
	for _, c := range []struct {
		event *domain.EventAppended
		src   string
	}{
		{bare, `occurred_at == timestamp("2026-07-01T10:00:00.123456Z") && string(occurred_at) == "2026-07-01T10:00:00.123456Z"`},
		{bare, `occurred_at.getHours() == 10 && occurred_at > timestamp("2026-01-01T00:00:00Z")`},
		{named, `occurred_at == timestamp("2025-01-02T02:04:05.000006Z")`},
		{bare, `source == "/tenants/acme" && schema_version == "v1" && id == "x" && type == "a.b"`},
		{bare, `subject == "" && extensions == {} && data == null`},
		{named, `extensions == {"region": "eu", "count": 7, "urgent": true} && subject == "customer-17"`},
	} {
		run := &domain.FilterRun{Event: c.event, Now: now}
		if ok, err := compiledFilter(t, f, c.src)(t.Context(), run); !ok || err != nil {
			t.Errorf("%s gives %t, %v", c.src, ok, err)
		}
	}
}
