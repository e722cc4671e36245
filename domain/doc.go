// Package domain holds what Hooktrail means, in the standard library alone: the facts that the log can say, the
// entries in which they are kept, the aggregates and their decisions, and the port of the log itself.
//
// The words are those of the field (event, endpoint, subscription, delivery, attempt) and four of our own: a fact is one
// past-tense thing the log can say; an entry is a fact as kept; a position is a place in the instance's whole log; a
// sequence is a place in one tenant's log.
//
// # Decisions
//
// Facts carry decisions. Where an event went and why not, when the next attempt is due (jitter included), which key
// signed: all of it is in the fact, so that a fold of an old log with new code never rewrites the past. A method
// that decides returns a fact; a fold (package projections) only applies it.
//
// Stored names are written out in kind.go and never taken from Go's type names: renaming a type must not break a log.
//
// A fact's content is split into named parts, each committed to by itself in the leaf, so that an auditor can be shown
// one part of an entry without the others. Which parts a kind has is fixed for ever by testdata/facts.golden.json: kinds
// and versions are added, never edited.
//
// The four parts that every delivered event costs one of are encoded and decoded by hand (codec_append.go,
// codec_scan.go), which takes a third of encoding/json's time. The stored form stays plain JSON: what isn't in exactly the
// form that is written here goes to encoding/json, and a property test and a fuzz target hold the two equal.
//
// Event data is checked more strictly than RFC 8259 asks (json.go): where parsers disagree, a receiver could read
// something else than an auditor. It is never decoded and written again.
package domain
