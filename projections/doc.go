// Package projections folds the log into views: who the tenants are, which endpoints and subscriptions held when, where
// every delivery stands.
//
// The fold (Apply) is one function over a Store. Three things run it: the memory of this package (as-of answers, the
// dispatcher's configuration, authentication), the Postgres tables of adapters/postgres (the API's read side), and an
// auditor's export. A property test holds them equal on random histories, at every position.
//
// # Decisions
//
// The fold decides nothing: each fact carries the whole of what follows from it, so a Store only ever puts rows, and a
// page of entries can be folded to its net change and written with one statement a table.
//
// Configuration keeps every version with the sequence from which it held; deliveries and attempts carry the sequences at
// which they were created, started, finished and ended. So "as of" is a selection on intervals, not a second fold.
package projections
