package eventlog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
)

// Content that is gone without its key having been destroyed is found, also if the column that names the key is right.
func TestCheckLog_MissingContent(t *testing.T) {
	t.Parallel()
	log := open(t)
	log.mustAppend(t, group(event(`1`)))
	admin := connect(t, log.db.AdminURL)
	mustExec(t, admin, `ALTER TABLE entries_000000 DISABLE TRIGGER ALL`)
	mustExec(t, admin, `ALTER TABLE entries DROP CONSTRAINT entries_content_has_key`)
	mustExec(t, admin, `UPDATE entries SET content = NULL WHERE kind = 'event.appended'`)
	checked, err := eventlog.CheckLog(context.Background(), log.Log, eventlog.CheckOptions{})
	if err == nil || !strings.Contains(err.Error(), "content is missing") {
		t.Errorf("checked up to %d: %v", checked, err)
	}
}

// Who names a tenant that doesn't exist leaves nothing in the database, not even a key.
func TestLog_UnknownTenantLeavesNoKey(t *testing.T) {
	t.Parallel()
	log := open(t)
	stray := event(`1`)
	stray.Tenant = "nobody"
	outcomes := log.Append(t.Context(), group(stray), group(event(`2`)), group(event(`3`), stray))
	for i, unknown := range []bool{true, false, true} {
		if errors.Is(outcomes[i].Err, domain.ErrUnknownTenant) != unknown || !unknown && outcomes[i].Err != nil {
			t.Errorf("group %d: %v", i, outcomes[i].Err)
		}
	}
	var keys int
	err := connect(t, log.db.AdminURL).QueryRow(t.Context(), `SELECT count(*) FROM data_keys WHERE tenant = 'nobody'`).Scan(&keys)
	if err != nil || keys != 0 {
		t.Errorf("%d keys, %v", keys, err)
	}
}
