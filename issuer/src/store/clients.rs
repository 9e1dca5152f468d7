//! Clients: those that registered themselves (RFC 7591), and those of an operator, each of which speaks for an agent.

use std::time::Duration;

use passport::AgentId;

use super::database::{StoreError, Tx, Value};
use super::grants::Families;
use super::registry::Registration;
use super::revocations::end_credentials;
use super::{AuditRow, Store, audit};
use crate::credentials::TokenHash;
use crate::time::UnixMillis;

/// A client that refreshes every few minutes need not be written each time.
const TOUCHED_EACH: Duration = Duration::from_secs(24 * 3600);

/// How a client shows that it is the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// Not at all: a public client.
    None,
    /// By a secret (RFC 6749 §2.3.1).
    Secret(TokenHash),
    /// By an assertion signed with one of these keys (RFC 7523 §2.2): a key set in JSON.
    Keys(String),
}

/// Whether a client is given refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshTokens {
    Given,
    /// It said that it has no use for them.
    Unwanted,
}

/// A client as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) auth: ClientAuth,
    pub(crate) refresh_tokens: RefreshTokens,
    /// The agent an operator's client speaks for; nobody's, when it registered itself.
    pub(crate) agent: Option<AgentId>,
    pub(crate) created_at: UnixMillis,
    /// When it is forgotten unless it is used. An operator's client is not.
    pub(crate) expires_at: Option<UnixMillis>,
}

/// How a client's registration of itself ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientRegistration {
    Done,
    /// There are as many as there may be.
    Full,
}

type Found = (String, Option<String>, String, String, String, String, i64, i64, Option<i64>);

impl Store {
    /// Keeps a client that registers itself, unless there are `clients_max` of them already.
    pub(crate) async fn register_client(
        &self,
        client: ClientRecord,
        clients_max: i64,
    ) -> Result<ClientRegistration, StoreError> {
        let redirect_uris = uris_text(&client)?;
        self.database
            .write(move |tx| {
                let (client, redirect_uris) = (client.clone(), redirect_uris.clone());
                Box::pin(async move {
                    // The row stays locked until the commit: of many at once none passes the bound.
                    let sql = "UPDATE counters SET value = value + 1 WHERE name = 'registered_clients' AND value < $1";
                    if tx.execute(sql, &[clients_max.into()]).await? == 0 {
                        return Ok(ClientRegistration::Full);
                    }
                    insert(tx, &client, &redirect_uris).await?;
                    Ok(ClientRegistration::Done)
                })
            })
            .await
    }

    /// Keeps an operator's client; its agent must exist.
    pub(crate) async fn add_client(&self, client: ClientRecord, now: UnixMillis) -> Result<Registration, StoreError> {
        let redirect_uris = uris_text(&client)?;
        self.database
            .write(move |tx| {
                let (client, redirect_uris) = (client.clone(), redirect_uris.clone());
                Box::pin(async move {
                    let agent = client.agent.as_ref().map(AgentId::as_str);
                    let found: Option<(String,)> =
                        tx.row("SELECT id FROM agents WHERE id = $1", &[agent.into()]).await?;
                    if found.is_none() {
                        return Ok(Registration::UnknownReference);
                    }
                    insert(tx, &client, &redirect_uris).await?;
                    changed(tx, "client.added", client.id, now).await?;
                    Ok(Registration::Done)
                })
            })
            .await
    }

