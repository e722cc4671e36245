package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestStory_Unfolded: an entry about a key that can't be folded never ends the process, neither while it runs nor when
// it starts into it. The API is closed, since the entry may have revoked the key.
func TestStory_Unfolded(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	metrics := freeAddress(t)
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+db.URL, "HOOKTRAIL_DEBUG_LISTEN="+metrics)
	p.start()
	other := otherProgram{t, storageFlags{DatabaseURL: db.URL, DataDir: p.dir}, db.AdminURL}
	other.spoil()

	appends := func() int {
		resp, err := p.client().send(
			t.Context(), "POST", "/v1/tenants/default/events", strings.NewReader(`{"type":"order.paid","data":1}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	tail, err := p.client().send(t.Context(), "GET", "/v1/tenants/default/log/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Body.Close()
	other.append(domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: spoiltID}, Expected: domain.AnyVersion,
		Fact: &domain.KeyRevoked{Key: domain.KeyConfig{KeyRights: domain.KeyRights{ID: spoiltID, Role: domain.RoleAdmin}}},
	})
	closed := func() {
		t.Helper()
		eventually(t, 20*time.Second, "/readyz says why", func() bool { return strings.Contains(p.refusal("/readyz"), "upgrade") })
		if status := appends(); status != http.StatusServiceUnavailable {
			t.Errorf("an append is answered with %d", status)
		}
		if status := p.status("GET", "/livez"); status != http.StatusOK {
			t.Errorf("/livez answers %d", status)
		}
		eventually(t, 20*time.Second, "the log says so once", func() bool { return other.stopped("directory") == 1 })
		eventually(t, 20*time.Second, "the metric says so", func() bool {
			resp, err := newClient("http://"+metrics, "").send(t.Context(), "GET", "/metrics", nil)
			if err != nil {
				return false // it doesn't listen yet
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			return err == nil && strings.Contains(string(text), `hooktrail_follower_stopped{follower="directory"} 1`)
		})
	}
	closed()
	if _, err := io.Copy(io.Discard, tail.Body); err != nil { // it ends, whole or broken off
		t.Logf("who followed the log: %v", err)
	}
	p.stop()
	p.launch()
	closed()
	p.stop()
	if n := strings.Count(p.output.String(), "the API is closed"); n != 2 {
		t.Errorf("two runs say %d times that the API is closed", n)
	}
}

// otherProgram appends to the log of a running server, and spoils the database.
type otherProgram struct {
	t       *testing.T
	storage storageFlags
	owner   string
}

// spoiltID is of the streams whose entries' contents come to harm in the database.
var spoiltID = domain.UUID{0x4e, 0x65, 0x77, 15: 1}

// spoil has the database keep entries of spoiltID with a content that doesn't open.
func (o otherProgram) spoil() {
	o.t.Helper()
	conn, err := pgx.Connect(o.t.Context(), o.owner)
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(o.t.Context(), `
		CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN NEW.content := set_byte(NEW.content, 40, 255 - get_byte(NEW.content, 40)); RETURN NEW; END';
		CREATE TRIGGER spoil BEFORE INSERT ON entries FOR EACH ROW WHEN (NEW.stream = '`+spoiltID.String()+`')
		EXECUTE FUNCTION spoil()`)
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o otherProgram) withLog(do func(*eventlog.Log) error) {
	o.t.Helper()
	err := o.storage.withLog(o.t.Context(), logFlags{LogLevel: slog.LevelError}, func(log *eventlog.Log, _ *views.Views) error { return do(log) })
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o otherProgram) append(d domain.Draft) {
	o.t.Helper()
	o.withLog(func(log *eventlog.Log) error {
		return appending(o.t.Context(), log, func() error {
			_, err := domain.AppendOne(o.t.Context(), log, domain.Group{Drafts: []domain.Draft{d}})
			return err
		})
	})
}

// stopped returns how often the log says that a follower stopped.
func (o otherProgram) stopped(follower string) (times int) {
	o.t.Helper()
	o.withLog(func(log *eventlog.Log) error {
		said, err := domain.Select(o.t.Context(), log,
			domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindFollowerStopped, Limit: 100})
		for _, e := range said {
			if e.Fact.(*domain.FollowerStopped).Follower == follower {
				times++
			}
		}
		return err
	})
	return times
}
