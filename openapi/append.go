package openapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// receiptAnswer is a receipt or a list of them, written out.
type receiptAnswer struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the newest event in the answer." example:"41"`
	Location    string `header:"Location" doc:"Where the event is." example:"/v1/tenants/acme/events/by-sequence/41"`
	Deprecation string `header:"Deprecation" doc:"Since when a type among the events is deprecated (RFC 9745); Link names the types. It isn't part of the receipt, which stays as it was." example:"@1767225600"`
	Link        string `header:"Link" doc:"Where the deprecated types are described." example:"</v1/tenants/acme/event-types/offer.issued>; rel=\"deprecation\""`
	Replayed    string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body        []byte
}

type appendEventIn struct {
	TenantPath
	PostHeader
}

// appendEvent is the hot path: one event in, one receipt out.
func appendEvent(ctx context.Context, c *call, _ *appendEventIn) (*receiptAnswer, error) {
	s, err := c.readEvent()
	if err != nil {
		return nil, err
	}
	id := domain.NewUUID()
	rules, err := s.complete(c, id)
	if err != nil {
		return nil, within("body", err)
	}
	faults, err := c.conform(&s, &rules, "body")
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		if err := c.refuseBroken(ctx, []brokenEvent{{&s, faults}}); err != nil {
			return nil, err
		}
	}
	out, err := c.append(ctx, &s, id)
	if err == nil && !rules.Deprecated.IsZero() {
		out.deprecate(c.tenant, s.attrs.Type, rules.Deprecated)
	}
	return out, err
}

// append answers with the receipt of one event: this request's, or the one that was appended under its name before.
func (c *call) append(ctx context.Context, s *submission, id domain.UUID) (*receiptAnswer, error) {
	group := domain.Group{Drafts: []domain.Draft{s.draft(c, id)}}
	if c.idempotency != "" {
		group.Claims = append(group.Claims, c.claim(c.tenant, 0, 1))
	}
	if s.named {
		group.Claims = append(group.Claims, s.claim(c.tenant, 0))
	}
	entries, err := domain.AppendOne(ctx, c.Log, group)
	var taken *domain.ClaimedError
	switch {
	case err == nil:
		return c.receipt(&entries[0], &s.attrs, http.StatusCreated, false), nil
	case !errors.As(err, &taken):
		return nil, err
	case c.idempotency != "" && taken.Claim == 0:
		entries, err := c.earlier(ctx, c.tenant, taken)
		if err != nil {
			return nil, err
		}
		return c.earlierReceipt(entries, http.StatusCreated, true)
	case taken.Erased:
		return nil, erased()
	case !taken.Same:
		return nil, idConflict("body.id")
	}
	to := taken.Sequence + 1
	entries, err = c.Log.Select(ctx, domain.Query{Tenant: c.tenant, From: &taken.Sequence, To: &to, Limit: 1})
	if err != nil {
		return nil, err
	}
	return c.earlierReceipt(entries, http.StatusOK, false)
}

func idConflict(location string) *problem {
	return refuse(http.StatusConflict, "event_id_conflict", "An event with this id and source and with other members was appended before. Nothing was appended.",
		fault{location, "is unique with its source"})
}

// readEvent reads the one event of a request, in any of its forms.
func (c *call) readEvent() (submission, error) {
	switch {
	case c.contentType == typeCloudEvent:
		members, err := domain.SplitObject(c.body)
		if err != nil {
			return submission{}, ambiguous("body", err)
		}
		s, err := parseCloudEvent(members)
		return s, within("body", err)
	case c.request.Header.Get("Ce-Specversion") != "":
		if err := domain.CheckJSON("", c.body); err != nil {
			return submission{}, ambiguous("body", err)
		}
		s, err := cloudEventOf(c.request.Header, c.body)
		return s, within("header", err)
	}
	members, err := domain.SplitObject(c.body)
	if err != nil {
		return submission{}, ambiguous("body", err)
	}
	s, err := parseEvent(members)
	return s, within("body", err)
}

// receipt answers with one event's receipt.
func (c *call) receipt(e *domain.Entry, attrs *domain.EventAttributes, status int, replayed bool) *receiptAnswer {
	n := sequenceText(e.Sequence)
	out := &receiptAnswer{
		Status: status, ContentType: "application/json", Sequence: n,
		Location: "/v1/tenants/" + string(c.tenant) + "/events/by-sequence/" + n,
		Body:     appendReceipt(make([]byte, 0, 256), e, attrs),
	}
	if replayed {
		out.Replayed = "true"
	}
	return out
}

func (c *call) earlierReceipt(entries []domain.Entry, status int, replayed bool) (*receiptAnswer, error) {
	attrs, err := appended(entries, 0)
	if err != nil {
		return nil, err
	}
	return c.receipt(&entries[0], attrs, status, replayed), nil
}

// deprecate says that a type of the answer's events is deprecated, and where to read more.
func (a *receiptAnswer) deprecate(tenant domain.TenantID, name domain.EventType, since time.Time) {
	link := "<" + typePath(tenant, name) + `>; rel="deprecation"`
	if a.Link != "" {
		link = a.Link + ", " + link
	}
	if date := "@" + strconv.FormatInt(since.Unix(), 10); a.Deprecation == "" || date < a.Deprecation {
		a.Deprecation = date
	}
	a.Link = link
}

// appended returns the attributes of the n-th entry, which a claim says is an event.
func appended(entries []domain.Entry, n int) (*domain.EventAttributes, error) {
	if n >= len(entries) {
		return nil, errors.New("a claim names entries that the log doesn't have")
	}
	fact, ok := entries[n].Fact.(*domain.EventAppended)
	if !ok || entries[n].Erased {
		return nil, unreadable(entries[n])
	}
	return &fact.Event, nil
}

// within says in which part of the request an error of a part is.
func within(prefix string, err error) error {
	var wrong *domain.InvalidError
	if errors.As(err, &wrong) {
		return invalid(prefix+"."+wrong.Field, wrong.Text)
	}
	var p *problem
	if errors.As(err, &p) {
		for i := range p.Errors {
			p.Errors[i].Location = prefix + "." + p.Errors[i].Location
		}
		return p
	}
	return err
}

// ambiguous is the refusal of what is no JSON, or JSON that parsers read in different ways.
func ambiguous(location string, err error) error {
	var wrong *domain.JSONError
	if !errors.As(err, &wrong) {
		return err
	}
	invalid := &domain.InvalidError{}
	errors.As(err, &invalid)
	if wrong.Malformed {
		return malformed(location, invalid.Text)
	}
	return refuse(http.StatusUnprocessableEntity, "ambiguous_json", location+": "+invalid.Text, fault{location, invalid.Text})
}
