// Package migratetest gives each test a migrated Postgres database of its own.
//
//	db := migratetest.Open(t)
//	pool, err := pgxpool.New(ctx, db.URL) // as the server would log in
//
// Nothing has to be running: the first Open of a test process starts a private Postgres (a second or so), migrates a template
// database once, and every Open copies it (some 50 ms). HOOKTRAIL_TEST_DATABASE_URL, a superuser's URL, makes the tests use
// that server instead. Without either, tests fail and say how to get Postgres; they never skip.
//
// # Decisions
//
// One cluster for each test process, not one for all. Sharing would need a protocol for who starts and who stops it, to
// save the start for the few packages that use a database.
//
// A Go test process has no hook for its end, and it may be killed. So a guard, a shell that blocks on a pipe from us, stops the
// cluster and removes its directory when the pipe breaks, however that happens; what is left after a power cut is removed by
// the next run.
package migratetest
