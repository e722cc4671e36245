package domain

import "time"

// Fact is one past-tense thing the log can say. The set is sealed: kind.go lists it.
type Fact interface {
	Kind() Kind
	// parts names the content parts that the fact is split into; codec.go.
	parts() []partField
}

// TenantCreated is entry 0 of every tenant's log.
type TenantCreated struct{ Tenant TenantConfig }

// TenantUpdated holds the whole configuration after the change.
type TenantUpdated struct{ Tenant TenantConfig }

// TenantDeleted ends a tenant: nothing is routed or appended for it any more. Its log stays.
type TenantDeleted struct{ Tenant TenantConfig }

// TenantRegistered says in the instance's log that a tenant's log began.
type TenantRegistered struct {
	ID     TenantID `json:"id"`
	Stream UUID     `json:"stream"`
}

// TenantUnregistered says in the instance's log that a tenant was deleted.
type TenantUnregistered struct {
	ID     TenantID `json:"id"`
	Stream UUID     `json:"stream"`
}

// KeyCreated holds what an API key may do and the SHA-256 of it, never the key.
type KeyCreated struct{ Key KeyConfig }

// KeyRevoked ends a key.
type KeyRevoked struct{ Key KeyConfig }

// RegistrationUsed says that a receiver made an endpoint with a registration; the configuration counts it.
type RegistrationUsed struct {
	Key  KeyConfig
	Made RegisteredEndpoint
}

// RegisteredEndpoint names the endpoint that a registration was used for.
type RegisteredEndpoint struct {
	Endpoint UUID `json:"endpoint"`
}

// EndpointCreated and the other endpoint facts hold the whole configuration after the change.
type EndpointCreated struct{ Endpoint EndpointConfig }

// EndpointUpdated holds the whole configuration after the change.
type EndpointUpdated struct{ Endpoint EndpointConfig }

// EndpointKeyRotated holds the whole configuration, the new key first.
type EndpointKeyRotated struct{ Endpoint EndpointConfig }

// EndpointPaused: its deliveries wait.
type EndpointPaused struct{ Endpoint EndpointConfig }

// EndpointResumed ends a pause or an automatic disabling.
type EndpointResumed struct{ Endpoint EndpointConfig }

// EndpointDisabled: the product itself stopped delivering, for the reason in the configuration.
type EndpointDisabled struct{ Endpoint EndpointConfig }

// EndpointDeleted: its waiting deliveries are cancelled.
type EndpointDeleted struct{ Endpoint EndpointConfig }

// EndpointHandshakeStarted is the intent, committed before the first byte of a handshake leaves. The configuration is
// as it was.
type EndpointHandshakeStarted struct {
	Endpoint  EndpointConfig
	Handshake HandshakeStart
}

// EndpointHandshakeFinished says how a handshake ended and holds the configuration that follows from it.
type EndpointHandshakeFinished struct {
	Endpoint EndpointConfig
	Result   HandshakeResult
	Body     []byte // of the answer, as far as it is kept
}

// SubscriptionCreated and the other subscription facts hold the whole configuration after the change.
type SubscriptionCreated struct{ Subscription SubscriptionConfig }

// SubscriptionUpdated holds the whole configuration after the change.
type SubscriptionUpdated struct{ Subscription SubscriptionConfig }

// SubscriptionPaused: what it would match is skipped, with that reason.
type SubscriptionPaused struct{ Subscription SubscriptionConfig }

// SubscriptionResumed ends a pause.
type SubscriptionResumed struct{ Subscription SubscriptionConfig }

// SubscriptionDeleted ends a subscription.
type SubscriptionDeleted struct{ Subscription SubscriptionConfig }

// EventTypeRegistered begins the stream of an event type.
type EventTypeRegistered struct{ EventType EventTypeConfig }

// EventTypeUpdated holds the whole definition after the change.
type EventTypeUpdated struct{ EventType EventTypeConfig }

