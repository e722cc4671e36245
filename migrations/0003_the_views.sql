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
COMMENT ON COLUMN keys.config IS 'What the key may do and its SHA-256, JSON as in the log';

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

-- Events without their data, which only the log has. What can be told from other columns is null: most rows are short.
CREATE TABLE events (
    id              uuid        NOT NULL,
    position        bigint      NOT NULL,
    sequence        bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL,
    routed_position bigint,
    routed_sequence bigint,
    routed_at       timestamptz,
    data_size       integer     NOT NULL,
    erased          boolean     NOT NULL,
    tenant          text        NOT NULL,
    leaf_hash       bytea       NOT NULL,
    type            text        NOT NULL,
    subject         text,
    source          text,
    producer_id     text,
    more            bytea,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_leaf_hash_length CHECK (octet_length(leaf_hash) = 32)
);
CREATE UNIQUE INDEX events_tenant_sequence ON events (tenant, sequence);
CREATE INDEX events_producer_id ON events (tenant, producer_id) WHERE producer_id IS NOT NULL;
-- Without the sequence it is small (equal keys are stored once): it serves rare types, the index above serves the others.
CREATE INDEX events_type ON events (tenant, type);
CREATE INDEX events_subject ON events (tenant, subject, sequence) WHERE subject IS NOT NULL;
CREATE INDEX events_unrouted ON events (position) WHERE routed_position IS NULL;

COMMENT ON TABLE events IS 'Events without their data';
COMMENT ON COLUMN events.id IS 'The event''s internal id and stream';
COMMENT ON COLUMN events.position IS 'Position of its entry';
COMMENT ON COLUMN events.sequence IS 'Sequence of its entry';
COMMENT ON COLUMN events.recorded_at IS 'When it was appended';
COMMENT ON COLUMN events.routed_position IS 'Position of the entry that completed its routing; null: not yet routed';
COMMENT ON COLUMN events.routed_sequence IS 'Sequence of that entry';
COMMENT ON COLUMN events.routed_at IS 'recorded_at of that entry';
COMMENT ON COLUMN events.data_size IS 'Length of its data in bytes';
COMMENT ON COLUMN events.erased IS 'Its content was destroyed: attributes are empty';
COMMENT ON COLUMN events.tenant IS 'Whose event';
COMMENT ON COLUMN events.leaf_hash IS 'RFC 6962 hash of its entry''s leaf';
COMMENT ON COLUMN events.type IS 'Event type; empty when erased';
COMMENT ON COLUMN events.subject IS 'Whom it is about; null: nobody';
COMMENT ON COLUMN events.source IS 'Where it comes from; null: the tenant''s own default';
COMMENT ON COLUMN events.producer_id IS 'What its producer called it; null: the internal id';
COMMENT ON COLUMN events.more IS 'The other attributes, JSON; null: only schema version v1';

