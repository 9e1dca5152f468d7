//! Consents: an owner lets a client act at a resource, as one agent for each owner, client and organisation.

use passport::{AgentId, OwnerId};

use super::database::{StoreError, Tx, Value};
use super::grants::end_of_consent;
use super::resources::{ResourceRecord, scope_names};
use super::revocations::end_credentials;
use super::{AuditRow, Store, audit};
use crate::time::UnixMillis;

/// A consent as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsentRecord {
    pub(crate) id: String,
    pub(crate) owner: OwnerId,
    pub(crate) client: String,
    pub(crate) client_name: String,
    pub(crate) resource: String,
    /// Where the owner's browser was sent.
    pub(crate) redirect_host: String,
    /// All that was allowed so far: names with a space between (RFC 6749 §3.3).
    pub(crate) scope: String,
    pub(crate) remembered: Option<Remembered>,
    pub(crate) agent: AgentId,
    /// When it was last given.
    pub(crate) created_at: UnixMillis,
}

/// What the owner need not be asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Where he was sent, byte for byte: whoever answers at another place is another one to him.
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
}

/// A consent to be given.
#[derive(Clone, Debug)]
pub(crate) struct NewConsent {
    /// Its id, unless this owner has consented to this client at this resource before.
    pub(crate) id: String,
    /// The id of the agent, unless there is one already.
    pub(crate) agent: AgentId,
    pub(crate) owner: OwnerId,
    pub(crate) client: String,
    pub(crate) client_name: String,
    pub(crate) resource: ResourceRecord,
    pub(crate) redirect_host: String,
    pub(crate) scope: String,
    /// The redirect URI with which he need not be asked for this again.
    pub(crate) remembered: Option<String>,
}

type Found = (String, String, String, String, String, String, String, Option<String>, Option<String>, String, i64);

impl Store {
    /// The consent of an owner to a client at a resource.
    pub(crate) async fn consent(
        &self,
        owner: &OwnerId,
        client: &str,
        resource: &str,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        let sql = "SELECT id, owner_id, client_id, client_name, resource, redirect_host, scope, remembered_uri,
                          remembered_scope, agent_id, created_at
                   FROM consents WHERE owner_id = $1 AND client_id = $2 AND resource = $3";
        let values: [Value; 3] = [owner.as_str().into(), client.into(), resource.into()];
        self.database.row(sql, &values).await?.map(record).transpose()
    }

    /// Notes a consent, with what an earlier one to the same client at the same resource allowed, and gives the agent it is
    /// carried out by: one for each owner, client and organisation, however often they consent, with the resource's site on
    /// its list. It may be suspended.
    pub(crate) async fn give_consent(&self, consent: NewConsent, now: UnixMillis) -> Result<AgentId, StoreError> {
        self.database
            .write(move |tx| {
                let consent = consent.clone();
                Box::pin(async move { give(tx, &consent, now).await })
            })
            .await
    }

    /// What an owner has consented to, the latest first; 1,000 at most.
    pub(crate) async fn consents_of(&self, owner: &OwnerId) -> Result<Vec<ConsentRecord>, StoreError> {
        let sql = "SELECT id, owner_id, client_id, client_name, resource, redirect_host, scope, remembered_uri,
                          remembered_scope, agent_id, created_at
                   FROM consents WHERE owner_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000";
        self.database.rows(sql, &[owner.as_str().into()]).await?.into_iter().map(record).collect()
    }

    /// Deletes consents to clients that registered themselves and are forgotten, 1,000 at most. How many they were. A client
    /// that is a document is never forgotten: it may always come again.
    pub(crate) async fn forget_consents(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let sql = "DELETE FROM consents WHERE id IN
                   (SELECT k.id FROM consents k WHERE k.client_id NOT LIKE '%://%'
                      AND NOT EXISTS (SELECT 1 FROM clients c WHERE c.id = k.client_id)
                      AND NOT EXISTS (SELECT 1 FROM grants g
                                      WHERE g.client_id = k.client_id AND g.owner_id = k.owner_id
                                        AND g.resource = k.resource AND g.ended_at IS NULL AND g.expires_at > $1)
                    LIMIT 1000)";
        self.database.write(move |tx| Box::pin(async move { tx.execute(sql, &[now.into()]).await })).await
    }

