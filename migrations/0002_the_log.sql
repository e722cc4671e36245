-- +goose Up
-- The log: entries, Merkle tiles and heads, and what an append decides by. adapters/postgres/doc.go says why it looks so.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- Fixed-width columns stand first, the widest ahead: no padding between them.
CREATE TABLE entries (
    position       bigint      NOT NULL,
    sequence       bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    cause          bigint,
    stream         uuid        NOT NULL,
    principal      uuid,
    credential     uuid,
    data_key       uuid,
    stream_version integer     NOT NULL,
    kind_version   smallint    NOT NULL,
    tenant         text        NOT NULL,
    stream_kind    text        NOT NULL,
    kind           text        NOT NULL,
    leaf           bytea       NOT NULL,
    content        bytea,
    CONSTRAINT entries_pkey PRIMARY KEY (position),
    CONSTRAINT entries_position_from_one CHECK (position >= 1),
    CONSTRAINT entries_sequence_from_zero CHECK (sequence >= 0),
    CONSTRAINT entries_version_from_one CHECK (stream_version >= 1),
    CONSTRAINT entries_leaf_bounded CHECK (octet_length(leaf) BETWEEN 2 AND 8192),
    CONSTRAINT entries_content_has_key CHECK ((content IS NULL) = (data_key IS NULL))
) PARTITION BY RANGE (position);

ALTER TABLE entries ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE entries ALTER COLUMN leaf SET STORAGE EXTERNAL;
CREATE INDEX entries_tenant_sequence ON entries (tenant, sequence);
CREATE INDEX entries_stream_version ON entries (stream, stream_version);
-- Few entries are of these streams: an append by an old configuration looks up what has changed since.
CREATE INDEX entries_configuration ON entries (tenant, sequence) WHERE stream_kind IN ('tenant', 'endpoint', 'subscription');

COMMENT ON TABLE entries IS 'The log. Rows are inserted and never changed; partitioned by position, no DEFAULT partition';
COMMENT ON COLUMN entries.position IS 'Place in the instance''s log: from 1, gapless, in commit order';
COMMENT ON COLUMN entries.sequence IS 'Place in the tenant''s log: from 0, gapless; leaf index in the tenant''s Merkle tree';
COMMENT ON COLUMN entries.recorded_at IS 'Database clock under the append lock, strictly increasing with position';
COMMENT ON COLUMN entries.cause IS 'Sequence of the entry in the same tenant''s log that led to this one';
COMMENT ON COLUMN entries.stream IS 'Internal id of the thing that the entry is about';
COMMENT ON COLUMN entries.principal IS 'Who did it; null: the instance itself';
COMMENT ON COLUMN entries.credential IS 'The API key that was used';
COMMENT ON COLUMN entries.data_key IS 'Period under whose secret content is sealed (data_keys.id, which may be destroyed); null without content';
COMMENT ON COLUMN entries.stream_version IS 'Place in the stream of this tenant and kind: from 1, gapless';
COMMENT ON COLUMN entries.kind_version IS 'Version of the form in which the fact is kept';
COMMENT ON COLUMN entries.tenant IS 'Whose log the entry belongs to; _instance is the instance''s own';
COMMENT ON COLUMN entries.stream_kind IS 'What kind of thing the stream is, such as event or delivery';
COMMENT ON COLUMN entries.kind IS 'Stored name of the fact, such as event.appended';
COMMENT ON COLUMN entries.leaf IS 'What the other columns don''t tell of the leaf, the exact bytes that went into the tenant''s Merkle tree: the instance''s name and the commitments; from ''{'' on, the leaf itself';
COMMENT ON COLUMN entries.content IS 'The fact''s parts with their salts: a version, then the tenant''s section and the subject''s, each compressed and sealed';

CREATE TABLE tiles (
    tenant   text     NOT NULL,
    level    smallint NOT NULL,
    index    bigint   NOT NULL,
    position bigint   NOT NULL,
    hashes   bytea    NOT NULL,
    CONSTRAINT tiles_pkey PRIMARY KEY (tenant, level, index),
    CONSTRAINT tiles_level_bounded CHECK (level BETWEEN 0 AND 7),
    CONSTRAINT tiles_index_from_zero CHECK (index >= 0),
    CONSTRAINT tiles_are_full CHECK (octet_length(hashes) = 8192)
);
ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

