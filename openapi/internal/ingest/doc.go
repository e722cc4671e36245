// Package ingest turns what producers send into drafts for the log, and the log's entries into receipts.
//
// Events (read.go) arrive in the product's own form (envelope.go), as CloudEvents in structured or binary mode
// (cloudevents.go), and several of them as a JSON object, a CloudEvents batch or NDJSON (batch.go). Data goes through
// byte for byte, so JSON is split by hand (split.go) and receipts are written by hand (receipt.go): encoding/json
// compacts and escapes what passes through it, and reflection costs more than the append itself.
//
// The package reads no request and no log. Of HTTP it knows the headers of CloudEvents' binary mode. What it refuses it
// returns as an [*Error] with the location in the request.
package ingest
