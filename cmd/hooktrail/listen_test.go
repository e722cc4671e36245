package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListen_Handshake(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := listenCommand{Profile: "sparkfly", SigningKey: []string{"a shared key of this test"}, Status: 500, MaxBody: 1024}
	l, err := c.listener(&out)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(body, signature string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks", strings.NewReader(body))
		if signature != "" {
			r.Header.Set("x-hmac-sha256-signature", signature)
		}
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		return w
	}
	const check = `{"type":"hooktrail.endpoint.ownership_check","endpoint_id":"e","challenge":"c-1"}`
	if w := ask(check, ""); w.Code != http.StatusOK || w.Body.String() != "c-1" {
		t.Errorf("an unsigned handshake: %d %s", w.Code, w.Body)
	}
	if w := ask(check, "bm90IGl0"); w.Code != http.StatusUnauthorized || w.Body.Len() > 0 {
		t.Errorf("one with a wrong signature: %d %s", w.Code, w.Body)
	}
	if w := ask(`{"event_name":"a"}`, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("a delivery without a signature: %d", w.Code)
	}
	if !strings.Contains(out.String(), "ownership_check") {
		t.Errorf("it isn't printed: %s", &out)
	}
}

func TestListen_OwnProfile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mine.json")
	document := `{"name":"mine","version":1,"transport":"http_or_https","content_type":"application/json","envelope":"${data}",` +
		`"success":["2xx"],"retry":"default","honours_retry_after":false}`
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := (listenCommand{Profile: file, Status: 200}).listener(io.Discard); err != nil || l.profile.Name != "mine" {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(file, []byte(`{"name":"mine"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (listenCommand{Profile: file, Status: 200}).listener(
		io.Discard,
	); err == nil ||
		!strings.Contains(err.Error(), "/envelope") {
		t.Errorf("a document that is wrong: %v", err)
	}
	if _, err := (listenCommand{Profile: "morse", Status: 200}).listener(
		io.Discard,
	); err == nil ||
		!strings.Contains(err.Error(), "sparkfly") {
		t.Errorf("a name that isn't there: %v", err)
	}
}
