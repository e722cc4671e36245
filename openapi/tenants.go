package openapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// tenantOut is a tenant as the API shows it.
type tenantOut struct {
	ID              string    `json:"id" doc:"The tenant's id, in every path." example:"acme"`
	Name            string    `json:"name" doc:"For people." example:"Acme Ltd"`
	WebhooksEnabled bool      `json:"webhooks_enabled" doc:"false: events are logged, routing records that nothing is sent, and what was routed before waits." example:"true"`
	HTTPSOnly       bool      `json:"https_only" doc:"true: endpoints with http URLs are refused, and those that exist get nothing." example:"false"`
	Schemas         string    `json:"schema_validation" doc:"What happens to events whose data breaks the schema of their type. off: nothing is checked; warn: they are appended, and receipt and entry say what is wrong; enforce: they are refused. Events of types that aren't registered are always accepted." example:"enforce"`
	Limits          limitsOut `json:"limits" doc:"How much of each kind the tenant may have at once. Only operators change them."`
	rest.Versions
}

// limitsOut are a tenant's limits in force.
type limitsOut struct {
	Endpoints     int `json:"endpoints" doc:"Endpoints." example:"2000"`
	Subscriptions int `json:"subscriptions" doc:"Subscriptions." example:"10000"`
	FilterBytes   int `json:"filter_bytes" doc:"Bytes of all subscriptions' filters together." example:"1048576"`
	EventTypes    int `json:"event_types" doc:"Registered event types." example:"5000"`
	Keys          int `json:"keys" doc:"Keys that aren't revoked, registrations and receivers' keys among them." example:"2500"`
}

// limitsPatch changes some of a tenant's limits.
type limitsPatch struct {
	Endpoints     rest.Patch[int] `json:"endpoints,omitzero" minimum:"1" doc:"null: the default." example:"3000"`
	Subscriptions rest.Patch[int] `json:"subscriptions,omitzero" minimum:"1" doc:"null: the default." example:"20000"`
	FilterBytes   rest.Patch[int] `json:"filter_bytes,omitzero" minimum:"1" doc:"null: the default." example:"2097152"`
	EventTypes    rest.Patch[int] `json:"event_types,omitzero" minimum:"1" doc:"null: the default." example:"6000"`
	Keys          rest.Patch[int] `json:"keys,omitzero" minimum:"1" doc:"null: the default." example:"4000"`
}

// apply merges the patch into the limits that an operator chose.
func (p limitsPatch) apply(l *domain.TenantLimits) error {
	for _, m := range []struct {
		name  string
		patch rest.Patch[int]
		limit *int
	}{
		{"endpoints", p.Endpoints, &l.Endpoints},
		{"subscriptions", p.Subscriptions, &l.Subscriptions},
		{"filter_bytes", p.FilterBytes, &l.FilterBytes},
		{"event_types", p.EventTypes, &l.EventTypes},
		{"keys", p.Keys, &l.Keys},
	} {
		if m.patch.Set && !m.patch.Null && m.patch.Value < 1 {
			return domain.Invalid("limits."+m.name, "must be 1 or more; null is the default")
		}
		m.patch.Apply(m.limit, 0)
	}
	return nil
}

// withinLimits refuses a group that would take its tenant past a limit. Groups that are decided at the same moment don't
// see one another: a tenant may exceed a limit by as many as it has requests under way.
func withinLimits(ctx context.Context, c *call, group domain.Group) error {
	if c.Tenant == domain.InstanceTenant {
		return nil // its keys are the operators' own
	}
	if err := c.CatchUp(ctx); err != nil {
		return err
	}
	before := c.Directory.Usage(c.Tenant)
	after := before
	for _, d := range group.Drafts {
		after.Add(d.Fact, c.Directory.FilterBytes(c.Tenant, d.Stream.ID))
	}
	tenant, _ := c.Directory.Tenant(c.Tenant)
	var reached *domain.LimitError
	if err := tenant.Limits.Allow(before, after); !errors.As(err, &reached) {
		return err
	}
	return rest.Refuse(http.StatusConflict, "limit_reached",
		fmt.Sprintf("The tenant's limit of %s, %d, is reached. Nothing was changed: delete what isn't needed, or ask an "+
			"operator to raise limits.%s in the tenant.", reached.Limit, reached.Most, reached.Limit))
}

