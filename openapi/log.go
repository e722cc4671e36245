package openapi

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// entryOut is an entry as the audit query shows it. Its data is spliced in.
type entryOut struct {
	Sequence      int64       `json:"sequence" doc:"The entry's place in the tenant's log: its leaf's index in the tenant's Merkle tree." example:"41"`
	Kind          string      `json:"kind" doc:"What it says; more kinds may be added." example:"endpoint.created"`
	KindVersion   int         `json:"kind_version" doc:"The version of the kind's form." example:"1"`
	Stream        string      `json:"stream" doc:"The thing that it is about." example:"endpoint/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	StreamVersion int         `json:"stream_version" doc:"Counts the stream's entries, from 1." example:"1"`
	Actor         actorOut    `json:"actor" doc:"Who did it; empty for what the server does by itself."`
	Cause         int64       `json:"cause,omitempty" doc:"The entry that led to this one." example:"40"`
	RecordedAt    rest.Stamp  `json:"recorded_at" doc:"The database's clock." example:"2026-07-01T12:00:00.123456Z"`
	Reason        string      `json:"reason,omitempty" doc:"Why a person did it." example:"receiver's maintenance window"`
	Context       *contextOut `json:"context,omitempty" doc:"From where a change of configuration was asked for."`
	Erased        bool        `json:"erased,omitempty" doc:"What was the subject's was destroyed, or all of the content." example:"true"`
	Damaged       bool        `json:"damaged,omitempty" doc:"The content doesn't open although its keys exist." example:"false"`
	Leaf          string      `json:"leaf" doc:"The exact bytes in the Merkle tree: canonical JSON." example:"{\"kind\":\"endpoint.created\"}"`
	LeafHash      string      `json:"leaf_hash" doc:"Their RFC 6962 hash, in standard base64." example:"cTOUDeMlPgClsHbaWuiOa3M0PbcTF6PvLiuZtmTwTVg="`
	Data          *contentOut `json:"data,omitempty" doc:"The content: a member for each part that the leaf commits to."`
}

// actorOut is who did something.
type actorOut struct {
	Principal  domain.UUID `json:"principal,omitzero" format:"uuid" doc:"The person or system behind the key." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f"`
	Credential domain.UUID `json:"credential,omitzero" format:"uuid" doc:"The key that was used." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
}

// contextOut is from where a change was asked for.
type contextOut struct {
	Address   string `json:"address,omitempty" doc:"The client's address, as the server saw it." example:"192.0.2.7"`
	UserAgent string `json:"user_agent,omitempty" doc:"What the client calls itself." example:"curl/8.5.0"`
}

// contentOut documents an entry's content. Each kind has its own parts.
type contentOut map[string]any

// showEntry writes an entry.
func showEntry(b []byte, e *domain.Entry) ([]byte, error) {
	hash := ingest.LeafHash(e.Leaf)
	out := entryOut{
		Sequence: int64(e.Sequence), Kind: string(e.Kind), KindVersion: e.KindVersion, Stream: e.Stream.String(),
		StreamVersion: e.StreamVersion,
		Actor:         actorOut(e.By), Cause: int64(e.Cause), RecordedAt: rest.Stamp(e.RecordedAt), Reason: e.Reason,
		Context: (*contextOut)(e.Context), Erased: e.Erased, Damaged: e.Damaged,
		Leaf: string(e.Leaf), LeafHash: base64Of(hash[:]),
	}
	if e.Fact == nil {
		return rest.Splice(b, out)
	}
	data, err := domain.AppendContent(nil, e.Fact, e.Erased)
	if err != nil {
		return nil, err
	}
	return rest.Splice(b, out, domain.Member{Name: "data", Raw: data})
}

// LogFilter is what chooses entries.
type LogFilter struct {
	FromSequence rest.Opt[int64] `query:"from_sequence" minimum:"0" doc:"From this sequence on." example:"0"`
	ToSequence   rest.Opt[int64] `query:"to_sequence" minimum:"0" doc:"Before this sequence." example:"1000"`
	Kind         string          `query:"kind" maxLength:"64" pattern:"^[a-z_-]+\\.([a-z_]+|\\*)$" doc:"Entries of this kind, or of all whose names begin so: delivery.*" example:"endpoint.updated"`
	Stream       string          `query:"stream" maxLength:"128" doc:"Entries about this thing." example:"endpoint/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Actor        string          `query:"actor" format:"uuid" doc:"What this principal or key did." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f"`
}

// query reads the filters.
func (in LogFilter) query(tenant domain.TenantID) (domain.Query, error) {
	q := domain.Query{Tenant: tenant, Kind: domain.Kind(in.Kind)}
	if in.FromSequence.Set {
		from := domain.Sequence(in.FromSequence.Value)
		q.From = &from
	}
	if in.ToSequence.Set {
		to := domain.Sequence(in.ToSequence.Value)
		q.To = &to
	}
	var err error
	if in.Stream != "" {
		if q.Stream, err = domain.ParseStream(in.Stream); err != nil {
			return q, rest.Invalid("query.stream",
				"is a kind and a UUID, such as endpoint/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70")
		}
	}
	if in.Actor != "" {
		q.Actor, err = rest.ParseID("query.actor", in.Actor)
	}
	return q, err
}

type listLogIn struct {
	rest.TenantPath
	rest.ListQuery
	LogFilter
	From rest.Opt[rest.Time] `query:"from" doc:"Recorded at this time or later." example:"2026-07-01T00:00:00Z"`
	To   rest.Opt[rest.Time] `query:"to" doc:"Recorded before this time." example:"2026-08-01T00:00:00Z"`
	rest.WaitQuery
}

// listLog is the audit query. One request examines at most domain.MaxExamined entries.
func listLog(ctx context.Context, c *call, in *listLogIn) (*rest.Exact, error) {
	q, err := in.query(c.Tenant)
	if err != nil {
		return nil, err
	}
	l, err := rest.NewWalk(c.Request, in.ListQuery,
		fmt.Sprintf("%v %v", in.LogFilter, [2]rest.Opt[rest.Time]{in.From, in.To}))
	if err != nil {
		return nil, err
	}
	if err := rest.Reached(ctx, c.Request, in.WaitQuery); err != nil {
		return nil, err
	}
	if q.Kind != "" || !q.Actor.IsZero() { // else what is examined is found
		leave, err := rest.Scan(c.Request)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	head, err := rest.Head(ctx, c.Request, c.Tenant)
	if err != nil {
		return nil, err
	}
	pinned, err := l.Reflected(head)
	if err != nil {
		return nil, err
	}
	q.Since, q.Until = in.From.Value.Std(), in.To.Value.Std()
	all := func(*domain.Entry) bool { return true }
	return rest.LogPage(ctx, l, pinned, q, all, showEntry)
}

type getLogEntryIn struct {
	rest.TenantPath
	Sequence int64 `path:"sequence" minimum:"0" doc:"The entry's place in the tenant's log." example:"41"`
	rest.WaitQuery
}

// getLogEntry shows one entry with its leaf.
func getLogEntry(ctx context.Context, c *call, in *getLogEntryIn) (*rest.Exact, error) {
	if err := rest.Reached(ctx, c.Request, in.WaitQuery); err != nil {
		return nil, err
	}
	e, err := rest.HeldEntry(ctx, c.Request, domain.Sequence(in.Sequence))
	if err != nil {
		return nil, err
	}
	body, err := showEntry(nil, e)
	if err != nil {
		return nil, err
	}
	return &rest.Exact{ContentType: rest.JSON, Sequence: rest.SequenceText(e.Sequence), Body: body}, nil
}
