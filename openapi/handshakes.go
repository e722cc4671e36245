package openapi

import (
	"context"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Times of a handshake.
const (
	// handshakeTimeout is the longest that a receiver may take; an endpoint's shorter timeout holds.
	handshakeTimeout = domain.Duration(15 * time.Second)
	// handshakeBound is how long the whole may take, with what is appended before and after.
	handshakeBound = time.Minute
)

type handshakeEndpointIn struct {
	ThingPath
	PostHeader
	Body *handshakeIn
}

type handshakeIn struct {
	Kind string `json:"kind,omitempty" enum:"ownership,cloudevents" doc:"What is asked; by default what the endpoint demands, else ownership." example:"ownership"`
	URL  string `json:"url,omitempty" maxLength:"2048" doc:"Who is asked: the endpoint's URL by default. Another one becomes the endpoint's once it passes." example:"https://new.receiver.example/hooks"`
	ReasonBody
}

// handshakeOut is how a handshake ended.
type handshakeOut struct {
	ID               domain.UUID          `json:"id" format:"uuid" doc:"The handshake's id, which the receiver saw." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d75"`
	Kind             domain.HandshakeKind `json:"kind" doc:"What was asked: ownership or cloudevents; more may come." example:"ownership"`
	Passed           bool                 `json:"passed" doc:"Whether the receiver answered as it has to." example:"true"`
	AllowedPerMinute int                  `json:"allowed_per_minute,omitempty" doc:"How many requests a minute the receiver allows, where it says so; the endpoint's rate limit is at most that." example:"120"`
	StatusCode       int                  `json:"status_code,omitempty" doc:"Of the receiver's answer." example:"200"`
	Error            string               `json:"error,omitempty" doc:"Why there was no answer, or why it doesn't count, for programs; more may come." example:"connection_refused"`
	Detail           string               `json:"detail,omitempty" doc:"What went wrong, for people." example:"the receiver answered 404"`
	DurationMS       float64              `json:"duration_ms" doc:"How long it took." example:"12.5"`
	FinishedAt       stamp                `json:"finished_at" doc:"When it ended." example:"2026-07-01T12:00:00.5Z"`
	StartedSequence  int64                `json:"started_sequence" doc:"The entry that was there before the first byte left." example:"43"`
	Endpoint         endpointOut          `json:"endpoint" doc:"The endpoint after it."`
}

// handshake is one on its way: asked once, and finished against the endpoint as it is by then.
type handshake struct {
	id     domain.UUID // of the endpoint
	kind   domain.HandshakeKind
	url    string // "": the endpoint's own; with the values in its query
	match  MatchHeader
	reason string

	secrets secretValues  // the query of the new URL
	asked   *domain.Entry // the intent, once it is there
	before  domain.Endpoint
	start   domain.HandshakeStart
	result  domain.HandshakeResult
	body    []byte
}

// handshakeEndpoint asks a receiver. Like an attempt, it ends in the log whether its caller waits or not; when the process
// dies in between, the intent stays without an end, and the next handshake supersedes it.
func handshakeEndpoint(ctx context.Context, c *call, in *handshakeEndpointIn) (*madeOut[handshakeOut], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	h := &handshake{id: id}
	if in.Body != nil {
		h.kind, h.url, h.reason = domain.HandshakeKind(in.Body.Kind), in.Body.URL, in.Body.Reason
	}
	return c.shakeHands(ctx, h)
}

// shakeHands asks and finishes; the idempotency key is claimed by the end, which alone can be answered again.
func (c *call) shakeHands(ctx context.Context, h *handshake) (*madeOut[handshakeOut], error) {
	if err := checkReason("body.reason", h.reason); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handshakeBound)
	defer cancel()
	out, err := once(ctx, c, post[madeOut[handshakeOut]]{
		decide: func(ctx context.Context) (domain.Group, error) {
			if h.asked == nil {
				if err := c.ask(ctx, h); err != nil {
					return domain.Group{}, err
				}
			}
			return c.finish(ctx, h)
		},
		answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*madeOut[handshakeOut], error) {
			e := entries[0]
			fact, ok := e.Fact.(*domain.EndpointHandshakeFinished)
			if !ok {
				return nil, unreadable(e)
			}
			if replayed || !fact.Result.Passed {
				c.forget(ctx, &h.secrets) // nothing names it
			}
			row, err := c.endpointOf(ctx, e)
			if err != nil {
				return nil, err
			}
			return made(e, replayed, c.endpointPath(row.ID), c.showHandshake(e, fact.Result, row)), nil
		},
	})
	if h.asked == nil {
		c.dropRefused(ctx, err, h.secrets.kept)
	}
	return out, err
}

