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
// A request goes through internal/rest/gate.go, then through one function of this package from top to bottom; append.go
// and endpoints.go are good ones to begin with.
//
// # Decisions
//
// Huma registers the operations, so that the document can't differ from what is served. api.go lists them all; an
// operation is a free function from an authenticated call and its input to an answer. A call has no methods: what an
// operation needs it passes on, and a file of one resource doesn't know the files of others.
//
// Who may do what is decided before anything of the request but its path and key is looked at: 401, 404, 403, in that
// order. So a stranger learns nothing from a validation message, and another tenant's things are as absent as things
// that never were.
//
// Events go in and out byte for byte. Their bodies are read and written by hand (internal/ingest): encoding/json
// compacts and escapes what passes through it, and reflection costs more than the append itself.
//
// A POST is answered from the entries that it appended. A repetition under the same idempotency key reads those entries
// again and runs the same code over them, so no answer has to be kept anywhere. What is shown once (keys) isn't in the
// log and so can't be shown again.
//
// A decision is made once, with everything that it puts into the log, and has no effect outside. Secrets that it names
// are stored after it and before the append (endpointsecrets.go): what is refused was never stored. That a secret is
// kept by a change is a member of its own, never a value that a client could send.
//
// Previews and tests of filters ask the code that routes and filters, over a configuration read from the views
// (preview.go, filtertest.go): a second implementation would sooner or later answer differently.
//
// A path is served as it was sent or not at all. A mux redirects one that isn't clean, and an event may be called "..".
// An event whose id can't be part of a path is found with ?id= of the list of events, which tells its sequence.
//
// A handshake is the one POST that waits for somebody else. Its intent is appended before the request leaves, and its
// end claims the idempotency key, since only the end can be answered again: a repetition after a crash asks the
// receiver again. It continues when its caller leaves, so that everything a receiver was asked has an end in the log.
// If the endpoint's URL was changed meanwhile, the result says nothing about the new one and is recorded as superseded.
//
// A registration is a key of its own role, so that authentication, expiry and revocation are those of keys. Each use
// appends to its stream, in the group that makes the endpoint: the expected version enforces the quota, however many
// use it at once. Rejected: counting the endpoints that name it, since nothing keeps the count valid until the append.
//
// Events are checked against their type's schema as the directory has it, in one look-up; a process may therefore lag
// behind a change that another one has answered. Faults of an event that is accepted nevertheless are part of its
// entry, so that a repetition gets the same receipt. That its type is deprecated goes into a header instead, since that
// may change later. Events that were appended before a schema was registered are answered as they were, never refused.
//
// Profiles that operators added are read from the directory when they are asked for, and named by digest where it
// matters what is sent. A built-in name is never an operator's.
//
// Cursors carry the sequence at which the list began and a MAC over it, filters and tenant. They aren't secret and
// grant nothing: the MAC prevents their use with another list, and claims that the instance never made.
//
// Inputs and answers share members by embedding (rest.TenantPath, rest.AsOfQuery and so on). Those types are exported
// because Huma ignores embedded types that aren't.
package openapi
