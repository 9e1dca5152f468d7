//! Who is registered: owners, agents, sites, gateways; whose token it is; who is suspended.

use passport::{AgentId, OwnerId, OwnerLevel, SiteId};

use super::database::{StoreError, Value};
use super::{AuditRow, Store, audit, bump};
use crate::credentials::TokenHash;
use crate::time::UnixMillis;

/// What an operator registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person or company.
    Owner,
    /// An agent of an owner.
    Agent,
    /// A site of an owner.
    Site,
    /// A credential that serves several sites.
    Gateway,
}

/// Where an agent may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sites {
    /// Only at these; none of them is a valid choice.
    Only(Vec<SiteId>),
    /// At every registered site: a hostile one can then relay a login of another (see SECURITY).
    Any,
}

/// What is being registered.
#[derive(Clone, Debug)]
pub(crate) enum NewSubject {
    Owner { name: String },
    Agent { owner: String, name: String, sites: Sites, token: TokenHash },
    Site { owner: String, name: String, origin: String, host: String, token: TokenHash },
    Gateway { owner: String, name: String, sites: Vec<SiteId>, token: TokenHash },
}

/// Whether somebody may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Active,
    /// It is suspended itself.
    Suspended,
    /// Its owner is.
    OwnerSuspended,
}

/// An agent, found by its token.
#[derive(Clone, Debug)]
pub(crate) struct CallerRecord {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    pub(crate) owner: OwnerId,
    pub(crate) owner_level: OwnerLevel,
    pub(crate) any_site: bool,
    pub(crate) standing: Standing,
    /// No credential may be issued at or before this: the later of the agent's and its owner's.
    pub(crate) not_before: UnixMillis,
}

/// A site or a gateway, found by its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Site { id: SiteId, standing: Standing },
    Gateway { id: String, standing: Standing },
}

/// One line of a list.
#[derive(Clone, Debug)]
pub(crate) struct SubjectRow {
    pub(crate) id: String,
    pub(crate) owner: Option<String>,
    pub(crate) name: String,
    pub(crate) origin: Option<String>,
    pub(crate) suspended: bool,
    pub(crate) any_site: bool,
    pub(crate) created_at: UnixMillis,
}

pub(super) const fn standing(own: i64, owners: i64) -> Standing {
    if own != 0 {
        Standing::Suspended
    } else if owners != 0 {
        Standing::OwnerSuspended
    } else {
        Standing::Active
    }
}

impl Store {
    /// Registers a subject under `id`. `Ok(false)`: its owner, or one of its sites, does not exist; nothing was kept.
    pub(crate) async fn register(
        &self,
        id: String,
        subject: NewSubject,
        now: UnixMillis,
    ) -> Result<Registration, StoreError> {
        self.database
            .write(move |tx| {
                let (id, subject) = (id.clone(), subject.clone());
                Box::pin(async move {
                    if !references_exist(tx, &subject).await? {
                        return Ok(Registration::UnknownReference);
                    }
                    insert(tx, &id, &subject, now).await?;
                    let row = AuditRow {
                        id: format!("registered:{id}"),
                        action: "subject.registered",
                        actor: "operator".to_owned(),
                        subject: id,
                        detail: String::new(),
                    };
                    audit(tx, &row, now).await?;
                    Ok(Registration::Done)
                })
            })
            .await
    }

    /// The agent that holds this token.
    pub(crate) async fn agent_by_token(&self, token: &TokenHash) -> Result<Option<CallerRecord>, StoreError> {
        let sql = "SELECT a.id, a.name, a.owner_id, o.level, a.any_site, a.suspended, o.suspended, a.not_before,
                          o.not_before
                   FROM agents a JOIN owners o ON o.id = a.owner_id WHERE a.token_hash = $1";
        self.database.row(sql, &[token.as_str().into()]).await?.map(caller).transpose()
    }

    /// An agent as it stands at this moment.
    pub(crate) async fn agent(&self, id: &AgentId) -> Result<Option<CallerRecord>, StoreError> {
        let sql = "SELECT a.id, a.name, a.owner_id, o.level, a.any_site, a.suspended, o.suspended, a.not_before,
                          o.not_before
                   FROM agents a JOIN owners o ON o.id = a.owner_id WHERE a.id = $1";
        self.database.row(sql, &[id.as_str().into()]).await?.map(caller).transpose()
    }

    /// The site that holds this token.
    pub(crate) async fn site_by_token(&self, token: &TokenHash) -> Result<Option<Caller>, StoreError> {
        let sql = "SELECT s.id, s.suspended, o.suspended FROM sites s JOIN owners o ON o.id = s.owner_id
                   WHERE s.token_hash = $1";
        let row: Option<(String, i64, i64)> = self.database.row(sql, &[token.as_str().into()]).await?;
        row.map(|(id, own, owners)| {
            let id = id.parse().map_err(|_| StoreError::Unreadable("site id"))?;
            Ok(Caller::Site { id, standing: standing(own, owners) })
        })
        .transpose()
    }

