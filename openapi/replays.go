package openapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// replayOut is a redrive or a replay: deliveries that are sent again in bulk.
type replayOut struct {
	ID              domain.UUID         `json:"id,omitzero" format:"uuid" doc:"Its id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d80"`
	DryRun          bool                `json:"dry_run,omitempty" doc:"Nothing is sent: counts and sample say what would be." example:"false"`
	Status          domain.ReplayStatus `json:"status,omitempty" doc:"awaiting_approval, queued, running, paused, succeeded (everything is set off; results say what becomes of it), failed or cancelled." example:"running"`
	Problem         string              `json:"problem,omitempty" doc:"Why it failed." example:"its endpoint is deleted"`
	Filter          replayFilterOut     `json:"filter" doc:"What it was asked to send, times as sequences."`
	Configuration   string              `json:"configuration" doc:"now: today's URL, headers, format and signing." example:"now"`
	RateLimit       float64             `json:"rate_limit,omitempty" doc:"Deliveries set off a second." example:"50"`
	Progress        *progressOut        `json:"progress,omitempty" doc:"How far it has got."`
	Counts          replayCounts        `json:"counts" doc:"What it has done."`
	Results         *replayResults      `json:"results,omitempty" doc:"What has become of the deliveries that it has set off."`
	Sample          []replaySample      `json:"sample,omitempty" doc:"The first deliveries of a dry run."`
	RequestedBy     *actorRef           `json:"requested_by,omitempty" doc:"Who asked for it."`
	Version         int                 `json:"version,omitempty" doc:"Counts its changes, from 1; its ETag." example:"4"`
	CreatedAt       rest.Stamp          `json:"created_at,omitzero" doc:"When it was asked for." example:"2026-07-01T12:00:00.123456Z"`
	CreatedSequence int64               `json:"created_sequence,omitempty" doc:"The entry that says what was asked for, and why." example:"12"`
	UpdatedAt       rest.Stamp          `json:"updated_at,omitzero" doc:"When it was changed last." example:"2026-07-01T12:00:00.123456Z"`
	UpdatedSequence int64               `json:"updated_sequence,omitempty" doc:"The entry that changed it last." example:"12"`
}

type replayCounts struct {
	Examined int          `json:"examined" doc:"What the filter chose: sent and refused ones." example:"1204"`
	Sent     int          `json:"sent" doc:"Deliveries set off." example:"1200"`
	Refused  []refusedOut `json:"refused" doc:"What wasn't sent."`
}

type refusedOut struct {
	Reason string `json:"reason" doc:"event_erased, endpoint_deleted, subscriptions_deleted, not_ended (it is under way anyhow), has_delivery, or what withholds an event from an endpoint; more may be added." example:"event_erased"`
	Count  int    `json:"count" doc:"How many." example:"4"`
}

type replayResults struct {
	Pending   int `json:"pending" doc:"Haven't ended." example:"12"`
	Succeeded int `json:"succeeded" doc:"Have succeeded." example:"1180"`
	Dead      int `json:"dead" doc:"Have died again." example:"8"`
	Cancelled int `json:"cancelled" doc:"Were cancelled." example:"0"`
}

type replaySample struct {
	EventID       string      `json:"event_id" doc:"The event." example:"order-4711"`
	EventSequence int64       `json:"event_sequence" doc:"Its place in the tenant's log." example:"41"`
	Type          string      `json:"type" doc:"Its type." example:"offer.issued"`
	EndpointID    domain.UUID `json:"endpoint_id" format:"uuid" doc:"Where it would go." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	DeliveryID    domain.UUID `json:"delivery_id" format:"uuid" doc:"The delivery that would go again, or be made." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d73"`
}

type actorRef struct {
	PrincipalID domain.UUID `json:"principal_id,omitzero" format:"uuid" doc:"The person or system." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	KeyID       domain.UUID `json:"key_id,omitzero" format:"uuid" doc:"The key that was used." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d72"`
}

