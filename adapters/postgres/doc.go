// Package postgres holds what the packages below it share: pools and connections, what Postgres's errors mean in the
// domain's words, and the columns of large inserts. The log is in eventlog, the views folded from it in views, keys and sealed
// contents in seal.
package postgres
