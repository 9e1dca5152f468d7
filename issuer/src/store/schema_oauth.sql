-- What OAuth needs: resources, clients, grants, consents, and owners who sign in. Lists are JSON in one column, so that a
-- row is read whole.
CREATE TABLE resources (
  id TEXT PRIMARY KEY, site_id TEXT NOT NULL REFERENCES sites (id), url TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL)
;
CREATE TABLE clients (
  id TEXT PRIMARY KEY, agent_id TEXT REFERENCES agents (id), name TEXT NOT NULL, redirect_uris TEXT NOT NULL,
  auth TEXT NOT NULL, proof TEXT NOT NULL, metadata TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT)
;
CREATE INDEX clients_by_expiry ON clients (expires_at)
;
INSERT INTO counters (name, value) VALUES ('registered_clients', 0)
;
-- The id of an agent is kept here before there is the agent: of two first consents one makes it.
CREATE TABLE client_agents (
  owner_id TEXT NOT NULL REFERENCES owners (id), client_id TEXT NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES owners (id), agent_id TEXT NOT NULL UNIQUE,
  PRIMARY KEY (owner_id, client_id, organisation_id))
;
CREATE TABLE consents (
  id TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id), client_id TEXT NOT NULL,
  client_name TEXT NOT NULL, resource TEXT NOT NULL, redirect_host TEXT NOT NULL, scope TEXT NOT NULL,
  remembered BIGINT NOT NULL, agent_id TEXT NOT NULL REFERENCES agents (id), created_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL, UNIQUE (owner_id, client_id, resource))
;
CREATE TABLE grants (
  id TEXT PRIMARY KEY, client_id TEXT NOT NULL, client_name TEXT NOT NULL,
  agent_id TEXT NOT NULL REFERENCES agents (id), owner_id TEXT NOT NULL REFERENCES owners (id), resource TEXT NOT NULL,
  scope TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, ended_at BIGINT, end_reason TEXT)
;
CREATE INDEX grants_by_client ON grants (client_id, owner_id)
;
CREATE INDEX grants_by_resource ON grants (resource)
;
CREATE INDEX grants_by_expiry ON grants (expires_at)
;
CREATE TABLE codes (
  hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL REFERENCES grants (id), redirect_uri TEXT NOT NULL,
  challenge TEXT NOT NULL, expires_at BIGINT NOT NULL, redeemed_at BIGINT)
;
CREATE INDEX codes_by_grant ON codes (grant_id)
;
CREATE INDEX codes_by_expiry ON codes (expires_at)
;
CREATE TABLE refresh_tokens (
  hash TEXT PRIMARY KEY, grant_id TEXT NOT NULL REFERENCES grants (id), expires_at BIGINT NOT NULL, used_at BIGINT,
  sealed TEXT)
;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id)
;
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at)
;
CREATE INDEX refresh_tokens_by_use ON refresh_tokens (used_at)
;
CREATE INDEX refresh_tokens_sealed ON refresh_tokens (used_at) WHERE sealed IS NOT NULL
;
CREATE TABLE owner_access (
  owner_id TEXT PRIMARY KEY REFERENCES owners (id), user_name TEXT NOT NULL UNIQUE, phc TEXT NOT NULL,
  failures BIGINT NOT NULL, locked_until BIGINT NOT NULL, changed_at BIGINT NOT NULL)
;
CREATE TABLE owner_sessions (
  hash TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES owners (id), created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL)
;
CREATE INDEX owner_sessions_by_owner ON owner_sessions (owner_id)
;
CREATE INDEX owner_sessions_by_expiry ON owner_sessions (expires_at)
;
