package openapi_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// gatedLog counts look-ups of its end and holds each until the gate opens.
type gatedLog struct {
	domain.Log
	heads atomic.Int64
	gate  chan struct{}
}

func (l *gatedLog) Head(ctx context.Context) (domain.Position, error) {
	l.heads.Add(1)
	<-l.gate
	return l.Log.Head(ctx)
}

// TestCatchUp: a thousand strangers at once cost two look-ups of the log's end: that of the first, and one for all others.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		log := &gatedLog{Log: f.log, gate: make(chan struct{})}
		f.server.Log = log
		f.useServer()
		var strangers sync.WaitGroup
		for range 1000 {
			strangers.Go(func() {
				if got := f.get(openapi.NewKey(), "/v1/whoami"); got.Code != http.StatusUnauthorized {
					t.Errorf("status %d", got.Code)
				}
			})
		}
		synctest.Wait()
		if n := log.heads.Load(); n != 1 {
			t.Errorf("%d look-ups are under way", n)
		}
		close(log.gate)
		strangers.Wait()
		if n := log.heads.Load(); n > 2 {
			t.Errorf("%d look-ups", n)
		}
	})
}

// TestCatchUp_NewKey: a key that another process made a moment ago opens, however many strangers ask beside it: a look-up
// that began before isn't shared.
func TestCatchUp_NewKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, stop := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	for range 8 {
		strangers.Go(func() {
			for ctx.Err() == nil {
				f.get(openapi.NewKey(), "/v1/whoami")
			}
		})
	}
	for range 200 {
		key := openapi.NewKey()
		hash := openapi.HashKey(key)
		id := domain.NewUUID()
		f.append(domain.Draft{
			Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamKey, ID: id},
			Fact: &domain.KeyCreated{Key: domain.KeyConfig{
				KeyNames:  domain.KeyNames{Name: "a", Principal: "a"},
				KeyRights: domain.KeyRights{ID: id, Role: domain.RoleAuditor, PrincipalID: domain.NewUUID(), Hash: hash[:]},
			}},
		})
		f.get(key, "/v1/whoami").want(http.StatusOK)
	}
	stop()
	strangers.Wait()
}