func (c *call) showHandshake(e domain.Entry, r domain.HandshakeResult, row projections.Endpoint) handshakeOut {
	return handshakeOut{
		ID: r.ID, Kind: r.Kind, Passed: r.Passed, AllowedPerMinute: r.AllowedPerMinute, StatusCode: r.StatusCode, Error: r.Error, Detail: r.Detail,
		DurationMS: float64(r.DurationUS) / 1000, FinishedAt: stamp(r.FinishedAt), StartedSequence: int64(e.Cause), Endpoint: c.showEndpoint(row),
	}
}

// ask appends the intent, then has the request sent.
func (c *call) ask(ctx context.Context, h *handshake) error {
	if !c.opens(h.id) {
		return notFound()
	}
	leave, err := c.probes.enter(h.id)
	if err != nil {
		return err
	}
	defer leave()
	counted := false
	e, err := c.change(ctx, func(ctx context.Context) (domain.Group, error) {
		c.forget(ctx, &h.secrets)
		row, err := c.endpointNow(ctx, h.id)
		if err != nil {
			return domain.Group{}, err
		}
		if err := c.intend(ctx, h, row); err != nil {
			return domain.Group{}, err
		}
		if !counted { // what is refused sends nothing, and counts for nothing
			if err := c.probes.take(h.id, c.Clock()); err != nil {
				return domain.Group{}, err
			}
			counted = true
		}
		if err := c.keepMove(ctx, h); err != nil {
			return domain.Group{}, err
		}
		fact, err := row.StartHandshake(h.start)
		if err != nil {
			return domain.Group{}, err
		}
		return c.endpointGroup(row.Endpoint, fact, h.reason), nil
	})
	if err != nil {
		return err
	}
	h.asked, h.before.Version = &e, e.StreamVersion
	h.result, h.body = c.Handshake(ctx, HandshakeOrder{Endpoint: h.before, Start: h.start})
	return nil
}

// intend decides on the intent by the endpoint as it is. The new URL's query isn't kept yet.
func (c *call) intend(ctx context.Context, h *handshake, row projections.Endpoint) error {
	if err := h.match.check(row.Version); err != nil {
		return err
	}
	moves := h.url != "" && h.url != row.URL
	kind := h.kind
	demanded := row.Handshake
	if demanded == "" && c.key.Role == domain.RoleReceiver {
		demanded = domain.HandshakeOwnership // a receiver moves only to what is its own
	}
	switch {
	case kind == "" && demanded == "":
		kind = domain.HandshakeOwnership
	case kind == "":
		kind = demanded
	case kind != demanded && demanded != "" && moves:
		return domain.Invalid("kind", "is %s where the URL changes", demanded)
	}
	h.before = row.Endpoint
	h.start = domain.HandshakeStart{
		ID: domain.NewUUID(), Kind: kind, URL: row.URL, Query: row.Query, At: instant(c.Clock()), Node: c.Node,
		TimeoutMS: time.Duration(min(row.Timeout, handshakeTimeout)).Milliseconds(),
	}
	for _, key := range row.SigningKeys(h.start.At) {
		h.start.Keys = append(h.start.Keys, key.ID)
	}
	if err := c.checkMove(ctx, row, h.url, moves); err != nil || !moves {
		return err
	}
	var err error
	h.start.Query = nil
	h.start.URL, h.secrets.query, err = splitURL(h.url)
	return err
}

