// Package postgres holds what the packages below it share: pools and connections, and what Postgres's errors mean in
// the domain's words. The log is in eventlog, the views folded from it in views, keys and sealed contents in seal.
package postgres