func showTenant(t projections.Tenant) tenantOut {
	return tenantOut{
		ID: string(t.ID), Name: t.Name, WebhooksEnabled: t.WebhooksEnabled, HTTPSOnly: t.HTTPSOnly,
		Schemas:  schemaMode(t.Schemas),
		Limits:   limitsOut(t.Limits.InForce()),
		Versions: rest.VersionsOf(t.Version, t.Created, t.Updated),
	}
}

func schemaMode(m domain.SchemaMode) string { return string(cmp.Or(m, domain.SchemasOff)) }

type createTenantIn struct {
	rest.PostHeader
	Body tenantIn
}

type tenantIn struct {
	ID              string `json:"id" pattern:"^[a-z0-9-]{1,63}$" doc:"Permanent." example:"acme"`
	Name            string `json:"name,omitempty" maxLength:"255" doc:"For people; the id by default." example:"Acme Ltd"`
	WebhooksEnabled *bool  `json:"webhooks_enabled,omitempty" doc:"true by default." example:"true"`
	HTTPSOnly       *bool  `json:"https_only,omitempty" doc:"false by default." example:"false"`
	Schemas         string `json:"schema_validation,omitempty" doc:"off, warn or enforce; off by default." example:"off"`
	rest.ReasonBody
}

// createTenant begins a tenant's log and says so in the instance's.
func createTenant(ctx context.Context, c *call, in *createTenantIn) (*rest.Made[tenantOut], error) {
	config := domain.TenantConfig{
		ID: domain.TenantID(in.Body.ID), Name: in.Body.Name, WebhooksEnabled: true,
		Schemas: domain.SchemaMode(in.Body.Schemas),
	}
	if in.Body.WebhooksEnabled != nil {
		config.WebhooksEnabled = *in.Body.WebhooksEnabled
	}
	if in.Body.HTTPSOnly != nil {
		config.HTTPSOnly = *in.Body.HTTPSOnly
	}
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[tenantOut]]{
		Tenant: domain.InstanceTenant,
		First:  1,
		Decide: func(ctx context.Context) (domain.Group, error) {
			fact, err := domain.CreateTenant(config)
			if err != nil {
				return domain.Group{}, err
			}
			return decideTenant(ctx, c, fact, in.Body.Reason)
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[tenantOut], error) {
			registered, ok := entries[0].Fact.(*domain.TenantRegistered)
			if !ok {
				return nil, rest.Unreadable(entries[0])
			}
			if err := c.Await(ctx, entries[0].Position); err != nil {
				return nil, err
			}
			return firstTenant(ctx, c, registered.ID, replayed)
		},
	})
}

func tenantExists() *rest.Problem {
	return rest.Refuse(http.StatusConflict, "tenant_exists", "There is, or was, a tenant of this id.")
}

// decideTenant writes into both logs in one group, so that a tenant is never known to one of them only.
func decideTenant(
	ctx context.Context, c *call, fact *domain.TenantCreated, reason string,
) (domain.Group, error) {
	head, err := rest.Head(ctx, c.Request, fact.Tenant.ID)
	if err != nil {
		return domain.Group{}, err
	}
	if head >= 0 { // also of one that was deleted
		return domain.Group{}, tenantExists()
	}
	if err := rest.CheckReason("body.reason", reason); err != nil {
		return domain.Group{}, err
	}
	stream := domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}
	return domain.Group{Drafts: []domain.Draft{
		{Tenant: fact.Tenant.ID, Stream: stream, By: c.By(), Fact: fact, Reason: reason},
		{
			Tenant: domain.InstanceTenant, Stream: stream, By: c.By(), Reason: reason,
			Fact: &domain.TenantRegistered{ID: fact.Tenant.ID, Stream: stream.ID},
		},
	}}, nil
}

