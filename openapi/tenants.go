package openapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// tenantOut is a tenant as the API shows it.
type tenantOut struct {
	ID              string `json:"id" doc:"The tenant's id, in every path." example:"acme"`
	Name            string `json:"name" doc:"For people." example:"Acme Ltd"`
	WebhooksEnabled bool   `json:"webhooks_enabled" doc:"false: events are logged, routing records that nothing is sent, and what was routed before waits." example:"true"`
	HTTPSOnly       bool   `json:"https_only" doc:"true: endpoints with http URLs are refused, and those that exist get nothing." example:"false"`
	Schemas         string `json:"schema_validation" doc:"What becomes of events whose data breaks the schema of their type. off: nothing is checked; warn: they are appended, and receipt and entry say what is wrong; enforce: they are refused. Events of types that aren't registered are always accepted." example:"enforce"`
	Versions
}

// Versions is when a thing came to be and to its present state.
type Versions struct {
	Version         int   `json:"version" doc:"Counts the thing's changes, from 1; its ETag." example:"1"`
	CreatedAt       stamp `json:"created_at" doc:"When the thing was made." example:"2026-07-01T12:00:00.123456Z"`
	CreatedSequence int64 `json:"created_sequence" doc:"The entry that made it." example:"12"`
	UpdatedAt       stamp `json:"updated_at" doc:"When it was changed last." example:"2026-07-01T12:00:00.123456Z"`
	UpdatedSequence int64 `json:"updated_sequence" doc:"The entry that changed it last." example:"12"`
}

func version(n int, created, updated projections.Origin) Versions {
	return Versions{
		Version: n, CreatedAt: stamp(created.RecordedAt), CreatedSequence: int64(created.Sequence),
		UpdatedAt: stamp(updated.RecordedAt), UpdatedSequence: int64(updated.Sequence),
	}
}

func showTenant(t projections.Tenant) tenantOut {
	return tenantOut{
		ID: string(t.ID), Name: t.Name, WebhooksEnabled: t.WebhooksEnabled, HTTPSOnly: t.HTTPSOnly, Schemas: schemaMode(t.Schemas),
		Versions: version(t.Version, t.Created, t.Updated),
	}
}

func schemaMode(m domain.SchemaMode) string { return string(cmp.Or(m, domain.SchemasOff)) }

type createTenantIn struct {
	PostHeader
	Body tenantIn
}

type tenantIn struct {
	ID              string `json:"id" pattern:"^[a-z0-9-]{1,63}$" doc:"Chosen for ever." example:"acme"`
	Name            string `json:"name,omitempty" maxLength:"255" doc:"For people; the id by default." example:"Acme Ltd"`
	WebhooksEnabled *bool  `json:"webhooks_enabled,omitempty" doc:"true by default." example:"true"`
	HTTPSOnly       *bool  `json:"https_only,omitempty" doc:"false by default." example:"false"`
	Schemas         string `json:"schema_validation,omitempty" doc:"off, warn or enforce; off by default." example:"off"`
	ReasonBody
}

// createTenant begins a tenant's log and says so in the instance's.
func createTenant(ctx context.Context, c *call, in *createTenantIn) (*madeOut[tenantOut], error) {
	config := domain.TenantConfig{ID: domain.TenantID(in.Body.ID), Name: in.Body.Name, WebhooksEnabled: true, Schemas: domain.SchemaMode(in.Body.Schemas)}
	if in.Body.WebhooksEnabled != nil {
		config.WebhooksEnabled = *in.Body.WebhooksEnabled
	}
	if in.Body.HTTPSOnly != nil {
		config.HTTPSOnly = *in.Body.HTTPSOnly
	}
	out, err := once(ctx, c, post[madeOut[tenantOut]]{
		tenant: domain.InstanceTenant,
		first:  1,
		decide: func(context.Context) (domain.Group, error) {
			fact, err := domain.CreateTenant(config)
			if err != nil {
				return domain.Group{}, err
			}
			return c.newTenant(fact, in.Body.Reason)
		},
		answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*madeOut[tenantOut], error) {
			registered, ok := entries[0].Fact.(*domain.TenantRegistered)
			if !ok {
				return nil, unreadable(entries[0])
			}
			if err := c.await(ctx, entries[0].Position); err != nil {
				return nil, err
			}
			return firstTenant(ctx, c, registered.ID, replayed)
		},
	})
	if isConflict(err) {
		err = tenantExists() // one that was deleted, or made at the same moment
	}
	return out, err
}

func tenantExists() *problem {
	return refuse(http.StatusConflict, "tenant_exists", "There is, or was, a tenant of this id.")
}