    /// A client that may still be used: an operator's, one whose time is not up, or one with a standing grant.
    pub(crate) async fn client(&self, id: &str, now: UnixMillis) -> Result<Option<ClientRecord>, StoreError> {
        let sql =
            "SELECT id, agent_id, name, redirect_uris, auth, proof, refreshes, created_at, expires_at FROM clients
                   WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2 OR EXISTS
                         (SELECT 1 FROM grants g
                          WHERE g.client_id = clients.id AND g.ended_at IS NULL AND g.expires_at > $2))";
        self.database.row(sql, &[id.into(), now.into()]).await?.map(record).transpose()
    }

    /// Clients, an operator's first; 10,000 at most.
    pub(crate) async fn clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        let sql =
            "SELECT id, agent_id, name, redirect_uris, auth, proof, refreshes, created_at, expires_at FROM clients
                   ORDER BY CASE WHEN agent_id IS NULL THEN 1 ELSE 0 END, created_at, id LIMIT 10000";
        self.database.rows(sql, &[]).await?.into_iter().map(record).collect()
    }

    /// Clients that are documents, as far as a consent or a standing grant knows them: each by its URL, with its name and
    /// since when; 10,000 at most.
    pub(crate) async fn document_clients(
        &self,
        now: UnixMillis,
    ) -> Result<Vec<(String, String, UnixMillis)>, StoreError> {
        let sql = "SELECT client_id, MAX(client_name), MIN(created_at) FROM
                   (SELECT client_id, client_name, created_at FROM consents
                    UNION ALL SELECT client_id, client_name, created_at FROM grants
                              WHERE ended_at IS NULL AND expires_at > $1) known
                   WHERE client_id LIKE '%://%' GROUP BY client_id ORDER BY client_id LIMIT 10000";
        let found: Vec<(String, String, i64)> = self.database.rows(sql, &[now.into()]).await?;
        Ok(found.into_iter().map(|(id, name, since)| (id, name, UnixMillis::new(since))).collect())
    }

    /// Takes from a client that is a document what owners consented to, then ends what was granted to it. `Ok(false)`: there
    /// is nothing of either. It may ask again.
    pub(crate) async fn shut_out_document(&self, id: String, now: UnixMillis) -> Result<bool, StoreError> {
        let shut_out = id.clone();
        let had_any = self
            .database
            .write(move |tx| {
                let id = shut_out.clone();
                Box::pin(async move { shut_out_document(tx, id, now).await })
            })
            .await?;
        if had_any {
            self.end_families(Families::OfClient, &id, "client_removed", now).await?;
        }
        Ok(had_any)
    }

    /// Lets a client that registered itself live until `expires_at`. Nothing is written for a day or less, and it never
    /// lives shorter than it would.
    pub(crate) async fn touch_client(
        &self,
        id: String,
        expires_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE clients SET expires_at = $2
                   WHERE id = $1 AND expires_at < $4 AND (expires_at > $3 OR EXISTS
                         (SELECT 1 FROM grants g
                          WHERE g.client_id = clients.id AND g.ended_at IS NULL AND g.expires_at > $3))";
        self.database
            .write(move |tx| {
                let values: [Value; 4] =
                    [id.as_str().into(), expires_at.into(), now.into(), expires_at.minus(TOUCHED_EACH).into()];
                Box::pin(async move { tx.execute(sql, &values).await.map(drop) })
            })
            .await
    }

    /// Deletes clients that registered themselves, whose time is up, and for which no grant stands; 1,000 at most. How
    /// many they were.
    pub(crate) async fn forget_clients(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "DELETE FROM clients WHERE expires_at <= $1 AND id IN
                   (SELECT c.id FROM clients c WHERE c.agent_id IS NULL AND c.expires_at <= $1 AND NOT EXISTS
                           (SELECT 1 FROM grants g
                            WHERE g.client_id = c.id AND g.ended_at IS NULL AND g.expires_at > $1)
                    ORDER BY c.expires_at LIMIT 1000)";
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    let forgotten = tx.execute(sql, &[now.into()]).await?;
                    uncount(tx, forgotten).await?;
                    Ok(forgotten)
                })
            })
            .await
    }

    /// Removes a client, then ends what was granted to it and what its agent holds. `Ok(false)`: no such client.
    pub(crate) async fn remove_client(&self, id: String, now: UnixMillis) -> Result<bool, StoreError> {
        let removed = id.clone();
        let removed = self
            .database
            .write(move |tx| {
                let id = removed.clone();
                Box::pin(async move { remove(tx, id, now).await })
            })
            .await?;
        // By now nobody can begin anything with it.
        if removed {
            self.end_families(Families::OfClient, &id, "client_removed", now).await?;
        }
        Ok(removed)
    }
}

