package openapi

import (
	"context"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// subscriptionOut is a subscription as the API shows it.
type subscriptionOut struct {
	ID         domain.UUID      `json:"id" format:"uuid" doc:"The subscription's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	EndpointID domain.UUID      `json:"endpoint_id" format:"uuid" doc:"Where matching events go." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EventTypes []domain.Pattern `json:"event_types" doc:"Types, in which * matches one segment or, at the end, all the rest." example:"[\"offer.*\"]"`
	Filter     string           `json:"filter,omitempty" doc:"A condition on the event." example:"data.amount > 100"`
	Status     string           `json:"status" enum:"active,paused" doc:"A paused subscription's matches are skipped, and routing says so." example:"active"`
	rest.Versions
}

func showSubscription(s projections.Subscription) subscriptionOut {
	out := subscriptionOut{
		ID: s.ID, EndpointID: s.Endpoint, EventTypes: s.EventTypes, Filter: s.Filter, Status: "active",
		Versions: rest.VersionsOf(s.Version, s.Created, s.Updated),
	}
	if s.Paused {
		out.Status = "paused"
	}
	return out
}

type createSubscriptionIn struct {
	rest.TenantPath
	rest.PostHeader
	Body subscriptionIn
}

type subscriptionIn struct {
	EndpointID string           `json:"endpoint_id" format:"uuid" doc:"Where matching events go." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EventTypes []domain.Pattern `json:"event_types" minItems:"1" maxItems:"100" doc:"Types, in which * matches one segment or, at the end, all the rest. It never matches the server's own hooktrail.…" example:"[\"offer.*\"]"`
	Filter     string           `json:"filter,omitempty" maxLength:"4096" doc:"A condition on the event; every event of the types by default." example:"data.amount > 100"`
	rest.ReasonBody
}

// createSubscription subscribes an endpoint to event types.
func createSubscription(ctx context.Context, c *call, in *createSubscriptionIn) (*rest.Made[subscriptionOut], error) {
	if c.Key.Role == domain.RoleReceiver { // what it makes is counted
		leave, err := c.registrants.Take(ctx, c.Receiver())
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[subscriptionOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideSubscription(ctx, c, in.Body) },
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[subscriptionOut], error) {
			return answerSubscription(ctx, c, entries, replayed)
		},
	})
}

// decideSubscription decides on a subscription, within what its maker may choose.
func decideSubscription(ctx context.Context, c *call, in subscriptionIn) (domain.Group, error) {
	endpoint, err := rest.ParseID("body.endpoint_id", in.EndpointID)
	if err != nil {
		return domain.Group{}, err
	}
	if !c.Opens(endpoint) {
		return domain.Group{}, rest.NotFound()
	}
	fact, err := domain.CreateSubscription(domain.SubscriptionConfig{
		Endpoint: endpoint, EventTypes: in.EventTypes,
		Filter: in.Filter,
	})
	if err != nil {
		return domain.Group{}, err
	}
	if err := mayChoose(c, in.EventTypes); err != nil {
		return domain.Group{}, err
	}
	if err := checkFilter(c, in.Filter); err != nil {
		return domain.Group{}, err
	}
	if err := rest.CheckReason("body.reason", in.Reason); err != nil {
		return domain.Group{}, err
	}
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		if _, err := r.Endpoint(ctx, endpoint, projections.AsOf{}); err != nil {
			return err
		}
		return mayAdd(ctx, c, r, endpoint)
	})
	if isNotFound(err) {
		err = domain.Invalid("endpoint_id", "names an endpoint of this tenant")
	}
	if err != nil {
		return domain.Group{}, err
	}
	group := subscriptionGroup(c, domain.Subscription{ID: domain.NewUUID()}, fact, in.Reason)
	return group, withinLimits(ctx, c, group)
}

// mayChangeSubscriptions refuses a receiver changes of its subscriptions unless its endpoint was made with a
// registration.
func mayChangeSubscriptions(c *call) error {
	if c.Key.Role == domain.RoleReceiver && c.Key.Registration == nil {
		return rest.Refuse(http.StatusForbidden, "forbidden",
			"The endpoint wasn't made with a registration: the tenant's admins choose what goes to it.")
	}
	return nil
}

// mayChoose refuses a receiver types beyond its registration.
func mayChoose(c *call, types []domain.Pattern) error {
	if err := mayChangeSubscriptions(c); err != nil || c.Key.Role != domain.RoleReceiver {
		return err
	}
	return c.Key.Registration.Allows("event_types", types)
}

// maxChosen is how many subscriptions an endpoint has at most for its receiver to add one. The filter of each is asked
// of each event of its types, while the events of everybody else wait.
const maxChosen = 20

// mayAdd refuses a receiver more subscriptions than its endpoint needs.
func mayAdd(ctx context.Context, c *call, r projections.Reader, endpoint domain.UUID) error {
	if c.Key.Role != domain.RoleReceiver {
		return nil
	}
	rows, err := r.Subscriptions(ctx, endpoint, projections.Page{Limit: maxChosen}, projections.AsOf{})
	if err == nil && len(rows) == maxChosen {
		err = rest.Refuse(http.StatusConflict, "too_many_subscriptions",
			"The endpoint has as many subscriptions as a receiver may make. Change one that is there, or ask the "+
				"tenant's admins.")
	}
	return err
}

// checkFilter refuses a filter that doesn't compile.
func checkFilter(c *call, filter string) error {
	switch {
	case filter == "":
		return nil
	case c.Filters == nil:
		return domain.Invalid("filter", "isn't available in this version of the server: leave it out")
	}
	return c.Filters.Check(filter)
}

func subscriptionGroup(c *call, s domain.Subscription, fact domain.Fact, reason string) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamSubscription, ID: s.ID}, Expected: s.Version,
		By: c.By(), Fact: fact, Reason: reason,
	}}}
}

// answerSubscription answers from the entry that a change appended.
func answerSubscription(
	ctx context.Context, c *call, entries []domain.Entry, replayed bool,
) (*rest.Made[subscriptionOut], error) {
	row, err := subscriptionOf(ctx, c, entries[0])
	if err != nil {
		return nil, err
	}
	return rest.NewMade(entries[0], replayed, subscriptionPath(c, row.ID), showSubscription(row)), nil
}

func subscriptionPath(c *call, id domain.UUID) string {
	return c.Path("subscriptions", id.String())
}

// subscriptionOf makes the row that an entry of a subscription's stream leads to.
func subscriptionOf(ctx context.Context, c *call, e domain.Entry) (projections.Subscription, error) {
	config, ok := subscriptionConfig(e.Fact)
	if !ok {
		return projections.Subscription{}, rest.Unreadable(e)
	}
	at := projections.OriginOf(e)
	row := projections.Subscription{
		Subscription: domain.Subscription{
			ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion,
			SubscriptionConfig: config,
		}, Created: at, Updated: at,
	}
	if e.StreamVersion == 1 {
		return row, nil
	}
	created, err := rest.Created(ctx, c.Request, e.Stream)
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
	rest.ThingPath
	rest.AsOfQuery
}

// getSubscription shows a subscription as of a moment.
func getSubscription(ctx context.Context, c *call, in *getSubscriptionIn) (*rest.One[subscriptionOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	var row projections.Subscription
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) (err error) {
			row, err = visibleSubscription(ctx, c, r, id, as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewOne(n, row.Version, showSubscription(row)), nil
}

// visibleSubscription finds a subscription that the key may see.
func visibleSubscription(
	ctx context.Context, c *call, r projections.Reader, id domain.UUID, as projections.AsOf,
) (projections.Subscription, error) {
	row, err := r.Subscription(ctx, id, as)
	if err == nil && !c.Opens(row.Endpoint) {
		err = domain.ErrNotFound
	}
	return row, err
}

type listSubscriptionsIn struct {
	rest.TenantPath
	rest.ListQuery
	EndpointID string `query:"endpoint_id" format:"uuid" doc:"Those of this endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	rest.AsOfQuery
}

// listSubscriptions lists a tenant's subscriptions, or those of one endpoint; a receiver's are those of its own.
func listSubscriptions(ctx context.Context, c *call, in *listSubscriptionsIn) (*rest.Listed[subscriptionOut], error) {
	endpoint := c.Receiver()
	var err error
	if in.EndpointID != "" {
		if endpoint, err = rest.ParseID("query.endpoint_id", in.EndpointID); err != nil {
			return nil, err
		}
		if !c.Opens(endpoint) {
			return nil, rest.NotFound()
		}
	}
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.EndpointID, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	var rows []projections.Subscription
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) (err error) {
			rows, err = r.Subscriptions(ctx, endpoint, l.Rows(), as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows,
		func(s *projections.Subscription) []byte { return rest.PlaceAt(s.Created.Sequence) },
		func(s *projections.Subscription) subscriptionOut { return showSubscription(*s) }), nil
}

type patchSubscriptionIn struct {
	rest.ThingPath
	rest.MatchHeader
	Body subscriptionPatch `contentType:"application/merge-patch+json"`
}

type subscriptionPatch struct {
	EventTypes rest.Patch[[]domain.Pattern] `json:"event_types,omitzero" maxItems:"100" doc:"Replaces the list." example:"[\"offer.*\"]"`
	Filter     rest.Patch[string]           `json:"filter,omitzero" maxLength:"4096" doc:"null: every event of the types." example:"data.amount > 100"`
	rest.ReasonBody
}

// patchSubscription merges a patch into the subscription as it is.
func patchSubscription(ctx context.Context, c *call, in *patchSubscriptionIn) (*rest.One[subscriptionOut], error) {
	before, e, err := changeSubscription(ctx, c, in.ThingPath, in.MatchHeader, "body.reason", in.Body.Reason,
		func(s domain.Subscription) (domain.Fact, error) {
			config := s.SubscriptionConfig
			in.Body.EventTypes.Apply(&config.EventTypes, nil)
			in.Body.Filter.Apply(&config.Filter, "")
			if err := mayChoose(c, config.EventTypes); err != nil {
				return nil, err
			}
			if err := checkFilter(c, config.Filter); err != nil {
				return nil, err
			}
			fact, err := s.Update(config)
			if fact == nil {
				return nil, err
			}
			return fact, err
		})
	if err != nil {
		return nil, err
	}
	if rest.Unchanged(e) {
		return rest.NewOne(before.Updated.Sequence, before.Version, showSubscription(before)), nil
	}
	row, err := subscriptionOf(ctx, c, e)
	if err != nil {
		return nil, err
	}
	return rest.NewOne(e.Sequence, row.Version, showSubscription(row)), nil
}

type deleteSubscriptionIn struct {
	rest.ThingPath
	rest.MatchHeader
	rest.ReasonQuery
}

// deleteSubscription ends a subscription.
func deleteSubscription(ctx context.Context, c *call, in *deleteSubscriptionIn) (*rest.Gone, error) {
	_, e, err := changeSubscription(ctx, c, in.ThingPath, in.MatchHeader, "query.reason", in.Reason,
		func(s domain.Subscription) (domain.Fact, error) {
			return s.Delete()
		})
	if err != nil {
		return nil, err
	}
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, nil
}

// changeSubscription loads, decides and appends, again if another change was made concurrently. Where decide returns no
// fact, nothing is to be changed. before is the subscription as it was loaded last.
func changeSubscription(
	ctx context.Context, c *call, in rest.ThingPath, match rest.MatchHeader, location, reason string,
	decide func(domain.Subscription) (domain.Fact, error),
) (before projections.Subscription, e domain.Entry, err error) {
	id, err := in.UUID()
	if err != nil {
		return before, e, err
	}
	if err := rest.CheckReason(location, reason); err != nil {
		return before, e, err
	}
	e, err = rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		row, err := subscriptionNow(ctx, c, id)
		if err != nil {
			return domain.Group{}, err
		}
		before = row
		if err := mayChangeSubscriptions(c); err != nil {
			return domain.Group{}, err
		}
		if err := match.Check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := decide(row.Subscription)
		if fact == nil || err != nil {
			return domain.Group{}, err
		}
		group := subscriptionGroup(c, row.Subscription, fact, reason)
		return group, withinLimits(ctx, c, group)
	})
	return before, e, err
}

