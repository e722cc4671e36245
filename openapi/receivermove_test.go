package openapi_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// interrupted are views behind whose next read something happens, once.
type interrupted struct {
	projections.Views
	armed atomic.Bool
	then  func()
}

func (v *interrupted) Read(
	ctx context.Context, tenant domain.TenantID, atLeast domain.Sequence, f func(projections.Reader) error,
) error {
	err := v.Views.Read(ctx, tenant, atLeast, f)
	if err == nil && v.armed.CompareAndSwap(true, false) {
		v.then()
	}
	return err
}

// TestReceiver_MovesBack: a receiver sends its endpoint's own URL, which needs no handshake, while an administrator moves
// the endpoint. Then it would move it back, and is asked for a handshake.
func TestReceiver_MovesBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	asked := 0
	f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		asked++
		return domain.HandshakeResult{FinishedAt: now()}, nil
	}
	v := &interrupted{Views: f.server.Views}
	f.server.Views = v
	f.useServer()
	endpoint := f.endpoint("")
	receiver := f.receiverOf(endpoint)
	own := f.get(f.operator, endpoint).want(http.StatusOK).text("url")
	const moved = "https://moved.example/hooks"
	v.then = func() { f.patch(f.operator, endpoint, `{"url":"`+moved+`"}`).want(http.StatusOK) }
	v.armed.Store(true)
	f.patch(receiver, endpoint, `{"url":"`+own+`"}`).want(http.StatusUnprocessableEntity)
	if url := f.get(f.operator, endpoint).want(http.StatusOK).text("url"); url != moved || asked != 1 {
		t.Errorf("after %d handshakes that didn't pass, the URL is %q", asked, url)
	}
}
