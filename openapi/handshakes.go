package openapi

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
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
	rest.ThingPath
	rest.PostHeader
	Body *handshakeIn
}

type handshakeIn struct {
	Kind string `json:"kind,omitempty" enum:"ownership,cloudevents" doc:"What the receiver is asked for; by default what the endpoint demands, else ownership." example:"ownership"`
	URL  string `json:"url,omitempty" maxLength:"2048" doc:"Who is asked: the endpoint's URL by default. Another one becomes the endpoint's once it passes." example:"https://new.receiver.example/hooks"`
	rest.ReasonBody
}

// handshakeOut is how a handshake ended.
type handshakeOut struct {
	ID               domain.UUID          `json:"id" format:"uuid" doc:"The handshake's id, which the receiver saw." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d75"`
	Kind             domain.HandshakeKind `json:"kind" doc:"What was asked: ownership or cloudevents; more may be added." example:"ownership"`
	Passed           bool                 `json:"passed" doc:"Whether the receiver answered as it has to." example:"true"`
	AllowedPerMinute int                  `json:"allowed_per_minute,omitempty" doc:"How many requests a minute the receiver allows, where it says so; the endpoint's rate limit is at most that." example:"120"`
	StatusCode       int                  `json:"status_code,omitempty" doc:"Of the receiver's answer." example:"200"`
	Error            string               `json:"error,omitempty" doc:"Why there was no answer, or why it doesn't count, for programs; more may be added." example:"connection_refused"`
	Detail           string               `json:"detail,omitempty" doc:"What went wrong, for people." example:"the receiver answered 404"`
	DurationMS       float64              `json:"duration_ms" doc:"How long it took." example:"12.5"`
	FinishedAt       rest.Stamp           `json:"finished_at" doc:"When it ended." example:"2026-07-01T12:00:00.5Z"`
	StartedSequence  int64                `json:"started_sequence" doc:"The entry that was there before the first byte left." example:"43"`
	Endpoint         endpointOut          `json:"endpoint" doc:"The endpoint after it."`
}

// handshake is one under way: the receiver is asked once, and the result applies to the endpoint as it is by then.
type handshake struct {
	id     domain.UUID // of the endpoint
	kind   domain.HandshakeKind
	url    string // "": the endpoint's own; with the values in its query
	match  rest.MatchHeader
	reason string

	secrets credentials   // the query of the new URL
	asked   *domain.Entry // the intent, once it is there
	before  domain.Endpoint
	start   domain.HandshakeStart
	result  domain.HandshakeResult
	body    []byte
}

// handshakeEndpoint asks a receiver. Like an attempt, it ends in the log whether its caller waits or not; when the
// process dies in between, the intent stays without an end, and the next handshake supersedes it.
func handshakeEndpoint(ctx context.Context, c *call, in *handshakeEndpointIn) (*rest.Made[handshakeOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	h := &handshake{id: id}
	if in.Body != nil {
		h.kind, h.url, h.reason = domain.HandshakeKind(in.Body.Kind), in.Body.URL, in.Body.Reason
	}
	return shakeHands(ctx, c, h)
}

// shakeHands asks and finishes; the idempotency key is claimed by the end, which alone can be answered again.
func shakeHands(ctx context.Context, c *call, h *handshake) (*rest.Made[handshakeOut], error) {
	if err := rest.CheckReason("body.reason", h.reason); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handshakeBound)
	defer cancel()
	out, err := rest.Once(ctx, c.Request, rest.Post[rest.Made[handshakeOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			if h.asked == nil {
				if err := askReceiver(ctx, c, h); err != nil {
					return domain.Group{}, err
				}
			}
			return decideFinish(ctx, c, h)
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[handshakeOut], error) {
			e := entries[0]
			fact, ok := e.Fact.(*domain.EndpointHandshakeFinished)
			if !ok {
				return nil, rest.Unreadable(e)
			}
			if replayed || !fact.Result.Passed {
				forgetSecrets(ctx, c, &h.secrets) // nothing names it
			}
			row, err := endpointOf(ctx, c, e)
			if err != nil {
				return nil, err
			}
			return rest.NewMade(e, replayed, endpointPath(c, row.ID), showHandshake(c, e, fact.Result, row)), nil
		},
	})
	if h.asked == nil {
		dropRefused(ctx, c, err, &h.secrets)
	}
	return out, err
}

