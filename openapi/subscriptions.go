package openapi

import (
	"context"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// subscriptionOut is a subscription as the API shows it.
type subscriptionOut struct {
	ID         domain.UUID      `json:"id" format:"uuid" doc:"The subscription's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	EndpointID domain.UUID      `json:"endpoint_id" format:"uuid" doc:"Where matching events go." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EventTypes []domain.Pattern `json:"event_types" doc:"Types, in which * stands for one segment or, last, for all the rest." example:"[\"offer.*\"]"`
	Filter     string           `json:"filter,omitempty" doc:"A condition on the event." example:"data.amount > 100"`
	Status     string           `json:"status" enum:"active,paused" doc:"A paused subscription's matches are skipped, and routing says so." example:"active"`
	Versions
}

func showSubscription(s projections.Subscription) subscriptionOut {
	out := subscriptionOut{
		ID: s.ID, EndpointID: s.Endpoint, EventTypes: s.EventTypes, Filter: s.Filter, Status: "active",
		Versions: version(s.Version, s.Created, s.Updated),
	}
	if s.Paused {
		out.Status = "paused"
	}
	return out
}

type createSubscriptionIn struct {
	TenantPath
	PostHeader
	Body subscriptionIn
}

type subscriptionIn struct {
	EndpointID string           `json:"endpoint_id" format:"uuid" doc:"Where matching events go." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EventTypes []domain.Pattern `json:"event_types" minItems:"1" maxItems:"100" doc:"Types, in which * stands for one segment or, last, for all the rest. It never stands for the server's own hooktrail.…" example:"[\"offer.*\"]"`
	Filter     string           `json:"filter,omitempty" maxLength:"4096" doc:"A condition on the event; every event of the types by default." example:"data.amount > 100"`
	ReasonBody
}

func createSubscription(ctx context.Context, c *call, in *createSubscriptionIn) (*madeOut[subscriptionOut], error) {
	if c.key.Role == domain.RoleReceiver { // what it makes is counted
		leave, err := c.turns.take(ctx, c.receiver())
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return once(ctx, c, post[madeOut[subscriptionOut]]{
		decide: func(ctx context.Context) (domain.Group, error) { return c.newSubscription(ctx, in.Body) },
		answer: c.answerSubscription,
	})
}

func (c *call) newSubscription(ctx context.Context, in subscriptionIn) (domain.Group, error) {
	endpoint, err := parseID("body.endpoint_id", in.EndpointID)
	if err != nil {
		return domain.Group{}, err
	}
	if !c.opens(endpoint) {
		return domain.Group{}, notFound()
	}
	fact, err := domain.CreateSubscription(domain.SubscriptionConfig{Endpoint: endpoint, EventTypes: in.EventTypes, Filter: in.Filter})
	if err != nil {
		return domain.Group{}, err
	}
	if err := c.mayChoose(in.EventTypes); err != nil {
		return domain.Group{}, err
	}
	if err := c.checkFilter(in.Filter); err != nil {
		return domain.Group{}, err
	}
	if err := checkReason("body.reason", in.Reason); err != nil {
		return domain.Group{}, err
	}
	_, err = c.now(ctx, func(r projections.Reader) error {
		if _, err := r.Endpoint(ctx, endpoint, projections.AsOf{}); err != nil {
			return err
		}
		return c.mayAdd(ctx, r, endpoint)
	})
	if isNotFound(err) {
		err = domain.Invalid("endpoint_id", "names an endpoint of this tenant")
	}
	return c.subscriptionGroup(domain.Subscription{ID: domain.NewUUID()}, fact, in.Reason), err
}

// mayChange refuses a receiver changes of its subscriptions unless its endpoint was made with a registration.
func (c *call) mayChange() error {
	if c.key.Role == domain.RoleReceiver && c.key.Registration == nil {
		return refuse(http.StatusForbidden, "forbidden", "The endpoint wasn't made with a registration: the tenant's admins choose what goes to it.")
	}
	return nil
}

// mayChoose refuses a receiver types beyond its registration.
func (c *call) mayChoose(types []domain.Pattern) error {
	if err := c.mayChange(); err != nil || c.key.Role != domain.RoleReceiver {
		return err
	}
	return c.key.Registration.Allows("event_types", types)
}

// maxChosen is how many subscriptions an endpoint has at most for its receiver to add one. The filter of each is asked of
// each event of its types, while the events of everybody else wait.
const maxChosen = 20

// mayAdd refuses a receiver more subscriptions than its endpoint needs.
func (c *call) mayAdd(ctx context.Context, r projections.Reader, endpoint domain.UUID) error {
	if c.key.Role != domain.RoleReceiver {
		return nil
	}
	rows, err := r.Subscriptions(ctx, endpoint, projections.Page{Limit: maxChosen}, projections.AsOf{})
	if err == nil && len(rows) == maxChosen {
		err = refuse(http.StatusConflict, "too_many_subscriptions",
			"The endpoint has as many subscriptions as a receiver may make. Change one that is there, or ask the tenant's admins.")
	}
	return err
}

func (c *call) checkFilter(filter string) error {
	switch {
	case filter == "":
		return nil
	case c.CheckFilter == nil:
		return domain.Invalid("filter", "isn't available in this version of the server: leave it out")
	}
	return c.CheckFilter(filter)
}

func (c *call) subscriptionGroup(s domain.Subscription, fact domain.Fact, reason string) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.tenant, Stream: domain.Stream{Kind: domain.StreamSubscription, ID: s.ID}, Expected: s.Version, By: c.by(), Fact: fact, Reason: reason,
	}}}
}

// answerSubscription answers from the entry that a change appended.
func (c *call) answerSubscription(ctx context.Context, entries []domain.Entry, replayed bool) (*madeOut[subscriptionOut], error) {
	row, err := c.subscriptionOf(ctx, entries[0])
	if err != nil {
		return nil, err
	}
	return made(entries[0], replayed, c.subscriptionPath(row.ID), showSubscription(row)), nil
}

func (c *call) subscriptionPath(id domain.UUID) string {
	return "/v1/tenants/" + string(c.tenant) + "/subscriptions/" + id.String()
}

// subscriptionOf makes the row that an entry of a subscription's stream leads to.
func (c *call) subscriptionOf(ctx context.Context, e domain.Entry) (projections.Subscription, error) {
	config, ok := subscriptionConfig(e.Fact)
	if !ok {
		return projections.Subscription{}, unreadable(e)
	}
	at := projections.OriginOf(e)
	row := projections.Subscription{
		Subscription: domain.Subscription{ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion, SubscriptionConfig: config}, Created: at, Updated: at,
	}
	if e.StreamVersion == 1 {
		return row, nil
	}
	created, err := c.created(ctx, e.Stream)
	row.Created = created
	return row, err
}

func subscriptionConfig(fact domain.Fact) (domain.SubscriptionConfig, bool) {
	switch f := fact.(type) {
	case *domain.SubscriptionCreated:
		return f.Subscription, true
	case *domain.SubscriptionUpdated:
		return f.Subscription, true
	case *domain.SubscriptionPaused:
		return f.Subscription, true
	case *domain.SubscriptionResumed:
		return f.Subscription, true
	}
	return domain.SubscriptionConfig{}, false
}

type getSubscriptionIn struct {
	ThingPath
	AsOfQuery
}

func getSubscription(ctx context.Context, c *call, in *getSubscriptionIn) (*oneOut[subscriptionOut], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	m, err := c.moment(ctx, in.AsOfQuery, fresh, nil)
	if err != nil {
		return nil, err
	}
	var row projections.Subscription
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		row, err = c.openSubscription(ctx, r, id, as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneOut[subscriptionOut]{Sequence: sequenceText(n), ETag: etag(row.Version), Body: showSubscription(row)}, nil
}

// openSubscription finds a subscription that the key may see.
func (c *call) openSubscription(ctx context.Context, r projections.Reader, id domain.UUID, as projections.AsOf) (projections.Subscription, error) {
	row, err := r.Subscription(ctx, id, as)
	if err == nil && !c.opens(row.Endpoint) {
		err = domain.ErrNotFound
	}
	return row, err
}

type listSubscriptionsIn struct {
	TenantPath
	ListQuery
	EndpointID string `query:"endpoint_id" format:"uuid" doc:"Those of this endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	AsOfQuery
}

func listSubscriptions(ctx context.Context, c *call, in *listSubscriptionsIn) (*listOut[subscriptionOut], error) {
	endpoint := c.receiver()
	var err error
	if in.EndpointID != "" {
		if endpoint, err = parseID("query.endpoint_id", in.EndpointID); err != nil {
			return nil, err
		}
		if !c.opens(endpoint) {
			return nil, notFound()
		}
	}
	l, err := c.list(in.ListQuery, in.EndpointID, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	m, err := c.moment(ctx, in.AsOfQuery, fresh, l.pinned())
	if err != nil {
		return nil, err
	}
	var rows []projections.Subscription
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		rows, err = r.Subscriptions(ctx, endpoint, l.page(), as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return paged(l, n, rows, func(s *projections.Subscription) []byte { return bySequence(s.Created.Sequence) },
		func(s *projections.Subscription) subscriptionOut { return showSubscription(*s) }), nil
}

type patchSubscriptionIn struct {
	ThingPath
	MatchHeader
	Body subscriptionPatch `contentType:"application/merge-patch+json"`
}

type subscriptionPatch struct {
	EventTypes patch[[]domain.Pattern] `json:"event_types,omitzero" maxItems:"100" doc:"Replaces the list." example:"[\"offer.*\"]"`
	Filter     patch[string]           `json:"filter,omitzero" maxLength:"4096" doc:"null: every event of the types." example:"data.amount > 100"`
	ReasonBody
}

func patchSubscription(ctx context.Context, c *call, in *patchSubscriptionIn) (*oneOut[subscriptionOut], error) {
	e, err := c.changeSubscription(ctx, in.ThingPath, in.MatchHeader, "body.reason", in.Body.Reason, func(s domain.Subscription) (domain.Fact, error) {
		config := s.SubscriptionConfig
		in.Body.EventTypes.apply(&config.EventTypes, nil)
		in.Body.Filter.apply(&config.Filter, "")
		if err := c.mayChoose(config.EventTypes); err != nil {
			return nil, err
		}
		if err := c.checkFilter(config.Filter); err != nil {
			return nil, err
		}
		return s.Update(config)
	})
	if err != nil {
		return nil, err
	}
	row, err := c.subscriptionOf(ctx, e)
	if err != nil {
		return nil, err
	}
	return &oneOut[subscriptionOut]{Sequence: sequenceText(e.Sequence), ETag: etag(row.Version), Body: showSubscription(row)}, nil
}

type deleteSubscriptionIn struct {
	ThingPath
	MatchHeader
	ReasonQuery
}

func deleteSubscription(ctx context.Context, c *call, in *deleteSubscriptionIn) (*goneOut, error) {
	e, err := c.changeSubscription(ctx, in.ThingPath, in.MatchHeader, "query.reason", in.Reason, func(s domain.Subscription) (domain.Fact, error) {
		return s.Delete()
	})
	if err != nil {
		return nil, err
	}
	return &goneOut{Sequence: sequenceText(e.Sequence)}, nil
}

// changeSubscription loads, decides and appends, anew when another change came between.
func (c *call) changeSubscription(
	ctx context.Context, in ThingPath, match MatchHeader, location, reason string, decide func(domain.Subscription) (domain.Fact, error),
) (domain.Entry, error) {
	id, err := in.id()
	if err != nil {
		return domain.Entry{}, err
	}
	if err := checkReason(location, reason); err != nil {
		return domain.Entry{}, err
	}
	return c.change(ctx, func(ctx context.Context) (domain.Group, error) {
		row, err := c.subscriptionNow(ctx, id)
		if err != nil {
			return domain.Group{}, err
		}
		if err := c.mayChange(); err != nil {
			return domain.Group{}, err
		}
		if err := match.check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := decide(row.Subscription)
		if err != nil {
			return domain.Group{}, err
		}
		return c.subscriptionGroup(row.Subscription, fact, reason), nil
	})
}

func (c *call) subscriptionNow(ctx context.Context, id domain.UUID) (row projections.Subscription, err error) {
	_, err = c.now(ctx, func(r projections.Reader) (err error) {
		row, err = c.openSubscription(ctx, r, id, projections.AsOf{})
		return err
	})
	return row, err
}

func pauseSubscription(ctx context.Context, c *call, in *endpointActionIn) (*madeOut[subscriptionOut], error) {
	return switchSubscription(ctx, c, in, func(s domain.Subscription) (domain.Fact, error) {
		fact, err := s.Pause()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

func resumeSubscription(ctx context.Context, c *call, in *endpointActionIn) (*madeOut[subscriptionOut], error) {
	return switchSubscription(ctx, c, in, func(s domain.Subscription) (domain.Fact, error) {
		if err := c.mayChoose(s.EventTypes); err != nil {
			return nil, err
		}
		fact, err := s.Resume()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

// switchSubscription pauses or resumes; one that is in that state already is answered as it is.
func switchSubscription(
	ctx context.Context, c *call, in *endpointActionIn, decide func(domain.Subscription) (domain.Fact, error),
) (*madeOut[subscriptionOut], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := checkReason("body.reason", in.reason()); err != nil {
		return nil, err
	}
	var row projections.Subscription
	return once(ctx, c, post[madeOut[subscriptionOut]]{
		decide: func(ctx context.Context) (domain.Group, error) {
			if row, err = c.subscriptionNow(ctx, id); err != nil {
				return domain.Group{}, err
			}
			if err := c.mayChange(); err != nil {
				return domain.Group{}, err
			}
			fact, err := decide(row.Subscription)
			if fact == nil || err != nil {
				return domain.Group{}, err
			}
			return c.subscriptionGroup(row.Subscription, fact, in.reason()), nil
		},
		idle: func(context.Context) (*madeOut[subscriptionOut], error) {
			return &madeOut[subscriptionOut]{
				Sequence: sequenceText(row.Updated.Sequence), ETag: etag(row.Version), Location: c.subscriptionPath(id), Body: showSubscription(row),
			}, nil
		},
		answer: c.answerSubscription,
	})
}
