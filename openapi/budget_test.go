package openapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// slowClient takes an answer's first bytes and reads on only when it is let.
type slowClient struct {
	*httptest.ResponseRecorder
	began   chan<- int // the bytes of the first write
	once    sync.Once
	goOn    <-chan struct{}
	written atomic.Int64
}

func (c *slowClient) Write(b []byte) (int, error) {
	c.once.Do(func() { c.began <- len(b) })
	<-c.goOn
	c.written.Add(int64(len(b)))
	return len(b), nil
}

// TestBudget_Lists: lists of large entries that clients don't read hold no more than a tenant's share, and another tenant
// is answered meanwhile. Who isn't let in is told when to come back; who is gets a page, and the next one.
func TestBudget_Lists(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const budget, callers = 64 << 20, 40
	f.server.Limits.HeldBytes = budget
	f.useServer()
	data := append(append([]byte(`"`), bytes.Repeat([]byte{'x'}, 256<<10-2)...), '"')
	for range 128 { // 32 MiB: four pages
		f.append(domain.Draft{
			Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
			Fact: &domain.EventAppended{Data: data, Routing: domain.Routing{Complete: true}},
		})
	}
	began, goOn := make(chan int, callers), make(chan struct{})
	clients := make([]*slowClient, callers)
	var group sync.WaitGroup
	for i := range clients {
		clients[i] = &slowClient{ResponseRecorder: httptest.NewRecorder(), began: began, goOn: goOn}
		group.Go(func() {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/tenants/acme/log?limit=1000", nil)
			r.Header.Set("Authorization", "Bearer "+f.operator)
			f.handler.ServeHTTP(clients[i], r)
		})
	}
	held := 0
	for range clients {
		select {
		case n := <-began:
			held += n
		case <-time.After(time.Minute):
			t.Error("not all callers were answered")
		}
	}
	f.get(f.operator, "/v1/tenants/other/log").want(http.StatusOK)
	close(goOn)
	group.Wait()
	served := 0
	for _, c := range clients {
		switch {
		case c.Code == http.StatusOK:
			served++
		case c.Code != http.StatusServiceUnavailable || c.Header().Get("Retry-After") == "":
			t.Errorf("status %d, Retry-After %q", c.Code, c.Header().Get("Retry-After"))
		}
	}
	if served == 0 || served == callers || held > budget/2 {
		t.Errorf("%d of %d were served, and %d bytes held of a share of %d", served, callers, held, budget/2)
	}
	t.Logf("%d of %d served, %.1f MiB of answers held", served, callers, float64(held)/(1<<20))
	// All was given back, and the whole log is there in pages.
	items, pages := 0, 0
	for path := "/v1/tenants/acme/log?limit=1000"; path != ""; pages++ {
		var page struct {
			Items []struct{ Sequence int }
			Next  *string
		}
		f.get(f.operator, path).want(http.StatusOK).into(&page)
		items += len(page.Items)
		path = ""
		if page.Next != nil {
			path = "/v1/tenants/acme/log?limit=1000&cursor=" + *page.Next
		}
	}
	if items != 129 || pages < 4 {
		t.Errorf("%d entries in %d pages, want 129 in 4 or more", items, pages)
	}
}

// TestBudget_Bodies: a body counts from its first byte as long as it was declared, and one without a length as it comes.
func TestBudget_Bodies(t *testing.T) {
	t.Parallel()
	for name, declared := range map[string]int64{"declared": 8 << 20, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.server.Limits.HeldBytes = 64 << 20 // the share is of four such bodies
			f.useServer()
			ctx, stop := context.WithCancel(context.Background())
			var group sync.WaitGroup
			refused := make(chan int, 8)
			for range 8 {
				body, w := io.Pipe()
				group.Go(func() { // the last byte never comes
					_, _ = w.Write(bytes.Repeat([]byte{' '}, 5<<20))
					<-ctx.Done()
					_ = w.CloseWithError(io.ErrUnexpectedEOF)
				})
				group.Go(func() {
					r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/tenants/acme/events/batch", body)
					r.ContentLength = declared
					r.Header.Set("Authorization", "Bearer "+f.operator)
					r.Header.Set("Content-Type", "application/json")
					answer := httptest.NewRecorder()
					f.handler.ServeHTTP(answer, r)
					_ = body.Close()
					if answer.Code == http.StatusServiceUnavailable {
						refused <- answer.Code
					}
				})
			}
			for range 4 {
				select {
				case <-refused:
				case <-time.After(time.Minute):
					t.Fatal("more bodies are read than the tenant's share allows")
				}
			}
			f.post(f.operator, "/v1/tenants/other/events", `{"type":"a","data":1}`).want(http.StatusCreated)
			stop()
			group.Wait()
			f.post(f.operator, "/v1/tenants/acme/events", `{"type":"a","data":1}`).want(http.StatusCreated)
		})
	}
}
