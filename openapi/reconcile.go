package openapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// The content types of a receiver's list.
const (
	listCSV    = "text/csv"
	listNDJSON = "application/x-ndjson"
)

// reconciliationIn is what is to be reconciled.
type reconciliationIn struct {
	From         rest.Time `json:"from,omitzero" doc:"What was routed at this time or later; from the log's beginning by default." example:"2026-07-01T00:00:00Z"`
	To           rest.Time `json:"to,omitzero" doc:"And before this time; up to the log's end by default." example:"2026-08-01T00:00:00Z"`
	FromSequence *int64    `json:"from_sequence,omitempty" minimum:"0" doc:"From this entry on. Give this or from." example:"0"`
	ToSequence   *int64    `json:"to_sequence,omitempty" minimum:"0" doc:"Before this entry. Give this or to." example:"4712"`
	EndpointID   string    `json:"endpoint_id,omitempty" format:"uuid" doc:"What concerns this endpoint, also a deleted one; the whole tenant by default." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	rest.ReasonBody
}

// createReconciliationIn has the same in the query, where the body is a receiver's list.
type createReconciliationIn struct {
	rest.TenantPath
	rest.PostHeader
	From         rest.Opt[rest.Time] `query:"from" doc:"With a list as the body: see from in the JSON body, as for all of these." example:"2026-07-01T00:00:00Z"`
	To           rest.Opt[rest.Time] `query:"to" doc:"See to." example:"2026-08-01T00:00:00Z"`
	FromSequence rest.Opt[int64]     `query:"from_sequence" minimum:"0" doc:"See from_sequence." example:"0"`
	ToSequence   rest.Opt[int64]     `query:"to_sequence" minimum:"0" doc:"See to_sequence." example:"4712"`
	EndpointID   string              `query:"endpoint_id" format:"uuid" doc:"The endpoint whose receiver gave the list." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	rest.ReasonQuery
}

// documentReconciliation documents the forms of the body.
func documentReconciliation(op *huma.Operation) {
	rest.ByHand(op)
	rest.Limited(op)
	rest.Accepts202(op)
	rest.Streaming(op, listCSV, listNDJSON)
	rest.Handwritten{
		Bodies: map[string]rest.Media{
			rest.JSON:  {Schema: rest.SchemaOf[reconciliationIn]},
			listCSV:    {Schema: rest.TextSchema, Example: "id,received_at\norder-4711,2026-07-01T12:00:00Z\n"},
			listNDJSON: {Schema: rest.TextSchema, Example: "{\"id\":\"order-4711\"}\n"},
		},
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[reconciliationOut]}},
		Status:  []string{"202"},
	}.SetOn(op)
}

// asked reads what is to be reconciled, from the body or beside a list.
func (in *createReconciliationIn) asked(c *call, list bool) (q reconciliationIn, err error) {
	if list {
		q = reconciliationIn{From: in.From.Value, To: in.To.Value, EndpointID: in.EndpointID}
		q.Reason = in.Reason
		if in.FromSequence.Set {
			q.FromSequence = &in.FromSequence.Value
		}
		if in.ToSequence.Set {
			q.ToSequence = &in.ToSequence.Value
		}
		if q.EndpointID == "" {
			return q, rest.Invalid("query.endpoint_id", "must be given with a list: it is one receiver's")
		}
		return q, nil
	}
	if len(c.HTTP.URL.RawQuery) > 0 {
		return q, rest.Invalid("query", "must be empty: without a list, the body says what is reconciled")
	}
	if err := domain.CheckJSON("", c.Body); err != nil {
		return q, rest.Ambiguous("body", err)
	}
	d := json.NewDecoder(bytes.NewReader(c.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return q, rest.Invalid("body",
			"must be an object with no other members than the document has, of the types that it has")
	}
	return q, nil
}

// createReconciliation takes the order in, with the receiver's list where there is one. The work follows.
func createReconciliation(
	ctx context.Context, c *call, in *createReconciliationIn,
) (*rest.Made[reconciliationOut], error) {
	streamed := c.ContentType == listCSV || c.ContentType == listNDJSON
	asked, err := in.asked(c, streamed)
	if err != nil {
		return nil, err
	}
	at := "body."
	if streamed {
		at = "query."
	}
	if err := rest.CheckReason(at+"reason", asked.Reason); err != nil {
		return nil, err
	}
	request, err := period(ctx, c, asked, at)
	if err != nil {
		return nil, err
	}
	id := domain.NewUUID()
	reserved := c.Reconciler.Reserve(c.Tenant, id)
	if reserved != nil && !errors.Is(reserved, domain.ErrConflict) {
		return nil, reserved
	}
	kept := false // from then on the work's end is the reconciler's
	defer func() {
		switch {
		case kept:
			c.Reconciler.Begin(c.Tenant)
		case reserved == nil:
			c.Reconciler.Abandon(c.Tenant)
		}
	}()
	if streamed {
		list, err := takeList(ctx, c, reserved == nil)
		if err != nil {
			return nil, err
		}
		request.List = &list
	}
	// A caller that leaves must not leave an order behind of which nobody knows.
	return rest.Once(context.WithoutCancel(ctx), c.Request, rest.Post[rest.Made[reconciliationOut]]{
		Decide: func(context.Context) (domain.Group, error) {
			if reserved != nil {
				return domain.Group{}, busyReconciling()
			}
			if err := c.Reconciler.Keep(c.Tenant); err != nil {
				return domain.Group{}, err
			}
			kept = true
			return domain.Group{Drafts: []domain.Draft{{
				Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamReconciliation, ID: id}, By: c.By(),
				Fact: &domain.ReconciliationCreated{Request: request}, Reason: asked.Reason,
			}}}, nil
		},
		Answer: func(_ context.Context, entries []domain.Entry, replayed bool) (*rest.Made[reconciliationOut], error) {
			e := entries[0]
			path := c.Path("reconciliations", e.Stream.ID.String())
			return rest.NewMade(e, replayed, path, showReconciliation(c, entries[:1], nil)), nil
		},
	})
}