// ReplayFilterRequest chooses what is sent. The range bounds the entries that made it: deliveries, skips or events.
type ReplayFilterRequest struct {
	FromSequence   *int64                  `json:"from_sequence,omitempty" minimum:"0" doc:"From this entry of the tenant's log on." example:"1"`
	ToSequence     *int64                  `json:"to_sequence,omitempty" minimum:"0" doc:"Up to, not including, this entry; the log's end by default." example:"481000"`
	From           time.Time               `json:"from,omitzero" doc:"Recorded at this time or later." example:"2026-07-01T00:00:00Z"`
	To             time.Time               `json:"to,omitzero" doc:"Recorded before this time." example:"2026-08-01T00:00:00Z"`
	EndpointID     string                  `json:"endpoint_id,omitempty" format:"uuid" doc:"Of a redrive: only what goes to this endpoint. Of a replay: where all events go, whatever became of them there." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EventTypes     []domain.Pattern        `json:"event_types,omitempty" maxItems:"100" doc:"Only events of these types." example:"[\"offer.*\"]"`
	SubscriptionID string                  `json:"subscription_id,omitempty" format:"uuid" doc:"Only what this subscription matched, or skipped." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Status         []domain.DeliveryStatus `json:"status,omitempty" maxItems:"5" enum:"pending,retrying,succeeded,dead,cancelled" doc:"Deliveries in one of these statuses. Of a redrive dead by default." example:"[\"dead\"]"`
	SkipReason     []domain.SkipReason     `json:"skip_reason,omitempty" maxItems:"20" doc:"Instead of deliveries: what was skipped for one of these reasons, which is sent for the first time." example:"[\"subscription_paused\"]"`
	ErrorCode      []string                `json:"error_code,omitempty" maxItems:"50" doc:"Deliveries whose last attempt ended with one of these error codes or HTTP status codes." example:"[\"timeout\",\"503\"]"`
}

// replayFilterOut is the same as it is shown.
type replayFilterOut ReplayFilterRequest

// ReplayAsk is what both operations take beside what they send.
type ReplayAsk struct {
	DryRun        bool    `json:"dry_run,omitempty" doc:"true: answer 200 with what would be sent, counted exactly, and a sample; append nothing." example:"true"`
	Reason        string  `json:"reason" minLength:"1" maxLength:"1024" doc:"Why it is sent again; recorded in the log." example:"the receiver was down all day"`
	Configuration string  `json:"configuration,omitempty" enum:"now,then" doc:"now, the default: today's URL, headers, format and signing. then isn't offered yet." example:"now"`
	RateLimit     float64 `json:"rate_limit,omitempty" minimum:"0.01" maximum:"10000" doc:"At most this many deliveries are set off a second; by default as many as end." example:"50"`
	Approval      bool    `json:"approval,omitempty" doc:"true: it waits until another principal approves it." example:"true"`
}

type createRedriveIn struct {
	rest.TenantPath
	rest.PostHeader
	Body redriveBody
}

type redriveBody struct {
	Filter ReplayFilterRequest `json:"filter,omitzero" doc:"What is sent; without it, all that is dead."`
	ReplayAsk
}

type createReplayIn struct {
	rest.TenantPath
	rest.PostHeader
	Body replayBody
}

type replayBody struct {
	ReplayFilterRequest
	ReplayAsk
}

// madeReplay is the answer to a request for a replay, or to its dry run.
type madeReplay struct {
	Status   int
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the entry that was appended." example:"41"`
	ETag     string `header:"ETag" doc:"Its version." example:"\"1\""`
	Location string `header:"Location" doc:"Where it is." example:"/v1/tenants/acme/replays/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d80"`
	Replayed string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body     replayOut
}

// createRedrive asks for what failed, or was skipped, to be sent again.
func createRedrive(ctx context.Context, c *call, in *createRedriveIn) (*madeReplay, error) {
	f := in.Body.Filter
	config := domain.ReplayConfig{As: domain.AsRedrive, Walk: domain.WalkDeliveries, Statuses: f.Status, SkipReasons: f.SkipReason}
	switch {
	case len(f.SkipReason) > 0 && len(f.Status)+len(f.ErrorCode) > 0:
		return nil, rest.Invalid("body.filter.skip_reason", "is given without status and error_code: what was skipped has no deliveries")
	case len(f.SkipReason) > 0:
		config.Walk = domain.WalkSkips
	case len(f.Status) == 0:
		config.Statuses = []domain.DeliveryStatus{domain.DeliveryDead}
	}
	return askReplay(ctx, c, &config, &f, &in.Body.ReplayAsk, "body.filter.")
}

