// Package openapi is the HTTP surface: the operations and the document that describes them.
//
// # Where things are
//
//	api.go                  the list of all operations
//	handler.go, server.go   what is served, and the ports that it needs: small interfaces which adapters satisfy
//	endpoints*.go, …        the resources, each an operation as a free function of a [call] and its input
//	describe.go, document.go, webhooks.go, docs.go   the document, its texts and its page
//	internal/rest           the kit: letting a request in, problems, parameters, paging, as-of reads, idempotency, answers
//	internal/ingest         events coming in, receipts going out
//
// A request goes through internal/rest/gate.go, then through one function of this package from top to bottom; append.go and
// endpoints.go are good ones to begin with.
//
// # Decisions
//
// Huma registers the operations, so that the document can't differ from what is served. api.go lists them all; an
// operation is a free function from an authenticated call and its input to an answer.
//
// Who may do what is decided before anything of the request but its path and key is looked at: 401, 404, 403, in that
// order. So a stranger learns nothing from a validation message, and another tenant's things look like none at all.
//
// Events go in and out byte for byte. Their bodies are read and written by hand (envelope.go, receipt.go): encoding/json
// compacts and escapes what passes through it, and reflection costs more than the append itself.
//
// A POST is answered from the entries that it appended. A repetition under the same idempotency key reads those entries
// again and runs the same code over them, so no answer has to be kept anywhere; what is shown once (keys) isn't in the log
// and so can't come back.
//
// What the router or a filter would do is asked of their own code, over a configuration read from the views (preview.go,
// filtertest.go): a second one would sooner or later say something else.
//
// A path is served as it was sent or not at all. A mux redirects one that isn't clean, and an event may be called "..":
// what can't stand in a path goes through ?id= of the list of events, which tells the sequence by which the rest is found.
//
// A handshake is the one POST that waits for somebody else. Its intent is appended before the request leaves, and its end
// claims the idempotency key, since only that can be answered again: a repetition after a crash asks anew. It goes on when
// its caller leaves, so that what a receiver was asked has an end in the log. What was asked of a URL says nothing of the
// one that the endpoint has got meanwhile: such an end is recorded as superseded.
//
// A registration is a key of its own role, so that authentication, expiry and revocation are those of keys. Each use moves
// its stream on, in the group that makes the endpoint: the expected version keeps the quota, whoever uses it at once.
// Rejected: counting the endpoints that name it, which nothing holds still between the count and the append.
//
// Events are held to their type's schema as the directory has it, in one look-up; a process may so be behind a change that
// another one has answered. What is wrong with an event that is accepted all the same stands in its entry, so that a
// repetition gets the same receipt. That its type is deprecated stands in a header instead: it may come later. What was
// appended before a schema is answered as it was, never refused by it.
//
// Profiles that operators added are pulled from the directory when they are asked for, and named by digest where it matters
// what is sent. A name that the program brings along is never an operator's.
//
// Cursors carry the sequence at which the list began and a checksum over filters and tenant. They are no secret and grant
// nothing: the checksum only keeps a cursor from being used with another list.
//
// Inputs and answers share members by embedding (TenantPath, AsOfQuery and so on). Those types are exported only because
// Huma overlooks embedded types that aren't.
package openapi
