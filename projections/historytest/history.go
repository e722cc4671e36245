// Package historytest draws random histories that obey every rule of the log, so that the folds of package projections
// can be compared with one another.
package historytest

import (
	"context"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// History draws facts and appends them to a log, which it knows through a fold of its own.
type History struct {
	t   *rapid.T
	log domain.Log
	// Views is the fold of the whole log.
	Views *memorytest.Memory
	// Entries is everything that the History appended, in order.
	Entries []domain.Entry

	prefix    string
	tenants   []domain.TenantID
	endpoints []domain.Endpoint
	subs      []domain.Subscription
	keys      []domain.Key
	types     []domain.EventTypeDefinition
	replays   []domain.UUID
	open      []domain.UUID // deliveries, whatever their status
	owner     map[domain.UUID]domain.TenantID
}

// New begins a history in a log of which views is the fold, with one tenant and, in an empty log, the instance's own.
func New(t *rapid.T, log domain.Log, views *memorytest.Memory) *History {
	h := &History{t: t, log: log, Views: views, owner: make(map[domain.UUID]domain.TenantID)}
	if views.Cursor() == 0 {
		h.addTenant(domain.InstanceTenant)
	}
	h.prefix = fmt.Sprintf("t-%d-", views.Cursor())
	h.addTenant(domain.TenantID(h.prefix + "0"))
	return h
}

// Step appends one drawn group.
func (h *History) Step() {
	steps := []func(){
		h.event, h.event, h.event, h.event, h.attempt, h.attempt, h.attempt, h.attempt, h.ask,
		h.endpoint, h.changeEndpoint, h.subscription, h.changeSubscription, h.key, h.revoke, h.tenant, h.instance, h.end,
		h.eventType, h.profile, h.registration, h.replay, h.replay,
	}
	steps[rapid.IntRange(0, len(steps)-1).Draw(h.t, "step")]()
}

// append appends a group. An id that a producer chose is claimed, as every appender does.
func (h *History) append(drafts ...domain.Draft) []domain.Entry {
	group := domain.Group{Drafts: drafts}
	for i := range drafts {
		f, ok := drafts[i].Fact.(*domain.EventAppended)
		if ok && f.Event.ID != drafts[i].Stream.ID.String() {
			group.Claims = append(group.Claims, domain.Claim{
				Tenant: drafts[i].Tenant, Scope: domain.ScopeEvent(f.Event.Source), Key: f.Event.ID, First: i, Count: 1,
			})
		}
	}
	entries, err := domain.AppendOne(context.Background(), h.log, group)
	if err != nil {
		h.t.Fatalf("append %s to %s: %v", drafts[0].Fact.Kind(), drafts[0].Stream, err)
	}
	for _, e := range entries {
		if err := projections.Apply(h.Views, e); err != nil {
			h.t.Fatal(err)
		}
	}
	h.Entries = append(h.Entries, entries...)
	return entries
}

func (h *History) draft(tenant domain.TenantID, kind domain.StreamKind, id domain.UUID, fact domain.Fact) domain.Draft {
	return domain.Draft{Tenant: tenant, Stream: domain.Stream{Kind: kind, ID: id}, Expected: domain.AnyVersion, Fact: fact}
}

func (h *History) addTenant(id domain.TenantID) {
	config := domain.TenantConfig{ID: id, Name: string(id), WebhooksEnabled: true}
	h.append(h.draft(id, domain.StreamTenant, domain.NewUUID(), &domain.TenantCreated{Tenant: config}))
	if id != domain.InstanceTenant {
		h.tenants = append(h.tenants, id)
	}
}

func (h *History) tenant() {
	if len(h.tenants) < 3 && rapid.Bool().Draw(h.t, "new tenant") {
		h.addTenant(domain.TenantID(fmt.Sprint(h.prefix, len(h.tenants))))
		return
	}
	id := h.anyTenant()
	row := h.tenantRow(id)
	config := row.TenantConfig
	config.Name = rapid.StringMatching(`[a-z]{1,8}`).Draw(h.t, "name")
	config.WebhooksEnabled = !config.WebhooksEnabled
	h.append(h.draft(id, domain.StreamTenant, row.Stream, &domain.TenantUpdated{Tenant: config}))
}

func (h *History) tenantRow(id domain.TenantID) (row projections.Tenant) {
	h.read(id, func(r projections.Reader) (err error) {
		row, err = r.Tenant(context.Background(), projections.AsOf{})
		return err
	})
	return row
}

func (h *History) read(tenant domain.TenantID, f func(projections.Reader) error) {
	if err := h.Views.Read(context.Background(), tenant, -1, f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *History) instance() {
	fact := &domain.ServerStarted{Node: domain.NewUUID(), Version: "test"}
	h.append(h.draft(domain.InstanceTenant, domain.StreamServer, fact.Node, fact))
}

func (h *History) anyTenant() domain.TenantID {
	return rapid.SampledFrom(h.tenants).Draw(h.t, "tenant")
}

// now is a time of a sender, close to the log's last.
func (h *History) now() time.Time { return h.Entries[len(h.Entries)-1].RecordedAt }
