package eventlog_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
)

// TestLog_AcceptDamage: an entry whose content was damaged is shown as damaged, a check refuses the log for it until
// the log says that somebody goes on without it, and then only for that damage.
func TestLog_AcceptDamage(t *testing.T) {
	t.Parallel()
	log := open(t)
	made := log.mustAppend(t, group(event(`1`), event(`2`), event(`3`)))
	admin := connect(t, log.db.AdminURL)
	mustExec(t, admin, `ALTER TABLE entries_000000 DISABLE TRIGGER entries_refuse_change`)
	damage := func(e domain.Entry, at int) {
		t.Helper()
		mustExec(t, admin, `UPDATE entries SET content = set_byte(content, $2, 255 - get_byte(content, $2)) WHERE position = $1`, int64(e.Position), at)
	}
	checked := func(problem string) {
		t.Helper()
		_, err := eventlog.CheckLog(t.Context(), log.Log, eventlog.CheckOptions{})
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("the check says %v, want %q", err, problem)
		}
	}
	accept := func(sequence domain.Sequence) error {
		return eventlog.AcceptDamage(t.Context(), log.Log, domain.DefaultTenant, sequence, domain.Person{Name: "ann"}, "a disk")
	}
	damage(made[1], 40)
	checked("sequence 2 of tenant default (1 such entries)")
	list, err := domain.Select(t.Context(), log, domain.Query{Tenant: domain.DefaultTenant, Limit: 10})
	if err != nil || len(list) != 4 || !list[2].Damaged || list[1].Damaged || list[3].Damaged {
		t.Fatalf("listed: %+v, %v", list, err)
	}
	if err := accept(1); err == nil || !strings.Contains(err.Error(), "isn't damaged") {
		t.Errorf("a whole entry: %v", err)
	}
	if err := accept(99); err == nil {
		t.Error("an entry that isn't there was accepted as damaged")
	}
	if err := accept(2); err != nil {
		t.Fatal(err)
	}
	said, err := log.Entries(t.Context(), domain.DefaultTenant, []domain.Sequence{4})
	if err != nil || len(said) != 1 || said[0].Reason != "a disk" {
		t.Fatalf("the log says %+v, %v", said, err)
	}
	fact := said[0].Fact.(*domain.DamageAccepted)
	if diff := cmp.Diff(fact.Person, domain.Person{Name: "ann"}); diff != "" || fact.Damage.Sequence != 2 || len(fact.Damage.Content) != 64 {
		t.Errorf("the log says %+v\n%s", fact, diff)
	}
	checked("")
	damage(made[1], 41) // more than was accepted
	checked("sequence 2 of tenant default")
	damage(made[1], 41)
	checked("")
	damage(made[0], 40)
	checked("sequence 1 of tenant default")
	damage(made[0], 40)
	checked("")
}