    /// The gateway that holds this token.
    pub(crate) async fn gateway_by_token(&self, token: &TokenHash) -> Result<Option<Caller>, StoreError> {
        let sql = "SELECT g.id, g.suspended, o.suspended FROM gateways g JOIN owners o ON o.id = g.owner_id
                   WHERE g.token_hash = $1";
        let row: Option<(String, i64, i64)> = self.database.row(sql, &[token.as_str().into()]).await?;
        Ok(row.map(|(id, own, owners)| Caller::Gateway { id, standing: standing(own, owners) }))
    }

    /// The active sites a caller serves: id, name, origin.
    pub(crate) async fn sites_of(&self, caller: &Caller) -> Result<Vec<(String, String, String)>, StoreError> {
        let (sql, id) = match caller {
            Caller::Site { id, .. } => (
                "SELECT s.id, s.name, s.origin FROM sites s JOIN owners o ON o.id = s.owner_id
                 WHERE s.id = $1 AND s.suspended = 0 AND o.suspended = 0",
                id.as_str(),
            ),
            Caller::Gateway { id, .. } => (
                "SELECT s.id, s.name, s.origin FROM gateway_sites g JOIN sites s ON s.id = g.site_id
                 JOIN owners o ON o.id = s.owner_id
                 WHERE g.gateway_id = $1 AND s.suspended = 0 AND o.suspended = 0 ORDER BY s.id",
                id.as_str(),
            ),
        };
        self.database.rows(sql, &[id.into()]).await
    }

    /// Registered sites with this host: id, whether `agent` may be there, standing.
    pub(crate) async fn sites_at(&self, host: &str, agent: &AgentId) -> Result<Vec<SiteAt>, StoreError> {
        let sql = "SELECT s.suspended, o.suspended, s.not_before,
                          (SELECT COUNT(*) FROM agent_sites l WHERE l.agent_id = $2 AND l.site_id = s.id)
                   FROM sites s JOIN owners o ON o.id = s.owner_id WHERE s.host = $1";
        let rows: Vec<(i64, i64, i64, i64)> = self.database.rows(sql, &[host.into(), agent.as_str().into()]).await?;
        Ok(rows
            .into_iter()
            .map(|(own, owners, not_before, listed)| SiteAt {
                standing: standing(own, owners),
                listed: listed != 0,
                not_before: UnixMillis::new(not_before),
            })
            .collect())
    }

    /// Everything registered of one kind, oldest first.
    pub(crate) async fn list(&self, kind: Kind) -> Result<Vec<SubjectRow>, StoreError> {
        let sql = match kind {
            Kind::Owner => {
                "SELECT id, NULLIF('', ''), name, NULLIF('', ''), suspended, created_at, suspended FROM owners ORDER BY id"
            }
            Kind::Agent => {
                "SELECT id, owner_id, name, NULLIF('', ''), suspended, created_at, any_site FROM agents ORDER BY id"
            }
            Kind::Site => "SELECT id, owner_id, name, origin, suspended, created_at, suspended FROM sites ORDER BY id",
            Kind::Gateway => {
                "SELECT id, owner_id, name, NULLIF('', ''), suspended, created_at, suspended FROM gateways ORDER BY id"
            }
        };
        type Found = (String, Option<String>, String, Option<String>, i64, i64, i64);
        let rows: Vec<Found> = self.database.rows(sql, &[]).await?;
        Ok(rows
            .into_iter()
            .map(|(id, owner, name, origin, suspended, created_at, any_site)| SubjectRow {
                id,
                owner,
                name,
                origin,
                suspended: suspended != 0,
                any_site: kind == Kind::Agent && any_site != 0,
                created_at: UnixMillis::new(created_at),
            })
            .collect())
    }

    /// The sites an agent or a gateway is registered with.
    pub(crate) async fn listed_sites(&self, kind: Kind) -> Result<Vec<(String, String)>, StoreError> {
        match kind {
            Kind::Agent => self.database.rows("SELECT agent_id, site_id FROM agent_sites ORDER BY site_id", &[]).await,
            Kind::Gateway => {
                self.database.rows("SELECT gateway_id, site_id FROM gateway_sites ORDER BY site_id", &[]).await
            }
            Kind::Owner | Kind::Site => Ok(Vec::new()),
        }
    }