// createReplay asks for events to be sent again, whatever became of them; or to one endpoint that may be new.
func createReplay(ctx context.Context, c *call, in *createReplayIn) (*madeReplay, error) {
	f := &in.Body.ReplayFilterRequest
	config := domain.ReplayConfig{As: domain.AsReplay, Walk: domain.WalkDeliveries, Statuses: f.Status}
	switch {
	case len(f.SkipReason) > 0:
		return nil, rest.Invalid("body.skip_reason", "is a filter of redrives")
	case f.EndpointID != "" && len(f.Status)+len(f.ErrorCode) > 0 || f.EndpointID != "" && f.SubscriptionID != "":
		return nil, rest.Invalid("body.endpoint_id", "is given without status, error_code and subscription_id: all events go there")
	case f.EndpointID != "":
		config.Walk = domain.WalkEvents
	}
	return askReplay(ctx, c, &config, f, &in.Body.ReplayAsk, "body.")
}

// askReplay decides on a replay and answers with it, or with what it would do.
func askReplay(
	ctx context.Context, c *call, config *domain.ReplayConfig, f *ReplayFilterRequest, ask *ReplayAsk, at string,
) (*madeReplay, error) {
	if err := rest.CheckReason("body.reason", ask.Reason); err != nil {
		return nil, err
	}
	if ask.Configuration == "then" {
		return nil, rest.Invalid("body.configuration", "is now: sending by the configuration of then isn't offered yet")
	}
	config.PerSecond, config.Approval = ask.RateLimit, ask.Approval
	if ask.DryRun {
		if err := readFilter(ctx, c, config, f, at); err != nil {
			return nil, err
		}
		return previewReplay(ctx, c, *config)
	}
	id := domain.NewUUID()
	made, err := rest.Once(ctx, c.Request, rest.Post[rest.Made[replayOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			config := *config
			err := readFilter(ctx, c, &config, f, at)
			return domain.Group{Drafts: []domain.Draft{{
				Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamReplay, ID: id}, By: c.By(), Reason: ask.Reason,
				Fact: &domain.ReplayCreated{Replay: config},
			}}}, err
		},
		Answer: answerReplay(c),
	})
	if err != nil {
		return nil, err
	}
	return &madeReplay{http.StatusAccepted, made.Sequence, made.ETag, made.Location, made.Replayed, made.Body}, nil
}

// answerReplay answers with a replay as an entry of its stream has made it.
func answerReplay(c *call) func(context.Context, []domain.Entry, bool) (*rest.Made[replayOut], error) {
	return func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[replayOut], error) {
		e := entries[0]
		row, err := replayAt(ctx, c, e.Stream.ID, e.Sequence)
		if err != nil {
			return nil, err
		}
		return rest.NewMade(e, replayed, replayPath(c, &row), showReplay(&row)), nil
	}
}

// replayAt folds a replay as of an entry of its stream, from the log: the repetition of a request is answered like the
// request.
func replayAt(ctx context.Context, c *call, id domain.UUID, at domain.Sequence) (row projections.Replay, err error) {
	from, to := domain.Sequence(0), at+1
	q := domain.Query{Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamReplay, ID: id}, From: &from, To: &to, Limit: 1000}
	for {
		entries, err := domain.Select(ctx, c.Log, q)
		if err != nil {
			return row, err
		}
		for i := range entries {
			if err := row.Fold(&entries[i]); err != nil {
				return row, err
			}
			from = entries[i].Sequence + 1
		}
		if len(entries) < q.Limit {
			return row, nil
		}
	}
}

