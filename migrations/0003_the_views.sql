-- +goose Up
-- The views: what the fold of the log yields for the API. They can be emptied and folded again at any time, so the server
-- may change them. Every row belongs to a tenant and is shown only to a transaction that said whose it is, by
-- set_config('hooktrail.tenant', …, true); '*' is for the fold itself. A transaction that said nothing sees nothing.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- A page of the fold inserts the new cursors and deletes the old ones: a row updated in place would bloat under a foreign
-- snapshot.
CREATE TABLE cursors (
    position bigint NOT NULL,
    sequence bigint NOT NULL,
    follower text   NOT NULL,
    tenant   text   NOT NULL,
    CONSTRAINT cursors_pkey PRIMARY KEY (follower, tenant, position),
    CONSTRAINT cursors_position_from_zero CHECK (position >= 0)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

COMMENT ON TABLE cursors IS 'How far each follower''s rows reflect the log: as a whole (empty tenant) and per tenant. The row with the highest position holds';
COMMENT ON COLUMN cursors.position IS 'Of the last entry folded: of the log, or of the tenant''s';
COMMENT ON COLUMN cursors.sequence IS 'Of the tenant''s last entry folded; -1 for the log as a whole';
COMMENT ON COLUMN cursors.follower IS 'Who folds, such as views';
COMMENT ON COLUMN cursors.tenant IS 'Whose log; empty: the whole instance''s';

-- Configuration: one row per version. A version holds from from_sequence up to, not including, to_sequence.
CREATE TABLE tenants (
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
    config           bytea       NOT NULL,
    mac              bytea       NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (tenant, version),
    CONSTRAINT tenants_version_from_one CHECK (version >= 1),
    CONSTRAINT tenants_ends_after_start CHECK (to_sequence > from_sequence)
);

COMMENT ON TABLE tenants IS 'Every version of every tenant';
COMMENT ON COLUMN tenants.id IS 'The tenant''s stream';
COMMENT ON COLUMN tenants.created_position IS 'Position of the first version''s entry';
COMMENT ON COLUMN tenants.created_sequence IS 'Sequence of the first version''s entry';
COMMENT ON COLUMN tenants.created_at IS 'recorded_at of the first version''s entry';
COMMENT ON COLUMN tenants.from_position IS 'Position of this version''s entry';
COMMENT ON COLUMN tenants.from_sequence IS 'Sequence of this version''s entry';
COMMENT ON COLUMN tenants.from_at IS 'recorded_at of this version''s entry';
COMMENT ON COLUMN tenants.to_position IS 'Position from which the next version holds; null: this one is current';
COMMENT ON COLUMN tenants.to_sequence IS 'Sequence from which the next version holds; null: this one is current';
COMMENT ON COLUMN tenants.version IS 'Of the stream, from 1';
COMMENT ON COLUMN tenants.deleted IS 'The tenant ended with this version';
COMMENT ON COLUMN tenants.tenant IS 'Id of the tenant';
COMMENT ON COLUMN tenants.config IS 'Configuration, JSON as in the log';
COMMENT ON COLUMN tenants.mac IS 'Of the row but to_position and to_sequence, under the tenant''s secret';

CREATE TABLE keys (
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
    config           bytea       NOT NULL,
    mac              bytea       NOT NULL,
    CONSTRAINT keys_pkey PRIMARY KEY (id, version),
    CONSTRAINT keys_version_from_one CHECK (version >= 1),
    CONSTRAINT keys_ends_after_start CHECK (to_sequence > from_sequence)
);
CREATE INDEX keys_tenant_created ON keys (tenant, created_sequence);

COMMENT ON TABLE keys IS 'Every version of every API key; never a key itself';
COMMENT ON COLUMN keys.id IS 'The key''s id and stream';
COMMENT ON COLUMN keys.created_position IS 'Position of the first version''s entry';
COMMENT ON COLUMN keys.created_sequence IS 'Sequence of the first version''s entry';
COMMENT ON COLUMN keys.created_at IS 'recorded_at of the first version''s entry';
COMMENT ON COLUMN keys.from_position IS 'Position of this version''s entry';
COMMENT ON COLUMN keys.from_sequence IS 'Sequence of this version''s entry';
COMMENT ON COLUMN keys.from_at IS 'recorded_at of this version''s entry';
COMMENT ON COLUMN keys.to_position IS 'Position from which the next version holds; null: this one is current';
COMMENT ON COLUMN keys.to_sequence IS 'Sequence from which the next version holds; null: this one is current';
COMMENT ON COLUMN keys.version IS 'Of the stream, from 1';
COMMENT ON COLUMN keys.deleted IS 'The key was revoked with this version';
COMMENT ON COLUMN keys.tenant IS 'Whose key; _instance for the instance''s own';
COMMENT ON COLUMN keys.config IS 'What the key may do and its SHA-256, JSON as in the log; what it and its principal are called only the log has';
COMMENT ON COLUMN keys.mac IS 'Of the row but to_position and to_sequence, under the tenant''s secret';

CREATE TABLE endpoints (
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
    config           bytea       NOT NULL,
    mac              bytea       NOT NULL,
    CONSTRAINT endpoints_pkey PRIMARY KEY (id, version),
    CONSTRAINT endpoints_version_from_one CHECK (version >= 1),
    CONSTRAINT endpoints_ends_after_start CHECK (to_sequence > from_sequence)
);
CREATE INDEX endpoints_tenant_created ON endpoints (tenant, created_sequence);

COMMENT ON TABLE endpoints IS 'Every version of every endpoint';
COMMENT ON COLUMN endpoints.id IS 'The endpoint''s id and stream';
COMMENT ON COLUMN endpoints.created_position IS 'Position of the first version''s entry';
COMMENT ON COLUMN endpoints.created_sequence IS 'Sequence of the first version''s entry';
COMMENT ON COLUMN endpoints.created_at IS 'recorded_at of the first version''s entry';
COMMENT ON COLUMN endpoints.from_position IS 'Position of this version''s entry';
COMMENT ON COLUMN endpoints.from_sequence IS 'Sequence of this version''s entry';
COMMENT ON COLUMN endpoints.from_at IS 'recorded_at of this version''s entry';
COMMENT ON COLUMN endpoints.to_position IS 'Position from which the next version holds; null: this one is current';
COMMENT ON COLUMN endpoints.to_sequence IS 'Sequence from which the next version holds; null: this one is current';
COMMENT ON COLUMN endpoints.version IS 'Of the stream, from 1';
COMMENT ON COLUMN endpoints.deleted IS 'The endpoint ended with this version';
COMMENT ON COLUMN endpoints.tenant IS 'Whose endpoint';
COMMENT ON COLUMN endpoints.config IS 'Configuration, JSON as in the log; secrets only by id and keyed fingerprint';
COMMENT ON COLUMN endpoints.mac IS 'Of the row but to_position and to_sequence, under the tenant''s secret';

CREATE TABLE subscriptions (
    id               uuid        NOT NULL,
    endpoint         uuid        NOT NULL,
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
    config           bytea       NOT NULL,
    mac              bytea       NOT NULL,
    CONSTRAINT subscriptions_pkey PRIMARY KEY (id, version),
    CONSTRAINT subscriptions_version_from_one CHECK (version >= 1),
    CONSTRAINT subscriptions_ends_after_start CHECK (to_sequence > from_sequence)
);
CREATE INDEX subscriptions_tenant_created ON subscriptions (tenant, created_sequence);
CREATE INDEX subscriptions_endpoint ON subscriptions (endpoint);

COMMENT ON TABLE subscriptions IS 'Every version of every subscription';
COMMENT ON COLUMN subscriptions.id IS 'The subscription''s id and stream';
COMMENT ON COLUMN subscriptions.endpoint IS 'The endpoint that it sends to';
COMMENT ON COLUMN subscriptions.created_position IS 'Position of the first version''s entry';
COMMENT ON COLUMN subscriptions.created_sequence IS 'Sequence of the first version''s entry';
COMMENT ON COLUMN subscriptions.created_at IS 'recorded_at of the first version''s entry';
COMMENT ON COLUMN subscriptions.from_position IS 'Position of this version''s entry';
COMMENT ON COLUMN subscriptions.from_sequence IS 'Sequence of this version''s entry';
COMMENT ON COLUMN subscriptions.from_at IS 'recorded_at of this version''s entry';
COMMENT ON COLUMN subscriptions.to_position IS 'Position from which the next version holds; null: this one is current';
COMMENT ON COLUMN subscriptions.to_sequence IS 'Sequence from which the next version holds; null: this one is current';
COMMENT ON COLUMN subscriptions.version IS 'Of the stream, from 1';
COMMENT ON COLUMN subscriptions.deleted IS 'The subscription ended with this version';
COMMENT ON COLUMN subscriptions.tenant IS 'Whose subscription';
COMMENT ON COLUMN subscriptions.config IS 'Configuration, JSON as in the log';
COMMENT ON COLUMN subscriptions.mac IS 'Of the row but to_position and to_sequence, under the tenant''s secret';

-- Events: where they are in the log, which alone has their attributes and data, and what lists look for. Nothing here tells
-- anything of a person: subjects are keyed hashes under a secret of the tenant.
CREATE TABLE events (
    position     bigint      NOT NULL,
    sequence     bigint      NOT NULL,
    recorded_at  timestamptz NOT NULL,
    data_size    integer     NOT NULL,
    whole        boolean     NOT NULL,
    erased       boolean     NOT NULL,
    damaged      boolean     NOT NULL,
    id           uuid        NOT NULL,
    tenant       text        NOT NULL,
    leaf_hash    bytea       NOT NULL,
    type         text        NOT NULL,
    subject_hash bytea,
    CONSTRAINT events_pkey PRIMARY KEY (tenant, sequence),
    CONSTRAINT events_leaf_hash_length CHECK (octet_length(leaf_hash) = 32)
);
-- Without the sequence it is small (equal keys are stored once): it serves rare types, the primary key serves the others.
CREATE INDEX events_type ON events (tenant, type);
CREATE INDEX events_subject ON events (subject_hash, sequence) WHERE subject_hash IS NOT NULL;

COMMENT ON TABLE events IS 'Events without attributes and data';
COMMENT ON COLUMN events.position IS 'Position of its entry';
COMMENT ON COLUMN events.sequence IS 'Sequence of its entry';
COMMENT ON COLUMN events.recorded_at IS 'When it was appended';
COMMENT ON COLUMN events.data_size IS 'Length of its data in bytes';
COMMENT ON COLUMN events.whole IS 'Its entry has its whole routing; else entries right behind continue it';
COMMENT ON COLUMN events.erased IS 'Its subject''s parts were destroyed when it was folded';
COMMENT ON COLUMN events.damaged IS 'Its content didn''t open when it was folded';
COMMENT ON COLUMN events.id IS 'The event''s internal id and stream';
COMMENT ON COLUMN events.tenant IS 'Whose event';
COMMENT ON COLUMN events.leaf_hash IS 'RFC 6962 hash of its entry''s leaf';
COMMENT ON COLUMN events.type IS 'Event type; empty when the tenant''s parts were destroyed';
COMMENT ON COLUMN events.subject_hash IS 'Keyed hash of whom it is about; null: nobody';

-- No index has a column that an attempt changes: a retry then touches no index of this table. fillfactor: only few rows are
-- changed after the page of the fold that made them.
CREATE TABLE deliveries (
    id               uuid        NOT NULL,
    event            uuid        NOT NULL,
    endpoint         uuid        NOT NULL,
    event_sequence   bigint      NOT NULL,
    created_position bigint      NOT NULL,
    created_sequence bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_position bigint      NOT NULL,
    updated_sequence bigint      NOT NULL,
    updated_at       timestamptz NOT NULL,
    ended_position   bigint,
    ended_sequence   bigint,
    ended_at         timestamptz,
    next_attempt_at  timestamptz NOT NULL,
    endpoint_version integer     NOT NULL,
    attempts         integer     NOT NULL,
    schedule_base    integer     NOT NULL,
    version          integer     NOT NULL,
    open             boolean     NOT NULL,
    node             uuid,
    tenant           text        NOT NULL,
    status           text        NOT NULL,
    cancel_reason    text,
    retention        text,
    subscriptions    bytea       NOT NULL,
    CONSTRAINT deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT deliveries_status_known CHECK (status IN ('pending', 'retrying', 'succeeded', 'dead', 'cancelled')),
    CONSTRAINT deliveries_ended_consistent
        CHECK ((ended_sequence IS NOT NULL) = (status IN ('succeeded', 'dead', 'cancelled'))),
    CONSTRAINT deliveries_reason_when_cancelled CHECK ((cancel_reason IS NOT NULL) <= (status = 'cancelled')),
    CONSTRAINT deliveries_subscriptions_packed CHECK (octet_length(subscriptions) % 20 = 0)
) WITH (fillfactor = 95);
CREATE INDEX deliveries_tenant_created ON deliveries (tenant, created_sequence);
CREATE INDEX deliveries_endpoint_created ON deliveries (endpoint, created_sequence);

COMMENT ON TABLE deliveries IS 'The present state of each delivery; the log has its attempts and earlier states';
COMMENT ON COLUMN deliveries.id IS 'The delivery''s id and stream';
COMMENT ON COLUMN deliveries.event IS 'Internal id of the event';
COMMENT ON COLUMN deliveries.endpoint IS 'Where it goes';
COMMENT ON COLUMN deliveries.event_sequence IS 'Sequence of the event''s entry';
COMMENT ON COLUMN deliveries.created_position IS 'Position of the routing that made it';
COMMENT ON COLUMN deliveries.created_sequence IS 'Sequence of the routing that made it';
COMMENT ON COLUMN deliveries.created_at IS 'recorded_at of the routing that made it';
COMMENT ON COLUMN deliveries.updated_position IS 'Position of the last entry that changed it';
COMMENT ON COLUMN deliveries.updated_sequence IS 'Sequence of that entry';
COMMENT ON COLUMN deliveries.updated_at IS 'recorded_at of that entry';
COMMENT ON COLUMN deliveries.ended_position IS 'Position of the entry that ended it; null: not ended';
COMMENT ON COLUMN deliveries.ended_sequence IS 'Sequence of that entry';
COMMENT ON COLUMN deliveries.ended_at IS 'recorded_at of that entry';
COMMENT ON COLUMN deliveries.next_attempt_at IS 'When the next attempt is due; -infinity (not null, for the index) when ended and while an attempt is open';
COMMENT ON COLUMN deliveries.endpoint_version IS 'Version of the endpoint that the routing saw';
COMMENT ON COLUMN deliveries.attempts IS 'Started attempts';
COMMENT ON COLUMN deliveries.schedule_base IS 'Attempts made before the schedule last began';
COMMENT ON COLUMN deliveries.version IS 'Of the stream: entries since the routing';
COMMENT ON COLUMN deliveries.open IS 'An attempt is started and not finished';
COMMENT ON COLUMN deliveries.node IS 'That started the open attempt; null: none is open';
COMMENT ON COLUMN deliveries.tenant IS 'Whose delivery';
COMMENT ON COLUMN deliveries.status IS 'pending, retrying, succeeded, dead or cancelled';
COMMENT ON COLUMN deliveries.cancel_reason IS 'Why it was cancelled';
COMMENT ON COLUMN deliveries.retention IS 'Retention class; null: default';
COMMENT ON COLUMN deliveries.subscriptions IS 'What matched: 20 bytes each, the subscription''s id and its version (big endian)';

-- Rows come and go with what waits: the table is small, except for what is dead.
CREATE TABLE undelivered (
    delivery         uuid        NOT NULL,
    endpoint         uuid        NOT NULL,
    next_attempt_at  timestamptz NOT NULL,
    created_position bigint      NOT NULL,
    created_sequence bigint      NOT NULL,
    waits            boolean     NOT NULL,
    tenant           text        NOT NULL,
    status           text        NOT NULL,
    CONSTRAINT undelivered_pkey PRIMARY KEY (delivery)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX undelivered_waiting ON undelivered (endpoint, next_attempt_at, created_position) WHERE waits;
CREATE INDEX undelivered_status ON undelivered (tenant, status, created_sequence);

COMMENT ON TABLE undelivered IS 'Deliveries that haven''t succeeded, or have an open attempt';
COMMENT ON COLUMN undelivered.delivery IS 'The delivery';
COMMENT ON COLUMN undelivered.endpoint IS 'As in deliveries, like all that follows';
COMMENT ON COLUMN undelivered.next_attempt_at IS 'When the next attempt is due; -infinity (not null, for the index) when ended and while an attempt is open';
COMMENT ON COLUMN undelivered.created_position IS 'Position of the routing that made it';
COMMENT ON COLUMN undelivered.created_sequence IS 'Sequence of the routing that made it';
COMMENT ON COLUMN undelivered.waits IS 'It isn''t ended, or an attempt is open: a dispatcher has to do with it';
COMMENT ON COLUMN undelivered.tenant IS 'Whose delivery';
COMMENT ON COLUMN undelivered.status IS 'pending, retrying, succeeded (only while an attempt is open), dead or cancelled';

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
    mac              bytea       NOT NULL,
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
COMMENT ON COLUMN event_types.mac IS 'Of the row but to_position and to_sequence, under the tenant''s secret';

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

COMMENT ON TABLE profiles IS 'Wire profiles: those that operators added, and those that programs brought along';
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
    verdicts       boolean     NOT NULL,
    tenant         text        NOT NULL,
    skipped        bytea       NOT NULL,
    CONSTRAINT skips_pkey PRIMARY KEY (tenant, sequence)
);

COMMENT ON TABLE skips IS 'What routings skipped';
COMMENT ON COLUMN skips.event IS 'Internal id of the event';
COMMENT ON COLUMN skips.event_sequence IS 'Sequence of the event''s entry';
COMMENT ON COLUMN skips.position IS 'Position of the routing''s entry';
COMMENT ON COLUMN skips.sequence IS 'Sequence of the routing''s entry';
COMMENT ON COLUMN skips.recorded_at IS 'When it was routed';
COMMENT ON COLUMN skips.verdicts IS 'Filters skipped some, too: they tell something of the event, and only the log says which';
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

-- The owner is not bound by the policies (no FORCE): nobody logs in as it.
ALTER TABLE cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE undelivered ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_types ENABLE ROW LEVEL SECURITY;
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE skips ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoint_health ENABLE ROW LEVEL SECURITY;
CREATE POLICY cursors_of_tenant ON cursors USING (tenant = '' OR current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY tenants_of_tenant ON tenants USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY keys_of_tenant ON keys USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY endpoints_of_tenant ON endpoints USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY subscriptions_of_tenant ON subscriptions USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY events_of_tenant ON events USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY deliveries_of_tenant ON deliveries USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY undelivered_of_tenant ON undelivered USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY event_types_of_tenant ON event_types USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY profiles_of_tenant ON profiles USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY skips_of_tenant ON skips USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY endpoint_health_of_tenant ON endpoint_health USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));

-- TRUNCATE: a rebuild gives the space of the old rows back.
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
    cursors, tenants, keys, endpoints, subscriptions, event_types, profiles, events, skips, deliveries, undelivered,
    endpoint_health TO hooktrail_server;
