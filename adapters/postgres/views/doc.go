// Package views folds the log into the tables that the API reads, and reads them, now or as of any moment.
//
// One follower (Follower) folds whole pages of entries: it gathers what they change, and writes each row once, with one
// statement a table (page.go, configpage.go, deliverypage.go, flush.go). Rows and cursor are committed together.
// Readers (Views, viewReader) see one snapshot of one tenant.
//
// # Decisions
//
// Nothing in a table, an index or a statistic tells anything of a person. Subjects are keyed hashes under a secret of
// the tenant; what producers chose about an event, what keys are called and what filters decided is read from the log
// when it is shown, and is gone as soon as it is erased there. An event that a producer named is found by the claim of
// its name.
//
// Attempts and earlier states of deliveries have no rows: the log has them, under the delivery's stream, and the
// domain's own fold gives a delivery as of a moment. Rejected: tables of attempts and of changes, which cost every
// delivery a row for what is asked of few.
//
// The server's database role can write these tables, so what the server acts by isn't believed: each row of
// configuration carries a MAC under its tenant's secret, and at start the versions are held against the log's streams,
// which that role can't change: a MAC can't tell that a newer row was taken away. Profiles are read from the log
// itself. Rejected: folding all configuration from the log at each start, which reads the whole of a long log for the
// few entries of configuration in it.
//
// A delivery has one row, and one more in undelivered until it succeeds. That keeps deliveries at two indexes beyond
// its primary key, of which no attempt changes a column.
//
// The tables can be emptied and folded again at any time (Rebuild, in committed steps that go on where they were broken
// off), and compared with a fresh fold (VerifyViews).
package views