func subscriptionNow(ctx context.Context, c *call, id domain.UUID) (row projections.Subscription, err error) {
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		row, err = visibleSubscription(ctx, c, r, id, projections.AsOf{})
		return err
	})
	return row, err
}

// pauseSubscription has matching events skipped.
func pauseSubscription(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[subscriptionOut], error) {
	return switchSubscription(ctx, c, in, func(s domain.Subscription) (domain.Fact, error) {
		fact, err := s.Pause()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

// resumeSubscription ends a pause. A receiver's types must still be within its registration.
func resumeSubscription(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[subscriptionOut], error) {
	return switchSubscription(ctx, c, in, func(s domain.Subscription) (domain.Fact, error) {
		if err := mayChoose(c, s.EventTypes); err != nil {
			return nil, err
		}
		fact, err := s.Resume()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

// switchSubscription pauses or resumes; one that is in that state already is returned as it is.
func switchSubscription(
	ctx context.Context, c *call, in *rest.ActionInput, decide func(domain.Subscription) (domain.Fact, error),
) (*rest.Made[subscriptionOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("body.reason", in.Reason()); err != nil {
		return nil, err
	}
	var row projections.Subscription
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[subscriptionOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			if row, err = subscriptionNow(ctx, c, id); err != nil {
				return domain.Group{}, err
			}
			if err := mayChangeSubscriptions(c); err != nil {
				return domain.Group{}, err
			}
			fact, err := decide(row.Subscription)
			if fact == nil || err != nil {
				return domain.Group{}, err
			}
			return subscriptionGroup(c, row.Subscription, fact, in.Reason()), nil
		},
		Idle: func(context.Context) (*rest.Made[subscriptionOut], error) {
			return &rest.Made[subscriptionOut]{
				Sequence: rest.SequenceText(row.Updated.Sequence), ETag: rest.ETag(row.Version),
				Location: subscriptionPath(c, id), Body: showSubscription(row),
			}, nil
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[subscriptionOut], error) {
			return answerSubscription(ctx, c, entries, replayed)
		},
	})
}
