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
// Configuration keeps every version with the sequence from which it was in force; deliveries and attempts carry the sequences at
// which they were created, started, finished and ended. So "as of" is a selection on intervals, not a second fold.
//
// Destroyed content doesn't stop a fold, and isn't passed over either: the entry still says what it was and which thing
// it is about, so the row is marked. An erased event keeps its place without its attributes; its deliveries are ended as
// cancelled, reason erased, and a delivery whose routing was destroyed is a row with nothing but its id. A version of
// configuration whose content was destroyed counts as deleted until the next version. Attempts of which the start was
// destroyed aren't listed.
//
// The fold stops at a kind that must be understood and isn't known, at content that can't be opened although it wasn't
// erased, at a step of a delivery that no entry made, and at a step that contradicts the delivery's state, such as a
// second end: appends expect a stream version, so that is a defect or damage, and no answer after it could be trusted.
// Where an unreadable entry leaves open what it said, the fold allows each step that may have followed.
package projections
