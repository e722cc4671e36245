package openapi

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describe fills in what the document says of the whole.
func describe(doc *huma.OpenAPI) {
	doc.Info.Description = `An event log with webhook delivery. Events, every change of configuration and every delivery attempt are entries of one
immutable, tamper-evident log; signed webhooks go out from it.

Every request but those for health and this document carries ` + "`Authorization: Bearer <key>`" + `; each operation says whose.

**Errors** are problem documents (RFC 9457) with a stable ` + "`code`" + `. **Lists** take ` + "`limit`, `cursor` and `order`" + `; a walk reflects the
sequence at which it began. **Idempotency-Key** makes every POST repeatable. ` + "`as_of` and `as_of_sequence`" + ` show configuration and deliveries at any
past moment; ` + "`Hooktrail-Sequence`" + ` says which sequence an answer reflects. Enumerations are open: more values may be added.`
	doc.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	doc.Servers = []*huma.Server{{URL: "/", Description: "This server"}}
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key: Authorization: Bearer ht_…"},
	}
	doc.Security = []map[string][]string{{"key": {}}}
	doc.Tags = []*huma.Tag{
		{Name: "Tenants", Description: "Each tenant has a log, keys, endpoints and subscriptions of its own."},
		{Name: "Keys", Description: "API keys, their roles and the principals behind them."},
		{Name: "Events", Description: "What producers submit; data is kept and given back byte for byte."},
		{Name: "Event types", Description: "What a tenant says about its events: schemas, examples, guides."},
		{Name: "Profiles", Description: "Wire formats: what requests to receivers look like, as data."},
		{Name: "Endpoints", Description: "Receivers: URL, wire format, keys and limits."},
		{Name: "Registrations", Description: "Receivers use them to make endpoints themselves."},
		{Name: "Subscriptions", Description: "Which event types go to which endpoint."},
		{Name: "Deliveries", Description: "One event for one endpoint, its attempts, and what was sent in each."},
		{Name: "Reconciliations", Description: "What was sent in a period, against what became of it and what receivers have."},
		{Name: "State", Description: "A tenant as of any moment, and what changed since."},
		{Name: "Log", Description: "The audit query."},
		{Name: "Exports", Description: "Files of a tenant's history, to take away. /docs/exports.md describes them."},
		{Name: "Health", Description: "For orchestrators and monitoring."},
	}
}

// tagOf is the section of the document that a path belongs to.
func tagOf(path string) string {
	for _, tag := range []string{
		"profiles", "keys", "events", "endpoints", "registrations", "subscriptions",
		"deliveries", "reconciliations", "state", "log", "exports",
	} {
		if strings.Contains(path+"/", "/"+tag+"/") {
			return strings.ToUpper(tag[:1]) + tag[1:]
		}
	}
	switch {
	case strings.Contains(path, "/filters/"), strings.HasSuffix(path, "/route-previews"):
		return "Subscriptions"
	case strings.Contains(path, "/event-types"):
		return "Event types"
	case path == "/v1/whoami":
		return "Keys"
	case strings.HasSuffix(path, "/skips"):
		return "Deliveries"
	case strings.HasPrefix(path, "/v1/"):
		return "Tenants"
	}
	return "Health"
}

// description is what the document says of an operation.
func description(id string) string {
	text := descriptions()[id]
	if text == "" {
		panic("openapi: " + id + " has no description")
	}
	return text
}

