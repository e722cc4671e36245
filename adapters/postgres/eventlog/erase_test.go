package eventlog_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal/sealtest"
	"github.com/hooktrail/hooktrail/domain"
)

// erase destroys a secret as the erasing role does it. by is the sequence of the entry that says so.
func (o *opened) erase(t testing.TB, key domain.UUID, by domain.Sequence) {
	t.Helper()
	sealtest.Destroy(t, o.db.AdminURL, key, by)
}

func about(subject string) domain.Draft {
	d := event(`{"about":"` + subject + `"}`)
	d.Subject, d.Reason = subject, "because"
	return d
}

// TestLog_Erase destroys one subject's secret: their parts are gone, the tenant's and everybody else's stay.
func TestLog_Erase(t *testing.T) {
	t.Parallel()
	log := open(t)
	made := log.mustAppend(t, group(about("ann"), about("bob")), group(about("ann")))
	ann := made[0].SubjectKey
	if ann.IsZero() || ann != made[2].SubjectKey || ann == made[1].SubjectKey {
		t.Fatalf("keys %s, %s, %s", made[0].SubjectKey, made[1].SubjectKey, made[2].SubjectKey)
	}
	log.erase(t, ann, made[0].Sequence)
	entries, err := log.Entries(t.Context(), domain.DefaultTenant, []domain.Sequence{3, 1, 2, 99})
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries: %v", len(entries), err)
	}
	for i, erased := range []bool{true, false, true} {
		e := entries[i]
		fact, ok := e.Fact.(*domain.EventAppended)
		if !ok || e.Erased != erased || e.Damaged || e.Reason != "because" || fact.Event.Type != "test.made" {
			t.Fatalf("entry %d is %+v", i, e)
		}
		if (fact.Data == nil) != erased || (fact.Event.ID == "") != erased {
			t.Errorf("entry %d has %+v", i, fact)
		}
	}
	log.check(t)

	// What becomes of the event goes on without what would be hers.
	finished := domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}, SubjectKey: ann,
		Fact: &domain.AttemptFinished{
			Result: domain.AttemptResult{
				AttemptEnd: domain.AttemptEnd{Number: 1, Outcome: domain.OutcomeSucceeded, Status: domain.DeliverySucceeded},
				Exchange:   domain.Exchange{Detail: "hers"},
			}, Body: []byte("hers"),
		},
	}
	end := log.mustAppend(t, group(finished))[0]
	got, err := log.Entries(t.Context(), domain.DefaultTenant, []domain.Sequence{end.Sequence})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got[0], end); diff != "" {
		t.Errorf("the log holds something else than the append said:\n%s", diff)
	}
	fact := end.Fact.(*domain.AttemptFinished)
	if !end.Erased || fact.Body != nil || fact.Result.Detail != "" || fact.Result.Status != domain.DeliverySucceeded {
		t.Errorf("the attempt's end is %+v", fact)
	}

	// Who comes back gets a new secret; the old one stays destroyed.
	again := log.mustAppend(t, group(about("ann")))[0]
	if again.SubjectKey == ann || again.Erased {
		t.Errorf("sealed under %s, erased %v", again.SubjectKey, again.Erased)
	}
	if key := log.mustAppend(t, group(about("ann")))[0].SubjectKey; key != again.SubjectKey {
		t.Errorf("sealed under %s, want %s", key, again.SubjectKey)
	}
	log.check(t)
}

// TestLog_EraseKnownElsewhere has two processes know a secret, of which one destroys it.
func TestLog_EraseKnownElsewhere(t *testing.T) {
	t.Parallel()
	log := open(t)
	other := reopen(t, log.db, log.key)
	key := log.mustAppend(t, group(about("ann")))[0].SubjectKey
	if k := other.mustAppend(t, group(about("ann")))[0].SubjectKey; k != key {
		t.Fatalf("two secrets of one subject: %s and %s", key, k)
	}
	log.erase(t, key, 1)
	renewed := other.mustAppend(t, group(about("ann")))[0].SubjectKey
	if renewed == key {
		t.Error("sealed under a destroyed secret")
	}
	if k := log.mustAppend(t, group(about("ann")))[0].SubjectKey; k != renewed {
		t.Errorf("sealed under %s, the other process under %s", k, renewed)
	}
	log.check(t)
}

// TestLog_CandidatesRace has processes make secrets for the same subjects at once: one wins, and what the others sealed
// is sealed again.
func TestLog_CandidatesRace(t *testing.T) {
	t.Parallel()
	first := open(t)
	logs := []*opened{first, reopen(t, first.db, first.key), reopen(t, first.db, first.key)}
	keys := make([][]domain.UUID, len(logs))
	done := make(chan struct{}, len(logs))
	const subjects = 200
	for n, log := range logs {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range subjects {
				outcome := log.Append(t.Context(), group(about(string(rune('a'+i%26))+string(rune('a'+i/26)))))[0]
				if outcome.Err != nil {
					t.Error(outcome.Err)
					return
				}
				keys[n] = append(keys[n], outcome.Entries[0].SubjectKey)
			}
		}()
	}
	for range logs {
		<-done
	}
	if diff := cmp.Diff(keys[0], keys[1]) + cmp.Diff(keys[0], keys[2]); diff != "" {
		t.Errorf("the processes seal under different secrets:\n%s", diff)
	}
	var rows int
	const sql = `SELECT count(*) FROM data_keys WHERE kind = 'subject'`
	if err := connect(t, first.db.AdminURL).QueryRow(t.Context(), sql).Scan(&rows); err != nil || rows != subjects {
		t.Errorf("%d secrets of %d subjects: %v", rows, subjects, err)
	}
	first.check(t)
}

