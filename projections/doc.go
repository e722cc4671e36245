// Package projections folds the log into views: who the tenants are, which endpoints and subscriptions were in force
// when, and how far each delivery has got.
//
// The fold (Apply) is one function over a Store. Three run it: Config and Directory (what routing, the dispatcher and
// authentication need, in memory), the Postgres tables of adapters/postgres/views (the API's read side, and its answers
// as of a moment), and the memory of memorytest, which keeps every state. A property test compares the tables with that
// memory on random histories, at every position.
//
// # Decisions
//
// The fold decides nothing: each fact carries the whole of what follows from it, so a Store only ever puts rows, and a
// page of entries can be folded to its net change and written with one statement a table.
//
// Configuration keeps every version with the sequence from which it held; deliveries and attempts carry the sequences at
// which they were created, started, finished and ended. So "as of" is a selection on intervals, not a second fold.
//
// Destroyed content doesn't stop a fold, and isn't passed over either: the entry still says what it was and which thing
// it is about, so the row is marked. An erased event keeps its place without its attributes; its deliveries are ended as
// cancelled, reason erased, and a delivery whose routing was destroyed is a row with nothing but its id. A version of
// configuration whose content was destroyed counts as deleted until the next version. Attempts of which the start was
// destroyed aren't listed.
//
// An unknown kind, content that can't be opened although nobody erased it, and a step of a delivery that nobody made
// stop the fold.
package projections
