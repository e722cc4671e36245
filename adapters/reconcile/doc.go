// Package reconcile compares what the log says was routed in a period with what became of the deliveries, and, where a
// receiver gave a list of the ids that it has, with that list.
//
//	reconciler.go   what is under way: one reconciliation a tenant, two for the process; what a restart finds is begun again
//	walk.go         the walk over the log and the views, range by range, with pauses
//	list.go         a receiver's list: CSV or NDJSON, read as it comes
//	spill.go        ids in files by hash, so that a list of any length is compared in bounded memory
//	match.go        the comparison of one file after the other
//
// # Decisions
//
// The walk opens a transaction for each page of deliveries and none in between, and pauses after each range for as long
// as the range took. All that it reads is as of one sequence, so that a walk that takes hours has one answer.
//
// Ids are spread over 256 files by a keyed hash, theirs and ours alike, and compared file by file: memory is that of the
// longest pair of files, about 1/256 of the list. Rejected: sorting and merging on disk, which reads and writes
// everything several times and needs no less disk; equal ids, the only way to make one file long, take one place in
// memory. The hash is keyed so that nobody can choose ids that fall into one file.
//
// The work isn't resumed but begun again: it changes nothing until its one fact is appended. The receiver's ids are
// kept in files of the data directory until then, and nowhere else: a result names them by their lines in the list, of
// which the log has the SHA-256.
package reconcile
