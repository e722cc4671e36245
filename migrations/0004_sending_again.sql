-- +goose Up
-- Deliveries that somebody asked for: an event that goes again, or for the first time to an endpoint that its routing didn't
-- choose.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE deliveries
    ADD COLUMN asked  boolean NOT NULL DEFAULT false,
    ADD COLUMN replay uuid;

-- Deliveries that a routing made are found by the sequence of its entries; those that somebody asked for came later.
CREATE INDEX deliveries_asked ON deliveries (event) WHERE asked;

COMMENT ON COLUMN deliveries.asked IS 'Somebody asked for it: it isn''t cancelled for want of subscriptions';
COMMENT ON COLUMN deliveries.replay IS 'The replay that has it in hand; null: none';
