-- +goose Up
-- More views: definitions of event types, added wire profiles, what routings passed over, how endpoints fare.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE event_types (
    id               uuid        NOT NULL,
    created_position bigint      NOT NULL,
    created_sequence bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    from_position    bigint      NOT NULL,
    from_sequence    bigint      NOT NULL,
    from_at          timestamptz NOT NULL,
    to_position      bigint,
    to_sequence      bigint,
    version          integer     NOT NULL,
    deleted          boolean     NOT NULL,
    tenant           text        NOT NULL,
    name             text        NOT NULL,
    config           bytea       NOT NULL,
    CONSTRAINT event_types_pkey PRIMARY KEY (id, version),
    CONSTRAINT event_types_version_from_one CHECK (version >= 1),
    CONSTRAINT event_types_ends_after_start CHECK (to_sequence > from_sequence)
);
CREATE INDEX event_types_tenant_created ON event_types (tenant, created_sequence);
CREATE INDEX event_types_name ON event_types (tenant, name);

COMMENT ON TABLE event_types IS 'Every version of every event type''s definition';
COMMENT ON COLUMN event_types.id IS 'The type''s stream';
COMMENT ON COLUMN event_types.created_position IS 'Position of the first version''s entry';
COMMENT ON COLUMN event_types.created_sequence IS 'Sequence of the first version''s entry';
COMMENT ON COLUMN event_types.created_at IS 'recorded_at of the first version''s entry';
COMMENT ON COLUMN event_types.from_position IS 'Position of this version''s entry';
COMMENT ON COLUMN event_types.from_sequence IS 'Sequence of this version''s entry';
COMMENT ON COLUMN event_types.from_at IS 'recorded_at of this version''s entry';
COMMENT ON COLUMN event_types.to_position IS 'Position from which the next version holds; null: this one is current';
COMMENT ON COLUMN event_types.to_sequence IS 'Sequence from which the next version holds; null: this one is current';
COMMENT ON COLUMN event_types.version IS 'Of the stream, from 1; not what the schema is called';
COMMENT ON COLUMN event_types.deleted IS 'The content was destroyed; nothing else ends a type';
COMMENT ON COLUMN event_types.tenant IS 'Whose type';
COMMENT ON COLUMN event_types.name IS 'Of the type; empty where the content was destroyed';
COMMENT ON COLUMN event_types.config IS 'Definition, JSON as in the log';

CREATE TABLE profiles (
    id       uuid        NOT NULL,
    position bigint      NOT NULL,
    sequence bigint      NOT NULL,
    added_at timestamptz NOT NULL,
    version  integer     NOT NULL,
    tenant   text        NOT NULL,
    name     text        NOT NULL,
    digest   text        NOT NULL,
    document bytea       NOT NULL,
    CONSTRAINT profiles_pkey PRIMARY KEY (id),
    CONSTRAINT profiles_version_from_one CHECK (version >= 1)
);

COMMENT ON TABLE profiles IS 'Wire profiles that operators added; those of the program itself stand nowhere here';
COMMENT ON COLUMN profiles.id IS 'The profile''s stream';
COMMENT ON COLUMN profiles.position IS 'Position of its entry';
COMMENT ON COLUMN profiles.sequence IS 'Sequence of its entry';
COMMENT ON COLUMN profiles.added_at IS 'recorded_at of its entry';
COMMENT ON COLUMN profiles.version IS 'Of the document, as it says itself';
COMMENT ON COLUMN profiles.tenant IS '_instance: profiles are for all tenants';
COMMENT ON COLUMN profiles.name IS 'What endpoints call it';
COMMENT ON COLUMN profiles.digest IS 'SHA-256 of the document, in hex';
COMMENT ON COLUMN profiles.document IS 'JSON, as in the log';

-- One row an entry, whatever it passed over: a subscription with a filter that seldom matches would else cost a row an
-- event. Who asks for one endpoint's or subscription's reads the rows in order.
CREATE TABLE skips (
    event          uuid        NOT NULL,
    event_sequence bigint      NOT NULL,
    position       bigint      NOT NULL,
    sequence       bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    tenant         text        NOT NULL,
    skipped        bytea       NOT NULL,
    CONSTRAINT skips_pkey PRIMARY KEY (tenant, sequence)
);

COMMENT ON TABLE skips IS 'What routings passed over';
COMMENT ON COLUMN skips.event IS 'Internal id of the event';
COMMENT ON COLUMN skips.event_sequence IS 'Sequence of the event''s entry';
COMMENT ON COLUMN skips.position IS 'Position of the routing''s entry';
COMMENT ON COLUMN skips.sequence IS 'Sequence of the routing''s entry';
COMMENT ON COLUMN skips.recorded_at IS 'When it was routed';
COMMENT ON COLUMN skips.tenant IS 'Whose event';
COMMENT ON COLUMN skips.skipped IS 'Subscriptions with endpoint and reason, JSON as in the log';

-- A page of the fold writes a row once, however many attempts ended in it.
CREATE TABLE endpoint_health (
    endpoint      uuid        NOT NULL,
    last_success  timestamptz,
    failing_since timestamptz,
    failures      bigint      NOT NULL,
    tenant        text        NOT NULL,
    CONSTRAINT endpoint_health_pkey PRIMARY KEY (endpoint),
    CONSTRAINT endpoint_health_failures_since CHECK ((failures > 0) = (failing_since IS NOT NULL))
) WITH (fillfactor = 50);

COMMENT ON TABLE endpoint_health IS 'How the attempts at each endpoint went of late';
COMMENT ON COLUMN endpoint_health.endpoint IS 'The endpoint';
COMMENT ON COLUMN endpoint_health.last_success IS 'recorded_at of the last success; null: never';
COMMENT ON COLUMN endpoint_health.failing_since IS 'recorded_at of the first failure after it; null: the last attempt succeeded';
COMMENT ON COLUMN endpoint_health.failures IS 'Attempts that failed since the last success';
COMMENT ON COLUMN endpoint_health.tenant IS 'Whose endpoint';

ALTER TABLE event_types ENABLE ROW LEVEL SECURITY;
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE skips ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoint_health ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_types_of_tenant ON event_types USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY profiles_of_tenant ON profiles USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY skips_of_tenant ON skips USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY endpoint_health_of_tenant ON endpoint_health USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));

GRANT SELECT, INSERT, UPDATE, DELETE ON event_types, profiles, skips, endpoint_health TO hooktrail_server;