// TestLog_ClaimAfterErasure repeats requests on what was erased: whatever they hold, they get the same answer.
func TestLog_ClaimAfterErasure(t *testing.T) {
	t.Parallel()
	log := open(t)
	g := group(about("ann"))
	g.Claims = []domain.Claim{claim("key", 0, 1)}
	made := log.mustAppend(t, g)[0]
	guess := claim("key", 0, 1)
	guess.Digest[0]++
	for _, before := range []struct {
		claim domain.Claim
		same  bool
	}{{claim("key", 0, 1), true}, {guess, false}} {
		if got := claimedBy(t, log, before.claim); got.Erased || got.Same != before.same {
			t.Errorf("before the erasure: %+v", got)
		}
	}
	log.erase(t, made.SubjectKey, made.Sequence)
	right, wrong := claimedBy(t, log, claim("key", 0, 1)), claimedBy(t, log, guess)
	if !right.Erased || right.Same {
		t.Errorf("after it: %+v", right)
	}
	if diff := cmp.Diff(right, wrong); diff != "" {
		t.Errorf("a right guess of what was erased is told from a wrong one:\n%s", diff)
	}
	looked, err := log.Claimed(t.Context(), []domain.Claim{claim("key", 0, 1), guess})
	if err != nil || !looked[0].Erased || !looked[1].Erased {
		t.Errorf("looked up: %+v, %v", looked, err)
	}
	// Only the erasing role forgets claims.
	admin := connect(t, log.db.AdminURL)
	mustExec(t, admin, `SET ROLE hooktrail_server`)
	if _, err := admin.Exec(t.Context(), `DELETE FROM claims`); code(err) != insufficientPrivilege {
		t.Errorf("the server forgets claims: %v", err)
	}
	mustExec(t, admin, `RESET ROLE`)
	mustExec(t, admin, `SET ROLE hooktrail_owner`)
	if _, err := admin.Exec(t.Context(), `DELETE FROM claims`); code(err) != restrictViolation {
		t.Errorf("the owner forgets claims: %v", err)
	}
	mustExec(t, admin, `RESET ROLE`)
	mustExec(t, admin, `SET ROLE hooktrail_eraser`)
	mustExec(t, admin, `DELETE FROM claims`)
}

// claimedBy appends a group that makes a claim which was made before.
func claimedBy(t *testing.T, log *opened, c domain.Claim) *domain.ClaimedError {
	t.Helper()
	g := group(about("ann"))
	g.Claims = []domain.Claim{c}
	_, err := domain.AppendOne(t.Context(), log, g)
	var claimed *domain.ClaimedError
	if !errors.As(err, &claimed) {
		t.Fatalf("repeated: %v", err)
	}
	return claimed
}

// TestLog_Hash: nothing that is hashed hangs on the instance.
func TestLog_Hash(t *testing.T) {
	t.Parallel()
	log := open(t)
	a, err := log.Hash(t.Context(), domain.DefaultTenant, "subject", "ann")
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]func() ([32]byte, error){
		"another tenant":  func() ([32]byte, error) { return log.Hash(t.Context(), domain.InstanceTenant, "subject", "ann") },
		"another purpose": func() ([32]byte, error) { return log.Hash(t.Context(), domain.DefaultTenant, "source", "ann") },
		"other texts":     func() ([32]byte, error) { return log.Hash(t.Context(), domain.DefaultTenant, "subject", "an", "n") },
	} {
		if b, err := other(); err != nil || a == b {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
	again := reopen(t, log.db, log.key, func(c *eventlog.Config) { c.InstanceName = "renamed" })
	if b, err := again.Hash(t.Context(), domain.DefaultTenant, "subject", "ann"); err != nil || a != b {
		t.Errorf("after a restart %x, %v", b, err)
	}
	if _, err := log.Hash(t.Context(), "nobody", "subject", "ann"); !errors.Is(err, domain.ErrUnknownTenant) {
		t.Errorf("of a tenant that isn't there: %v", err)
	}
	x, errX := log.Fingerprint(t.Context(), domain.DefaultTenant, []byte("x"))
	y, errY := log.Fingerprint(t.Context(), domain.DefaultTenant, []byte("y"))
	if errX != nil || errY != nil || x == y || len(x) != 16 {
		t.Errorf("fingerprints %q, %v, and %q, %v", x, errX, y, errY)
	}
}
