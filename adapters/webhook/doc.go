// Package webhook makes one HTTP attempt: it writes an event in a profile's wire format, signs it, sends it through a
// dialer that refuses addresses inside the operator's network, and captures what came back.
//
// A [Profile] is a declarative JSON document, compiled once. [NewTarget] joins it with an endpoint's URL, keys and
// credentials; [Target.Build] makes the exact request of one attempt; [Sender.Send] sends it and returns a [Result].
// [Verify] is the receiver's side of the same document. When to try, and what an outcome means for the delivery, is
// decided elsewhere.
//
// # Decisions
//
// A profile is data. A vendor's format is a document under profiles/, never code, and an operator's own format has the
// same form. Rejected: one Go type per vendor, which nobody but a programmer can add to. Consequence: a document that is
// released is never edited; a change is a new version beside it, because endpoints name the document by its digest.
//
// The envelope is written as the JSON that it makes, with "${field}" where the event goes in. So the output is
// well-formed whatever the document says, members keep their order, and a fault has a JSON pointer. Rejected: templates
// over text, which can be closed wrongly.
//
// Event data is spliced in as bytes. It is never decoded and encoded again: number spelling, key order and spacing are
// what producer and receiver agreed on, and the signature covers them.
//
// Requests go through http.Transport.RoundTrip rather than http.Client: no redirect can be followed, no cookie kept, and
// each attempt saves a copy of its headers. Bodies are bytes.Readers, which net/http writes in one piece with the header.
//
// A response counts from its status line: what goes wrong with its body afterwards (endless, slow, cut off) is recorded
// and changes nothing. The receiver has answered, and a repeat would only be a duplicate for it.
//
// Nothing sent may be repeated by net/http unseen, since every request stands in the log before it leaves. net/http
// resends a POST by itself only if nothing of it was written, if an HTTP/2 receiver says that it did nothing with it, or
// if it carries an Idempotency-Key header, which is therefore refused as a custom header and in profiles.
package webhook
