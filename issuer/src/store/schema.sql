-- TEXT and BIGINT only, so that one text serves SQLite and PostgreSQL. Times are milliseconds set by the application,
-- flags are 0 or 1. One statement ends at each line that holds a semicolon alone.
CREATE TABLE owners (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, level BIGINT NOT NULL,
  suspended BIGINT NOT NULL, not_before BIGINT NOT NULL, created_at BIGINT NOT NULL)
;
CREATE TABLE agents (
  id TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id), name TEXT NOT NULL, any_site BIGINT NOT NULL,
  suspended BIGINT NOT NULL, not_before BIGINT NOT NULL, created_at BIGINT NOT NULL, token_hash TEXT NOT NULL UNIQUE)
;
CREATE TABLE sites (
  id TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id), name TEXT NOT NULL, origin TEXT NOT NULL,
  host TEXT NOT NULL, suspended BIGINT NOT NULL, not_before BIGINT NOT NULL, created_at BIGINT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE)
;
CREATE INDEX sites_by_host ON sites (host)
;
CREATE TABLE agent_sites (
  agent_id TEXT NOT NULL REFERENCES agents (id), site_id TEXT NOT NULL REFERENCES sites (id),
  PRIMARY KEY (agent_id, site_id))
;
CREATE TABLE gateways (
  id TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id), name TEXT NOT NULL,
  suspended BIGINT NOT NULL, created_at BIGINT NOT NULL, token_hash TEXT NOT NULL UNIQUE)
;
CREATE TABLE gateway_sites (
  gateway_id TEXT NOT NULL REFERENCES gateways (id), site_id TEXT NOT NULL REFERENCES sites (id),
  PRIMARY KEY (gateway_id, site_id))
;
CREATE TABLE login_requests (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES sites (id), challenge TEXT NOT NULL, difficulty BIGINT NOT NULL,
  state TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
  agent_id TEXT, nonce TEXT, jti TEXT, approved_at BIGINT, delivered_at BIGINT)
;
CREATE INDEX login_requests_by_site ON login_requests (site_id, state, expires_at)
;
CREATE INDEX login_requests_by_approval ON login_requests (approved_at)
;
CREATE INDEX login_requests_by_expiry ON login_requests (expires_at)
;
CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY, state TEXT NOT NULL, jwk TEXT NOT NULL, sealed TEXT NOT NULL, published_at BIGINT NOT NULL,
  activate_at BIGINT, activated_at BIGINT, retired_at BIGINT, revoked_at BIGINT)
;
CREATE TABLE revocations (
  seq BIGINT PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, not_before BIGINT NOT NULL, suspended BIGINT NOT NULL,
  at BIGINT NOT NULL)
;
CREATE INDEX revocations_by_subject ON revocations (kind, id, seq)
;
CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)
;
INSERT INTO counters (name, value) VALUES ('revocations', 0), ('revocations_floor', 0), ('keys', 0), ('credentials', 0)
;
CREATE TABLE audit (
  id TEXT PRIMARY KEY, at BIGINT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL, subject TEXT NOT NULL,
  detail TEXT NOT NULL)
;
CREATE INDEX audit_by_time ON audit (at)
;
