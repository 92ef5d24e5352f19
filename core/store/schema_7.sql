-- Migration 7. Edits of organizations, users and teams are counted.

ALTER TABLE organizations ADD COLUMN revision @INT@ NOT NULL DEFAULT 1;  -- the ETag, here and below
ALTER TABLE users ADD COLUMN revision @INT@ NOT NULL DEFAULT 1;
ALTER TABLE teams ADD COLUMN revision @INT@ NOT NULL DEFAULT 1;
