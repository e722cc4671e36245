-- +goose Up
-- Exports as lists find them: which there are, which aren't finished, and until when files are kept. The rest is in the
-- exports' streams.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE exports (
    id               uuid        NOT NULL,
    created_position bigint      NOT NULL,
    created_sequence bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    kept_until       timestamptz,
    unfinished       boolean     NOT NULL,
    tenant           text        NOT NULL,
    CONSTRAINT exports_pkey PRIMARY KEY (id),
    CONSTRAINT exports_kept_when_finished CHECK (NOT unfinished OR kept_until IS NULL)
);
CREATE INDEX exports_tenant_created ON exports (tenant, created_sequence, id);
CREATE INDEX exports_live ON exports (created_position) WHERE unfinished OR kept_until IS NOT NULL;

COMMENT ON TABLE exports IS 'Exports of tenants'' histories';
COMMENT ON COLUMN exports.id IS 'The export''s stream';
COMMENT ON COLUMN exports.created_position IS 'Position of the entry that created it';
COMMENT ON COLUMN exports.created_sequence IS 'Sequence of the entry that created it';
COMMENT ON COLUMN exports.created_at IS 'recorded_at of the entry that created it';
COMMENT ON COLUMN exports.kept_until IS 'When its file expires; null: there is none';
COMMENT ON COLUMN exports.unfinished IS 'It hasn''t succeeded, failed or been cancelled';
COMMENT ON COLUMN exports.tenant IS 'Whose history it has';

ALTER TABLE exports ENABLE ROW LEVEL SECURITY;
CREATE POLICY exports_of_tenant ON exports USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON exports TO hooktrail_server;
