package openapi

import (
	"context"
	"encoding/json"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// thingChangeOut is one thing of configuration that differs between two moments. Its members are spliced in.
type thingChangeOut struct {
	Kind    string            `json:"kind" doc:"tenant, key, endpoint, subscription or event-type; more may be added." example:"endpoint"`
	ID      domain.UUID       `json:"id" format:"uuid" doc:"The thing's stream." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Name    string            `json:"name,omitempty" doc:"What it is or was called, where it has a name." example:"billing"`
	Change  string            `json:"change" doc:"created, changed, deleted (a revoked key too), created_and_deleted, or unchanged: changed and changed back; more may be added." example:"changed"`
	Total   int               `json:"changes_total" doc:"How many entries changed it." example:"1"`
	Changes []thingEntryOut   `json:"changes" doc:"The first of those entries, at most 100."`
	Members []memberChangeOut `json:"members" doc:"What of its configuration differs, in order of name. Secrets are ids and keyed fingerprints here: that one changed is all that shows."`
}

// thingEntryOut is one entry that changed a thing.
type thingEntryOut struct {
	Sequence   int64       `json:"sequence" doc:"The entry's place in the tenant's log." example:"30"`
	Kind       string      `json:"kind" doc:"What it says." example:"endpoint.updated"`
	RecordedAt rest.Stamp  `json:"recorded_at" doc:"When." example:"2026-07-01T12:00:00.123456Z"`
	Actor      changerOut  `json:"actor" doc:"Who did it; empty for what the server does by itself."`
	Reason     string      `json:"reason,omitempty" doc:"Why." example:"receiver moved"`
	Context    *contextOut `json:"context,omitempty" doc:"From where it was asked for."`
}

// changerOut is who changed something. The names are those of the tenant's own keys.
type changerOut struct {
	Principal     domain.UUID `json:"principal,omitzero" format:"uuid" doc:"The person or system behind the key." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f"`
	Credential    domain.UUID `json:"credential,omitzero" format:"uuid" doc:"The key that was used." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	KeyName       string      `json:"key_name,omitempty" doc:"What the key was called; absent for keys of the instance and after an erasure." example:"console"`
	PrincipalName string      `json:"principal_name,omitempty" doc:"The person or system behind it." example:"Ada"`
}

// memberChangeOut documents one member that differs.
type memberChangeOut struct {
	Name   string `json:"name" doc:"The member of the configuration, as in the state." example:"url"`
	Before any    `json:"before,omitempty" doc:"Its value at from; absent: it wasn't there." example:"\"https://old.example/\""`
	After  any    `json:"after,omitempty" doc:"Its value at to; absent: it isn't there." example:"\"https://new.example/\""`
}

type diffStateIn struct {
	rest.TenantPath
	rest.ListQuery
	From         rest.Opt[rest.Time] `query:"from" doc:"The earlier moment: after every entry recorded at or before it." example:"2026-07-01T00:00:00Z"`
	To           rest.Opt[rest.Time] `query:"to" doc:"The later moment; now by default." example:"2026-08-01T00:00:00Z"`
	FromSequence rest.Opt[int64]     `query:"from_sequence" minimum:"0" doc:"The earlier moment: after this entry. Give this or from." example:"12"`
	ToSequence   rest.Opt[int64]     `query:"to_sequence" minimum:"0" doc:"The later moment: after this entry." example:"41"`
	rest.WaitQuery
}

// shownChanges bounds the entries that an item names.
const shownChanges = 100

// diffState lists what differs between two moments. The views tell which things changed, the log what they were.
func diffState(ctx context.Context, c *call, in *diffStateIn) (*rest.Exact, error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.From, in.To, in.FromSequence, in.ToSequence)
	if err != nil {
		return nil, err
	}
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	from, err := in.earlier(ctx, c)
	if err != nil {
		return nil, err
	}
	if in.To.Set && in.ToSequence.Set {
		return nil, rest.Invalid("query.to", "is given alone, or to_sequence is")
	}
	var rows []projections.Changed
	later := rest.AsOfQuery{AsOf: in.To, AsOfSequence: in.ToSequence, WaitQuery: in.WaitQuery}
	to, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: later, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) (err error) {
			if !as.Set {
				as.Sequence = r.Sequence()
			}
			rows, err = r.Changed(ctx, from, as.Sequence, l.Rows())
			return err
		})
	switch {
	case err != nil:
		return nil, err
	case from > to:
		return nil, rest.Invalid("query.to", "must not lie before the earlier moment")
	}
	d := differ{call: c, from: from, to: to, names: make(map[domain.UUID]domain.KeyNames)}
	return rest.RowsPage(l, to, rows, func(r *projections.Changed) []byte { return rest.PlaceAt(r.First) },
		func(b []byte, r *projections.Changed) ([]byte, error) { return d.show(ctx, b, r) })
}

// earlier is the sequence of the earlier moment, -1 where that is before the tenant's log.
func (in *diffStateIn) earlier(ctx context.Context, c *call) (domain.Sequence, error) {
	switch {
	case in.From.Set == in.FromSequence.Set:
		return 0, rest.Invalid("query.from", "is given, or from_sequence is")
	case in.FromSequence.Set:
		return domain.Sequence(in.FromSequence.Value), nil
	}
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: rest.AsOfQuery{AsOf: in.From}},
		func(projections.Reader, projections.AsOf) error { return nil })
	if isNotFound(err) {
		return -1, nil
	}
	return n, err
}

// differ shows things that changed between two sequences.
type differ struct {
	*call
	from, to domain.Sequence
	names    map[domain.UUID]domain.KeyNames // of the keys that changed something, as far as they were looked up
}

func (d *differ) show(ctx context.Context, b []byte, row *projections.Changed) ([]byte, error) {
	before, err := d.configAt(ctx, row.Stream, d.from)
	if err != nil {
		return nil, err
	}
	after, err := d.configAt(ctx, row.Stream, d.to)
	if err != nil {
		return nil, err
	}
	members, err := projections.CompareConfigs(before, after)
	if err != nil {
		return nil, err
	}
	out := thingChangeOut{
		Kind: string(row.Stream.Kind), ID: row.Stream.ID, Name: nameIn(after, before), Total: row.Versions,
		Change:  changeBetween(before, after, len(members)),
		Changes: []thingEntryOut{}, Members: make([]memberChangeOut, len(members)),
	}
	for i, m := range members {
		out.Members[i].Name = m.Name
		if m.Before != nil {
			out.Members[i].Before = json.RawMessage(m.Before)
		}
		if m.After != nil {
			out.Members[i].After = json.RawMessage(m.After)
		}
	}
	after1, upTo := d.from+1, d.to+1
	entries, err := domain.Select(ctx, d.Log,
		domain.Query{Tenant: d.Tenant, Stream: row.Stream, From: &after1, To: &upTo, Limit: shownChanges})
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		who, err := d.changer(ctx, e.By)
		if err != nil {
			return nil, err
		}
		out.Changes = append(out.Changes, thingEntryOut{
			int64(e.Sequence), string(e.Kind), rest.Stamp(e.RecordedAt), who, e.Reason, (*contextOut)(e.Context),
		})
	}
	return rest.Splice(b, out)
}

// changeBetween names what became of a thing.
func changeBetween(before, after []byte, members int) string {
	switch {
	case before == nil && after == nil:
		return "created_and_deleted"
	case before == nil:
		return "created"
	case after == nil:
		return "deleted"
	case members == 0:
		return "unchanged"
	}
	return "changed"
}

// nameIn is the name in the first configuration that there is.
func nameIn(configs ...[]byte) string {
	for _, config := range configs {
		var named struct {
			Name string `json:"name"`
		}
		if config != nil && json.Unmarshal(config, &named) == nil {
			return named.Name
		}
	}
	return ""
}

// configAt is a thing's configuration as of a sequence; nil: it had none.
func (d *differ) configAt(ctx context.Context, stream domain.Stream, at domain.Sequence) ([]byte, error) {
	upTo := at + 1
	last, err := domain.Select(ctx, d.Log,
		domain.Query{Tenant: d.Tenant, Stream: stream, To: &upTo, Descending: true, Limit: 1})
	if err != nil || len(last) == 0 {
		return nil, err
	}
	return projections.ConfigOf(&last[0])
}

// changer names who did something, as the log of the tenant does: keys of the instance are in another one.
func (d *differ) changer(ctx context.Context, by domain.Actor) (changerOut, error) {
	out := changerOut{Principal: by.Principal, Credential: by.Credential}
	if by.Credential.IsZero() {
		return out, nil
	}
	names, known := d.names[by.Credential]
	if !known {
		made, err := domain.Select(ctx, d.Log, domain.Query{
			Tenant: d.Tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: by.Credential}, Limit: 1,
		})
		if err != nil {
			return out, err
		}
		if len(made) > 0 {
			if f, ok := made[0].Fact.(*domain.KeyCreated); ok {
				names = f.Key.KeyNames
			}
		}
		d.names[by.Credential] = names
	}
	out.KeyName, out.PrincipalName = names.Name, names.Principal
	return out, nil
}
