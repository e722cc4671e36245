// Package eventlog keeps the log in Postgres: it appends, orders, hashes, and reads entries, and checks that what the database
// holds is what was appended. It knows nothing of what is folded from the log.
//
// # The life of an append
//
// Log.Append (append.go, append_prepare.go) encodes, commits to, compresses and seals in the caller's goroutine and
// queues the groups. The one appender (append_loop.go) takes what has queued up while the last commit was in flight and
// commits it (batch.go): lock and check (append_read.go), decide and number (append_check.go), claim (append_claims.go), finish leaves
// and trees (tree.go, tiles.go), write all with the COMMIT (schema.go). Then it answers the callers, keeps the entries for
// this process's followers (recent.go) and wakes them (listen.go).
//
// # Decisions
//
// One advisory lock, held to the commit, orders all appends of all processes: commit order is position order, so that a
// reader that goes by position can't skip an entry, and no open transaction elsewhere holds it up. Rejected: sequences and
// xmin horizons (they stall behind any open transaction), a head row updated in place (it bloats under a foreign snapshot).
//
// Everything that is checked is read in statements of their own behind the lock, because a statement that waited for a lock still
// sees its old snapshot. In a pipeline each statement has its own, so all of it takes one round trip.
//
// Whether a stream is new is a proof, not a guess: all streams above a certain UUID are in memory (append_state.go), and ids
// begin with the time. Rejected: a look-up of every new stream in every partition.
//
// What the appender knows of heads, leases and stream versions it keeps from commit to commit; the instance's head, read under
// the lock each time, tells whether anybody else appended in between. Data keys are asked for each time: they are destroyed
// without an append.
//
// The Publisher of watermill-sql gets an executor that queues into a pgx pipeline instead of TxFromPgx(tx): the insert
// travels with tiles, heads and COMMIT, which saves two round trips a batch while the lock is held.
//
// A process that is stopped while it holds the lock is thrown out by idle_in_transaction_session_timeout after two seconds;
// one stopped in the middle of sending its pipeline isn't idle in Postgres's eyes, so whoever waits for the lock for 2.5
// seconds ends a session that holds it and waits for its client.
//
// A batch whose COMMIT got no answer is looked for by position and leaf, under the lock, before anything is answered or
// numbered again. If the database stays away, the callers get domain.ErrUnavailable and find out by their idempotency keys.
//
// Values that only Postgres refuses are found by halving the batch: the validation before the lock makes that rare.
//
// Claims are inserted first and looked up only when the count falls short. A group that repeats a claim of the same batch
// is answered by the outcome of the earlier one.
//
// Parameters of the large insert are encoded by hand (columns.go), contents compressed in one of three forms (seal.go), of
// which the smallest has an encoder of its own (small.go): these were the largest costs in this process when measured.
//
// Large inserts unnest their columns in the select list, where Postgres runs all of them in step, row by row. Rejected:
// unnest of many columns in FROM, which keeps each column in a store of its own before the first row is formed; that took a
// fifth of Postgres's time for a delivery. Rejected as well: COPY, which costs Postgres about what it saves this process, and
// one more round trip while the lock is held.
//
// Data keys have retention classes: events with their deliveries, and configuration, so that ending the one doesn't blind the other.
//
// Hashing keys (claims, subjects, fingerprints) come from a secret of the instance and not from the master key: rotating
// that one must not make every claim unknown.
package eventlog
