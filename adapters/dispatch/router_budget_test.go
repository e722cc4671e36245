package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// TestRouter_FilterBudget: the events of one call share a budget; past it the call is refused, and no event's routing
// says anything that depends on the others.
func TestRouter_FilterBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.filter = sayingFilter
	endpoint := w.endpoint(nil)
	w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
		Endpoint: endpoint, EventTypes: []domain.Pattern{"*"}, Filter: fmt.Sprintf("cost %d", domain.EventFilterBudget),
	}})
	w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
		Endpoint: endpoint, EventTypes: []domain.Pattern{"*"}, Filter: "cost 1",
	}})
	router := w.bystander().Router()
	fit := domain.RequestFilterBudget / domain.EventFilterBudget
	for _, n := range []int{fit, fit + 1} {
		group := domain.Group{}
		for range n {
			group.Drafts = append(group.Drafts, eventDraft("a"))
		}
		entries, err := domain.AppendOne(t.Context(), router, group)
		if n > fit {
			if !errors.Is(err, domain.ErrFilterBudget) {
				t.Errorf("%d events: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			f := e.Fact.(*domain.EventAppended)
			all := append(slices.Clone(f.Routing.Skipped), f.Verdicts.Skipped...)
			if len(f.Routing.Deliveries) != 1 || len(all) != 1 || all[0].Reason != domain.SkipFilterBudget {
				t.Fatalf("routed as %+v, %+v", f.Routing, f.Verdicts)
			}
		}
	}
	// What ends while filters are asked decides nothing.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := domain.AppendOne(ctx, router, eventGroup("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	w.checkRouting()
}

// TestRouter_NotLoaded: before the configuration is there events wait for a moment, and are refused then; everything
// else is appended.
func TestRouter_NotLoaded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		d, err := dispatch.New(w.settings())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = domain.AppendOne(t.Context(), d.Router(), eventGroup("a"))
		if !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), "loaded") || time.Since(began) != dispatch.ConfigurationWait {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		done := make(chan error)
		go func() {
			_, err := domain.AppendOne(t.Context(), d.Router(), eventGroup("a"))
			done <- err
		}()
		synctest.Wait()
		w.inform(d)
		if err := <-done; err != nil {
			t.Errorf("as soon as it is loaded: %v", err)
		}
		two := domain.Group{Drafts: []domain.Draft{eventDraft("a"), eventDraft("a")}}
		two.Drafts[1].Tenant = domain.InstanceTenant
		if _, err := domain.AppendOne(t.Context(), d.Router(), two); err == nil {
			t.Error("events of two tenants were appended in one group")
		}
		w.checkRouting()
	})
}