    /// Withdraws a consent: its families end, and all its agent holds. `Ok(false)`: this owner has no such consent.
    pub(crate) async fn withdraw_consent(
        &self,
        owner: &OwnerId,
        id: String,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let owner = owner.clone();
        self.database
            .write(move |tx| {
                let (owner, id) = (owner.clone(), id.clone());
                Box::pin(async move { withdraw(tx, &owner, id, now).await })
            })
            .await
    }
}

async fn give(tx: &mut Tx<'_>, consent: &NewConsent, now: UnixMillis) -> Result<AgentId, StoreError> {
    let agent = agent_of(tx, consent, now).await?;
    let sql = "INSERT INTO agent_sites (agent_id, site_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    tx.execute(sql, &[agent.as_str().into(), consent.resource.site.as_str().into()]).await?;
    let (scope, remembered) = with_before(tx, consent).await?;
    let remembered = remembered.as_ref();
    let sql = "INSERT INTO consents (id, owner_id, client_id, client_name, resource, redirect_host, scope,
                                     remembered_uri, remembered_scope, agent_id, created_at, used_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
               ON CONFLICT (owner_id, client_id, resource) DO UPDATE
               SET client_name = excluded.client_name, redirect_host = excluded.redirect_host, scope = excluded.scope,
                   remembered_uri = excluded.remembered_uri, remembered_scope = excluded.remembered_scope,
                   agent_id = excluded.agent_id, created_at = excluded.created_at
               RETURNING id";
    let values: [Value; 11] = [
        consent.id.as_str().into(),
        consent.owner.as_str().into(),
        consent.client.as_str().into(),
        consent.client_name.as_str().into(),
        consent.resource.url.as_str().into(),
        consent.redirect_host.as_str().into(),
        scope.as_str().into(),
        remembered.map(|remembered| remembered.redirect_uri.as_str()).into(),
        remembered.map(|remembered| remembered.scope.as_str()).into(),
        agent.as_str().into(),
        now.into(),
    ];
    let given: Option<(String,)> = tx.row(sql, &values).await?;
    let (id,) = given.ok_or(StoreError::Unreadable("consent"))?;
    let row = AuditRow {
        // Each time it is given is a fact of its own; the new id says which time.
        id: format!("consent_given:{}", consent.id),
        action: "consent.given",
        actor: consent.owner.to_string(),
        subject: id,
        detail: format!("{} at {}: {}", consent.client, consent.resource.url, consent.scope),
    };
    audit(tx, &row, now).await?;
    Ok(agent)
}

/// What is allowed and what is remembered from now on. The row of the agent is locked by now: of two consents to one client
/// the later one sees the earlier.
async fn with_before(tx: &mut Tx<'_>, consent: &NewConsent) -> Result<(String, Option<Remembered>), StoreError> {
    type Found = (String, Option<String>, Option<String>);
    let sql = "SELECT scope, remembered_uri, remembered_scope FROM consents
               WHERE owner_id = $1 AND client_id = $2 AND resource = $3";
    let values: [Value; 3] =
        [consent.owner.as_str().into(), consent.client.as_str().into(), consent.resource.url.as_str().into()];
    let before: Option<Found> = tx.row(sql, &values).await?;
    let (allowed, uri, settled) = before.unwrap_or_default();
    let remembered = consent.remembered.clone().map(|redirect_uri| {
        let settled = settled.filter(|_| uri.as_ref() == Some(&redirect_uri)).unwrap_or_default();
        Remembered { redirect_uri, scope: union(&settled, &consent.scope) }
    });
    Ok((union(&allowed, &consent.scope), remembered))
}

