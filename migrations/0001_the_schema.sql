-- +goose Up
-- Who may do what before there is a table: the owner role, which nobody logs in as, owns the schema and everything
-- that later migrations make in it; the server's roles may only look up names. What they may do with a table is granted
-- where the table is made.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO hooktrail_server;

-- Postgres lets everybody call a new function. Here each function is granted on its own: some run with the owner's rights.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The server checks at its start that the schema is the one it was built for.
GRANT SELECT ON schema_version TO hooktrail_server;

COMMENT ON SCHEMA public IS 'Hooktrail: the log and the views folded from it';
COMMENT ON TABLE schema_version IS 'The migrations applied to this database, one row each';
COMMENT ON COLUMN schema_version.id IS 'Order of application';
COMMENT ON COLUMN schema_version.version_id IS 'Number at the head of the migration''s file name';
COMMENT ON COLUMN schema_version.is_applied IS 'Always true: migrations only go forward';
COMMENT ON COLUMN schema_version.tstamp IS 'When it was applied, by the database''s clock, UTC';
