package domain

// ExportColumn describes one column of an export. The document, /docs/exports.md and the exports themselves are made from
// these tables.
type ExportColumn struct {
	Name string
	Type ExportType
	Unit string // such as "microseconds"; empty: none
	Doc  string
}

// ExportType is the type of a column.
type ExportType string

// The types of columns. Every column may be null.
const (
	TypeText      ExportType = "text"    // UTF-8
	TypeUUID      ExportType = "uuid"    // canonical text, lower case
	TypeInteger   ExportType = "integer" // 64 bits, signed
	TypeBoolean   ExportType = "boolean"
	TypeTimestamp ExportType = "timestamp" // UTC, microseconds
	TypeJSON      ExportType = "json"
)

// ExportColumns returns the columns of what is exported, in the order in which exports have them by default. The slice is
// the caller's.
func ExportColumns(what ExportWhat) []ExportColumn {
	const microseconds, octets, sequence = "microseconds", "bytes", "entries of the tenant's log"
	switch what {
	case ExportDeliveries:
		return []ExportColumn{
			{"delivery_id", TypeUUID, "", "The delivery: one event for one endpoint. It has a row for each of its attempts; without any, one row in which the columns attempt_* are null."},
			{"status", TypeText, "", "The delivery's status as of the export's sequence: pending, retrying, succeeded, dead or cancelled."},
			{"attempts", TypeInteger, "attempts", "How many attempts of the delivery were started."},
			{"event_id", TypeText, "", "The event as its producer called it; null where the event was erased."},
			{"event_internal_id", TypeUUID, "", "The event's stream in the log."},
			{"event_sequence", TypeInteger, sequence, "The event's place in the tenant's log."},
			{"event_type", TypeText, "", "The event's type."},
			{"endpoint_id", TypeUUID, "", "The endpoint."},
			{"subscription_ids", TypeJSON, "", "The subscriptions that matched: an array of ids. None: a test."},
			{"created_at", TypeTimestamp, "", "When the delivery was routed."},
			{"created_sequence", TypeInteger, sequence, "The entry that routed it."},
			{"ended_at", TypeTimestamp, "", "When the delivery ended."},
			{"ended_sequence", TypeInteger, sequence, "The entry that ended it."},
			{"next_attempt_at", TypeTimestamp, "", "When the next attempt is due."},
			{"cancel_reason", TypeText, "", "Why the delivery was cancelled."},
			{"attempt_number", TypeInteger, "", "Counts the delivery's attempts, from 1."},
			{"attempt_outcome", TypeText, "", "succeeded, failed or unknown; null while the attempt is under way."},
			{"attempt_status_code", TypeInteger, "", "The HTTP status of the answer."},
			{"attempt_error", TypeText, "", "Why there was no answer: a stable code such as connection_refused."},
			{"attempt_duration_us", TypeInteger, microseconds, "From the attempt's start to its end."},
			{"attempt_started_at", TypeTimestamp, "", "When the attempt's start was recorded."},
			{"attempt_started_sequence", TypeInteger, sequence, "The entry that started it."},
			{"attempt_finished_at", TypeTimestamp, "", "When the attempt ended, by the sender's clock."},
			{"attempt_finished_sequence", TypeInteger, sequence, "The entry that ended it."},
			{"attempt_request_bytes", TypeInteger, octets, "Length of the body that was sent."},
			{"attempt_answer_bytes", TypeInteger, octets, "Length of the answer's body, as far as it was read."},
			{"attempt_remote_addr", TypeText, "", "Address and port of the receiver."},
			{"attempt_url", TypeText, "", "Where the request went, credentials redacted; null where the event was erased."},
			{"attempt_body_sha256", TypeText, "", "SHA-256, in hex, of the body that was sent; null where the event was erased."},
			{"attempt_profile_digest", TypeText, "", "The version of the wire format that was used."},
			{"erased", TypeBoolean, "", "Some content behind the row was erased."},
		}
	case ExportEvents:
		return []ExportColumn{
			{"sequence", TypeInteger, sequence, "The event's place in the tenant's log."},
			{"recorded_at", TypeTimestamp, "", "When it was appended, by the database's clock."},
			{"event_id", TypeText, "", "The event as its producer called it; null where it was erased, as all that the producer chose but the type."},
			{"internal_id", TypeUUID, "", "The event's stream in the log."},
			{"source", TypeText, "", "Where the event comes from."},
			{"type", TypeText, "", "The event's type."},
			{"subject", TypeText, "", "Whom the event is about."},
			{"occurred_at", TypeTimestamp, "", "When it happened, as its producer says."},
			{"schema_version", TypeText, "", "The version of the type's schema."},
			{"dataschema", TypeText, "", "The schema that the producer named."},
			{"datacontenttype", TypeText, "", "The data's media type as the producer named it."},
			{"extensions", TypeJSON, "", "CloudEvents extension attributes: an object."},
			{"data", TypeJSON, "", "The event's data, byte for byte."},
			{"data_bytes", TypeInteger, octets, "Length of the data."},
			{"deliveries", TypeInteger, "deliveries", "How many deliveries the event's own entry routed; those of events with more than 1,000 are in entries of their own."},
			{"test", TypeBoolean, "", "It is a test, made for one endpoint."},
			{"principal", TypeUUID, "", "The person or system that appended it."},
			{"credential", TypeUUID, "", "The key that was used."},
			{"leaf_hash", TypeText, "", "RFC 6962 hash of the entry's leaf, in standard base64."},
			{"erased", TypeBoolean, "", "The subject's content was erased."},
			{"damaged", TypeBoolean, "", "The content doesn't open although its keys exist."},
		}
	case ExportConfiguration, ExportLog:
		return []ExportColumn{
			{"sequence", TypeInteger, sequence, "The entry's place in the tenant's log: its leaf's index in the tenant's Merkle tree."},
			{"recorded_at", TypeTimestamp, "", "The database's clock."},
			{"kind", TypeText, "", "What the entry says."},
			{"kind_version", TypeInteger, "", "The version of the kind's form."},
			{"stream", TypeText, "", "The thing that it is about."},
			{"stream_version", TypeInteger, "", "Counts the stream's entries, from 1."},
			{"principal", TypeUUID, "", "The person or system that did it; null for what the server does by itself."},
			{"credential", TypeUUID, "", "The key that was used."},
			{"cause", TypeInteger, sequence, "The entry that led to this one."},
			{"reason", TypeText, "", "Why a person did it."},
			{"address", TypeText, "", "From where a change of configuration was asked for."},
			{"user_agent", TypeText, "", "What that client called itself."},
			{"data", TypeJSON, "", "The content: an object with a member for each part that the leaf commits to. Hashes of keys are left out."},
			{"leaf", TypeText, "", "The exact bytes in the Merkle tree: canonical JSON."},
			{"leaf_hash", TypeText, "", "Their RFC 6962 hash, in standard base64."},
			{"erased", TypeBoolean, "", "What was the subject's was erased, or all of the content."},
			{"damaged", TypeBoolean, "", "The content doesn't open although its keys exist."},
		}
	}
	return nil
}
