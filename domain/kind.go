package domain

import "strings"

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

	KindDeliveryCreated     Kind = "delivery.created"
	KindDeliveryResent      Kind = "delivery.resent"
	KindDeliveryRescheduled Kind = "delivery.rescheduled"

	KindReplayCreated   Kind = "replay.created"
	KindReplayApproved  Kind = "replay.approved"
	KindReplayPaused    Kind = "replay.paused"
	KindReplayResumed   Kind = "replay.resumed"
	KindReplayAdvanced  Kind = "replay.advanced"
	KindReplayFinished  Kind = "replay.finished"
	KindReplayCancelled Kind = "replay.cancelled"

	KindEventTypeRegistered Kind = "event_type.registered"
	KindEventTypeUpdated    Kind = "event_type.updated"

	KindProfileAdded    Kind = "profile.added" // in the instance's log
	KindServerStarted   Kind = "server.started"
	KindLeaseTaken      Kind = "lease.taken"
	KindFollowerStopped Kind = "follower.stopped"
	KindFormatRaised    Kind = "format.raised" // in the instance's log
	KindLossAccepted    Kind = "loss.accepted" // in the instance's log
	KindDamageAccepted  Kind = "damage.accepted"

	KindReconciliationCreated  Kind = "reconciliation.created"
	KindReconciliationFinished Kind = "reconciliation.finished"
	KindExportCreated          Kind = "export.created"
	KindExportFinished         Kind = "export.finished"
	KindExportFailed           Kind = "export.failed"
	KindExportCancelled        Kind = "export.cancelled"
	KindExportDownloaded       Kind = "export.downloaded"
	KindExportExpired          Kind = "export.expired"
)

// form is how one kind is kept: its versions and the type they are decoded into. Every kind has one; a test holds the table
// against the constants. A version that only adds optional members is decoded like those before.
type form struct {
	// formats has, for each version from 1 on, the Format that introduced it. The last version is the one that is written.
	formats []int
	empty   func() Fact
	// critical kinds must be understood: a program that doesn't know one stops at its entries instead of passing them over.
	// Steps of a delivery or a replay are: passed over, they would leave a version of its stream out.
	critical bool
}