func showHandshake(c *call, e domain.Entry, r domain.HandshakeResult, row projections.Endpoint) handshakeOut {
	return handshakeOut{
		ID: r.ID, Kind: r.Kind, Passed: r.Passed, AllowedPerMinute: r.AllowedPerMinute, StatusCode: r.StatusCode,
		Error: r.Error, Detail: r.Detail,
		DurationMS: float64(r.DurationUS) / 1000, FinishedAt: rest.Stamp(r.FinishedAt), StartedSequence: int64(e.Cause),
		Endpoint: showEndpoint(row),
	}
}

// askReceiver appends the intent, then has the request sent.
func askReceiver(ctx context.Context, c *call, h *handshake) error {
	if !c.Opens(h.id) {
		return rest.NotFound()
	}
	leave, err := c.probes.enter(h.id)
	if err != nil {
		return err
	}
	defer leave()
	counted := false
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		forgetSecrets(ctx, c, &h.secrets)
		row, err := endpointNow(ctx, c, h.id)
		if err != nil {
			return domain.Group{}, err
		}
		if err := decideIntent(ctx, c, h, row); err != nil {
			return domain.Group{}, err
		}
		fact, err := row.StartHandshake(h.start)
		if err != nil {
			return domain.Group{}, err
		}
		if !counted { // what is refused sends nothing, and counts for nothing
			if err := c.probes.take(h.id, c.Clock()); err != nil {
				return domain.Group{}, err
			}
			counted = true
		}
		return endpointGroup(c, row.Endpoint, fact, h.reason), storeSecrets(ctx, c, &h.secrets)
	})
	if err != nil {
		return err
	}
	h.asked, h.before.Version = &e, e.StreamVersion
	h.result, h.body = c.Courier.Handshake(ctx, domain.HandshakeOrder{Endpoint: h.before, Start: h.start})
	return nil
}

// decideIntent decides on the intent by the endpoint as it is. The new URL's query is named and not stored yet.
func decideIntent(ctx context.Context, c *call, h *handshake, row projections.Endpoint) error {
	if err := h.match.Check(row.Version); err != nil {
		return err
	}
	moves := h.url != "" && h.url != row.URL
	kind := h.kind
	demanded := row.Handshake
	if demanded == "" && c.Key.Role == domain.RoleReceiver {
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
		ID: domain.NewUUID(), Kind: kind, URL: row.URL, Query: row.Query, At: rest.Instant(c.Clock()), Node: c.Node,
		TimeoutMS: time.Duration(min(row.Timeout, handshakeTimeout)).Milliseconds(),
	}
	for _, key := range row.SigningKeys(h.start.At) {
		h.start.Keys = append(h.start.Keys, key.ID)
	}
	target := targetOf(row.EndpointConfig)
	if moves {
		target.URL = h.url
	}
	if err := judgeMove(ctx, c, row, target); err != nil || !moves {
		return err
	}
	shown, query, err := splitURL(c, h.url)
	if err != nil {
		return err
	}
	h.start.URL, h.secrets.query = shown, query
	var config domain.EndpointConfig
	err = nameQuery(ctx, c, &config, &h.secrets)
	h.start.Query = config.Query
	return err
}

// judgeMove judges a target by the rules of today, as if the endpoint were changed to it.
func judgeMove(ctx context.Context, c *call, row projections.Endpoint, target domain.Target) error {
	profile, err := profileOf(ctx, c, row.EndpointConfig)
	if err != nil {
		return err
	}
	if _, err := judgeTarget(c, target); err != nil {
		return err
	}
	https, err := httpsOnly(ctx, c, profile)
	if err != nil {
		return err
	}
	if b := c.Key.Registration; c.Key.Role == domain.RoleReceiver && b != nil {
		https = https || b.HTTPSOnly
	}
	return domain.ValidateURL("url", target.URL, https)
}

// decideFinish decides by the endpoint as it is by now. What was asked of an endpoint whose URL or demand has changed
// since says nothing of the new one.
func decideFinish(ctx context.Context, c *call, h *handshake) (domain.Group, error) {
	row, err := endpointNow(ctx, c, h.id)
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
	group := endpointGroup(c, row.Endpoint, fact, h.reason)
	group.Drafts[0].Cause = h.asked.Sequence
	return group, nil
}
