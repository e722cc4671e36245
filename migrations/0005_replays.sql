-- +goose Up
-- Replays: how far each has got. What it was asked to do, and why, the log alone has.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE replays (
    id               uuid        NOT NULL,
    through_id       uuid,
    created_position bigint      NOT NULL,
    created_sequence bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_position bigint      NOT NULL,
    updated_sequence bigint      NOT NULL,
    updated_at       timestamptz NOT NULL,
    through_sequence bigint      NOT NULL,
    examined         bigint      NOT NULL,
    sent             bigint      NOT NULL,
    succeeded        bigint      NOT NULL DEFAULT 0,
    dead             bigint      NOT NULL DEFAULT 0,
    cancelled        bigint      NOT NULL DEFAULT 0,
    tried            bigint      NOT NULL DEFAULT 0,
    version          integer     NOT NULL,
    tenant           text        NOT NULL,
    asked_as         text        NOT NULL,
    status           text        NOT NULL,
    problem          text        NOT NULL,
    refused          bytea       NOT NULL,
    CONSTRAINT replays_pkey PRIMARY KEY (id)
);
CREATE INDEX replays_tenant_created ON replays (tenant, created_sequence);
CREATE INDEX replays_active ON replays (created_position) WHERE status IN ('queued', 'running');

COMMENT ON TABLE replays IS 'The present state of each replay';
COMMENT ON COLUMN replays.id IS 'The replay''s id and stream';
COMMENT ON COLUMN replays.through_id IS 'With through_sequence: the last delivery that it came to; null: all of the sequence';
COMMENT ON COLUMN replays.created_position IS 'Position of its first entry';
COMMENT ON COLUMN replays.created_sequence IS 'Sequence of its first entry';
COMMENT ON COLUMN replays.created_at IS 'recorded_at of its first entry';
COMMENT ON COLUMN replays.updated_position IS 'Position of the last entry that changed it';
COMMENT ON COLUMN replays.updated_sequence IS 'Sequence of that entry';
COMMENT ON COLUMN replays.updated_at IS 'recorded_at of that entry';
COMMENT ON COLUMN replays.through_sequence IS 'The last sequence that it came to';
COMMENT ON COLUMN replays.examined IS 'What its filters chose so far';
COMMENT ON COLUMN replays.sent IS 'Deliveries that it set off';
COMMENT ON COLUMN replays.succeeded IS 'Of those sent: have succeeded';
COMMENT ON COLUMN replays.dead IS 'Of those sent: have died';
COMMENT ON COLUMN replays.cancelled IS 'Of those sent: were cancelled';
COMMENT ON COLUMN replays.tried IS 'Of those sent: an attempt has ended since, or they ended without';
COMMENT ON COLUMN replays.version IS 'Of the stream, from 1';
COMMENT ON COLUMN replays.tenant IS 'Whose replay';
COMMENT ON COLUMN replays.asked_as IS 'redrive or replay; empty: its first entry can''t be read';
COMMENT ON COLUMN replays.status IS 'awaiting_approval, queued, running, paused, succeeded, failed or cancelled';
COMMENT ON COLUMN replays.problem IS 'Why it failed';
COMMENT ON COLUMN replays.refused IS 'What it didn''t send, by reason, JSON as in the log';

ALTER TABLE replays ENABLE ROW LEVEL SECURITY;
CREATE POLICY replays_of_tenant ON replays USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON replays TO hooktrail_server;
