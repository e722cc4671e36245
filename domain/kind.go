package domain

// Kind is the stored name of a fact. Names are never changed and never reused; a changed shape gets a new version.
type Kind string

// The facts the log can say. facts.go says what each one holds.
const (
	KindTenantCreated      Kind = "tenant.created"
	KindTenantUpdated      Kind = "tenant.updated"
	KindTenantDeleted      Kind = "tenant.deleted"
	KindTenantRegistered   Kind = "tenant.registered" // in the instance's log: a tenant's log began or ended
	KindTenantUnregistered Kind = "tenant.unregistered"

	KindKeyCreated       Kind = "key.created"
	KindKeyRevoked       Kind = "key.revoked"
	KindRegistrationUsed Kind = "registration.used" // a registration is a key with bounds

	KindEndpointCreated           Kind = "endpoint.created"
	KindEndpointUpdated           Kind = "endpoint.updated"
	KindEndpointKeyRotated        Kind = "endpoint.key_rotated"
	KindEndpointPaused            Kind = "endpoint.paused"
	KindEndpointResumed           Kind = "endpoint.resumed"
	KindEndpointDisabled          Kind = "endpoint.disabled"
	KindEndpointDeleted           Kind = "endpoint.deleted"
	KindEndpointHandshakeStarted  Kind = "endpoint.handshake_started"
	KindEndpointHandshakeFinished Kind = "endpoint.handshake_finished"

	KindSubscriptionCreated Kind = "subscription.created"
	KindSubscriptionUpdated Kind = "subscription.updated"
	KindSubscriptionPaused  Kind = "subscription.paused"
	KindSubscriptionResumed Kind = "subscription.resumed"
	KindSubscriptionDeleted Kind = "subscription.deleted"

	KindEventAppended Kind = "event.appended"
	KindEventRouted   Kind = "event.routed"

	KindAttemptStarted    Kind = "delivery.attempt_started"
	KindAttemptFinished   Kind = "delivery.attempt_finished"
	KindDeliveryRedriven  Kind = "delivery.redriven"
	KindDeliveryCancelled Kind = "delivery.cancelled"

	KindEventTypeRegistered Kind = "event_type.registered"
	KindEventTypeUpdated    Kind = "event_type.updated"

	KindProfileAdded    Kind = "profile.added" // in the instance's log
	KindServerStarted   Kind = "server.started"
	KindLeaseTaken      Kind = "lease.taken"
	KindFollowerStopped Kind = "follower.stopped"
)

// form is how one kind is kept: the version this program writes and the type it is decoded into. Every kind has one;
// a test holds the table against the constants. A version that only adds optional members is decoded like those before.
type form struct {
	version int
	empty   func() Fact
}

// forms is read only.
var forms = map[Kind]form{
	KindTenantCreated:             {2, func() Fact { return new(TenantCreated) }},
	KindTenantUpdated:             {2, func() Fact { return new(TenantUpdated) }},
	KindTenantDeleted:             {2, func() Fact { return new(TenantDeleted) }},
	KindTenantRegistered:          {1, func() Fact { return new(TenantRegistered) }},
	KindTenantUnregistered:        {1, func() Fact { return new(TenantUnregistered) }},
	KindKeyCreated:                {2, func() Fact { return new(KeyCreated) }},
	KindKeyRevoked:                {2, func() Fact { return new(KeyRevoked) }},
	KindRegistrationUsed:          {1, func() Fact { return new(RegistrationUsed) }},
	KindEndpointCreated:           {2, func() Fact { return new(EndpointCreated) }},
	KindEndpointUpdated:           {2, func() Fact { return new(EndpointUpdated) }},
	KindEndpointKeyRotated:        {2, func() Fact { return new(EndpointKeyRotated) }},
	KindEndpointPaused:            {2, func() Fact { return new(EndpointPaused) }},
	KindEndpointResumed:           {2, func() Fact { return new(EndpointResumed) }},
	KindEndpointDisabled:          {2, func() Fact { return new(EndpointDisabled) }},
	KindEndpointDeleted:           {2, func() Fact { return new(EndpointDeleted) }},
	KindEndpointHandshakeStarted:  {1, func() Fact { return new(EndpointHandshakeStarted) }},
	KindEndpointHandshakeFinished: {1, func() Fact { return new(EndpointHandshakeFinished) }},
	KindSubscriptionCreated:       {1, func() Fact { return new(SubscriptionCreated) }},
	KindSubscriptionUpdated:       {1, func() Fact { return new(SubscriptionUpdated) }},
	KindSubscriptionPaused:        {1, func() Fact { return new(SubscriptionPaused) }},
	KindSubscriptionResumed:       {1, func() Fact { return new(SubscriptionResumed) }},
	KindSubscriptionDeleted:       {1, func() Fact { return new(SubscriptionDeleted) }},
	KindEventAppended:             {2, func() Fact { return new(EventAppended) }},
	KindEventRouted:               {1, func() Fact { return new(EventRouted) }},
	KindAttemptStarted:            {1, func() Fact { return new(AttemptStarted) }},
	KindAttemptFinished:           {2, func() Fact { return new(AttemptFinished) }},
	KindDeliveryRedriven:          {1, func() Fact { return new(DeliveryRedriven) }},
	KindDeliveryCancelled:         {1, func() Fact { return new(DeliveryCancelled) }},
	KindEventTypeRegistered:       {1, func() Fact { return new(EventTypeRegistered) }},
	KindEventTypeUpdated:          {1, func() Fact { return new(EventTypeUpdated) }},
	KindProfileAdded:              {1, func() Fact { return new(ProfileAdded) }},
	KindServerStarted:             {1, func() Fact { return new(ServerStarted) }},
	KindLeaseTaken:                {1, func() Fact { return new(LeaseTaken) }},
	KindFollowerStopped:           {1, func() Fact { return new(FollowerStopped) }},
}

// Version is the version in which this program writes facts of the kind, 0 for a kind it doesn't know.
func (k Kind) Version() int { return forms[k].version }

// AfterDeletion says whether a deleted tenant's log still takes facts of the kind: those that end deliveries, so that no
// attempt stays without its end. Of anything else a log says ErrUnknownTenant.
func (k Kind) AfterDeletion() bool {
	return k == KindAttemptFinished || k == KindDeliveryCancelled
}

// Kinds returns every kind this program knows, in no order.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(forms))
	for k := range forms {
		kinds = append(kinds, k)
	}
	return kinds
}
