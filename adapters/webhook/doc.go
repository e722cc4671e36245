// Package webhook makes one HTTP attempt: it writes an event in a profile's wire format, signs it, sends it through a
// dialer that refuses addresses inside the operator's network, and captures what came back.
//
// A [Profile] is a declarative JSON document, compiled once. [NewTarget] joins it with an endpoint's URL, keys and
// credentials; [Target.Build] makes the exact request of one attempt; [Sender.Send] sends it and returns a [Result].
// [Target.Judge] says what it means. [Verify] is the receiver's side of the same document, and [Profile.Describe] tells
// receivers about it. When to try, and what becomes of the delivery, is decided elsewhere.
//
// # Documents
//
// Members of a profile's document; the files under profiles/ are examples.
//
//	name, version        what endpoints call it; a change needs a new version
//	description          optional
//	transport            "https" or "http_or_https"
//	content_type         of the body; "${data_content_type}" where the envelope is "${data}" and so the body is the data
//	envelope             the body: any JSON, with fields in its strings
//	headers              optional: names and values with fields
//	signature            optional: header; content, what is signed, with "${body}" once and otherwise only fields that
//	                     are the whole value of a header; encoding, "hex" or "base64"; algorithms, "hmac-sha256" and "ed25519"
//	                     each with the prefix of its signatures; separator, if the format can carry several
//	key                  with a signature: format, "text" (the key's own bytes) or "whsec"; generated, whether an
//	                     endpoint without a key gets one
//	auth                 optional: required; types, of "api_key", "basic", "bearer"; header, query: an API key's default
//	success              statuses, "2xx" or from "200" to "299"
//	timeout              optional, such as "30s"
//	retry                "default" or a schedule as endpoints have it
//	honours_retry_after  whether Retry-After, 410, 429 and 503 bend the schedule
//	event_types          optional: the vendor's catalogue
//	self_service         optional: whether receivers may set up endpoints by themselves; true where it is absent
//
// A field is written "${name}" and "$${" stands for "${". The fields: id (the producer's, or the event's UUID where
// that is not unique without its source), producer_id, internal_id, webhook_id (id without dots), sequence, tenant,
// source, type, subject, schema_version, data_schema, data_content_type (application/json unless a CloudEvents producer
// named another of JSON), occurred_at, endpoint_id, attempt, timestamp (the attempt's, in
// Unix seconds), data, data.NAME (a member of the data as text). A string that is one field becomes what the field is
// in JSON; "${sequence|string}" makes a string of a number, "${data|array}" wraps data that is no array,
// "${source|percent}" percent-encodes in a header. A member or header whose name ends in "?" is left out with an empty
// field; the member "..." and a header name that ends in "..." spread "${extensions}", the CloudEvents extension
// attributes.
//
// # Handshakes
//
// [Target.BuildHandshake] asks a receiver whether it wants an endpoint's webhooks, before the first of them, and
// [Handshake.Check] says what it answered. CloudEvents' validation passes with a 2xx whose WebHook-Allowed-Origin is
// ours or "*". An ownership check posts {"type": "hooktrail.endpoint.ownership_check", "endpoint_id": …, "challenge":
// …}, with the endpoint's credentials and signature, and passes with a 2xx whose body is the challenge, alone or as the
// member "challenge" of an object. What is kept of the answer has the challenge masked.
//
// # Decisions
//
// A profile is data. A vendor's format is a document under profiles/, never code, and an operator's own format has the
// same form. Rejected: one Go type per vendor, which only a programmer can add to. Consequence: a document that is
// released is never edited; a change is a new version beside it, because endpoints name the document by its digest.
//
// The envelope is written as the JSON that it makes, with "${field}" where the event goes in. So the output is
// well-formed whatever the document says, members keep their order, and a fault has a JSON pointer. Rejected: templates
// over text, which can be closed wrongly.
//
// Event data is spliced in as bytes. It is never decoded and encoded again: number spelling, key order and spacing are
// what producer and receiver agreed on, and the signature covers them.
//
// Requests go through http.Transport.RoundTrip rather than http.Client: no redirect can be followed, no cookie kept,
// and each attempt saves a copy of its headers. Bodies are bytes.Readers, which net/http writes in one piece with the
// header.
//
// A response counts from its status line: what goes wrong with its body afterwards (endless, slow, cut off) is recorded
// and changes nothing. The receiver has answered, and a repeat would only be a duplicate for it.
//
// One attempt is one request, since every request is in the log before it leaves. net/http repeats requests by itself:
// over HTTP/2 up to six times if the receiver says that it did nothing with them (REFUSED_STREAM, GOAWAY), over HTTP/1
// if they are idempotent by their method or an Idempotency-Key header (refused as a custom header and in profiles), or
// if a kept connection was closed before anything was written. All of these need the body a second time, which no
// request here offers, so the first refusal ends the attempt as request_refused. Only the cases are worth having in which
// nothing was sent. The Sender counts the bytes written to an HTTP/1 connection, and tries again if there were none; and
// it tries again where net/http gives up an HTTP/2 request whose connection ended before its stream was begun, which
// happens to many at once when a receiver sends a GOAWAY.
//
// Attempts share an HTTP/2 connection, so one that fails must not take the others with it. net/http closes a connection
// that one request couldn't be written to, and loses what the receiver had said of the others; see conn.Write.
//
// An answer counts only if something of it came after the request's first byte was written: a receiver that sends two
// answers to one HTTP/1 request must not have the next request taken for delivered.
//
// Tenants are told the same of an address that is refused and of a name that doesn't resolve (address_refused).
// Rejected: a code and a sentence for each, from which the names inside the operator's network could be read. The
// operator's log has the details. How long an attempt took may still hint at the difference.
//
// Of an answer's body 32 KiB are read. Rejected: reading on for the sake of the hash, which let a few receivers with
// endless bodies slow down all others.
//
// A URL's query is a secret as a whole, and so is a segment of its path that looks like one (see RedactURL). Secrets
// that a receiver sends back are masked as they are and in the usual encodings. A secret that is sent back in pieces,
// reversed or compressed is not found, and short words in a path are never treated as secrets.
package webhook