// readFilter reads what is sent into a configuration: ids that exist, and times as the sequences that they mean.
func readFilter(
	ctx context.Context, c *call, config *domain.ReplayConfig, f *ReplayFilterRequest, at string,
) (err error) {
	for i, pattern := range f.EventTypes {
		if err := pattern.Validate(strings.TrimPrefix(at, "body.") + "event_types"); err != nil {
			return err
		}
		config.EventTypes = append(config.EventTypes, f.EventTypes[i])
	}
	if config.Walk == domain.WalkEvents && len(config.EventTypes) == 0 {
		config.EventTypes = []domain.Pattern{"*"} // operational events only where they are asked for
	}
	for _, s := range f.SkipReason {
		if err := domain.ValidateText(strings.TrimPrefix(at, "body.")+"skip_reason", string(s), 1, 64); err != nil {
			return err
		}
	}
	for _, e := range f.ErrorCode {
		if err := domain.ValidateText(strings.TrimPrefix(at, "body.")+"error_code", e, 1, 64); err != nil {
			return err
		}
	}
	config.Errors = f.ErrorCode
	switch {
	case f.FromSequence != nil && !f.From.IsZero():
		return rest.Invalid(at+"from", "is given alone, or from_sequence is")
	case f.ToSequence != nil && !f.To.IsZero():
		return rest.Invalid(at+"to", "is given alone, or to_sequence is")
	}
	if f.EndpointID != "" {
		if config.Endpoint, err = rest.ParseID(at+"endpoint_id", f.EndpointID); err != nil {
			return err
		}
	}
	if f.SubscriptionID != "" {
		if config.Subscription, err = rest.ParseID(at+"subscription_id", f.SubscriptionID); err != nil {
			return err
		}
	}
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		config.To = r.Sequence() + 1
		if err := sequencesOf(ctx, r, config, f); err != nil || config.Endpoint.IsZero() {
			return err
		}
		row, err := r.Endpoint(ctx, config.Endpoint, projections.AsOf{})
		if isNotFound(err) {
			if _, err = r.EndpointVersion(ctx, config.Endpoint, 1); isNotFound(err) {
				return rest.Invalid(at+"endpoint_id", "is no endpoint of this tenant")
			}
			if err == nil {
				err = rest.Refuse(http.StatusConflict, "endpoint_deleted", "The endpoint is deleted: there is nowhere to send it.")
			}
		}
		if err == nil && row.Unverified && config.Walk == domain.WalkEvents {
			err = rest.Refuse(http.StatusConflict, string(domain.SkipEndpointUnverified),
				"The endpoint hasn't passed its handshake yet: nothing would be sent.")
		}
		return err
	})
	return err
}

// sequencesOf sets the range. recorded_at grows with the sequence.
func sequencesOf(ctx context.Context, r projections.Reader, config *domain.ReplayConfig, f *ReplayFilterRequest) error {
	if f.FromSequence != nil {
		config.From = domain.Sequence(*f.FromSequence)
	}
	if f.ToSequence != nil {
		config.To = min(config.To, domain.Sequence(*f.ToSequence))
	}
	before := func(at time.Time) (domain.Sequence, error) {
		last, err := r.SequenceAt(ctx, at.UTC().Add(-time.Microsecond))
		return last + 1, err
	}
	if !f.From.IsZero() {
		from, err := before(f.From)
		if err != nil {
			return err
		}
		config.From = from
	}
	if !f.To.IsZero() {
		to, err := before(f.To)
		if err != nil {
			return err
		}
		config.To = min(config.To, to)
	}
	return nil
}

// previewReplay answers a dry run.
func previewReplay(ctx context.Context, c *call, config domain.ReplayConfig) (*madeReplay, error) {
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	preview, err := c.Replays.Preview(ctx, c.Tenant, config)
	if err != nil {
		return nil, err
	}
	out := replayOut{
		DryRun: true, Filter: showFilter(&config), Configuration: "now", RateLimit: config.PerSecond, Problem: preview.Problem,
		Counts: showCounts(&preview.Counts),
	}
	for _, s := range preview.Sample {
		out.Sample = append(out.Sample, replaySample{
			EventID: eventName(c, s.Event.ID, s.Event.Attrs), EventSequence: int64(s.Event.Created.Sequence),
			Type: string(s.Event.Attrs.Type), EndpointID: s.Endpoint, DeliveryID: s.Delivery,
		})
	}
	return &madeReplay{Status: http.StatusOK, Body: out}, nil
}

type listReplaysIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.WaitQuery
}

