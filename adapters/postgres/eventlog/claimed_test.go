package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktrail/hooktrail/domain"
)

// TestLog_Claimed looks up claims that were made, made for something else, and never made.
func TestLog_Claimed(t *testing.T) {
	t.Parallel()
	log := open(t)
	g := group(event(`1`), event(`2`), event(`3`))
	g.Claims = []domain.Claim{claim("whole", 0, 3), claim("second", 1, 1)}
	made := log.mustAppend(t, g)

	reused := claim("second", 1, 1)
	reused.Digest[0]++
	otherScope, otherTenant := claim("whole", 0, 3), claim("whole", 0, 3)
	otherScope.Scope, otherTenant.Tenant = "other", "nobody"
	claims := []domain.Claim{claim("unknown", 0, 1), claim("whole", 0, 3), otherScope, reused, otherTenant, claim("second", 1, 1)}
	got, err := log.Claimed(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	by := func(i int, same bool, first domain.Entry, count int) *domain.ClaimedError {
		return &domain.ClaimedError{Claim: i, Same: same, Sequence: first.Sequence, Count: count, At: first.RecordedAt}
	}
	want := []*domain.ClaimedError{nil, by(1, true, made[0], 3), nil, by(3, false, made[1], 1), nil, by(5, true, made[1], 1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
	// A plain hash would let a guess of what was claimed be confirmed.
	var plain int
	digest := claim("whole", 0, 3).Digest
	const sql = `SELECT count(*) FROM claims WHERE digest = $1`
	if err := connect(t, log.db.URL).QueryRow(t.Context(), sql, digest[:16]).Scan(&plain); err != nil || plain > 0 {
		t.Errorf("%d claims are kept with their plain digest: %v", plain, err)
	}
	if none, err := log.Claimed(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of no claims: %v, %v", none, err)
	}
}

// TestLog_ClaimedMany looks up more claims than are compared together: each is answered for itself, whomever it is
// about and whatever is asked beside it.
func TestLog_ClaimedMany(t *testing.T) {
	t.Parallel()
	log := open(t)
	const many = 250
	var g domain.Group
	for i := range many {
		g.Drafts = append(g.Drafts, about([]string{"ann", "ben", "cleo"}[i%3]))
		g.Claims = append(g.Claims, claim(fmt.Sprint(i), i, 1))
	}
	made := log.mustAppend(t, g)
	log.erase(t, made[0].SubjectKey, made[0].Sequence)

	asked := slices.Clone(g.Claims)
	slices.Reverse(asked)
	asked[many-2].Digest[0]++ // the second, which is ben's
	got, err := log.Claimed(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range got {
		n := many - 1 - i
		want := &domain.ClaimedError{
			Claim: i, Same: n%3 != 0 && n != 1, Erased: n%3 == 0, Sequence: made[n].Sequence, Count: 1, At: made[n].RecordedAt,
		}
		if diff := cmp.Diff(want, answer); diff != "" {
			t.Fatalf("claim %d (-want +got):\n%s", n, diff)
		}
	}
}

// TestLog_Settle waits for a session that holds the append lock, and for nothing else.
func TestLog_Settle(t *testing.T) {
	t.Parallel()
	log := open(t)
	if err := log.Settle(t.Context()); err != nil {
		t.Fatalf("while nobody appends: %v", err)
	}
	admin := connect(t, log.db.AdminURL)
	holding := connect(t, log.db.AdminURL)
	mustExec(t, holding, `BEGIN`)
	mustExec(t, holding, `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/log', 0))`)
	settled := make(chan error, 1)
	go func() { settled <- log.Settle(t.Context()) }()
	waitFor(t, "Settle to wait", func() bool {
		var waiting bool
		const sql = `
			SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
		err := admin.QueryRow(t.Context(), sql).Scan(&waiting)
		return err == nil && waiting
	})
	select {
	case err := <-settled:
		t.Fatalf("it returned while an append is under way: %v", err)
	default:
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := log.Settle(short); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("when its caller gave up: %v", err)
	}
	mustExec(t, holding, `COMMIT`)
	if err := <-settled; err != nil {
		t.Errorf("settle: %v", err)
	}
	log.mustAppend(t, group(event(`{}`))) // it keeps nothing
	log.check(t)
}
