package eventlog

import (
	"crypto/rand"
	"flag"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
)

var manyClaims = flag.Int("claims", 5_000, "how many claims TestClaims_Size fills the table with")

// TestClaims_Size prints what claims take on disk, and how long one more takes an append when there are many: in an empty
// table, right after a checkpoint, and after that. With -claims and -v it gives the figures of a large table; without, it
// holds rows and index to their size. The Postgres of tests writes no full pages into its write-ahead log: a server's
// does, one for each page that is first touched after a checkpoint.
func TestClaims_Size(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	conn, err := pgx.Connect(t.Context(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	const batches, each = 20, 50
	insert := func(when string) {
		t.Helper()
		const walSQL = `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`
		var before, after int64
		if err := conn.QueryRow(t.Context(), walSQL).Scan(&before); err != nil {
			t.Fatal(err)
		}
		var took time.Duration
		for range batches {
			macs, digests, tenants := make([][]byte, each), make([][]byte, each), make([]string, each)
			sequences, proofs, counts := make([]int64, each), make([]int64, each), make([]int32, each)
			for i := range each {
				macs[i], digests[i] = make([]byte, 16), make([]byte, 16)
				_, _ = rand.Read(macs[i]) // never fails
				tenants[i], counts[i] = "default", 1
			}
			began := time.Now()
			exec(insertClaimsSQL, macs, digests, sequences, counts, tenants, proofs, began.UTC())
			took += time.Since(began)
		}
		if err := conn.QueryRow(t.Context(), walSQL).Scan(&after); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f µs and %d bytes of write-ahead log a claim", when,
			float64(took.Microseconds())/(batches*each), (after-before)/(batches*each))
	}
	insert("into an empty table")
	const fill = 100_000
	began := time.Now()
	for left := *manyClaims; left > 0; left -= fill {
		exec(`INSERT INTO claims (mac, digest, sequence, count, tenant, proof, day)
			SELECT uuid_send(gen_random_uuid()), uuid_send(gen_random_uuid()), n, 1, 'default', n, now() FROM generate_series(1, $1::int) AS n`,
			min(left, fill))
	}
	t.Logf("%d claims were made in %.0f s", *manyClaims, time.Since(began).Seconds())
	exec(`CHECKPOINT`)
	insert("right after a checkpoint")
	insert("after that")
	var rows, index float64
	const sizeSQL = `SELECT pg_relation_size('claims')::float8 / n, pg_relation_size('claims_pkey')::float8 / n FROM (SELECT count(*) AS n FROM claims) AS c`
	if err := conn.QueryRow(t.Context(), sizeSQL).Scan(&rows, &index); err != nil {
		t.Fatal(err)
	}
	t.Logf("a claim takes %.0f bytes in the table and %.0f in the index", rows, index)
	if rows > 130 || index > 60 {
		t.Errorf("a claim takes %.0f and %.0f bytes, want up to 130 and 60", rows, index)
	}
}