COMMENT ON TABLE tiles IS 'Full tiles of the tenants'' Merkle trees (C2SP tlog-tiles, height 8). Rows are inserted and never changed';
COMMENT ON COLUMN tiles.tenant IS 'Whose tree';
COMMENT ON COLUMN tiles.level IS 'Tile level: level 0 holds leaf hashes';
COMMENT ON COLUMN tiles.index IS 'Place in the level, from 0';
COMMENT ON COLUMN tiles.position IS 'Of the last entry below the tile: level 0 maps sequences to positions, 256 at a time';
COMMENT ON COLUMN tiles.hashes IS '256 SHA-256 hashes';

-- An append inserts the new heads and deletes the old ones: a row updated in place would bloat under a foreign snapshot.
CREATE TABLE heads (
    position      bigint      NOT NULL,
    size          bigint      NOT NULL,
    recorded_at   timestamptz NOT NULL,
    configuration bigint      NOT NULL,
    claims        bigint      NOT NULL,
    claims_sum    bigint      NOT NULL,
    deleted       boolean     NOT NULL,
    tenant        text        NOT NULL,
    origin        text        NOT NULL,
    frontier      bytea       NOT NULL,
    mac           bytea       NOT NULL,
    CONSTRAINT heads_pkey PRIMARY KEY (tenant, position),
    CONSTRAINT heads_size_from_one CHECK (size >= 1),
    CONSTRAINT heads_configuration_within CHECK (configuration >= 0 AND configuration < size),
    CONSTRAINT heads_mac_length CHECK (octet_length(mac) = 32),
    CONSTRAINT heads_frontier_whole CHECK (octet_length(frontier) % 32 = 0 AND octet_length(frontier) <= 1280)
);

COMMENT ON TABLE heads IS 'Where each tenant''s log ends, and, under the empty name, the instance''s. The row with the highest position holds';
COMMENT ON COLUMN heads.position IS 'Of the last entry';
COMMENT ON COLUMN heads.size IS 'Number of entries';
COMMENT ON COLUMN heads.recorded_at IS 'Of the last entry';
COMMENT ON COLUMN heads.configuration IS 'Sequence of the last entry that configures the routing of events; 0 for the instance';
COMMENT ON COLUMN heads.claims IS 'How many claims of the tenant there are; 0 for the instance';
COMMENT ON COLUMN heads.claims_sum IS 'Sum of the first 8 bytes of their macs, modulo 2^64; 0 for the instance';
COMMENT ON COLUMN heads.deleted IS 'The tenant''s log says tenant.deleted';
COMMENT ON COLUMN heads.tenant IS 'Whose log; empty: the whole instance''s';
COMMENT ON COLUMN heads.origin IS 'Name of the tenant''s tree, fixed when the tenant is made; empty for the instance';
COMMENT ON COLUMN heads.frontier IS 'Roots of the full subtrees that make up the tree (RFC 6962), the largest first; empty for the instance';
COMMENT ON COLUMN heads.mac IS 'HMAC-SHA256 of the other columns under a secret of the instance: who only has the database can''t make one';

-- One index for as long as the log: a unique index can't span months, and a claim is remembered for ever.
CREATE TABLE claims (
    sequence bigint  NOT NULL,
    proof    bigint  NOT NULL,
    day      date    NOT NULL,
    count    integer NOT NULL,
    tenant   text    NOT NULL,
    mac      bytea   NOT NULL,
    digest   bytea   NOT NULL,
    CONSTRAINT claims_pkey PRIMARY KEY (mac),
    CONSTRAINT claims_mac_length CHECK (octet_length(mac) = 16),
    CONSTRAINT claims_digest_length CHECK (octet_length(digest) = 16),
    CONSTRAINT claims_sequence_from_zero CHECK (sequence >= 0),
    CONSTRAINT claims_count_from_one CHECK (count >= 1)
);

COMMENT ON TABLE claims IS 'Idempotency keys and producer-chosen event ids that were used, for as long as the log';
COMMENT ON COLUMN claims.sequence IS 'First entry, in the claiming tenant''s log, that answers the claim';
COMMENT ON COLUMN claims.proof IS 'First 8 bytes of the HMAC-SHA256 of the other columns under the tenant''s own secret';
COMMENT ON COLUMN claims.day IS 'When it was made, by the database''s clock, UTC';
COMMENT ON COLUMN claims.count IS 'How many entries answer it';
COMMENT ON COLUMN claims.tenant IS 'Whose claim';
COMMENT ON COLUMN claims.mac IS 'First 16 bytes of the HMAC-SHA256 of scope and key under the tenant''s own secret';
COMMENT ON COLUMN claims.digest IS 'First 16 bytes of the request''s digest, under the secrets of the tenant and of those whom the entries are about: tells a repetition from a reuse';

