package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestAnswerHandshake: what the receiver's side answers passes the sender's check, and a delivery is none.
func TestAnswerHandshake(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer, is := AnswerHandshake(r, body, w.Header())
		if !is {
			t.Errorf("%s %s isn't known as a handshake", r.Method, body)
		}
		_, _ = w.Write(answer)
	})
	target := sampleTarget(t, embeddedProfile(t, "cloudevents"), url)
	for _, h := range []Handshake{ownership(), {Kind: domain.HandshakeCloudEvents, Origin: ourOrigin, RatePerMinute: 60}} {
		if _, v := shake(t, target, h); !v.Passed {
			t.Errorf("%s: %+v", h.Kind, v)
		}
	}
	for name, r := range map[string]*http.Request{
		"a delivery":             httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil),
		"a body that isn't JSON": httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil),
		"OPTIONS of a browser":   httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/", nil),
	} {
		body := `{"type":"offer.issued","challenge":"x"}`
		if strings.Contains(name, "isn't") {
			body = "challenge"
		}
		header := http.Header{}
		if answer, is := AnswerHandshake(r, []byte(body), header); is || answer != nil || len(header) > 0 {
			t.Errorf("%s: %s, %v, %v", name, answer, is, header)
		}
	}
}