func busyReconciling() error {
	p := rest.Refuse(http.StatusTooManyRequests, "rate_limited",
		"A reconciliation of the tenant is under way, or as many of the instance as may be. Try again when one has ended.")
	p.Header = http.Header{"Retry-After": {"10"}}
	return p
}

// takeList reads a receiver's list. Where the tenant has no place for a reconciliation, it is read all the same, since
// its hash tells whether the request is a repetition.
func takeList(ctx context.Context, c *call, reserved bool) (list domain.ReceivedList, err error) {
	if reserved {
		list, err = c.Reconciler.Take(ctx, c.Tenant, c.ContentType, c.HTTP.Body)
		var invalid *domain.InvalidError
		switch {
		case errors.As(err, &invalid):
			return list, err
		case err != nil:
			return list, rest.Refuse(http.StatusBadRequest, "body_incomplete", "The list ended early or came too slowly.")
		}
	} else {
		if !c.Repeatable() {
			return list, busyReconciling()
		}
		h := sha256.New()
		if _, err := io.Copy(h, c.HTTP.Body); err != nil {
			return list, rest.Refuse(http.StatusBadRequest, "body_incomplete", "The list ended early or came too slowly.")
		}
		list.SHA256 = hex.EncodeToString(h.Sum(nil))
	}
	c.Streamed(sha256.Sum256([]byte(list.SHA256)))
	return list, nil
}

// period resolves what was asked for to sequences of the log as it is now. at is where its members were given.
func period(ctx context.Context, c *call, in reconciliationIn, at string) (q domain.ReconciliationRequest, err error) {
	q.Node = c.Node
	for name, t := range map[string]rest.Time{"from": in.From, "to": in.To} {
		if !t.IsZero() && t.Std().IsZero() {
			return q, rest.Invalid(at+name, "must be a time such as 2026-07-01T12:00:00Z (RFC 3339)")
		}
	}
	if !in.From.IsZero() && in.FromSequence != nil {
		return q, rest.Invalid(at+"from", "is given alone, or from_sequence is")
	}
	if !in.To.IsZero() && in.ToSequence != nil {
		return q, rest.Invalid(at+"to", "is given alone, or to_sequence is")
	}
	if in.EndpointID != "" {
		if q.Endpoint, err = rest.ParseID(at+"endpoint_id", in.EndpointID); err != nil {
			return q, err
		}
	}
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		q.AsOf = r.Sequence()
		if !q.Endpoint.IsZero() {
			if _, err := r.EndpointVersion(ctx, q.Endpoint, 1); isNotFound(err) {
				return rest.Invalid(at+"endpoint_id", "must be an endpoint of this tenant, also a deleted one")
			} else if err != nil {
				return err
			}
		}
		if q.From, err = boundary(ctx, r, in.From, in.FromSequence, 0); err != nil {
			return err
		}
		q.To, err = boundary(ctx, r, in.To, in.ToSequence, q.AsOf+1)
		return err
	})
	if err != nil {
		return q, err
	}
	if q.To > q.AsOf+1 || q.From > q.To {
		return q, rest.Invalid(at+"to", "must lie between the period's beginning and the log's end")
	}
	return q, nil
}

// boundary is the first sequence at or after what was given.
func boundary(
	ctx context.Context, r projections.Reader, at rest.Time, sequence *int64, otherwise domain.Sequence,
) (domain.Sequence, error) {
	switch {
	case sequence != nil:
		return domain.Sequence(*sequence), nil
	case at.IsZero():
		return otherwise, nil
	}
	before, err := r.SequenceAt(ctx, at.Std().Add(-time.Microsecond))
	return before + 1, err
}