/// Each name of either once, in the order of the first.
fn union(some: &str, more: &str) -> String {
    let new = scope_names(more).filter(|name| scope_names(some).all(|known| known != *name));
    scope_names(some).chain(new).collect::<Vec<_>>().join(" ")
}

/// The one agent of this owner, client and organisation: of any number of callers at once, one makes it.
async fn agent_of(tx: &mut Tx<'_>, consent: &NewConsent, now: UnixMillis) -> Result<AgentId, StoreError> {
    let sql = "INSERT INTO client_agents (owner_id, client_id, organisation_id, agent_id) VALUES ($1, $2, $3, $4)
               ON CONFLICT (owner_id, client_id, organisation_id) DO UPDATE SET agent_id = client_agents.agent_id
               RETURNING agent_id";
    let values: [Value; 4] = [
        consent.owner.as_str().into(),
        consent.client.as_str().into(),
        consent.resource.organisation.as_str().into(),
        consent.agent.as_str().into(),
    ];
    let found: Option<(String,)> = tx.row(sql, &values).await?;
    let (id,) = found.ok_or(StoreError::Unreadable("agent of a client"))?;
    let agent: AgentId = id.try_into().map_err(|_| StoreError::Unreadable("agent id"))?;
    if agent == consent.agent {
        make_agent(tx, consent, now).await?;
    }
    Ok(agent)
}

async fn make_agent(tx: &mut Tx<'_>, consent: &NewConsent, now: UnixMillis) -> Result<(), StoreError> {
    // No token hashes to this text: only what is granted speaks for this agent.
    let no_token = format!("none:{}", consent.agent);
    let sql = "INSERT INTO agents (id, owner_id, name, any_site, suspended, not_before, created_at, token_hash)
               VALUES ($1, $2, $3, 0, 0, 0, $4, $5)";
    let values: [Value; 5] = [
        consent.agent.as_str().into(),
        consent.owner.as_str().into(),
        consent.client_name.as_str().into(),
        now.into(),
        no_token.as_str().into(),
    ];
    tx.execute(sql, &values).await?;
    let row = AuditRow {
        id: format!("registered:{}", consent.agent),
        action: "subject.registered",
        actor: consent.owner.to_string(),
        subject: consent.agent.to_string(),
        detail: format!("by consent to {}", consent.client),
    };
    audit(tx, &row, now).await
}

async fn withdraw(tx: &mut Tx<'_>, owner: &OwnerId, id: String, now: UnixMillis) -> Result<bool, StoreError> {
    let sql = "DELETE FROM consents WHERE id = $1 AND owner_id = $2 RETURNING client_id, resource, agent_id";
    let withdrawn: Option<(String, String, String)> = tx.row(sql, &[id.as_str().into(), owner.as_str().into()]).await?;
    let Some((client, resource, agent)) = withdrawn else { return Ok(false) };
    end_of_consent(tx, owner.as_str(), &client, &resource, now).await?;
    end_credentials(tx, &agent, now).await?;
    let row = AuditRow {
        id: format!("consent_withdrawn:{id}"),
        action: "consent.withdrawn",
        actor: owner.to_string(),
        subject: id,
        detail: format!("{client} at {resource}"),
    };
    audit(tx, &row, now).await?;
    Ok(true)
}

fn record(found: Found) -> Result<ConsentRecord, StoreError> {
    let (id, owner, client, client_name, resource, redirect_host, scope, uri, settled, agent, created_at) = found;
    Ok(ConsentRecord {
        id,
        owner: owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?,
        client,
        client_name,
        resource,
        redirect_host,
        scope,
        remembered: uri.zip(settled).map(|(redirect_uri, scope)| Remembered { redirect_uri, scope }),
        agent: agent.try_into().map_err(|_| StoreError::Unreadable("agent id"))?,
        created_at: UnixMillis::new(created_at),
    })
}
