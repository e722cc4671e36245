package openapi

import (
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// roles are those who may call an operation. The operator may call everything, in every tenant.
func roles(more ...domain.Role) []domain.Role {
	return append([]domain.Role{domain.RoleOperator}, more...)
}

// register lists every operation. What isn't here isn't in the document.
func register(a *api) {
	const (
		admin, auditor, producer = domain.RoleAdmin, domain.RoleAuditor, domain.RoleProducer
		receiver, registrant     = domain.RoleReceiver, domain.RoleRegistrant
		tenant                   = "/v1/tenants/{tenant}"
	)
	add(a, "create-tenant", "POST /v1/tenants", "Create a tenant", roles(), createTenant)
	add(a, "list-tenants", "GET /v1/tenants", "List tenants", roles(), listTenants)
	add(a, "get-tenant", "GET "+tenant, "Get a tenant", roles(admin, auditor), getTenant)
	add(a, "update-tenant", "PATCH "+tenant, "Change a tenant", roles(admin), patchTenant)
	add(a, "delete-tenant", "DELETE "+tenant, "Delete a tenant", roles(), deleteTenant)

	add(a, "create-instance-key", "POST /v1/keys", "Create a key of the instance", roles(), createInstanceKey)
	add(a, "list-instance-keys", "GET /v1/keys", "List the instance's keys", roles(), listInstanceKeys)
	add(a, "revoke-instance-key", "DELETE /v1/keys/{id}", "Revoke a key of the instance", roles(), deleteInstanceKey)
	add(a, "create-key", "POST "+tenant+"/keys", "Create a key", roles(admin), createKey)
	add(a, "list-keys", "GET "+tenant+"/keys", "List keys", roles(admin, auditor), listKeys)
	add(a, "revoke-key", "DELETE "+tenant+"/keys/{id}", "Revoke a key", roles(admin), deleteKey)
	add(a, "get-whoami", "GET /v1/whoami", "Say what the key may do", domain.Roles(), whoami)

	add(a, "append-event", "POST "+tenant+"/events", "Append an event", roles(producer), appendEvent, documentEvent)
	add(a, "append-events", "POST "+tenant+"/events/batch", "Append a batch of events", roles(producer), appendEvents, documentBatch)
	add(a, "list-events", "GET "+tenant+"/events", "List events", roles(admin, auditor, producer, receiver), listEvents, rest.Answers[rest.Page[eventOut]], rest.Limited)
	add(a, "get-event", "GET "+tenant+"/events/{id}", "Get an event", roles(admin, auditor, producer, receiver), getEvent, rest.Answers[eventOut])
	add(a, "get-event-by-sequence", "GET "+tenant+"/events/by-sequence/{sequence}", "Get an event by its sequence", roles(admin, auditor, producer, receiver), getEventBySequence, rest.Answers[eventOut])
	add(a, "get-event-routing", "GET "+tenant+"/events/{id}/routing", "Get an event's routing", roles(admin, auditor, producer), getRouting)
	add(a, "get-event-routing-by-sequence", "GET "+tenant+"/events/by-sequence/{sequence}/routing", "Get an event's routing by its sequence", roles(admin, auditor, producer), getRoutingBySequence)

	add(a, "list-event-types", "GET "+tenant+"/event-types", "List event types", roles(admin, auditor, producer, receiver, registrant), listEventTypes, rest.Answers[rest.Page[EventTypeOut]])
	add(a, "get-event-type", "GET "+tenant+"/event-types/{name}", "Get an event type", roles(admin, auditor, producer, receiver, registrant), getEventType, rest.Answers[EventTypeOut])
	add(a, "put-event-type", "PUT "+tenant+"/event-types/{name}", "Register or change an event type", roles(admin), putEventType, documentEventType)
	add(a, "import-event-types", "POST "+tenant+"/event-types/import", "Import a catalogue of event types", roles(admin), importTypes, documentCatalogue)
	add(a, "get-event-type-guide", "GET "+tenant+"/event-types/{name}/guide", "Get an event type's integration guide", roles(admin, auditor, receiver, registrant), getGuide, htmlPage, rest.Limited)

	add(a, "list-profiles", "GET /v1/profiles", "List wire formats", domain.Roles(), listProfiles, rest.Answers[rest.Page[profileOut]])
	add(a, "get-profile", "GET /v1/profiles/{name}", "Get a wire format", domain.Roles(), getProfile, rest.Answers[profileOut])
	add(a, "create-profile", "POST /v1/profiles", "Add a wire format", roles(), createProfile, documentProfile)

	add(a, "create-endpoint", "POST "+tenant+"/endpoints", "Create an endpoint", roles(admin, registrant), createEndpoint)
	add(a, "list-endpoints", "GET "+tenant+"/endpoints", "List endpoints", roles(admin, auditor, registrant), listEndpoints)
	add(a, "get-endpoint", "GET "+tenant+"/endpoints/{id}", "Get an endpoint", roles(admin, auditor, receiver), getEndpoint)
	add(a, "update-endpoint", "PATCH "+tenant+"/endpoints/{id}", "Change an endpoint", roles(admin, receiver), patchEndpoint)
	add(a, "delete-endpoint", "DELETE "+tenant+"/endpoints/{id}", "Delete an endpoint", roles(admin), deleteEndpoint)
	add(a, "rotate-endpoint-key", "POST "+tenant+"/endpoints/{id}/rotate-key", "Rotate an endpoint's signing key", roles(admin, receiver), rotateKey)
	add(a, "pause-endpoint", "POST "+tenant+"/endpoints/{id}/pause", "Pause an endpoint", roles(admin), pauseEndpoint)
	add(a, "resume-endpoint", "POST "+tenant+"/endpoints/{id}/resume", "Resume an endpoint", roles(admin, receiver), resumeEndpoint)

	add(a, "handshake-endpoint", "POST "+tenant+"/endpoints/{id}/handshake", "Ask an endpoint's receiver for its consent", roles(admin, receiver), handshakeEndpoint, rest.Limited)
	add(a, "test-endpoint", "POST "+tenant+"/endpoints/{id}/test", "Send a test to an endpoint", roles(admin, receiver), testEndpoint, rest.Limited, rest.Creates)

	add(a, "create-registration", "POST "+tenant+"/registrations", "Create a registration", roles(admin), createRegistration)
	add(a, "list-registrations", "GET "+tenant+"/registrations", "List registrations", roles(admin, auditor), listRegistrations)
	add(a, "get-registration", "GET "+tenant+"/registrations/{id}", "Get a registration", roles(admin, auditor), getRegistration)
	add(a, "delete-registration", "DELETE "+tenant+"/registrations/{id}", "End a registration", roles(admin), deleteRegistration)

	add(a, "create-subscription", "POST "+tenant+"/subscriptions", "Create a subscription", roles(admin, receiver), createSubscription)
	add(a, "list-subscriptions", "GET "+tenant+"/subscriptions", "List subscriptions", roles(admin, auditor, receiver), listSubscriptions)
	add(a, "get-subscription", "GET "+tenant+"/subscriptions/{id}", "Get a subscription", roles(admin, auditor, receiver), getSubscription)
	add(a, "update-subscription", "PATCH "+tenant+"/subscriptions/{id}", "Change a subscription", roles(admin, receiver), patchSubscription)
	add(a, "delete-subscription", "DELETE "+tenant+"/subscriptions/{id}", "Delete a subscription", roles(admin, receiver), deleteSubscription)
	add(a, "pause-subscription", "POST "+tenant+"/subscriptions/{id}/pause", "Pause a subscription", roles(admin, receiver), pauseSubscription)
	add(a, "resume-subscription", "POST "+tenant+"/subscriptions/{id}/resume", "Resume a subscription", roles(admin, receiver), resumeSubscription)
	add(a, "test-filter", "POST "+tenant+"/filters/test", "Try a filter", roles(admin), testFilter, rest.Limited)
	add(a, "preview-routing", "POST "+tenant+"/route-previews", "Preview an event's routing", roles(admin, auditor), previewRouting, rest.Limited)

	add(a, "list-deliveries", "GET "+tenant+"/deliveries", "List deliveries", roles(admin, auditor, receiver), listDeliveries, rest.Limited)
	add(a, "get-delivery", "GET "+tenant+"/deliveries/{id}", "Get a delivery", roles(admin, auditor, receiver), getDelivery)
	add(a, "list-attempts", "GET "+tenant+"/deliveries/{id}/attempts", "List a delivery's attempts", roles(admin, auditor, receiver), listAttempts)
	add(a, "get-attempt-body", "GET "+tenant+"/deliveries/{id}/attempts/{number}/body", "Get the body that an attempt sent", roles(admin, auditor, receiver), getAttemptBody, rest.AnswersIn("application/octet-stream", rest.BytesSchema))
	add(a, "redrive-delivery", "POST "+tenant+"/deliveries/{id}/redrive", "Redrive a dead delivery", roles(admin, receiver), redrive)
	add(a, "retry-delivery", "POST "+tenant+"/deliveries/{id}/retry", "Retry a waiting delivery now", roles(admin, receiver), retryNow)
	add(a, "resend-event", "POST "+tenant+"/events/{id}/resend", "Send an event to an endpoint again", roles(admin, receiver), resend)
	add(a, "create-redrive", "POST "+tenant+"/redrives", "Send again what failed or was skipped", roles(admin), createRedrive, documentAsk, rest.Limited)
	add(a, "list-redrives", "GET "+tenant+"/redrives", "List redrives", roles(admin, auditor), listReplays(domain.AsRedrive))
	add(a, "get-redrive", "GET "+tenant+"/redrives/{id}", "Get a redrive", roles(admin, auditor), getReplay(domain.AsRedrive))
	add(a, "cancel-redrive", "DELETE "+tenant+"/redrives/{id}", "Cancel a redrive", roles(admin), deleteReplay(domain.AsRedrive))
	add(a, "pause-redrive", "POST "+tenant+"/redrives/{id}/pause", "Pause a redrive", roles(admin), moveReplay(domain.AsRedrive, pauseReplay))
	add(a, "resume-redrive", "POST "+tenant+"/redrives/{id}/resume", "Resume a redrive", roles(admin), moveReplay(domain.AsRedrive, resumeReplay))
	add(a, "approve-redrive", "POST "+tenant+"/redrives/{id}/approve", "Approve a redrive", roles(admin), moveReplay(domain.AsRedrive, approveReplay))
	add(a, "create-replay", "POST "+tenant+"/replays", "Send events again", roles(admin), createReplay, documentAsk, rest.Limited)
	add(a, "list-replays", "GET "+tenant+"/replays", "List replays", roles(admin, auditor), listReplays(domain.AsReplay))
	add(a, "get-replay", "GET "+tenant+"/replays/{id}", "Get a replay", roles(admin, auditor), getReplay(domain.AsReplay))
	add(a, "cancel-replay", "DELETE "+tenant+"/replays/{id}", "Cancel a replay", roles(admin), deleteReplay(domain.AsReplay))
	add(a, "pause-replay", "POST "+tenant+"/replays/{id}/pause", "Pause a replay", roles(admin), moveReplay(domain.AsReplay, pauseReplay))
	add(a, "resume-replay", "POST "+tenant+"/replays/{id}/resume", "Resume a replay", roles(admin), moveReplay(domain.AsReplay, resumeReplay))
	add(a, "approve-replay", "POST "+tenant+"/replays/{id}/approve", "Approve a replay", roles(admin), moveReplay(domain.AsReplay, approveReplay))
	add(a, "list-skips", "GET "+tenant+"/skips", "List what was not delivered", roles(admin, auditor, receiver), listSkips, rest.Limited)

	add(a, "get-state", "GET "+tenant+"/state", "Get a tenant's state as of a moment", roles(admin, auditor), getState, rest.Answers[stateOut], rest.Limited)
	add(a, "diff-state", "GET "+tenant+"/state/diff", "List what changed between two moments", roles(admin, auditor), diffState, rest.Answers[rest.Page[thingChangeOut]], rest.Limited)

	add(a, "create-reconciliation", "POST "+tenant+"/reconciliations", "Reconcile a period", roles(admin, auditor), createReconciliation, documentReconciliation)
	add(a, "list-reconciliations", "GET "+tenant+"/reconciliations", "List reconciliations", roles(admin, auditor), listReconciliations, rest.Answers[rest.Page[reconciliationOut]], rest.Limited)
	add(a, "get-reconciliation", "GET "+tenant+"/reconciliations/{id}", "Get a reconciliation", roles(admin, auditor), getReconciliation)

	add(a, "list-log", "GET "+tenant+"/log", "Ask the log", roles(admin, auditor), listLog, rest.Answers[rest.Page[entryOut]], rest.AlsoInstance, rest.Limited)
	add(a, "get-log-entry", "GET "+tenant+"/log/{sequence}", "Get an entry of the log", roles(admin, auditor), getLogEntry, rest.Answers[entryOut], rest.AlsoInstance)
	add(a, "tail-log", "GET "+tenant+"/log/tail", "Follow the log", roles(admin, auditor), tailLog, rest.AnswersIn("text/event-stream", rest.TextSchema), rest.AlsoInstance)

	add(a, "create-export", "POST "+tenant+"/exports", "Export a tenant's history", roles(admin, auditor), createExport, accepted)
	add(a, "list-exports", "GET "+tenant+"/exports", "List exports", roles(admin, auditor), listExports)
	add(a, "get-export", "GET "+tenant+"/exports/{id}", "Get an export's manifest", roles(admin, auditor), getExport)
	add(a, "delete-export", "DELETE "+tenant+"/exports/{id}", "Cancel an export or delete its file", roles(admin, auditor), deleteExport)
	add(a, "get-export-content", "GET "+tenant+"/exports/{id}/content", "Download an export", roles(admin, auditor), getExportContent, exportContent)

	add(a, "get-livez", "GET /livez", "Say whether the process lives", nil, livez)
	add(a, "get-readyz", "GET /readyz", "Say whether this node can append and serve", nil, readyz)
	add(a, "get-metrics", "GET /metrics", "Get metrics for Prometheus", roles(domain.RoleMonitor), metrics, rest.AnswersIn("text/plain", rest.TextSchema))
}
