// Package eventlog keeps the log in Postgres: it appends, orders, hashes, and reads entries, and checks that what the
// database holds is what was appended. It knows nothing of what is folded from the log.
//
// # The life of an append
//
// Log.Append (append.go, append_prepare.go) encodes, commits to, compresses and seals in the caller's goroutine and
// queues the groups (append_queue.go). The one appender (append_loop.go) takes what has queued up while the last commit
// was in flight and has its session commit it (append_session.go), in one transaction: lock and check (append_read.go),
// decide and number (decide.go, append_check.go), claim (append_claims.go), finish leaves and trees (batch.go, tree.go,
// tiles.go), write all with the COMMIT (batch.go, schema.go). Then it answers the callers, keeps the entries for this
// process's followers (recent.go) and wakes them (listen.go). What the log holds is read by the reader (reader.go,
// page.go, select.go, streams.go).
//
// # Decisions
//
// One advisory lock, held to the commit, orders all appends of all processes: commit order is position order, so that a
// reader that goes by position can't skip an entry, and no open transaction elsewhere holds it up. Rejected: sequences
// and xmin horizons (they stall behind any open transaction), a head row updated in place (it bloats under a foreign
// snapshot).
//
// Everything that is checked is read in statements of their own behind the lock, because a statement that waited for a
// lock still sees its old snapshot. In a pipeline each statement has its own, so all of it takes one round trip.
//
// Whether a stream is new is a proof, not a guess: all streams above a certain UUID are in memory (append_state.go),
// and ids begin with the time. Rejected: a look-up of every new stream in every partition. A stream that must be looked
// up is looked for in the partitions that hadn't ended when its id was made (starts.go). Partitions are wide, because a
// statement locks each of them: a hundred for 10 G entries.
//
// Look-ups by a tenant's sequences say between which positions the entries are (span.go): each tile has the position of
// its last entry, 8 bytes for 256 entries. So Postgres locks the partitions that can have them, not a hundred with
// their indexes.
//
// What the appender knows of heads, leases and stream versions it keeps from commit to commit; the instance's head,
// read under the lock each time, tells whether anybody else appended in between. Secrets are asked for each time: they
// are destroyed without an append.
//
// A group that was decided by an older configuration than the newest (domain.Basis) is refused, or decided again by the
// appender under the lock (decide.go). What has to be read for that, the newer configuring entries, has a partial
// index, which holds few entries and costs an event nothing.
//
// What depends on the stream's version is sealed under the lock only where the caller didn't foresee it
// (domain.AnyVersion): the seal authenticates the leaf with the version, so that no content can be put into another
// entry.
//
// The Publisher of watermill-sql gets an executor that queues into a pgx pipeline instead of TxFromPgx(tx): the insert
// travels with tiles, heads and COMMIT, which saves two round trips a batch while the lock is held.
//
// A process that is stopped while it holds the lock is thrown out by idle_in_transaction_session_timeout after two
// seconds; one stopped in the middle of sending its pipeline isn't idle in Postgres's eyes, so whoever waits for the
// lock for 2.5 seconds ends a session that holds it and waits for its client.
//
// A batch whose COMMIT got no answer is looked for by position and leaf, under the lock, before anything is answered or
// numbered again. If the database stays away, the callers get domain.ErrUnavailable and find out by their idempotency
// keys.
//
// Values that only Postgres refuses are found by halving the batch: the validation before the lock makes that rare.
//
// Claims are inserted first and looked up only when the count falls short. A group that repeats a claim of the same
// batch is answered by the outcome of the earlier one. The comparison with an earlier request is made in the caller's
// goroutine: it opens the earlier entries, because the request's digest is kept under the secrets of those whom they
// are about. After an erasure the answer is the same whatever the repetition holds.
//
// Claims have one B-tree for as long as the log, of 16-byte hashes in no order. A unique index can't span partitions by
// month, so the alternative is to ask every month's index before each append, which grows with the log's age, while the
// one index only grows with the logarithm of its size. Its price is that each claim touches a random page: once the
// index is larger than Postgres's memory, one read and, after each checkpoint, one full page in the write-ahead log a
// claim. Hashes that begin with the month would keep the inserts together and make a repetition in the next month pass
// for new. `go test ./adapters/postgres/eventlog -run TestClaims_Size -v -claims 3000000` prints what claims cost.
// Measured with 1 M and 3 M: 101 bytes of the table and 52 to 54 of the index a claim; with 1 M, 42 µs to insert one
// right after a checkpoint and 22 µs after that, 19 to 30 µs into an empty table (beside much other work up to six times
// as long). Extrapolated to 100 M: 10 GB of rows and 5 GB of index, since both grow in proportion. Not measured by it: an
// index larger than memory, and the full pages, which the Postgres of tests leaves out.
//
// Nothing in an entry says which claims were made with it; each tenant's head says how many there are, with a sum of
// their MACs, so that a deleted one is missed. That costs 16 bytes a head. Rejected: the claims' MACs in section 1 of
// the entry, which would say which one is missing, for about 20 bytes an event.
//
// Columns of the large insert are slices that pgx encodes, and rows are scanned by pgx. Rejected: encoding and decoding
// by hand. Columns built by hand took 1.6 µs a row instead of 3.3 (user time, 200 rows of 15 columns), so 3.4 µs of the
// 230 µs of processor time that a delivery with its two entries takes: 1.5 %, which BenchmarkAppend/delivery doesn't
// show (medians of seven alternating runs: 51 µs an entry either way). Rows are read only where an entry isn't in
// memory any more.
//
// Large inserts unnest their columns in the select list, where Postgres runs all of them in step, row by row. Rejected:
// unnest of many columns in FROM, which keeps each column in a store of its own before the first row is formed; that
// took a fifth of Postgres's time for a delivery. Rejected as well: COPY, which costs Postgres about what it saves this
// process, and one more round trip while the lock is held.
//
// The database is not believed. A new connection is used only if the database has the last entry that this process
// knows (known.go). A clock that is far ahead gets no entries (clock.go). Heads are authenticated under a secret of the
// instance (head.go), and compared with the last tiles and leaves before a process first appends to them (frontier.go).
// The database itself takes entries only together with the heads that they lead to (trigger entries_follow_on), so that
// a stray one can't stop the log. An entry whose columns don't say what its leaf says is damaged: the leaf is what is
// sealed and hashed.
//
// A row doesn't contain its leaf but tells it (leafcolumn.go): columns that queries need say most of it, and the column
// leaf the rest. The bytes that were hashed are made again on reading; they are canonical, so there is one way to write
// them. Rejected: the leaf as it is, which was a quarter of what an event takes on disk. Consequence: SQL alone doesn't
// show a leaf.
//
// A node that is alone looks into the database for new entries only where it may find some: followers wait for news of
// this process's own appends (listen.go), and no notification is sent while no other node has beaten for ten seconds
// (lease.go). Readers look once a second all the same, so what is missed costs a second.
//
// What can't be opened is marked as damaged, and lists go on. A fold decides by itself whether it can.
package eventlog
