package eventlog_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func configure() domain.Draft {
	return domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamSubscription, ID: domain.NewUUID()},
		Fact: &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{Endpoint: domain.NewUUID()}},
	}
}

// decided drafts an event that says by which configuration it was routed.
func decided(configuration domain.Sequence) domain.Draft {
	d := event(`1`)
	d.Fact.(*domain.EventAppended).Routing = domain.Routing{Configuration: configuration, Complete: true}
	return d
}

// decidedUnderTheLock is an event decided by a configuration, and by the newest when that isn't it any more.
func decidedUnderTheLock(configuration domain.Sequence) domain.Group {
	g := group(decided(configuration))
	g.Basis = &domain.Basis{Tenant: domain.DefaultTenant, Configuration: configuration}
	g.Basis.Decide = func(newer []domain.Entry) ([]domain.Draft, []domain.Fence, error) {
		for i := range newer {
			if newer[i].Fact == nil || len(newer[i].Leaf) == 0 || !newer[i].Kind.Configures() {
				return nil, nil, errors.New("a newer entry isn't whole")
			}
		}
		return []domain.Draft{decided(newer[len(newer)-1].Sequence)}, nil, nil
	}
	return g
}

// TestLog_DecideSeesTheBatch changes the configuration in the same commit before the event.
func TestLog_DecideSeesTheBatch(t *testing.T) {
	t.Parallel()
	log := open(t)
	entries := log.mustAppend(t, group(configure()), decidedUnderTheLock(0), group(configure(), configure()), decidedUnderTheLock(1),
		decidedUnderTheLock(0))
	for i, want := range map[int]domain.Sequence{1: 1, 4: 4, 5: 4} {
		if got := entries[i].Fact.(*domain.EventAppended).Routing.Configuration; got != want {
			t.Errorf("entry %d was decided by configuration %d, want %d", i, got, want)
		}
	}
	log.check(t)
}

// TestLog_BasisOfManyProcesses has processes configure and append at random: what each event says of the configuration
// that decided it is the last one before it.
func TestLog_BasisOfManyProcesses(t *testing.T) {
	t.Parallel()
	first := open(t)
	var work sync.WaitGroup
	for n, log := range []*opened{first, reopen(t, first.db, first.key), reopen(t, first.db, first.key)} {
		for c := range 3 {
			work.Go(func() {
				random := rand.New(rand.NewPCG(uint64(n), uint64(c)))
				var known domain.Sequence
				for range 60 {
					if random.IntN(4) == 0 {
						known = log.mustAppend(t, group(configure()))[0].Sequence
						continue
					}
					g := decidedUnderTheLock(known)
					if random.IntN(2) == 0 {
						g.Basis.Decide = nil
					}
					entries, err := domain.AppendOne(t.Context(), log, g)
					switch {
					case errors.Is(err, domain.ErrStale):
					case err != nil:
						t.Error(err)
					default:
						known = entries[0].Fact.(*domain.EventAppended).Routing.Configuration
					}
				}
			})
		}
	}
	work.Wait()
	var last domain.Sequence
	events, configurations := 0, 0
	for after := domain.Position(0); ; {
		page, err := first.Page(t.Context(), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			e := &page[i]
			if after = e.Position; e.Tenant != domain.DefaultTenant {
				continue
			}
			if e.Kind.Configures() {
				last = e.Sequence
				configurations++
			}
			if f, ok := e.Fact.(*domain.EventAppended); ok {
				events++
				if f.Routing.Configuration != last {
					t.Errorf("sequence %d was decided by configuration %d, the last before it is %d", e.Sequence, f.Routing.Configuration, last)
				}
			}
		}
	}
	if events < 100 || configurations < 50 {
		t.Errorf("%d events and %d configurations show little", events, configurations)
	}
	first.check(t)
}