func descriptions() map[string]string {
	return map[string]string{
		"create-tenant": "Begins a tenant's log. The id is permanent: it isn't free again when the tenant is deleted.",
		"list-tenants": "In order of id, as they are now, on every page: there is no as_of, since each " +
			"tenant has a log of its own. Hooktrail-Sequence and min_sequence speak of the instance's log.",
		"get-tenant": "The tenant's settings, now or as of a moment.",
		"update-tenant": "A merge patch (RFC 7396). While webhooks are off, events are still logged; routing " +
			"records that nothing was sent. schema_validation determines what happens to events that break their " +
			"type's " +
			"schema: with enforce, appending them is refused (422 schema_violation) with the places; with warn, " +
			"the receipt has warnings.",
		"delete-tenant": "Ends the tenant: its keys stop working and nothing is sent. Its log stays.",
		"create-instance-key": "Keys of the instance are operator and monitor keys. The key itself is shown in " +
			"this answer and never again.",
		"list-instance-keys":  "Keys that aren't revoked, now or as of a moment.",
		"revoke-instance-key": "Takes effect at once in this process, and in others as they read the log.",
		"create-key": "The key itself is shown in this answer and never again, also not to a repetition " +
			"with the same Idempotency-Key.",
		"list-keys":  "Keys that aren't revoked, now or as of a moment.",
		"revoke-key": "Takes effect at once in this process, and in others as they read the log.",
		"get-whoami": "What the key of the request is, and what it may do.",
		"append-event": "Accepts the product's own form, or CloudEvents 1.0 in binary or structured mode (in binary mode with any content " +
			"type of JSON). Of valid CloudEvents, those are refused whose id isn't 1 to 256 visible ASCII characters " +
			"(it goes into paths and headers), whose type isn't letters, digits, _ and - in segments separated by dots " +
			"(subscriptions match by segment), or whose data isn't JSON. The " +
			"answer comes once the event is in the log for good. A repeated id with the same members is answered " +
			"with the first receipt and 200; with other members, 409. To a producer, an id under which another " +
			"principal's event was appended is always 409: ids are shared in a source, so it learns that the id is " +
			"taken, and nothing of what the event holds. Hooktrail-Hops, which webhooks carry, is " +
			"inherited: what too many webhooks led to is appended and not routed.",
		"append-events": "All events or none, in their order: an object with events, NDJSON with an event a " +
			"line, or a CloudEvents batch. Events that were appended before are answered with their first receipts.",
		"list-events": "With their data. With id: the one event of that name, also one whose id can't " +
			"be part of a path. A producer sees what its principal appended, a receiver what was sent to its " +
			"endpoint. A page " +
			"can have fewer items than asked for when the data is large.",
		"get-event": "The event with its data, byte for byte. The id goes percent-encoded; one that " +
			"can't be part of a path even so, such as / or (behind some proxies) .., is found with ?id= of the " +
			"list. Where a producer called an event by another one's internal id, this finds the producer's; " +
			"get-event-by-sequence finds either.",
		"create-export": "Has a file written of the log as it is now: deliveries with their attempts, events, changes of " +
			"configuration, or entries. The answer says where its manifest is. With dry_run, it is counted what the file " +
			"would have. Files are written one after the other for a tenant, and never so fast that others' appends suffer. " +
			"/docs/exports.md describes formats and columns.",
		"list-exports": "In order of creation, as they are now.",
		"get-export": "What was asked for, by whom and why; how far it is; and what came of it: files with their " +
			"hashes, counts, and what was erased before it was written.",
		"delete-export": "An export that isn't finished is cancelled; of one that is, the file is deleted. The manifest " +
			"stays.",
		"get-export-content": "The file, or a part of it. Every request is an entry of the tenant's log, which is " +
			"appended before the first byte leaves.",
		"get-event-by-sequence": "The event with its data, byte for byte.",
		"get-event-routing": "Where the event went and which matching subscriptions were skipped, as it was " +
			"decided then; with as_of, as far as it was routed at that moment.",
		"list-event-types": "In order of registration, with schemas and examples, now or as of a moment. A page " +
			"can have fewer items than asked for when they are large.",
		"get-event-type": "What the tenant says about the events of a type, now or as of a moment; schema and " +
			"examples byte for byte as they were sent.",
		"put-event-type": "The whole definition: what isn't sent isn't kept. The same definition again " +
			"appends nothing. What breaks for receivers is refused (409 schema_incompatible) unless the schema gets " +
			"a new version, and the answer says what breaks. Events appended through this process are held to it " +
			"at once, those through others as they read the log.",
		"import-event-types": "Registers all types of a catalogue, or none: types that are defined like that already " +
			"stay, so " +
			"that it can be imported again. What a tenant has besides stays too. Breaking changes are refused as in " +
			"put-event-type.",
		"get-event-type-guide": "A page for a receiver's developer: what arrives for an event of this type, with " +
			"the type's first example; how to verify it in curl, Go, TypeScript and Python; what to answer; how " +
			"retries go. It is for an endpoint, or for any endpoint of a wire format. A registration's holder " +
			"names an endpoint that it made.",
		"list-profiles": "Those that are built into the program and those that operators added, in every " +
			"version. There is no as_of: a profile never changes, and added_at says when it was added.",
		"get-profile": "One wire format in its newest version, or in the one that is asked for.",
		"create-profile": "The body is the document, of the same form as those that are built into the program. " +
			"Endpoints of all tenants can use it from then on; those that exist keep the version with which they " +
			"were made. A document that is wrong is refused with the places (422 invalid_profile); the same " +
			"document again is answered with 200.",
		"create-endpoint": "The signing key is shown in this answer and never again. Credentials are kept " +
			"sealed, outside the log. A registration's holder makes endpoints within its bounds and gets, once, a " +
			"key for the receiver; beyond the quota: 409 quota_exhausted.",
		"list-endpoints": "Endpoints that aren't deleted, now or as of a moment. A registration's holder sees " +
			"those that it made; a page can then have fewer items than asked for.",
		"get-endpoint": "Its whole configuration, now or as of a moment; key ids and keyed fingerprints, " +
			"never a key.",
		"update-endpoint": "A merge patch (RFC 7396). The profile stays; the signing key is rotated by an " +
			"operation of its own. A receiver changes its url and nothing else. A receiver's new url, and that of an " +
			"endpoint which has passed the handshake it demands, is asked first, as by handshake-endpoint, and " +
			"taken over when it passes; else 422 handshake_failed.",
		"delete-endpoint": "Its waiting deliveries are cancelled, its credentials destroyed, and its receivers' keys " +
			"open nothing any more.",
		"rotate-endpoint-key": "During the overlap both keys sign where the format can carry two signatures. The " +
			"new key is shown in this answer and never again.",
		"pause-endpoint":  "Deliveries wait until it is resumed.",
		"resume-endpoint": "Ends a pause, or an automatic disabling. A receiver ends a disabling, not a pause.",
		"handshake-endpoint": "Sends one request. ownership: a POST with a challenge, which the receiver sends " +
			"back, alone or as the member challenge of an object. cloudevents: OPTIONS with WebHook-Request-Origin, " +
			"which the receiver answers as HTTP 1.1 Web Hooks for Event Delivery asks. The answer is 200 whether " +
			"it passed or not: see passed. One that passed verifies an endpoint that demands it, and takes " +
			"another url over. It ends in the log also when the caller has gone; when the server dies in " +
			"between, the start stays without an end and the next handshake supersedes it. One at a " +
			"time an endpoint, 10 at once and then 10 a minute together with tests.",
		"test-endpoint": "Appends an event that goes to this endpoint, whatever its subscriptions, and to no " +
			"other. It is delivered as any event, with the header hooktrail-test: true, and marked in all listings. " +
			"Refused where nothing would be sent: while webhooks are off, the endpoint is disabled or its " +
			"handshake isn't passed. While the endpoint is paused it waits.",
		"create-registration": "With its token, and nothing else, a receiver makes endpoints within the bounds " +
			"given here and chooses their event types. The token is shown in this answer and never again.",
		"list-registrations": "Registrations that aren't ended, now or as of a moment.",
		"get-registration":   "Its bounds and how many endpoints were made, now or as of a moment.",
		"delete-registration": "The token stops working, at once in this process, and in others as they " +
			"read the log. Endpoints that were made with it stay, and so do their receivers' keys.",
		"list-skips": "What was never delivered, and why: routings that passed over a subscription whose " +
			"types matched, in order of their entries. It reflects what the view has; min_sequence demands more. A " +
			"receiver sees what concerns its endpoint.",
		"create-subscription": "Events of the types that are appended from now on go to the endpoint: one delivery " +
			"an event and endpoint, however many subscriptions match. A receiver's key makes one as long as the " +
			"endpoint has fewer than 20; beyond: 409 too_many_subscriptions.",
		"list-subscriptions":  "Subscriptions that aren't deleted, now or as of a moment.",
		"get-subscription":    "Its whole configuration, now or as of a moment.",
		"update-subscription": "A merge patch (RFC 7396). The endpoint stays.",
		"delete-subscription": "Waiting deliveries that no other subscription asked for are cancelled.",
		"pause-subscription":  "What it would match from now on is skipped, and routing says so.",
		"resume-subscription": "Ends a pause. What was skipped meanwhile stays skipped.",
		"list-deliveries": "In order of creation, now or as of a moment. It reflects what the view has; " +
			"min_sequence demands more. Filters by event type, subject and outcome are looked up for one delivery " +
			"after the other; those by outcome (status code, error, duration) go by the last attempt that was finished " +
			"at the moment shown. One request examines at most 5,000 deliveries: a page can then have fewer items than " +
			"asked for, or none, and a cursor.",
		"get-delivery":  "The delivery's state, now or as of a moment.",
		"list-attempts": "With what was sent and what came back, in order of their numbers.",
		"get-attempt-body": "The exact bytes, built again from the log and checked against the hash that was " +
			"recorded. With as_of, 404 unless the attempt had begun by then.",
		"redrive-delivery": "Sets a dead delivery going again, with its schedule from the start. Attempt " +
			"numbers go on. Refused with 409, and the dead letter stays, where nothing can come of it: " +
			"endpoint_deleted, subscriptions_deleted, event_erased.",
		"get-state": "The tenant's whole configuration and the numbers of its deliveries by status, now or as of a " +
			"moment. The member state follows from the log up to Hooktrail-Sequence alone, so every server and every " +
			"independent fold of the log has the same one. Its hash, in Hooktrail-State-SHA256 and state_sha256, is " +
			"the SHA-256 of the member in canonical JSON (RFC 8785), which is how it is sent. To compute it from the " +
			"log: for each stream of kind tenant, key, endpoint, subscription or event-type take the last entry up to " +
			"the sequence, leave out what that entry deletes or revokes, and make {config, created_sequence, id, " +
			"updated_sequence, version} of data.config, the sequence of the stream's first entry, the stream's id, " +
			"the entry's sequence and its stream_version; in an event type's config, schema and examples are replaced " +
			"by schema_sha256 and examples_sha256. Lists are in order of created_sequence. A delivery is pending from " +
			"the routing that names it, or its delivery.created, on; delivery.attempt_finished says its status, " +
			"delivery.redriven and delivery.resent make it retrying (a resend before any attempt: pending), " +
			"delivery.cancelled cancelled. Names of keys stand beside the state, since an erasure destroys " +
			"them. Where very many deliveries have moved on since the moment, counting them can take longer than a " +
			"request may (503).",
		"diff-state": "What of the configuration differs between the state as of from and that as of to, an item " +
			"for each thing, in order of its first change in between: which members differ, and the entries that led " +
			"there, with who and why. A page can have fewer items than asked for when they are large.",
		"create-reconciliation": "Counts what was routed in a period and what became of it as of the log's end, for a " +
			"tenant or one endpoint: the sums close, and what doesn't is listed. With the list of ids that the " +
			"endpoint's receiver has, as CSV with a header (column id or event_id) or NDJSON (a string, or an object " +
			"with id or event_id, a line), it also tells what they lack, what they have twice, and what they have that " +
			"was never sent in the period. Ids are those that deliveries show as event_id. A list has at most 20 " +
			"million ids and 2 GiB, is read as it comes, and isn't kept: results name its lines. The answer is 202, " +
			"with the place where the status and the result are to be had. A tenant has one reconciliation at a time " +
			"(429). Order and result are entries of the log.",
		"list-reconciliations": "In the order in which they were asked for. The log is searched in bounded steps: a page " +
			"can have fewer items than asked for, or none, and a cursor.",
		"get-reconciliation": "Its status, and its result once it has succeeded.",
		"retry-delivery": "Has the next attempt of a waiting delivery due now; its schedule goes on from there. Where it is " +
			"due already nothing changes. While an attempt is under way: 409 attempt_in_progress; after the end: 409 not_waiting.",
		"resend-event": "Sends one event to one endpoint, whatever became of it before. A delivery that has ended " +
			"(succeeded, dead or cancelled) goes again, with its schedule from the start; where the event was skipped or " +
			"never matched, a delivery is made: there is never more than one for an event and an endpoint. It doesn't " +
			"hang on subscriptions. One that is still under way: 409 not_ended. While the endpoint is paused or disabled, it " +
			"waits. A receiver's key resends what was sent to its endpoint before.",
		"create-redrive": "Sends in bulk what the filter chooses: deliveries in a status (dead by default), or what was skipped for a reason, in the order of the log. " +
			"It goes on in the background, below fresh deliveries, also after the server has died, and sends nothing twice. " +
			"What can't or may not be sent is refused and counted. With dry_run: 200, and nothing is appended. " +
			"With approval it waits for another principal. There is one delivery for an event and an endpoint, always.",
		"list-redrives":  "In order of creation, as they are now.",
		"get-redrive":    "How far it has got, and what has become of what it sent.",
		"cancel-redrive": "It sets nothing off any more. What it has set off goes on.",
		"pause-redrive":  "It sets nothing off until it is resumed. What it has set off goes on.",
		"resume-redrive": "Ends a pause.",
		"approve-redrive": "Lets it begin. Who approves is another principal than who asked for it, and neither made the " +
			"other's key; else 403 own_request.",
		"create-replay": "Sends in bulk what was sent in a range, whatever became of it; or, with endpoint_id, all events of the range to that one endpoint, which may be new, in the order of the log. " +
			"It goes on in the background, below fresh deliveries, also after the server has died, and sends nothing twice. " +
			"What can't or may not be sent is refused and counted. With dry_run: 200, and nothing is appended. " +
			"With approval it waits for another principal. There is one delivery for an event and an endpoint, always.",
		"list-replays":  "In order of creation, as they are now.",
		"get-replay":    "How far it has got, and what has become of what it sent.",
		"cancel-replay": "It sets nothing off any more. What it has set off goes on.",
		"pause-replay":  "It sets nothing off until it is resumed. What it has set off goes on.",
		"resume-replay": "Ends a pause.",
		"approve-replay": "Lets it begin. Who approves is another principal than who asked for it, and neither made the " +
			"other's key; else 403 own_request.",
		"list-log": "The audit query: every entry of the tenant's log, or those that the filters " +
			"choose. The operator may ask the instance's own log, under the name _instance.",
		"get-log-entry": "One entry, with the exact bytes that went into the tenant's Merkle tree.",
		"tail-log": "Server-Sent Events: an entry each, its sequence as the id. Without Last-Event-ID " +
			"or from_sequence it begins with what is appended next. A comment comes at least every 15 seconds.",
		"get-livez":   "The process answers.",
		"get-readyz":  "503 only when this node can't append or serve.",
		"get-metrics": "In Prometheus' text format.",

		"get-event-routing-by-sequence": "As get-event-routing, for an event whose id can't be part of a path or has " +
			"another source: ?id= of the list of events tells its sequence.",

		"test-filter": "Tries a filter on an event, or on the tenant's most recent ones (of its last 10,000): " +
			"what it matches, leaves out and fails on. A text that isn't a filter is refused with line and column. " +
			"Nothing is appended, so an Idempotency-Key changes nothing.",
		"preview-routing": "Where an event would go, by the configuration now or as of a moment: decided by the code " +
			"that routes. Nothing is appended, so an Idempotency-Key changes nothing.",
	}
}

// isSent reports whether a schema is of what clients send.
func isSent(schema string) bool {
	return strings.HasSuffix(schema, "Request") || strings.HasSuffix(schema, "Patch") || schema == "RateLimit" ||
		schema == "ReasonBody"
}
