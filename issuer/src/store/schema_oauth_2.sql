-- What an owner need not be asked again is one redirect URI and some scopes, not a flag beside all he ever allowed.
ALTER TABLE consents ADD COLUMN remembered_uri TEXT
;
ALTER TABLE consents ADD COLUMN remembered_scope TEXT
;
ALTER TABLE consents DROP COLUMN remembered
;
CREATE INDEX grants_by_agent ON grants (agent_id)
;
CREATE INDEX grants_by_owner ON grants (owner_id)
;
ALTER TABLE owner_access ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0
;
INSERT INTO counters (name, value) VALUES ('unknown_sign_ins', 0)
;
ALTER TABLE clients DROP COLUMN metadata
;
ALTER TABLE clients ADD COLUMN refreshes BIGINT NOT NULL DEFAULT 1
;