// forms is read only.
var forms = map[Kind]form{
	KindTenantCreated:             {formats: []int{1}, empty: func() Fact { return new(TenantCreated) }},
	KindTenantUpdated:             {formats: []int{1}, empty: func() Fact { return new(TenantUpdated) }},
	KindTenantDeleted:             {formats: []int{1}, empty: func() Fact { return new(TenantDeleted) }},
	KindTenantRegistered:          {formats: []int{1}, empty: func() Fact { return new(TenantRegistered) }},
	KindTenantUnregistered:        {formats: []int{1}, empty: func() Fact { return new(TenantUnregistered) }},
	KindKeyCreated:                {formats: []int{1}, empty: func() Fact { return new(KeyCreated) }},
	KindKeyRevoked:                {formats: []int{1}, empty: func() Fact { return new(KeyRevoked) }},
	KindRegistrationUsed:          {formats: []int{1}, empty: func() Fact { return new(RegistrationUsed) }},
	KindEndpointCreated:           {formats: []int{1}, empty: func() Fact { return new(EndpointCreated) }},
	KindEndpointUpdated:           {formats: []int{1}, empty: func() Fact { return new(EndpointUpdated) }},
	KindEndpointKeyRotated:        {formats: []int{1}, empty: func() Fact { return new(EndpointKeyRotated) }},
	KindEndpointPaused:            {formats: []int{1}, empty: func() Fact { return new(EndpointPaused) }},
	KindEndpointResumed:           {formats: []int{1}, empty: func() Fact { return new(EndpointResumed) }},
	KindEndpointDisabled:          {formats: []int{1}, empty: func() Fact { return new(EndpointDisabled) }},
	KindEndpointDeleted:           {formats: []int{1}, empty: func() Fact { return new(EndpointDeleted) }},
	KindEndpointHandshakeStarted:  {formats: []int{1}, empty: func() Fact { return new(EndpointHandshakeStarted) }},
	KindEndpointHandshakeFinished: {formats: []int{1}, empty: func() Fact { return new(EndpointHandshakeFinished) }},
	KindSubscriptionCreated:       {formats: []int{1}, empty: func() Fact { return new(SubscriptionCreated) }},
	KindSubscriptionUpdated:       {formats: []int{1}, empty: func() Fact { return new(SubscriptionUpdated) }},
	KindSubscriptionPaused:        {formats: []int{1}, empty: func() Fact { return new(SubscriptionPaused) }},
	KindSubscriptionResumed:       {formats: []int{1}, empty: func() Fact { return new(SubscriptionResumed) }},
	KindSubscriptionDeleted:       {formats: []int{1}, empty: func() Fact { return new(SubscriptionDeleted) }},
	KindEventAppended:             {formats: []int{1}, empty: func() Fact { return new(EventAppended) }},
	KindEventRouted:               {formats: []int{1}, empty: func() Fact { return new(EventRouted) }},
	KindAttemptStarted:            {formats: []int{1}, empty: func() Fact { return new(AttemptStarted) }},
	KindAttemptFinished:           {formats: []int{1}, empty: func() Fact { return new(AttemptFinished) }},
	KindDeliveryRedriven:          {formats: []int{1}, empty: func() Fact { return new(DeliveryRedriven) }},
	KindDeliveryCancelled:         {formats: []int{1}, empty: func() Fact { return new(DeliveryCancelled) }},
	KindDeliveryCreated:           {formats: []int{2}, critical: true, empty: func() Fact { return new(DeliveryCreated) }},
	KindDeliveryResent:            {formats: []int{2}, critical: true, empty: func() Fact { return new(DeliveryResent) }},
	KindDeliveryRescheduled:       {formats: []int{2}, critical: true, empty: func() Fact { return new(DeliveryRescheduled) }},
	KindReplayCreated:             {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayCreated) }},
	KindReplayApproved:            {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayApproved) }},
	KindReplayPaused:              {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayPaused) }},
	KindReplayResumed:             {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayResumed) }},
	KindReplayAdvanced:            {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayAdvanced) }},
	KindReplayFinished:            {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayFinished) }},
	KindReplayCancelled:           {formats: []int{2}, critical: true, empty: func() Fact { return new(ReplayCancelled) }},
	KindEventTypeRegistered:       {formats: []int{1}, empty: func() Fact { return new(EventTypeRegistered) }},
	KindEventTypeUpdated:          {formats: []int{1}, empty: func() Fact { return new(EventTypeUpdated) }},
	KindProfileAdded:              {formats: []int{1}, empty: func() Fact { return new(ProfileAdded) }},
	KindServerStarted:             {formats: []int{1}, empty: func() Fact { return new(ServerStarted) }},
	KindLeaseTaken:                {formats: []int{1}, empty: func() Fact { return new(LeaseTaken) }},
	KindFollowerStopped:           {formats: []int{1}, empty: func() Fact { return new(FollowerStopped) }},
	KindFormatRaised:              {formats: []int{1}, empty: func() Fact { return new(FormatRaised) }},
	KindLossAccepted:              {formats: []int{1}, empty: func() Fact { return new(LossAccepted) }},
	KindDamageAccepted:            {formats: []int{1}, empty: func() Fact { return new(DamageAccepted) }},
	KindReconciliationCreated:     {formats: []int{2}, empty: func() Fact { return new(ReconciliationCreated) }},
	KindReconciliationFinished:    {formats: []int{2}, empty: func() Fact { return new(ReconciliationFinished) }},
	KindExportCreated:             {formats: []int{2}, empty: func() Fact { return new(ExportCreated) }},
	KindExportFinished:            {formats: []int{2}, empty: func() Fact { return new(ExportFinished) }},
	KindExportFailed:              {formats: []int{2}, empty: func() Fact { return new(ExportFailed) }},
	KindExportCancelled:           {formats: []int{2}, empty: func() Fact { return new(ExportCancelled) }},
	KindExportDownloaded:          {formats: []int{2}, empty: func() Fact { return new(ExportDownloaded) }},
	KindExportExpired:             {formats: []int{2}, empty: func() Fact { return new(ExportExpired) }},
}

// Version is the version in which this program writes facts of the kind, 0 for a kind it doesn't know.
func (k Kind) Version() int { return len(forms[k].formats) }

// Format is the format that introduced the version of the kind that this program writes, 0 for a kind it doesn't know. A log
// takes it only when it is raised as far (FormatRaised).
func (k Kind) Format() int {
	if formats := forms[k].formats; len(formats) > 0 {
		return formats[len(formats)-1]
	}
	return 0
}

// AfterDeletion reports whether a deleted tenant's log still takes facts of the kind: those that end deliveries, so that no
// attempt stays without its end, and exports, so that no file stays. Of anything else a log says ErrUnknownTenant.
func (k Kind) AfterDeletion() bool {
	switch k {
	case KindAttemptFinished, KindDeliveryCancelled, KindExportFinished, KindExportFailed, KindExportCancelled, KindExportExpired:
		return true
	}
	return false
}

// Critical reports whether a program that doesn't know the kind must not pass over its entries. The leaf says it.
func (k Kind) Critical() bool { return forms[k].critical }

// Configures reports whether facts of the kind may change how the tenant's events are routed.
func (k Kind) Configures() bool {
	switch subject, _, _ := strings.Cut(string(k), "."); subject {
	case "tenant", "endpoint", "subscription":
		return k != KindTenantRegistered && k != KindTenantUnregistered
	}
	return false
}
