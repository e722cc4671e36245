// Package export writes exports: files of a tenant's history, in the order of its log, as of one sequence.
//
//	columns.go             which value of a row each column has
//	entries.go             rows of events, of changes of configuration and of the log
//	deliveries.go          rows of deliveries with their attempts
//	ndjson.go, csv.go, …   the formats
//	file.go                one export's file, written in steps that a killed process's successor goes on from
//	pace.go                how fast an export is read
//	runner.go              who writes which export when, and what becomes of files whose time is over
//	exports.go             what the API asks for
//	dir.go                 where files are kept
//
// # Decisions
//
// An export is deterministic: the query and the sequence determine every byte. Rows come in the order of the log (deliveries
// in the order of their creation), files say nothing of when or where they were written, and what a format cuts into pieces
// is cut after a number of rows, never by time. So a killed process's successor makes the same file, and two exports can be
// compared by their hashes. An erasure changes what is exported from then on; the manifest counts such rows.
//
// Every step reads a bounded number of entries in a short statement. Nothing is held between two steps but a place: no
// transaction, no snapshot, no cursor of the database. What a delivery was as of the sequence is folded from the log; the
// views only tell which deliveries there are, and a row that the log contradicts fails the export.
//
// The steps of deliveries come from one pass over the log. An entry that is read ahead is kept for the page of deliveries
// that needs it, so a log in which deliveries end soon is read once. What comes much later (retries) is read from the
// deliveries' streams, many at a time. Rejected: a query a delivery, and the views' attempts.
//
// One node writes: the one that holds the lease. While others append, it reads one small step at a time and rests twice as
// long as that took (pace.go); while nobody does, it reads several at once. So how many rows come in a page changes, and nothing
// of a file depends on it.
//
// Files aren't sealed: an auditor's tools must read them. They are in a directory that only the server's account may enter,
// and they expire.
package export
