// Package domain holds what Hooktrail means: the facts that the log can say, the entries in which they are kept, the
// aggregates and their decisions, and the port of the log itself. It imports the standard library and the JSON package
// that is to become part of it.
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
// JSON is read and written by github.com/go-json-experiment/json (encoding/json/v2 of a later Go). Superseded: scanners
// and writers of our own, for 2 % of a delivery's processor time. CheckJSON takes as long as its own scanner
// did on 1 KiB, and one and a half times as long on 256 KiB.
//
// Event data is checked more strictly than RFC 8259 asks (json.go): where parsers disagree, a receiver could read
// something else than an auditor. It is never decoded and written again. The bound on depth is checked here, since the
// library's is 10,000, and the texts of faults are our own, since the library's repeat some of the data.
package domain