// ProfileAdded says in the instance's log that there is a wire profile from now on: an operator added it, or a program that
// brings it along first started. Endpoints name it by its digest. With it, who reads the log can build every request again.
type ProfileAdded struct {
	Profile  ProfileName
	Document []byte // without insignificant white space
}

// ProfileName names one version of a wire profile.
type ProfileName struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of the document, in hex
}

// EventAppended holds an event as a producer submitted it, Data byte for byte, and where it goes. The commit of this entry
// is the intent of every attempt that its routing starts.
type EventAppended struct {
	Event    EventAttributes
	Data     []byte
	Routing  Routing
	Verdicts Verdicts
}

// EventRouted continues the routing of an event that goes to more endpoints than one entry may name. It follows right behind
// the event's entry in the same group (Entry.EventSequence goes by that); only the routing of the last one is Complete.
type EventRouted struct {
	Routing  Routing
	Verdicts Verdicts
}

// MaxRouted bounds the deliveries, and the skips of either sort, that one entry names.
const MaxRouted = 1000

// Routing says to which endpoints an event goes and which matching subscriptions were passed over.
type Routing struct {
	// Configuration is the sequence of the tenant's last entry that configured routing (Kind.Configures) before the event:
	// the routing is what that configuration decides.
	Configuration Sequence         `json:"configuration"`
	Deliveries    []RoutedDelivery `json:"deliveries,omitempty"`
	// Skipped has the subscriptions that were skipped for reasons that say nothing of the event's content.
	Skipped  []Skipped `json:"skipped,omitempty"`
	Complete bool      `json:"complete"` // no further entry continues it
	// Retention is the retention class of the event's type when it was appended, which the deliveries inherit. Empty:
	// RetentionDefault.
	Retention string `json:"retention,omitempty"`
}

// RetentionDefault is the retention class of events whose type asks for no other.
const RetentionDefault = "default"

// Verdicts are the skips that a filter decided. They tell something of the event's content and share its fate.
type Verdicts struct {
	Skipped []Skipped `json:"skipped,omitempty"`
}

// RoutedDelivery is one delivery that routing made.
type RoutedDelivery struct {
	ID              UUID                `json:"id"`
	Endpoint        UUID                `json:"endpoint"`
	EndpointVersion int                 `json:"endpoint_version"`
	Subscriptions   []SubscriptionMatch `json:"subscriptions,omitempty"` // none: a test
	// First is the intent of the first attempt where the entry's commit starts it; nil: a delivery.attempt_started will.
	First *AttemptStarted `json:"first,omitzero"`
}

// SubscriptionMatch names a subscription in the version that matched.
type SubscriptionMatch struct {
	ID      UUID `json:"id"`
	Version int  `json:"version"`
}

// Skipped is a subscription that the event's type matched and that nevertheless made no delivery.
type Skipped struct {
	Subscription UUID       `json:"subscription"`
	Version      int        `json:"version"`
	Endpoint     UUID       `json:"endpoint"`
	Reason       SkipReason `json:"reason"`
}

// SkipReason says why a matching subscription made no delivery.
type SkipReason string

// Why a matching subscription makes no delivery.
const (
	SkipSubscriptionPaused SkipReason = "subscription_paused"
	SkipEndpointDisabled   SkipReason = "endpoint_disabled"
	SkipWebhooksOff        SkipReason = "tenant_webhooks_disabled"
	SkipHTTPSOnly          SkipReason = "tenant_https_only"
	SkipFilter             SkipReason = "filter_did_not_match"
	SkipFilterFailed       SkipReason = "filter_failed"
	SkipFilterBudget       SkipReason = "filter_budget_spent"
	SkipOwnEndpoint        SkipReason = "speaks_of_this_endpoint"
	SkipEndpointUnverified SkipReason = "endpoint_unverified"
	SkipOthersTest         SkipReason = "test_of_another_endpoint" // of what is asked for; a routing has no such skip
	SkipLoop               SkipReason = "loop"                     // too many webhooks led to the event: EventClass.Loops
)