// listReplays lists those that were asked for under a name, as they are now.
func listReplays(as domain.ReplayAs) handler[listReplaysIn, rest.Listed[replayOut]] {
	return func(ctx context.Context, c *call, in *listReplaysIn) (*rest.Listed[replayOut], error) {
		l, err := rest.NewWalk(c.Request, in.ListQuery, string(as))
		if err != nil {
			return nil, err
		}
		var rows []projections.Replay
		m := rest.Moment{AsOfQuery: rest.AsOfQuery{WaitQuery: in.WaitQuery}, Pinned: l.Pinned(), Fresh: true}
		n, err := rest.View(ctx, c.Request, m, func(r projections.Reader, at projections.AsOf) error {
			rows, err = r.Replays(ctx, as, l.Rows())
			rows = slices.DeleteFunc(rows, func(row projections.Replay) bool { return at.Set && row.Created.Sequence > at.Sequence })
			return err
		})
		if err != nil {
			return nil, err
		}
		return rest.NewListed(l, n, rows, func(r *projections.Replay) []byte { return rest.PlaceOf(r.Created.Sequence, r.ID) }, showReplay), nil
	}
}

type getReplayIn struct {
	rest.ThingPath
	rest.WaitQuery
}

// getReplay shows one as it is now.
func getReplay(as domain.ReplayAs) handler[getReplayIn, rest.One[replayOut]] {
	return func(ctx context.Context, c *call, in *getReplayIn) (*rest.One[replayOut], error) {
		id, err := in.UUID()
		if err != nil {
			return nil, err
		}
		var row projections.Replay
		m := rest.Moment{AsOfQuery: rest.AsOfQuery{WaitQuery: in.WaitQuery}, Fresh: true}
		n, err := rest.View(ctx, c.Request, m, func(r projections.Reader, _ projections.AsOf) error {
			row, err = replayNamed(ctx, r, id, as)
			return err
		})
		if err != nil {
			return nil, err
		}
		return rest.NewOne(n, row.Version, showReplay(&row)), nil
	}
}

// replayNamed finds a replay that was asked for under a name.
func replayNamed(
	ctx context.Context, r projections.Reader, id domain.UUID, as domain.ReplayAs,
) (projections.Replay, error) {
	row, err := r.Replay(ctx, id)
	if err == nil && row.Config.As != as {
		err = domain.ErrNotFound
	}
	return row, err
}

// moveReplay decides on a replay as it is now.
func moveReplay(
	as domain.ReplayAs, decide func(ctx context.Context, c *call, r *projections.Replay) (domain.Fact, error),
) handler[rest.ActionInput, rest.Made[replayOut]] {
	return func(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[replayOut], error) {
		id, err := in.UUID()
		if err != nil {
			return nil, err
		}
		reason := ""
		if in.Body != nil {
			reason = in.Body.Reason
		}
		if err := rest.CheckReason("body.reason", reason); err != nil {
			return nil, err
		}
		return rest.Once(ctx, c.Request, rest.Post[rest.Made[replayOut]]{
			Decide: func(ctx context.Context) (domain.Group, error) { return decideOnReplay(ctx, c, id, as, decide, reason) },
			Answer: answerReplay(c),
		})
	}
}

// decideOnReplay drafts what is decided of a replay.
func decideOnReplay(
	ctx context.Context, c *call, id domain.UUID, as domain.ReplayAs,
	decide func(ctx context.Context, c *call, r *projections.Replay) (domain.Fact, error), reason string,
) (domain.Group, error) {
	var row projections.Replay
	_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		row, err = replayNamed(ctx, r, id, as)
		return err
	})
	if err != nil {
		return domain.Group{}, err
	}
	fact, err := decide(ctx, c, &row)
	if errors.Is(err, domain.ErrConflict) {
		return domain.Group{}, rest.Refuse(http.StatusConflict, "wrong_status", "That isn't possible now: it is "+string(row.Status)+".")
	}
	if err != nil {
		return domain.Group{}, err
	}
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamReplay, ID: id}, Expected: row.Version, By: c.By(),
		Cause: row.Cause, Fact: fact, Reason: reason,
	}}}, nil
}

func pauseReplay(_ context.Context, _ *call, r *projections.Replay) (domain.Fact, error) {
	return r.Pause()
}

func resumeReplay(_ context.Context, _ *call, r *projections.Replay) (domain.Fact, error) {
	return r.Resume()
}

