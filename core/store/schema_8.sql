-- Migration 8. What webhook endpoints were sent, and what became of it.

CREATE TABLE hook_deliveries_8 (   -- with a right signature: others leave nothing
  id @ID@ NOT NULL UNIQUE,
  endpoint_id @ID@ NOT NULL REFERENCES hook_endpoints(id) ON DELETE CASCADE,
  delivery_key @TEXT@ NOT NULL,    -- the same again is the same delivery; it is taken once
  outcome @TEXT@ NOT NULL CHECK (outcome IN ('started', 'event', 'refused')),
  execution_id @ID@,               -- of started
  event_id @ID@,                   -- of event
  event_type @TEXT@,               -- of an endpoint that delivers events
  error_code @TEXT@,               -- of refused, and so is what follows
  reason @TEXT@,
  payload @JSON@,                  -- the others have it in their execution or event
  redelivery_of @ID@,
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (endpoint_id, delivery_key)
) @STRICT@;
INSERT INTO hook_deliveries_8 (id, endpoint_id, delivery_key, outcome, execution_id, created_at)
  SELECT execution_id, endpoint_id, delivery_key, 'started', execution_id, created_at FROM hook_deliveries;
DROP TABLE hook_deliveries;
ALTER TABLE hook_deliveries_8 RENAME TO hook_deliveries;
CREATE INDEX hook_deliveries_age ON hook_deliveries (endpoint_id, created_at);
CREATE INDEX hook_deliveries_page ON hook_deliveries (endpoint_id, id);
