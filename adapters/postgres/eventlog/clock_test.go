package eventlog

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// A database whose clock is far ahead gets no entries: one of the year 2030 would have all later ones recorded there.
func TestLog_ClockAhead(t *testing.T) {
	t.Parallel()
	key, err := seal.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		URL: migratetest.Open(t).URL, MasterKey: key, Logger: slog.New(slog.DiscardHandler), ReadConnections: 2,
	}
	log := run(t, config, func(*Log) {})
	if err := Bootstrap(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	for ahead, refused := range map[time.Duration]bool{-time.Hour: false, 9 * time.Second: false, 11 * time.Second: true} {
		if err := log.checkClock(time.Now().Add(ahead)); (err != nil) != refused {
			t.Errorf("%v ahead: %v", ahead, err)
		}
	}
	appendTo(t, log, domain.NewUUID(), 0)
	slow := run(t, config, func(l *Log) { l.clockAhead = -time.Hour }) // as if this machine's clock were an hour behind
	_, err = domain.AppendOne(t.Context(), slow, domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
		Fact: &domain.EventRouted{Routing: domain.Routing{Complete: true}},
	}}})
	if !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), "clock") {
		t.Errorf("append: %v", err)
	}
	if err := slow.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("ready: %v", err)
	}
	if head, err := log.Head(t.Context()); err != nil || head != 5 {
		t.Errorf("the log ends at %d: %v", head, err)
	}
}