async fn insert(tx: &mut Tx<'_>, client: &ClientRecord, redirect_uris: &str) -> Result<(), StoreError> {
    let (auth, proof) = match &client.auth {
        ClientAuth::None => ("none", ""),
        ClientAuth::Secret(hash) => ("secret", hash.as_str()),
        ClientAuth::Keys(keys) => ("keys", keys.as_str()),
    };
    let sql = "INSERT INTO clients (id, agent_id, name, redirect_uris, auth, proof, refreshes, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values: [Value; 9] = [
        client.id.as_str().into(),
        client.agent.as_ref().map(AgentId::as_str).into(),
        client.name.as_str().into(),
        redirect_uris.into(),
        auth.into(),
        proof.into(),
        i64::from(client.refresh_tokens == RefreshTokens::Given).into(),
        client.created_at.into(),
        client.expires_at.into(),
    ];
    tx.execute(sql, &values).await?;
    Ok(())
}

async fn remove(tx: &mut Tx<'_>, id: String, now: UnixMillis) -> Result<bool, StoreError> {
    let sql = "DELETE FROM clients WHERE id = $1 RETURNING agent_id";
    let removed: Option<(Option<String>,)> = tx.row(sql, &[id.as_str().into()]).await?;
    let Some((agent,)) = removed else { return Ok(false) };
    match agent {
        Some(agent) => end_credentials(tx, &agent, now).await?,
        None => uncount(tx, 1).await?,
    }
    tx.execute("DELETE FROM consents WHERE client_id = $1", &[id.as_str().into()]).await?;
    changed(tx, "client.removed", id, now).await?;
    Ok(true)
}

async fn shut_out_document(tx: &mut Tx<'_>, id: String, now: UnixMillis) -> Result<bool, StoreError> {
    let consents = tx.execute("DELETE FROM consents WHERE client_id = $1", &[id.as_str().into()]).await?;
    let sql = "SELECT COUNT(*) FROM grants WHERE client_id = $1 AND ended_at IS NULL";
    let grants: Option<(i64,)> = tx.row(sql, &[id.as_str().into()]).await?;
    if consents == 0 && grants.is_none_or(|(count,)| count == 0) {
        return Ok(false);
    }
    let row = AuditRow {
        // It may come back, and be shut out again.
        id: format!("client_removed:{id}:{}", now.get()),
        action: "client.removed",
        actor: "operator".to_owned(),
        subject: id,
        detail: String::new(),
    };
    audit(tx, &row, now).await?;
    Ok(true)
}

async fn uncount(tx: &mut Tx<'_>, forgotten: u64) -> Result<(), StoreError> {
    let forgotten = i64::try_from(forgotten).unwrap_or(i64::MAX);
    let sql = "UPDATE counters SET value = value - $1 WHERE name = 'registered_clients'";
    tx.execute(sql, &[forgotten.into()]).await?;
    Ok(())
}

async fn changed(tx: &mut Tx<'_>, action: &'static str, id: String, now: UnixMillis) -> Result<(), StoreError> {
    let row = AuditRow {
        id: format!("{action}:{id}"),
        action,
        actor: "operator".to_owned(),
        subject: id,
        detail: String::new(),
    };
    audit(tx, &row, now).await
}

fn uris_text(client: &ClientRecord) -> Result<String, StoreError> {
    serde_json::to_string(&client.redirect_uris).map_err(|_| StoreError::Unreadable("redirect uri"))
}

fn record(found: Found) -> Result<ClientRecord, StoreError> {
    let (id, agent, name, redirect_uris, auth, proof, refreshes, created_at, expires_at) = found;
    let auth = match auth.as_str() {
        "none" => ClientAuth::None,
        "secret" => ClientAuth::Secret(TokenHash::stored(proof)),
        "keys" => ClientAuth::Keys(proof),
        _ => return Err(StoreError::Unreadable("client authentication")),
    };
    Ok(ClientRecord {
        id,
        name,
        redirect_uris: serde_json::from_str(&redirect_uris).map_err(|_| StoreError::Unreadable("redirect uri"))?,
        auth,
        refresh_tokens: if refreshes == 0 { RefreshTokens::Unwanted } else { RefreshTokens::Given },
        agent: agent.map(AgentId::try_from).transpose().map_err(|_| StoreError::Unreadable("agent id"))?,
        created_at: UnixMillis::new(created_at),
        expires_at: expires_at.map(UnixMillis::new),
    })
}
