package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// refusal asks for a path, and returns what a problem with status 503 says there; "" while nothing listens, or for any
// other answer.
func (p *program) refusal(path string) string {
	p.t.Helper()
	resp, err := p.client().send(p.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		return ""
	}
	if resp.Header.Get("Retry-After") == "" {
		p.t.Errorf("%s: 503 without Retry-After", path)
	}
	var problem struct{ Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
		p.t.Errorf("%s: %v", path, err)
	}
	return problem.Detail
}

// TestStory_NoDatabaseYet: a server whose database isn't there yet answers from the first moment, and says what it is
// waiting for. It can be stopped, and goes on when the database comes.
func TestStory_NoDatabaseYet(t *testing.T) {
	t.Parallel()
	line := newBrokenLine(t, migratetest.Open(t).URL)
	line.cut()
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+line.url)
	const waiting = "waiting for the database"
	for _, end := range []func(){p.stop, func() {}} {
		p.launch()
		eventually(t, 10*time.Second, "/readyz says why", func() bool { return strings.Contains(p.refusal("/readyz"), waiting) })
		if detail := p.refusal("/v1/tenants"); !strings.Contains(detail, waiting) {
			t.Errorf("the API answers %q", detail)
		}
		if status := p.status("GET", "/livez"); status != http.StatusOK {
			t.Errorf("/livez answers %d", status)
		}
		end()
	}
	line.mend()
	eventually(t, 30*time.Second, "it serves", func() bool { return p.status("GET", "/readyz") == http.StatusOK })
}