// firstTenant answers with entry 0 of the tenant's log.
func firstTenant(ctx context.Context, c *call, id domain.TenantID, replayed bool) (*rest.Made[tenantOut], error) {
	entries, err := domain.Select(ctx, c.Log, domain.Query{Tenant: id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("tenant %s is registered and has no log", id)
	}
	fact, ok := entries[0].Fact.(*domain.TenantCreated)
	if !ok {
		return nil, rest.Unreadable(entries[0])
	}
	at := projections.OriginOf(entries[0])
	row := projections.Tenant{Tenant: domain.Tenant{TenantConfig: fact.Tenant, Version: 1}, Created: at, Updated: at}
	return rest.NewMade(entries[0], replayed, "/v1/tenants/"+string(id), showTenant(row)), nil
}

type listTenantsIn struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"At most this many items." example:"50"`
	Cursor string `query:"cursor" maxLength:"512" doc:"The next of an earlier page." example:"AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk"`
	Order  string `query:"order" enum:"asc,desc" default:"asc" doc:"By id." example:"desc"`
	rest.WaitQuery
}

// listTenants goes by id, which never changes.
func listTenants(ctx context.Context, c *call, in *listTenantsIn) (*rest.Listed[tenantOut], error) {
	l, err := rest.NewWalk(c.Request, rest.ListQuery{Limit: in.Limit, Cursor: in.Cursor, Order: in.Order})
	if err != nil {
		return nil, err
	}
	head, err := rest.Head(ctx, c.Request, domain.InstanceTenant)
	if err != nil {
		return nil, err
	}
	head = max(head, domain.Sequence(in.MinSequence.Value))
	if err := awaitInstance(ctx, c, head, in.Wait()); err != nil {
		return nil, err
	}
	var after domain.TenantID
	if place, ok := l.After(); ok {
		after = domain.TenantID(place)
	}
	var rows []projections.Tenant
	if l.Descending() {
		rows, err = tenantsDown(ctx, c, after, in.Limit+1)
	} else {
		rows, err = c.Views.Tenants(ctx, after, in.Limit+1)
	}
	if err != nil {
		return nil, err
	}
	out := &rest.Listed[tenantOut]{
		Sequence: rest.SequenceText(head),
		Body:     rest.Page[tenantOut]{Items: make([]tenantOut, 0, len(rows))},
	}
	for i, row := range rows {
		if i == in.Limit {
			out.Body.Next, out.Link = l.Next(head, []byte(rows[i-1].ID))
			break
		}
		out.Body.Items = append(out.Body.Items, showTenant(row))
	}
	return out, nil
}

// tenantsDown lists tenants in falling order of id, before the one given ("": from the end). Views list upwards, so it
// goes through all and keeps the last: there are as many as customers, and only the operator asks.
func tenantsDown(ctx context.Context, c *call, before domain.TenantID, limit int) ([]projections.Tenant, error) {
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

// awaitInstance returns when the views have folded the instance's log up to a sequence, and with it every tenant's
// beginning.
func awaitInstance(ctx context.Context, c *call, atLeast domain.Sequence, wait time.Duration) error {
	return rest.Waiting(ctx, c.Request, wait, func(ctx context.Context) error {
		return c.Views.Read(ctx, domain.InstanceTenant, atLeast, func(projections.Reader) error { return nil })
	})
}

type getTenantIn struct {
	rest.TenantPath
	rest.AsOfQuery
}

// getTenant shows a tenant as of a moment.
func getTenant(ctx context.Context, c *call, in *getTenantIn) (*rest.One[tenantOut], error) {
	var row projections.Tenant
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) (err error) {
			row, err = r.Tenant(ctx, as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewOne(n, row.Version, showTenant(row)), nil
}

type patchTenantIn struct {
	rest.TenantPath
	rest.MatchHeader
	Body tenantPatch `contentType:"application/merge-patch+json"`
}

type tenantPatch struct {
	Name            rest.Patch[string] `json:"name,omitzero" maxLength:"255" doc:"null: the id." example:"Acme Ltd"`
	WebhooksEnabled rest.Patch[bool]   `json:"webhooks_enabled,omitzero" doc:"null: true." example:"false"`
	HTTPSOnly       rest.Patch[bool]   `json:"https_only,omitzero" doc:"null: false." example:"true"`
	Schemas         rest.Patch[string] `json:"schema_validation,omitzero" doc:"off, warn or enforce; null: off." example:"enforce"`
	Limits          *limitsPatch       `json:"limits,omitempty" doc:"Changes the limits that are named. For operators only."`
	rest.ReasonBody
}

// patchTenant merges a patch into the tenant as it is.
func patchTenant(ctx context.Context, c *call, in *patchTenantIn) (*rest.One[tenantOut], error) {
	if in.Body.Limits != nil && c.Key.Role != domain.RoleOperator {
		return nil, rest.Refuse(http.StatusForbidden, "forbidden", "Only operators change a tenant's limits.",
			rest.NewFault("body.limits", "is for operators"))
	}
	row, e, err := changeTenant(ctx, c, in.MatchHeader, "body.reason", in.Body.Reason,
		func(t domain.Tenant) (domain.Fact, error) {
			config := t.TenantConfig
			in.Body.Name.Apply(&config.Name, string(t.ID))
			in.Body.WebhooksEnabled.Apply(&config.WebhooksEnabled, true)
			in.Body.HTTPSOnly.Apply(&config.HTTPSOnly, false)
			if in.Body.Schemas.Set {
				config.Schemas = domain.SchemaMode(in.Body.Schemas.Value) // empty, as null leaves it, is off
			}
			if in.Body.Limits != nil {
				if err := in.Body.Limits.apply(&config.Limits); err != nil {
					return nil, err
				}
			}
			fact, err := t.Update(config)
			if fact == nil {
				return nil, err
			}
			return fact, err
		})
	if err != nil {
		return nil, err
	}
	if rest.Unchanged(e) {
		return rest.NewOne(row.Updated.Sequence, row.Version, showTenant(row)), nil
	}
	fact, ok := e.Fact.(*domain.TenantUpdated)
	if !ok {
		return nil, rest.Unreadable(e)
	}
	if err := c.Await(ctx, e.Position); err != nil { // what is appended next is judged by it
		return nil, err
	}
	row.TenantConfig, row.Version, row.Updated = fact.Tenant, e.StreamVersion, projections.OriginOf(e)
	return rest.NewOne(e.Sequence, row.Version, showTenant(row)), nil
}

type deleteTenantIn struct {
	rest.TenantPath
	rest.MatchHeader
	rest.ReasonQuery
}

// deleteTenant ends a tenant in its own log and in the instance's.
func deleteTenant(ctx context.Context, c *call, in *deleteTenantIn) (*rest.Gone, error) {
	_, e, err := changeTenant(ctx, c, in.MatchHeader, "query.reason", in.Reason,
		func(t domain.Tenant) (domain.Fact, error) { return t.Delete() })
	if err != nil {
		return nil, err
	}
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, c.Await(ctx, e.Position)
}

// changeTenant loads, decides and appends, again if another change was made concurrently. Where decide returns no fact,
// nothing is to be changed.
func changeTenant(
	ctx context.Context, c *call, match rest.MatchHeader, location, reason string,
	decide func(domain.Tenant) (domain.Fact, error),
) (row projections.Tenant, e domain.Entry, err error) {
	if err = rest.CheckReason(location, reason); err != nil {
		return row, e, err
	}
	e, err = rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
			row, err = r.Tenant(ctx, projections.AsOf{})
			return err
		})
		if err != nil {
			return domain.Group{}, err
		}
		if err := match.Check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := decide(row.Tenant)
		if fact == nil || err != nil {
			return domain.Group{}, err
		}
		return tenantGroup(c, row.Tenant, fact, reason), nil
	})
	return row, e, err
}

// tenantGroup is a change of a tenant on its way into the log; its end is recorded in the instance's log too.
func tenantGroup(c *call, t domain.Tenant, fact domain.Fact, reason string) domain.Group {
	stream := domain.Stream{Kind: domain.StreamTenant, ID: t.Stream}
	group := domain.Group{Drafts: []domain.Draft{{
		Tenant: t.ID, Stream: stream, Expected: t.Version, By: c.By(), Fact: fact, Reason: reason,
	}}}
	if _, ends := fact.(*domain.TenantDeleted); ends {
		group.Drafts = append(group.Drafts, domain.Draft{
			Tenant: domain.InstanceTenant, Stream: stream, Expected: domain.AnyVersion, By: c.By(), Reason: reason,
			Fact: &domain.TenantUnregistered{ID: t.ID, Stream: t.Stream},
		})
	}
	return group
}