// approveReplay lets another principal than who asked for it have it begin.
func approveReplay(ctx context.Context, c *call, r *projections.Replay) (domain.Fact, error) {
	fact, err := r.Approve()
	if err != nil {
		return nil, err
	}
	made, err := makerOf(ctx, c, r.By.Credential)
	if err != nil {
		return nil, err
	}
	if !domain.MayApprove(r.By, c.By(), made, c.Key.MadeBy) {
		return nil, rest.Refuse(http.StatusForbidden, "own_request", "It is approved by another principal than who asked for it, "+
			"and neither may have made the other's key.")
	}
	return fact, nil
}

// makerOf returns who made a key of the tenant or the instance. Nobody made one that isn't there.
func makerOf(ctx context.Context, c *call, key domain.UUID) (domain.Actor, error) {
	for _, tenant := range []domain.TenantID{c.Tenant, domain.InstanceTenant} {
		first, err := domain.Select(ctx, c.Log, domain.Query{
			Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: key}, Limit: 1,
		})
		if err != nil {
			return domain.Actor{}, err
		}
		for i := range first {
			if f, ok := first[i].Fact.(*domain.KeyCreated); ok {
				return f.Key.MadeBy, nil
			}
		}
	}
	return domain.Actor{}, nil
}

type deleteReplayIn struct {
	rest.ThingPath
	Reason string `query:"reason" maxLength:"1024" doc:"Why it is cancelled; recorded in the log." example:"enough"`
}

// deleteReplay cancels a replay. What it has set off goes on.
func deleteReplay(as domain.ReplayAs) handler[deleteReplayIn, rest.Gone] {
	return func(ctx context.Context, c *call, in *deleteReplayIn) (*rest.Gone, error) {
		id, err := in.UUID()
		if err != nil {
			return nil, err
		}
		if err := rest.CheckReason("query.reason", in.Reason); err != nil {
			return nil, err
		}
		cancel := func(_ context.Context, _ *call, r *projections.Replay) (domain.Fact, error) { return r.Cancel() }
		e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
			return decideOnReplay(ctx, c, id, as, cancel, in.Reason)
		})
		if err != nil {
			return nil, err
		}
		return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, nil
	}
}

func replayPath(c *call, r *projections.Replay) string {
	if r.Config.As == domain.AsRedrive {
		return c.Path("redrives", r.ID.String())
	}
	return c.Path("replays", r.ID.String())
}

func showReplay(r *projections.Replay) replayOut {
	return replayOut{
		ID: r.ID, Status: r.Status, Problem: r.Problem, Filter: showFilter(&r.Config), Configuration: "now",
		RateLimit: r.Config.PerSecond, Progress: &progressOut{int64(r.Done()), int64(r.Total())}, Counts: showCounts(&r.Counts),
		Results:     &replayResults{r.Unfinished(), r.Results.Succeeded, r.Results.Dead, r.Results.Cancelled},
		RequestedBy: &actorRef{r.By.Principal, r.By.Credential}, Version: r.Version,
		CreatedAt: rest.Stamp(r.Created.RecordedAt), CreatedSequence: int64(r.Created.Sequence),
		UpdatedAt: rest.Stamp(r.Updated.RecordedAt), UpdatedSequence: int64(r.Updated.Sequence),
	}
}

func showFilter(c *domain.ReplayConfig) replayFilterOut {
	from, to := int64(c.From), int64(c.To)
	return replayFilterOut{
		FromSequence: &from, ToSequence: &to, EventTypes: c.EventTypes, EndpointID: c.Endpoint.String(),
		Status: c.Statuses, SkipReason: c.SkipReasons, ErrorCode: c.Errors, SubscriptionID: c.Subscription.String(),
	}
}

func showCounts(c *domain.ReplayCounts) replayCounts {
	out := replayCounts{Examined: c.Examined, Sent: c.Sent, Refused: []refusedOut{}}
	for _, r := range c.Refused {
		out.Refused = append(out.Refused, refusedOut(r))
	}
	return out
}

// documentAsk documents that a request is taken with 202, and a dry run answered with 200.
func documentAsk(op *huma.Operation) {
	op.DefaultStatus = http.StatusAccepted
	rest.Handwritten{
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[replayOut]}}, Status: []string{"200", "202"},
	}.SetOn(op)
}