-- fillfactor: an attempt changes a row that no page holds any more only when it is retried.
CREATE TABLE deliveries (
    id               uuid        NOT NULL,
    event            uuid,
    endpoint         uuid,
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
    tenant           text        NOT NULL,
    status           text        NOT NULL,
    cancel_reason    text,
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
CREATE INDEX deliveries_waiting ON deliveries (endpoint, next_attempt_at, created_position)
    WHERE open OR status IN ('pending', 'retrying');
CREATE INDEX deliveries_dead ON deliveries (tenant, created_sequence) WHERE status = 'dead';

COMMENT ON TABLE deliveries IS 'Where each delivery stands now; attempts and delivery_changes say where it stood before';
COMMENT ON COLUMN deliveries.id IS 'The delivery''s id and stream';
COMMENT ON COLUMN deliveries.event IS 'Internal id of the event; null when the routing was erased';
COMMENT ON COLUMN deliveries.endpoint IS 'Where it goes; null when the routing was erased';
COMMENT ON COLUMN deliveries.event_sequence IS 'Sequence of the event''s entry; 0 when the routing was erased';
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
COMMENT ON COLUMN deliveries.tenant IS 'Whose delivery';
COMMENT ON COLUMN deliveries.status IS 'pending, retrying, succeeded, dead or cancelled';
COMMENT ON COLUMN deliveries.cancel_reason IS 'Why it was cancelled';
COMMENT ON COLUMN deliveries.subscriptions IS 'What matched: 20 bytes each, the subscription''s id and its version (big endian)';

-- What an attempt sent and got stands in the log, at its two sequences.
CREATE TABLE attempts (
    delivery          uuid        NOT NULL,
    begun_position    bigint      NOT NULL,
    begun_sequence    bigint      NOT NULL,
    begun_at          timestamptz NOT NULL,
    finished_position bigint,
    finished_sequence bigint,
    finished_at       timestamptz,
    next_attempt_at   timestamptz,
    number            integer     NOT NULL,
    tenant            text        NOT NULL,
    status            text,
    CONSTRAINT attempts_pkey PRIMARY KEY (delivery, number),
    CONSTRAINT attempts_number_from_one CHECK (number >= 1),
    CONSTRAINT attempts_finished_with_status CHECK ((finished_sequence IS NULL) = (status IS NULL))
) WITH (fillfactor = 95);

COMMENT ON TABLE attempts IS 'When each attempt began and ended, and what followed for its delivery';
COMMENT ON COLUMN attempts.delivery IS 'The delivery that it belongs to';
COMMENT ON COLUMN attempts.begun_position IS 'Position of its start';
COMMENT ON COLUMN attempts.begun_sequence IS 'Sequence of its start';
COMMENT ON COLUMN attempts.begun_at IS 'recorded_at of its start';
COMMENT ON COLUMN attempts.finished_position IS 'Position of its end; null: it is open';
COMMENT ON COLUMN attempts.finished_sequence IS 'Sequence of its end';
COMMENT ON COLUMN attempts.finished_at IS 'recorded_at of its end';
COMMENT ON COLUMN attempts.next_attempt_at IS 'When its end had the next attempt due; null: none followed';
COMMENT ON COLUMN attempts.number IS 'Of the attempt, from 1';
COMMENT ON COLUMN attempts.tenant IS 'Whose attempt';
COMMENT ON COLUMN attempts.status IS 'The delivery''s status from its end on';

CREATE TABLE delivery_changes (
    delivery        uuid        NOT NULL,
    position        bigint      NOT NULL,
    sequence        bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL,
    next_attempt_at timestamptz,
    schedule_base   integer     NOT NULL,
    tenant          text        NOT NULL,
    status          text        NOT NULL,
    cancel_reason   text,
    change          text        NOT NULL,
    CONSTRAINT delivery_changes_pkey PRIMARY KEY (delivery, sequence),
    CONSTRAINT delivery_changes_known CHECK (change IN ('redriven', 'cancelled', 'erased'))
);

COMMENT ON TABLE delivery_changes IS 'What changed a delivery besides its attempts';
COMMENT ON COLUMN delivery_changes.delivery IS 'The delivery';
COMMENT ON COLUMN delivery_changes.position IS 'Position of the entry';
COMMENT ON COLUMN delivery_changes.sequence IS 'Sequence of the entry';
COMMENT ON COLUMN delivery_changes.recorded_at IS 'recorded_at of the entry';
COMMENT ON COLUMN delivery_changes.next_attempt_at IS 'When a redrive had the next attempt due';
COMMENT ON COLUMN delivery_changes.schedule_base IS 'Attempts made before a redrive';
COMMENT ON COLUMN delivery_changes.tenant IS 'Whose delivery';
COMMENT ON COLUMN delivery_changes.status IS 'The delivery''s status from the entry on';
COMMENT ON COLUMN delivery_changes.cancel_reason IS 'Why it was cancelled';
COMMENT ON COLUMN delivery_changes.change IS 'redriven, cancelled, or erased: content of an entry about it was destroyed';

-- The owner is not bound by the policies (no FORCE): nobody logs in as it.
ALTER TABLE cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY cursors_of_tenant ON cursors USING (tenant = '' OR current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY tenants_of_tenant ON tenants USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY keys_of_tenant ON keys USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY endpoints_of_tenant ON endpoints USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY subscriptions_of_tenant ON subscriptions USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY events_of_tenant ON events USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY deliveries_of_tenant ON deliveries USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY attempts_of_tenant ON attempts USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));
CREATE POLICY delivery_changes_of_tenant ON delivery_changes USING (current_setting('hooktrail.tenant', true) IN (tenant, '*'));

GRANT SELECT, INSERT, UPDATE, DELETE ON
    cursors, tenants, keys, endpoints, subscriptions, events, deliveries, attempts, delivery_changes TO hooktrail_server;
