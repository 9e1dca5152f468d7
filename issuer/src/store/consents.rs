//! Consents: an owner lets a client act at a resource, as one agent for each owner, client and organisation.

use passport::{AgentId, OwnerId};

use super::database::{StoreError, Tx, Value};
use super::grants::end_of_consent;
use super::resources::ResourceRecord;
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
    /// Names with a space between (RFC 6749 §3.3).
    pub(crate) scope: String,
    /// Whether the owner need not be asked again.
    pub(crate) remembered: bool,
    pub(crate) agent: AgentId,
    /// When it was last given.
    pub(crate) created_at: UnixMillis,
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
    pub(crate) remembered: bool,
}

type Found = (String, String, String, String, String, String, String, i64, String, i64);

impl Store {
    /// The consent of an owner to a client at a resource.
    pub(crate) async fn consent(
        &self,
        owner: &OwnerId,
        client: &str,
        resource: &str,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        let sql = "SELECT id, owner_id, client_id, client_name, resource, redirect_host, scope, remembered, agent_id,
                          created_at
                   FROM consents WHERE owner_id = $1 AND client_id = $2 AND resource = $3";
        let values: [Value; 3] = [owner.as_str().into(), client.into(), resource.into()];
        self.database.row(sql, &values).await?.map(record).transpose()
    }

    /// Notes a consent, in the place of an earlier one, and gives the agent it is carried out by: one for each owner,
    /// client and organisation, however often they consent, with the resource's site on its list. It may be suspended.
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
        let sql = "SELECT id, owner_id, client_id, client_name, resource, redirect_host, scope, remembered, agent_id,
                          created_at
                   FROM consents WHERE owner_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000";
        self.database.rows(sql, &[owner.as_str().into()]).await?.into_iter().map(record).collect()
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
    let sql = "INSERT INTO consents (id, owner_id, client_id, client_name, resource, redirect_host, scope, remembered,
                                     agent_id, created_at, used_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
               ON CONFLICT (owner_id, client_id, resource) DO UPDATE
               SET client_name = excluded.client_name, redirect_host = excluded.redirect_host, scope = excluded.scope,
                   remembered = excluded.remembered, agent_id = excluded.agent_id, created_at = excluded.created_at
               RETURNING id";
    let values: [Value; 10] = [
        consent.id.as_str().into(),
        consent.owner.as_str().into(),
        consent.client.as_str().into(),
        consent.client_name.as_str().into(),
        consent.resource.url.as_str().into(),
        consent.redirect_host.as_str().into(),
        consent.scope.as_str().into(),
        i64::from(consent.remembered).into(),
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
    let (id, owner, client, client_name, resource, redirect_host, scope, remembered, agent, created_at) = found;
    Ok(ConsentRecord {
        id,
        owner: owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?,
        client,
        client_name,
        resource,
        redirect_host,
        scope,
        remembered: remembered != 0,
        agent: agent.try_into().map_err(|_| StoreError::Unreadable("agent id"))?,
        created_at: UnixMillis::new(created_at),
    })
}