    /// Gives a subject another token; the old one is worth nothing from the commit on. `Ok(false)`: no such subject.
    pub(crate) async fn replace_token(
        &self,
        kind: Kind,
        id: String,
        token: TokenHash,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let sql = match kind {
            Kind::Agent => "UPDATE agents SET token_hash = $2 WHERE id = $1",
            Kind::Site => "UPDATE sites SET token_hash = $2 WHERE id = $1",
            Kind::Gateway => "UPDATE gateways SET token_hash = $2 WHERE id = $1",
            Kind::Owner => return Ok(false),
        };
        self.database
            .write(move |tx| {
                let (id, token) = (id.clone(), token.clone());
                Box::pin(async move {
                    if tx.execute(sql, &[id.as_str().into(), token.as_str().into()]).await? == 0 {
                        return Ok(false);
                    }
                    bump(tx, "credentials").await?;
                    let row = AuditRow {
                        id: format!("token_replaced:{}", token.as_str()),
                        action: "token.replaced",
                        actor: "operator".to_owned(),
                        subject: id,
                        detail: String::new(),
                    };
                    audit(tx, &row, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    Done,
    /// Its owner, or one of its sites, does not exist; nothing was kept.
    UnknownReference,
}

/// A registered site, seen by an agent that asks for a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteAt {
    pub(crate) standing: Standing,
    pub(crate) listed: bool,
    pub(crate) not_before: UnixMillis,
}

type FoundCaller = (String, String, String, i64, i64, i64, i64, i64, i64);

fn caller(found: FoundCaller) -> Result<CallerRecord, StoreError> {
    let (id, name, owner, level, any_site, own, owners, not_before, owner_not_before) = found;
    Ok(CallerRecord {
        id: id.try_into().map_err(|_| StoreError::Unreadable("agent id"))?,
        name,
        owner: owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?,
        owner_level: level_of(level)?,
        any_site: any_site != 0,
        standing: standing(own, owners),
        not_before: UnixMillis::new(not_before.max(owner_not_before)),
    })
}

pub(super) fn level_of(level: i64) -> Result<OwnerLevel, StoreError> {
    u8::try_from(level).map(OwnerLevel::new).map_err(|_| StoreError::Unreadable("owner level"))
}

async fn references_exist(tx: &mut super::database::Tx<'_>, subject: &NewSubject) -> Result<bool, StoreError> {
    let (owner, sites): (&str, &[SiteId]) = match subject {
        NewSubject::Owner { .. } => return Ok(true),
        NewSubject::Agent { owner, sites: Sites::Only(sites), .. } | NewSubject::Gateway { owner, sites, .. } => {
            (owner, sites)
        }
        NewSubject::Agent { owner, sites: Sites::Any, .. } | NewSubject::Site { owner, .. } => (owner, &[]),
    };
    let found: Option<(String,)> = tx.row("SELECT id FROM owners WHERE id = $1", &[owner.into()]).await?;
    if found.is_none() {
        return Ok(false);
    }
    for site in sites {
        let found: Option<(String,)> = tx.row("SELECT id FROM sites WHERE id = $1", &[site.as_str().into()]).await?;
        if found.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn insert(
    tx: &mut super::database::Tx<'_>,
    id: &str,
    subject: &NewSubject,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let id_value: Value = id.into();
    match subject {
        NewSubject::Owner { name } => {
            let sql = "INSERT INTO owners (id, name, level, suspended, not_before, created_at)
                       VALUES ($1, $2, 0, 0, 0, $3)";
            tx.execute(sql, &[id_value, name.as_str().into(), now.into()]).await?;
        }
        NewSubject::Agent { owner, name, sites, token } => {
            let any_site = i64::from(matches!(sites, Sites::Any));
            let sql = "INSERT INTO agents (id, owner_id, name, any_site, suspended, not_before, created_at, token_hash)
                       VALUES ($1, $2, $3, $4, 0, 0, $5, $6)";
            let (owner, name, token) = (owner.as_str().into(), name.as_str().into(), token.as_str().into());
            tx.execute(sql, &[id_value.clone(), owner, name, any_site.into(), now.into(), token]).await?;
            if let Sites::Only(sites) = sites {
                let sql = "INSERT INTO agent_sites (agent_id, site_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                for site in sites {
                    tx.execute(sql, &[id_value.clone(), site.as_str().into()]).await?;
                }
            }
        }
        NewSubject::Site { owner, name, origin, host, token } => {
            let sql =
                "INSERT INTO sites (id, owner_id, name, origin, host, suspended, not_before, created_at, token_hash)
                       VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7)";
            let (owner, name, origin) = (owner.as_str().into(), name.as_str().into(), origin.as_str().into());
            let (host, token) = (host.as_str().into(), token.as_str().into());
            tx.execute(sql, &[id_value, owner, name, origin, host, now.into(), token]).await?;
        }
        NewSubject::Gateway { owner, name, sites, token } => {
            let sql = "INSERT INTO gateways (id, owner_id, name, suspended, created_at, token_hash)
                       VALUES ($1, $2, $3, 0, $4, $5)";
            let (owner, name, token) = (owner.as_str().into(), name.as_str().into(), token.as_str().into());
            tx.execute(sql, &[id_value.clone(), owner, name, now.into(), token]).await?;
            let sql = "INSERT INTO gateway_sites (gateway_id, site_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            for site in sites {
                tx.execute(sql, &[id_value.clone(), site.as_str().into()]).await?;
            }
        }
    }
    Ok(())
}