CREATE TABLE data_keys (
    id           uuid        NOT NULL,
    destroyed_at timestamptz,
    destroyed_by bigint,
    tenant       text        NOT NULL,
    kind         text        NOT NULL,
    class        text        NOT NULL,
    month        text        NOT NULL,
    subject_hash bytea       NOT NULL,
    wrapped      bytea,
    CONSTRAINT data_keys_pkey PRIMARY KEY (id),
    CONSTRAINT data_keys_kind_known CHECK (kind IN ('tenant', 'subject', 'period')),
    CONSTRAINT data_keys_subject_hash_length CHECK (octet_length(subject_hash) = CASE kind WHEN 'subject' THEN 16 ELSE 0 END),
    CONSTRAINT data_keys_period_named CHECK ((class <> '') = (kind = 'period') AND (month <> '') = (kind = 'period')),
    CONSTRAINT data_keys_month_form CHECK (month = '' OR month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    CONSTRAINT data_keys_tombstone_whole CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CONSTRAINT data_keys_tombstone_named CHECK ((destroyed_by IS NOT NULL) = (destroyed_at IS NOT NULL))
);
CREATE UNIQUE INDEX data_keys_purpose ON data_keys (tenant, kind, class, month) WHERE kind <> 'subject';
CREATE UNIQUE INDEX data_keys_subject ON data_keys (subject_hash) WHERE kind = 'subject' AND destroyed_at IS NULL;

COMMENT ON TABLE data_keys IS 'Secrets from which the keys of contents are made. Destroying one leaves its row, without the secret';
COMMENT ON COLUMN data_keys.id IS 'Named by entries.data_key, by the leaf, and inside of contents';
COMMENT ON COLUMN data_keys.destroyed_at IS 'When the secret was destroyed';
COMMENT ON COLUMN data_keys.destroyed_by IS 'Sequence of the entry in the tenant''s log that had it destroyed';
COMMENT ON COLUMN data_keys.tenant IS 'Whose content it seals';
COMMENT ON COLUMN data_keys.kind IS 'tenant: its own; subject: one person''s; period: of a retention class and month';
COMMENT ON COLUMN data_keys.class IS 'Retention class of a period';
COMMENT ON COLUMN data_keys.month IS 'Month of a period, such as 2026-11';
COMMENT ON COLUMN data_keys.subject_hash IS 'First 16 bytes of the HMAC-SHA256 of the subject under the tenant''s own secret';
COMMENT ON COLUMN data_keys.wrapped IS 'The secret, sealed by the key-encryption key together with what the row says of it; null: destroyed';

CREATE TABLE secrets (
    id         uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    tenant     text        NOT NULL,
    purpose    text        NOT NULL,
    sealed     bytea       NOT NULL,
    CONSTRAINT secrets_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE secrets IS 'Signing keys and credentials that facts name by id. Rows are deleted when a secret is';
COMMENT ON COLUMN secrets.id IS 'Named by facts';
COMMENT ON COLUMN secrets.created_at IS 'When it was stored';
COMMENT ON COLUMN secrets.tenant IS 'Whose';
COMMENT ON COLUMN secrets.purpose IS 'What for, such as endpoint.signing_key';
COMMENT ON COLUMN secrets.sealed IS 'The secret, sealed by the key-encryption key for this tenant, id and purpose only';

CREATE TABLE instance (
    single     boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    name       text        NOT NULL,
    secret     bytea       NOT NULL,
    CONSTRAINT instance_pkey PRIMARY KEY (single),
    CONSTRAINT instance_single_row CHECK (single),
    CONSTRAINT instance_name_characters CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$')
);

COMMENT ON TABLE instance IS 'What was made once for this database; one row';
COMMENT ON COLUMN instance.single IS 'Always true: keeps it to one row';
COMMENT ON COLUMN instance.created_at IS 'At the first start';
COMMENT ON COLUMN instance.name IS 'First half of the origin of every tenant''s log';
COMMENT ON COLUMN instance.secret IS 'Root of the key that heads are authenticated under, sealed by the key-encryption key';

CREATE TABLE leases (
    owner    uuid   NOT NULL,
    epoch    bigint NOT NULL,
    name     text   NOT NULL,
    partings jsonb  NOT NULL,
    CONSTRAINT leases_pkey PRIMARY KEY (name),
    CONSTRAINT leases_epoch_from_one CHECK (epoch >= 1)
);

COMMENT ON TABLE leases IS 'Who may act for a shard, the router, a follower. Changed only under the append lock, by the append that says so';
COMMENT ON COLUMN leases.owner IS 'The node';
COMMENT ON COLUMN leases.epoch IS 'Raised by one with every take-over: entries under an older one are refused';
COMMENT ON COLUMN leases.name IS 'Such as shard/07 or router';
COMMENT ON COLUMN leases.partings IS 'Former owners that still may append ends of attempts, each with its epoch and until when, as lease.taken says';

CREATE TABLE heartbeats (
    node uuid        NOT NULL,
    at   timestamptz NOT NULL,
    CONSTRAINT heartbeats_pkey PRIMARY KEY (node)
) WITH (fillfactor = 50);

COMMENT ON TABLE heartbeats IS 'When each node last said that it lives';
COMMENT ON COLUMN heartbeats.node IS 'The node';
COMMENT ON COLUMN heartbeats.at IS 'By the database''s clock';

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the log is only ever added to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION refuse_change() IS 'Trigger of the tables that are only ever added to';

-- ENABLE ALWAYS: also under session_replication_role = replica.
CREATE TRIGGER entries_refuse_change BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_refuse_truncate BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_refuse_change;
ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_refuse_truncate;
CREATE TRIGGER tiles_refuse_change BEFORE UPDATE OR DELETE ON tiles FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tiles_refuse_truncate BEFORE TRUNCATE ON tiles FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE tiles ENABLE ALWAYS TRIGGER tiles_refuse_change;
ALTER TABLE tiles ENABLE ALWAYS TRIGGER tiles_refuse_truncate;
CREATE TRIGGER claims_refuse_change BEFORE UPDATE ON claims FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER claims_refuse_delete BEFORE DELETE ON claims FOR EACH ROW
    WHEN (NOT pg_has_role(current_user, 'hooktrail_eraser', 'USAGE')) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER claims_refuse_truncate BEFORE TRUNCATE ON claims FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE claims ENABLE ALWAYS TRIGGER claims_refuse_change;
ALTER TABLE claims ENABLE ALWAYS TRIGGER claims_refuse_delete;
ALTER TABLE claims ENABLE ALWAYS TRIGGER claims_refuse_truncate;

-- A row of data_keys may lose its secret, with a tombstone, and have it wrapped anew; nothing else of it ever changes.
-- +goose StatementBegin
CREATE FUNCTION refuse_key_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.id, OLD.tenant, OLD.kind, OLD.class, OLD.month, OLD.subject_hash)
       IS DISTINCT FROM (NEW.id, NEW.tenant, NEW.kind, NEW.class, NEW.month, NEW.subject_hash) OR OLD.destroyed_at IS NOT NULL THEN
        RAISE EXCEPTION 'what data_keys says of a secret never changes, and a destroyed one stays destroyed'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION refuse_key_change() IS 'Trigger of data_keys: a secret can be destroyed or wrapped anew, nothing else';
CREATE TRIGGER data_keys_refuse_change BEFORE UPDATE ON data_keys FOR EACH ROW EXECUTE FUNCTION refuse_key_change();
CREATE TRIGGER data_keys_refuse_delete BEFORE DELETE ON data_keys FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER data_keys_refuse_truncate BEFORE TRUNCATE ON data_keys FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE data_keys ENABLE ALWAYS TRIGGER data_keys_refuse_change;
ALTER TABLE data_keys ENABLE ALWAYS TRIGGER data_keys_refuse_delete;
ALTER TABLE data_keys ENABLE ALWAYS TRIGGER data_keys_refuse_truncate;

-- Entries are taken only together with the heads that they lead to: an append inserts the new heads, then its entries, and
-- deletes the old heads at last. So an entry out of place, or one that no head knows of, is refused, and can't stop the log.
-- +goose StatementBegin
CREATE FUNCTION refuse_stray_entries() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    strays bigint;
BEGIN
    SELECT count(*) INTO strays
      FROM (SELECT '' AS tenant, min(position) AS first, max(position) AS last, count(*) AS number, 1 AS base FROM added
             UNION ALL
            SELECT tenant, min(sequence), max(sequence), count(*), 0 FROM added GROUP BY tenant) AS a
     WHERE a.number > 0
       AND (a.number <> a.last - a.first + 1
        OR a.last IS DISTINCT FROM (SELECT h.size - 1 + a.base FROM public.heads h WHERE h.tenant = a.tenant
                                     ORDER BY h.position DESC LIMIT 1)
        OR a.first IS DISTINCT FROM coalesce((SELECT h.size + a.base FROM public.heads h WHERE h.tenant = a.tenant
                                               ORDER BY h.position DESC OFFSET 1 LIMIT 1), a.base));
    IF strays > 0 THEN
        RAISE EXCEPTION 'entries are refused that do not follow on the heads of the log'
            USING ERRCODE = 'restrict_violation', HINT = 'Only the append of a Hooktrail server adds entries.';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION refuse_stray_entries() IS 'Trigger of entries: takes only what leads from the heads before to those that the append inserted';
CREATE TRIGGER entries_follow_on AFTER INSERT ON entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_stray_entries();
ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_follow_on;

-- CREATE TABLE … PARTITION OF would lock the parent against readers; LIKE and ATTACH don't. A row trigger on the parent is
-- cloned to the partition by ATTACH, a statement trigger isn't: TRUNCATE of a partition would pass.
-- +goose StatementBegin
CREATE FUNCTION make_entries_partitions(ahead bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    width CONSTANT bigint := 100000000;
    wanted bigint;
    number bigint;
    part text;
    made integer := 0;
BEGIN
    IF ahead < 0 OR ahead > width THEN
        RAISE EXCEPTION 'make_entries_partitions: ahead must lie between 0 and %', width
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('hooktrail/entries/partitions', 0));
    SELECT (coalesce(max(position), 0) + ahead) / width INTO wanted FROM public.heads WHERE tenant = '';
    SELECT coalesce(max(substring(c.relname FROM '^entries_(\d+)$')::bigint) + 1, 0) INTO number
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.entries'::regclass;
    WHILE number <= wanted LOOP
        part := 'entries_' || lpad(number::text, 6, '0');
        -- An event of a kilobyte stays in its row: beside the table, in pieces, it would take a fifth more space.
        EXECUTE format('CREATE TABLE public.%I (LIKE public.entries INCLUDING ALL) WITH (toast_tuple_target = 8160)', part);
        EXECUTE format('ALTER TABLE public.entries ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)',
            part, number * width, (number + 1) * width);
        EXECUTE format('CREATE TRIGGER entries_refuse_truncate BEFORE TRUNCATE ON public.%I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()', part);
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER entries_refuse_change', part);
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER entries_refuse_truncate', part);
        EXECUTE format('COMMENT ON TABLE public.%I IS %L', part,
            format('Entries of the positions %s to %s', greatest(number * width, 1), (number + 1) * width - 1));
        number := number + 1;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION make_entries_partitions(bigint) IS
    'Makes the partitions of entries up to so many positions after the log''s end; returns how many it made';
SELECT make_entries_partitions(10000000);

REVOKE EXECUTE ON FUNCTION refuse_change() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION refuse_key_change() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION refuse_stray_entries() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION make_entries_partitions(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_entries_partitions(bigint) TO hooktrail_server;
GRANT SELECT, INSERT ON entries, tiles, claims, data_keys, instance TO hooktrail_server;
GRANT SELECT, INSERT, DELETE ON heads, secrets TO hooktrail_server;
GRANT SELECT, INSERT, UPDATE ON leases TO hooktrail_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeats TO hooktrail_server;
-- Who erases destroys secrets and forgets claims, and does nothing else.
GRANT USAGE ON SCHEMA public TO hooktrail_eraser;
GRANT SELECT ON entries, heads, claims, data_keys TO hooktrail_eraser;
GRANT UPDATE (wrapped, destroyed_at, destroyed_by) ON data_keys TO hooktrail_eraser;
GRANT DELETE ON claims TO hooktrail_eraser;
