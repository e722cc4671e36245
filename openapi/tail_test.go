package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// scanLog tells from where the log is searched for kinds.
type scanLog struct {
	domain.Log
	from chan domain.Sequence
}

func (l scanLog) Scan(ctx context.Context, q domain.Query) ([]domain.Entry, *domain.Sequence, error) {
	if q.Kind != "" {
		select {
		case l.from <- *q.From:
		case <-ctx.Done():
		}
	}
	return l.Log.Scan(ctx, q)
}

// TestTail_Scanned: who follows a kind that comes seldom has each entry looked at once, not all since the last match.
func TestTail_Scanned(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 20 {
		f.event("acme", fmt.Sprint(n))
	}
	log := scanLog{f.log, make(chan domain.Sequence)}
	f.server.Log = log
	f.useServer()
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	ctx, cut := context.WithCancel(t.Context())
	defer cut()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/tenants/acme/log/tail?kind=tenant.*&from_sequence=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+f.operator)
	answered := make(chan error, 1)
	go func() {
		resp, err := server.Client().Do(r)
		if err == nil {
			defer resp.Body.Close()
			<-ctx.Done()
		}
		answered <- err
	}()
	if from := <-log.from; from != 0 {
		t.Errorf("begins at %d", from)
	}
	for n := range domain.Sequence(3) {
		f.event("acme", fmt.Sprint("later", n))
		if from, want := <-log.from, 21+n; from != want {
			t.Errorf("goes on at %d, want %d", from, want)
		}
	}
	cut()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
