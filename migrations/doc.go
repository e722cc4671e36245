// Package migrations holds the database schema as SQL files and brings a database to it.
//
// [Up] makes the roles, applies what is missing and makes the role that the server logs in as; [Check] tells the server
// whether the schema is the one it was built for.
//
// A file is named 0002_sentence_name.sql and begins
//
//	-- +goose Up
//	SET LOCAL lock_timeout = '10s';
//	SET LOCAL statement_timeout = '60s';
//
// It runs as role hooktrail_owner in one transaction of its own. A statement that contains semicolons, as a function's
// body does, stands between "-- +goose StatementBegin" and "-- +goose StatementEnd". There is no Down: a file
// is never edited once released, a mistake is repaired by a later file.
//
// # Decisions
//
// Four roles. hooktrail_owner, which nobody logs in as, owns schema and tables. hooktrail_server, which nobody
// logs in as either, holds the grants of servers, and hooktrail_eraser those of erasures, which no server has. The server logs
// in as a member of hooktrail_server and of nothing else. So a
// server that was taken over can neither change what is in the log nor drop what protects it; SET ROLE from a
// mighty login would leave RESET ROLE to the attacker.
//
// Roles belong to the whole cluster, the first three are shared by all Hooktrail databases in it. Give each database a
// server role of its own name if they must not read each other.
//
// The migrating login may be a superuser or the database's owner with CREATEROLE (Postgres 15 or newer; in 14 the schema
// public belongs to the superuser). The database should be Hooktrail's alone: schema public is taken from PUBLIC.
//
// goose instead of own code: its session lock lets any number of replicas start at once. The lock and SET ROLE need a session,
// so the migrate URL must not lead through a transaction pooler.
package migrations
