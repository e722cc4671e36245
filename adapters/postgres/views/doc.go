// Package views folds the log into tables for the API, the dispatcher and authentication, and reads them.
//
// # Decisions
//
// The log is what holds; rows can be emptied and folded again at any time (Views.Rebuild, in committed steps), and be
// compared with a fresh fold (Views.VerifyViews).
//
// Nothing that is of a person stands in a column, an index or a statistic. An event's row says where it is in the log; its
// attributes are read from there, so what was erased is gone at once, with no row to change. Subjects are looked up by a keyed
// hash under the tenant's own secret; an event by its producer's id through the log's claims; what keys and principals are
// called, attempts, and what filters decided are read from the log too.
//
// What the server acts by (tenants, keys, endpoints, subscriptions, event types) carries a MAC of all that a row says, under
// the tenant's own secret, and is checked when it is read; added profiles are read from the log itself. A MAC can't tell that a
// newer row was taken away: what is loaded to act by is also held against the versions that the log has. Rejected: folding all
// configuration from the log at each start, which reads the whole of a long log for the few entries of configuration in it.
//
// A delivery has one row, and one more in undelivered until it succeeds. That keeps deliveries at two indexes beyond its
// primary key, of which no attempt changes a column. Earlier states of a delivery are folded from its stream when asked for.
//
// Statements are written once a page of the fold and table, whatever the number of rows: what begins and ends within a page
// is written once.
package views