// checkMove judges a URL, or the endpoint's own by the rules of today, as if the endpoint were changed to it.
func (c *call) checkMove(ctx context.Context, row projections.Endpoint, target string, moves bool) error {
	if !moves {
		target = row.URL
	}
	profile, err := c.profileOf(ctx, row.EndpointConfig)
	if err != nil {
		return err
	}
	if _, _, err := c.mergeSecrets(endpointPatch{}, row.EndpointConfig, Target{Profile: row.ProfileDigest, URL: target}); err != nil {
		return err
	}
	https, err := c.httpsOnly(ctx, profile)
	if err != nil {
		return err
	}
	if b := c.key.Registration; c.key.Role == domain.RoleReceiver && b != nil {
		https = https || b.HTTPSOnly
	}
	return domain.ValidateURL("url", target, https)
}

// keepMove keeps the query of the new URL before the fact that names it.
func (c *call) keepMove(ctx context.Context, h *handshake) error {
	if h.secrets.query == "" {
		return nil
	}
	config := domain.EndpointConfig{}
	err := c.keepQuery(ctx, &config, &h.secrets)
	h.start.Query = config.Query
	return err
}

// finish decides by the endpoint as it is by now. What was asked of an endpoint whose URL or demand has changed since says
// nothing of the new one.
func (c *call) finish(ctx context.Context, h *handshake) (domain.Group, error) {
	row, err := c.endpointNow(ctx, h.id)
	if err != nil {
		return domain.Group{}, err
	}
	result := h.result
	if row.Moved(h.before.EndpointConfig) || row.Handshake != h.before.Handshake {
		result.Passed, result.AllowedPerMinute = false, 0
		result.Error, result.Detail = "superseded", "the endpoint's URL or handshake was changed meanwhile"
	}
	fact, err := row.FinishHandshake(h.start, result, h.body)
	if err != nil {
		return domain.Group{}, err
	}
	group := c.endpointGroup(row.Endpoint, fact, h.reason)
	group.Drafts[0].Cause = h.asked.Sequence
	return group, nil
}

// movedEndpoint changes an endpoint's URL by a handshake with the new one, where that is the way; else it returns nil.
func (c *call) movedEndpoint(ctx context.Context, id domain.UUID, in *patchEndpointIn) (*oneOut[endpointOut], error) {
	if in.Body.URL.Null || !in.Body.URL.Set {
		return nil, nil
	}
	row, err := c.endpointNow(ctx, id)
	if err != nil {
		return nil, err
	}
	demanded := row.Handshake != "" && !row.Unverified && !in.Body.Handshake.Set
	if row.URL == in.Body.URL.Value || c.key.Role != domain.RoleReceiver && !demanded {
		return nil, nil
	}
	for _, name := range in.Body.members() {
		if name != "url" {
			return nil, refuse(http.StatusUnprocessableEntity, "validation_failed", "body.url: takes a handshake, and is changed alone: send the rest in a request of its own.",
				fault{"body.url", "is changed alone"}, fault{"body." + name, "goes into a request of its own"})
		}
	}
	out, err := c.shakeHands(ctx, &handshake{id: id, url: in.Body.URL.Value, match: in.MatchHeader, reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	if !out.Body.Passed {
		return nil, refuse(http.StatusUnprocessableEntity, "handshake_failed", "The receiver at the new URL didn't pass the handshake; the URL stays as it was: "+out.Body.Detail,
			fault{"body.url", "belongs to a receiver that passes the handshake"})
	}
	return &oneOut[endpointOut]{Sequence: out.Sequence, ETag: out.ETag, Body: out.Body.Endpoint}, nil
}