// ByContent reports whether the reason tells something of the event's content.
func (r SkipReason) ByContent() bool { return r == SkipFilter || r == SkipFilterFailed }

// AttemptStarted is the intent, committed before the first byte leaves. With it, the event and the profile the exact
// request can be built again.
type AttemptStarted struct {
	Number          int       `json:"number"` // from 1
	EndpointVersion int       `json:"endpoint_version"`
	ProfileDigest   string    `json:"profile_digest"`
	Keys            []UUID    `json:"keys,omitempty"` // that sign, the current one first
	At              time.Time `json:"at"`             // what the request says of its own time
	TimeoutMS       int64     `json:"timeout_ms"`     // counted from this entry's commit
	Node            UUID      `json:"node"`
}

// AttemptFinished ends an attempt, once. It carries the decision that follows from it.
type AttemptFinished struct {
	Result AttemptResult
	Body   []byte // of the answer, as far as it is kept
}

// DeliveryRedriven sets a dead delivery going again, with its schedule from the start.
type DeliveryRedriven struct {
	Attempts      int       `json:"attempts"` // made until now; numbers go on from here
	NextAttemptAt time.Time `json:"next_attempt_at"`
}

// DeliveryCreated is the first entry of a delivery that no routing made: somebody asked for the event to go to the
// endpoint. The delivery's id is DerivedDelivery's, so that it is made once.
type DeliveryCreated struct {
	Event           UUID     `json:"event"`
	EventSequence   Sequence `json:"event_sequence"`
	Endpoint        UUID     `json:"endpoint"`
	EndpointVersion int      `json:"endpoint_version"`    // at that time
	Retention       string   `json:"retention,omitempty"` // the event's class; empty: RetentionDefault
	Replay          UUID     `json:"replay,omitzero"`     // that made it; zero: it was asked for alone
}

// DeliveryResent sets a delivery going again with its schedule from the start, whatever had become of it.
type DeliveryResent struct {
	Attempts      int       `json:"attempts"` // made until now; numbers go on from here
	NextAttemptAt time.Time `json:"next_attempt_at"`
	Replay        UUID      `json:"replay,omitzero"` // that resent it; zero: it was asked for alone
}

// DeliveryRescheduled has a waiting delivery's next attempt be due at another time. Its schedule goes on.
type DeliveryRescheduled struct {
	NextAttemptAt time.Time `json:"next_attempt_at"`
}

// DeliveryCancelled ends a delivery that will not be tried again.
type DeliveryCancelled struct {
	Reason CancelReason `json:"reason"`
}

// CancelReason says why a delivery was cancelled.
type CancelReason string

// Why a delivery is cancelled.
const (
	CancelEndpointDeleted      CancelReason = "endpoint_deleted"
	CancelSubscriptionsDeleted CancelReason = "subscriptions_deleted"
	CancelTenantDeleted        CancelReason = "tenant_deleted"
	CancelErased               CancelReason = "erased"
)

// ReplayCreated says what a replay was asked to do. Its actor asked for it.
type ReplayCreated struct{ Replay ReplayConfig }

// ReplayApproved lets a replay begin. Its actor is another principal than who asked for it.
type ReplayApproved struct{}

// ReplayPaused has a replay set nothing off until it is resumed. What it has set off goes on.
type ReplayPaused struct{}

// ReplayResumed ends a pause.
type ReplayResumed struct{}

// ReplayAdvanced says how far a replay has got, in the group that sets off what it has come to since it advanced last.
type ReplayAdvanced struct {
	Through ReplayPlace  `json:"through"`
	Counts  ReplayCounts `json:"counts"` // from the beginning
}

// ReplayFinished ends a replay that has come to the end of its range, or can't go on.
type ReplayFinished struct {
	Problem string `json:"problem,omitempty"` // why it can't go on; empty: it succeeded
}