func (c *call) newTenant(fact *domain.TenantCreated, reason string) (domain.Group, error) {
	if _, taken := c.Directory.Tenant(fact.Tenant.ID); taken {
		return domain.Group{}, tenantExists()
	}
	if err := checkReason("body.reason", reason); err != nil {
		return domain.Group{}, err
	}
	stream := domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}
	return domain.Group{Drafts: []domain.Draft{
		{Tenant: fact.Tenant.ID, Stream: stream, By: c.by(), Fact: fact, Reason: reason},
		{
			Tenant: domain.InstanceTenant, Stream: stream, By: c.by(), Reason: reason,
			Fact: &domain.TenantRegistered{ID: fact.Tenant.ID, Stream: stream.ID},
		},
	}}, nil
}

// firstTenant answers with entry 0 of the tenant's log.
func firstTenant(ctx context.Context, c *call, id domain.TenantID, replayed bool) (*madeOut[tenantOut], error) {
	entries, err := c.Log.Select(ctx, domain.Query{Tenant: id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("tenant %s is registered and has no log", id)
	}
	fact, ok := entries[0].Fact.(*domain.TenantCreated)
	if !ok {
		return nil, unreadable(entries[0])
	}
	at := projections.OriginOf(entries[0])
	row := projections.Tenant{Tenant: domain.Tenant{TenantConfig: fact.Tenant, Version: 1}, Created: at, Updated: at}
	return made(entries[0], replayed, "/v1/tenants/"+string(id), showTenant(row)), nil
}

// unreadable says that an entry which this program wrote can't be read.
func erased() *problem {
	return refuse(http.StatusGone, "erased", "What was asked for has been erased.")
}

func unreadable(e domain.Entry) error {
	if e.Erased {
		return erased()
	}
	return fmt.Errorf("the content of %s at position %d can't be read", e.Kind, e.Position)
}

type listTenantsIn struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"At most this many items." example:"50"`
	Cursor string `query:"cursor" maxLength:"512" doc:"The next of an earlier page." example:"AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk"`
	Order  string `query:"order" enum:"asc,desc" default:"asc" doc:"By id." example:"desc"`
	WaitQuery
}

// listTenants goes by id, which never changes.
func listTenants(ctx context.Context, c *call, in *listTenantsIn) (*listOut[tenantOut], error) {
	l, err := c.list(ListQuery{Limit: in.Limit, Cursor: in.Cursor, Order: in.Order})
	if err != nil {
		return nil, err
	}
	head, err := c.headOf(ctx, domain.InstanceTenant)
	if err != nil {
		return nil, err
	}
	head = max(head, domain.Sequence(in.MinSequence.Value))
	if err := c.seen(ctx, head, waitOf(in.Prefer)); err != nil {
		return nil, err
	}
	var after domain.TenantID
	if l.at != nil {
		after = domain.TenantID(l.at.after)
	}
	read := c.Views.Tenants
	if in.Order == "desc" {
		read = c.tenantsDown
	}
	rows, err := read(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listOut[tenantOut]{Sequence: sequenceText(head), Body: pageOut[tenantOut]{Items: make([]tenantOut, 0, len(rows))}}
	for i, row := range rows {
		if i == in.Limit {
			out.Body.Next, out.Link = l.next(head, []byte(rows[i-1].ID))
			break
		}
		out.Body.Items = append(out.Body.Items, showTenant(row))
	}
	return out, nil
}

// tenantsDown lists tenants in falling order of id, before the one given ("": from the end). Views list upwards, so it goes
// through all and keeps the last: there are as many as customers, and only the operator asks.
func (c *call) tenantsDown(ctx context.Context, before domain.TenantID, limit int) ([]projections.Tenant, error) {
	const step = 1000
	var last []projections.Tenant
	var after domain.TenantID
	for {
		rows, err := c.Views.Tenants(ctx, after, step)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if before == "" || row.ID < before {
				last = append(last, row)
			}
		}
		last = last[max(0, len(last)-limit):]
		if len(rows) < step {
			slices.Reverse(last)
			return last, nil
		}
		after = rows[len(rows)-1].ID
	}
}

// seen returns when the views have folded the instance's log up to a sequence, and with it every tenant's beginning.
func (c *call) seen(ctx context.Context, atLeast domain.Sequence, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return c.Views.Read(ctx, domain.InstanceTenant, atLeast, func(projections.Reader) error { return nil })
}

type getTenantIn struct {
	TenantPath
	AsOfQuery
}

func getTenant(ctx context.Context, c *call, in *getTenantIn) (*oneOut[tenantOut], error) {
	m, err := c.moment(ctx, in.AsOfQuery, fresh, nil)
	if err != nil {
		return nil, err
	}
	var row projections.Tenant
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		row, err = r.Tenant(ctx, as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneOut[tenantOut]{Sequence: sequenceText(n), ETag: etag(row.Version), Body: showTenant(row)}, nil
}

type patchTenantIn struct {
	TenantPath
	MatchHeader
	Body tenantPatch `contentType:"application/merge-patch+json"`
}

type tenantPatch struct {
	Name            patch[string] `json:"name,omitzero" maxLength:"255" doc:"null: the id." example:"Acme Ltd"`
	WebhooksEnabled patch[bool]   `json:"webhooks_enabled,omitzero" doc:"null: true." example:"false"`
	HTTPSOnly       patch[bool]   `json:"https_only,omitzero" doc:"null: false." example:"true"`
	Schemas         patch[string] `json:"schema_validation,omitzero" doc:"off, warn or enforce; null: off." example:"enforce"`
	ReasonBody
}

func patchTenant(ctx context.Context, c *call, in *patchTenantIn) (*oneOut[tenantOut], error) {
	row, e, err := changeTenant(ctx, c, in.MatchHeader, "body.reason", in.Body.Reason, func(t domain.Tenant) (domain.Fact, error) {
		config := t.TenantConfig
		in.Body.Name.apply(&config.Name, string(t.ID))
		in.Body.WebhooksEnabled.apply(&config.WebhooksEnabled, true)
		in.Body.HTTPSOnly.apply(&config.HTTPSOnly, false)
		if in.Body.Schemas.Set {
			config.Schemas = domain.SchemaMode(in.Body.Schemas.Value) // empty, as null leaves it, is off
		}
		return t.Update(config)
	})
	if err != nil {
		return nil, err
	}
	fact, ok := e.Fact.(*domain.TenantUpdated)
	if !ok {
		return nil, unreadable(e)
	}
	if err := c.await(ctx, e.Position); err != nil { // what is appended next is judged by it
		return nil, err
	}
	row.TenantConfig, row.Version, row.Updated = fact.Tenant, e.StreamVersion, projections.OriginOf(e)
	return &oneOut[tenantOut]{Sequence: sequenceText(e.Sequence), ETag: etag(row.Version), Body: showTenant(row)}, nil
}

type deleteTenantIn struct {
	TenantPath
	MatchHeader
	ReasonQuery
}

// deleteTenant ends a tenant in its own log and in the instance's.
func deleteTenant(ctx context.Context, c *call, in *deleteTenantIn) (*goneOut, error) {
	_, e, err := changeTenant(ctx, c, in.MatchHeader, "query.reason", in.Reason, func(t domain.Tenant) (domain.Fact, error) { return t.Delete() })
	if err != nil {
		return nil, err
	}
	return &goneOut{Sequence: sequenceText(e.Sequence)}, c.await(ctx, e.Position)
}

// changeTenant loads, decides and appends, anew when another change came between.
func changeTenant(
	ctx context.Context, c *call, match MatchHeader, location, reason string, decide func(domain.Tenant) (domain.Fact, error),
) (row projections.Tenant, e domain.Entry, err error) {
	if err = checkReason(location, reason); err != nil {
		return row, e, err
	}
	e, err = c.change(ctx, func(ctx context.Context) (domain.Group, error) {
		_, err := c.now(ctx, func(r projections.Reader) (err error) {
			row, err = r.Tenant(ctx, projections.AsOf{})
			return err
		})
		if err != nil {
			return domain.Group{}, err
		}
		if err := match.check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := decide(row.Tenant)
		if err != nil {
			return domain.Group{}, err
		}
		return c.tenantGroup(row.Tenant, fact, reason), nil
	})
	return row, e, err
}

func (c *call) tenantGroup(t domain.Tenant, fact domain.Fact, reason string) domain.Group {
	stream := domain.Stream{Kind: domain.StreamTenant, ID: t.Stream}
	group := domain.Group{Drafts: []domain.Draft{{
		Tenant: t.ID, Stream: stream, Expected: t.Version, By: c.by(), Fact: fact, Reason: reason,
	}}}
	if _, ends := fact.(*domain.TenantDeleted); ends {
		group.Drafts = append(group.Drafts, domain.Draft{
			Tenant: domain.InstanceTenant, Stream: stream, Expected: domain.AnyVersion, By: c.by(), Reason: reason,
			Fact: &domain.TenantUnregistered{ID: t.ID, Stream: t.Stream},
		})
	}
	return group
}

// change appends what decide returns, deciding anew when the stream has moved on, and returns the first entry.
func (c *call) change(ctx context.Context, decide func(ctx context.Context) (domain.Group, error)) (domain.Entry, error) {
	for range maxDecisions {
		group, err := decide(ctx)
		if err != nil {
			return domain.Entry{}, err
		}
		entries, err := c.appendChange(ctx, group)
		if err == nil {
			return entries[0], nil
		}
		if !isConflict(err) {
			return domain.Entry{}, err
		}
	}
	return domain.Entry{}, domain.ErrConflict
}