// ReplayCancelled ends a replay before it is through. What it has set off goes on.
type ReplayCancelled struct{}

// ServerStarted says in the instance's log which program began to serve, and how it was configured.
type ServerStarted struct {
	Node                UUID     `json:"node"`
	Version             string   `json:"version"`
	ConfigurationDigest string   `json:"configuration_digest"`
	EgressAllow         []string `json:"egress_allow"`
	EgressDeny          []string `json:"egress_deny"`
}

// LeaseTaken says in the instance's log that a node took leases over, and in which epochs it holds them.
type LeaseTaken struct {
	Node   UUID         `json:"node"`
	Leases []LeaseEpoch `json:"leases"`
}

// LeaseEpoch is one lease in one epoch.
type LeaseEpoch struct {
	Name  string `json:"name"`
	Epoch int64  `json:"epoch"`
	// Partings are all whose time wasn't over when the lease was taken.
	Partings []Parting `json:"partings,omitempty"`
}

// Parting says of a node that it has given a lease away and still has attempts under way, which it ends itself: until a
// time it may append ends of attempts, and nothing else, under the epoch in which it held the lease.
type Parting struct {
	Node  UUID      `json:"node"`
	Epoch int64     `json:"epoch"`
	Until time.Time `json:"until"` // by the log's clock
}

// FollowerStopped says in the instance's log that a fold failed at an entry and that its follower stopped there.
type FollowerStopped struct {
	Follower string   `json:"follower"`
	Position Position `json:"position"`
	Problem  string   `json:"problem"`
}

// FormatRaised says in the instance's log that every program which reads it knows the kinds and versions of a format, so
// that they may be written from then on.
type FormatRaised struct {
	Format int `json:"format"` // Format of the program whose kinds may be written
}

// LossAccepted says in the instance's log that an operator goes on with a database that lacks entries which a node knew to be
// committed: an older copy was put back.
type LossAccepted struct {
	Loss   Loss
	Person Person
}

// Loss is what a database lacks of what a node knew of it. Leaves are named by their SHA-256 in hex.
type Loss struct {
	Known     Position `json:"known"` // of the last entry that the node knew
	KnownLeaf string   `json:"known_leaf"`
	Head      Position `json:"head"` // of the last entry that the database had
	HeadLeaf  string   `json:"head_leaf,omitempty"`
}

// DamageAccepted says in a tenant's log that the content of an earlier entry can't be opened although its keys exist, and that
// an operator goes on without it.
type DamageAccepted struct {
	Damage Damage
	Person Person
}

// Damage is what is wrong with one entry. Leaf and content are named by their SHA-256 in hex.
type Damage struct {
	Sequence Sequence `json:"sequence"`
	Leaf     string   `json:"leaf"`
	Content  string   `json:"content"` // as it was found
}

// Person is who decided something at the command line, by the name that they gave. It is theirs: erasing them destroys it.
type Person struct {
	Name string `json:"name"`
}

func (p *Person) isZero() bool { return *p == Person{} }

// Subject is whom a person's name is about: facts that hold it are sealed under it.
func (p *Person) Subject() string {
	if p.isZero() {
		return ""
	}
	return "principal/" + p.Name
}

// Format counts the releases that added kinds of facts, or versions of them. A log without a format.raised has format 1.
const Format = 2

// Kind implements Fact.
func (*TenantCreated) Kind() Kind             { return KindTenantCreated }
func (*TenantUpdated) Kind() Kind             { return KindTenantUpdated }
func (*TenantDeleted) Kind() Kind             { return KindTenantDeleted }
func (*TenantRegistered) Kind() Kind          { return KindTenantRegistered }
func (*TenantUnregistered) Kind() Kind        { return KindTenantUnregistered }
func (*KeyCreated) Kind() Kind                { return KindKeyCreated }
func (*KeyRevoked) Kind() Kind                { return KindKeyRevoked }
func (*RegistrationUsed) Kind() Kind          { return KindRegistrationUsed }
func (*EndpointCreated) Kind() Kind           { return KindEndpointCreated }
func (*EndpointUpdated) Kind() Kind           { return KindEndpointUpdated }
func (*EndpointKeyRotated) Kind() Kind        { return KindEndpointKeyRotated }
func (*EndpointPaused) Kind() Kind            { return KindEndpointPaused }
func (*EndpointResumed) Kind() Kind           { return KindEndpointResumed }
func (*EndpointDisabled) Kind() Kind          { return KindEndpointDisabled }
func (*EndpointDeleted) Kind() Kind           { return KindEndpointDeleted }
func (*EndpointHandshakeStarted) Kind() Kind  { return KindEndpointHandshakeStarted }
func (*EndpointHandshakeFinished) Kind() Kind { return KindEndpointHandshakeFinished }
func (*SubscriptionCreated) Kind() Kind       { return KindSubscriptionCreated }
func (*SubscriptionUpdated) Kind() Kind       { return KindSubscriptionUpdated }
func (*SubscriptionPaused) Kind() Kind        { return KindSubscriptionPaused }
func (*SubscriptionResumed) Kind() Kind       { return KindSubscriptionResumed }
func (*SubscriptionDeleted) Kind() Kind       { return KindSubscriptionDeleted }
func (*EventTypeRegistered) Kind() Kind       { return KindEventTypeRegistered }
func (*EventTypeUpdated) Kind() Kind          { return KindEventTypeUpdated }
func (*ProfileAdded) Kind() Kind              { return KindProfileAdded }
func (*EventAppended) Kind() Kind             { return KindEventAppended }
func (*EventRouted) Kind() Kind               { return KindEventRouted }
func (*AttemptStarted) Kind() Kind            { return KindAttemptStarted }
func (*AttemptFinished) Kind() Kind           { return KindAttemptFinished }
func (*DeliveryRedriven) Kind() Kind          { return KindDeliveryRedriven }
func (*DeliveryCancelled) Kind() Kind         { return KindDeliveryCancelled }
func (*DeliveryCreated) Kind() Kind           { return KindDeliveryCreated }
func (*DeliveryResent) Kind() Kind            { return KindDeliveryResent }
func (*DeliveryRescheduled) Kind() Kind       { return KindDeliveryRescheduled }
func (*ReplayCreated) Kind() Kind             { return KindReplayCreated }
func (*ReplayApproved) Kind() Kind            { return KindReplayApproved }
func (*ReplayPaused) Kind() Kind              { return KindReplayPaused }
func (*ReplayResumed) Kind() Kind             { return KindReplayResumed }
func (*ReplayAdvanced) Kind() Kind            { return KindReplayAdvanced }
func (*ReplayFinished) Kind() Kind            { return KindReplayFinished }
func (*ReplayCancelled) Kind() Kind           { return KindReplayCancelled }
func (*ServerStarted) Kind() Kind             { return KindServerStarted }
func (*LeaseTaken) Kind() Kind                { return KindLeaseTaken }
func (*FollowerStopped) Kind() Kind           { return KindFollowerStopped }
func (*FormatRaised) Kind() Kind              { return KindFormatRaised }
func (*LossAccepted) Kind() Kind              { return KindLossAccepted }
func (*DamageAccepted) Kind() Kind            { return KindDamageAccepted }
func (*ReconciliationCreated) Kind() Kind     { return KindReconciliationCreated }
func (*ReconciliationFinished) Kind() Kind    { return KindReconciliationFinished }
func (*ExportCreated) Kind() Kind             { return KindExportCreated }
func (*ExportFinished) Kind() Kind            { return KindExportFinished }
func (*ExportFailed) Kind() Kind              { return KindExportFailed }
func (*ExportCancelled) Kind() Kind           { return KindExportCancelled }
func (*ExportDownloaded) Kind() Kind          { return KindExportDownloaded }
func (*ExportExpired) Kind() Kind             { return KindExportExpired }
