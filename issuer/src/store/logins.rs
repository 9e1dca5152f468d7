//! Login requests: opened by a site, approved once by an agent, delivered to every stream of the site.

use std::time::Duration;

use passport::{AgentId, LoginRequestId, OwnerId, OwnerLevel, SiteId, TokenId};

use super::database::{StoreError, Value};
use super::registry::{Caller, level_of};
use super::{AuditRow, Store, audit};
use crate::time::UnixMillis;

/// A new stream also gets what was delivered less than this ago: the stream that got it may have died with it.
const REDELIVERED_FOR: Duration = Duration::from_secs(120);

/// An approved login can be delivered at least this long: a site may be away for a restart.
const DELIVERABLE_FOR: Duration = Duration::from_secs(600);

/// Rows are kept this long after their end, for questions asked the next day.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Rows of one page of a backlog.
pub(crate) const PAGE_ROWS: usize = 256;

/// A login request to be opened.
#[derive(Clone, Debug)]
pub(crate) struct NewLogin {
    pub(crate) id: LoginRequestId,
    pub(crate) site: SiteId,
    pub(crate) challenge: String,
    pub(crate) difficulty: u8,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
}

/// Whether a login request was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Done,
    /// The site has as many open requests as it may.
    TooMany,
}

/// The state as stored; that a pending request has expired is seen from its time alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LoginState {
    Pending,
    Approved(Approval),
    Delivered { approval: Approval, at: UnixMillis },
}

/// Who approved, with what, when; `jti` names the passport however often it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) agent: AgentId,
    pub(crate) nonce: String,
    pub(crate) jti: TokenId,
    pub(crate) at: UnixMillis,
}

/// A login request with its site, as the public challenge shows it.
#[derive(Clone, Debug)]
pub(crate) struct LoginRecord {
    pub(crate) id: LoginRequestId,
    pub(crate) site: SiteId,
    pub(crate) site_name: String,
    pub(crate) site_origin: String,
    pub(crate) site_suspended: bool,
    pub(crate) challenge: String,
    pub(crate) difficulty: u8,
    pub(crate) expires_at: UnixMillis,
    pub(crate) state: LoginState,
}

/// An approved login with all its passport says, judged at this moment.
#[derive(Clone, Debug)]
pub(crate) struct Mintable {
    pub(crate) id: LoginRequestId,
    pub(crate) site: SiteId,
    pub(crate) agent: AgentId,
    pub(crate) owner: OwnerId,
    pub(crate) owner_level: OwnerLevel,
    pub(crate) jti: TokenId,
    pub(crate) approved_at: UnixMillis,
    /// Agent, its owner, the site and its owner are all active.
    pub(crate) active: bool,
    /// The latest `not_before` of the four.
    pub(crate) not_before: UnixMillis,
}

/// Where the next page of a backlog begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) after: Option<(UnixMillis, LoginRequestId)>,
}

type Found = (
    (String, String, String, String, i64),
    (String, i64, i64, String),
    (Option<String>, Option<String>, Option<String>, Option<i64>, Option<i64>),
);

/// A tuple of sqlx reaches 16 columns, flat; this is the row as it comes.
type Flat = (
    String,
    String,
    String,
    String,
    i64,
    String,
    i64,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

impl Store {
    /// Opens a login request, unless its site has `open_max` that are neither approved nor expired.
    pub(crate) async fn open_login(&self, login: NewLogin, open_max: i64) -> Result<Opened, StoreError> {
        let sql = "INSERT INTO login_requests (id, site_id, challenge, difficulty, state, created_at, expires_at)
                   SELECT $1, $2, $3, CAST($4 AS BIGINT), 'pending', CAST($5 AS BIGINT), CAST($6 AS BIGINT)
                   WHERE (SELECT COUNT(*) FROM login_requests
                          WHERE site_id = $2 AND state = 'pending' AND expires_at > $5) < $7";
        let changed = self
            .database
            .write(move |tx| {
                let values: [Value; 7] = [
                    login.id.as_str().into(),
                    login.site.as_str().into(),
                    login.challenge.as_str().into(),
                    i64::from(login.difficulty).into(),
                    login.created_at.into(),
                    login.expires_at.into(),
                    open_max.into(),
                ];
                Box::pin(async move { tx.execute(sql, &values).await })
            })
            .await?;
        Ok(if changed == 1 { Opened::Done } else { Opened::TooMany })
    }

    /// A login request by its id.
    pub(crate) async fn login(&self, id: &LoginRequestId) -> Result<Option<LoginRecord>, StoreError> {
        let sql = "SELECT l.id, l.site_id, s.name, s.origin, s.suspended + o.suspended, l.challenge, l.difficulty,
                          l.expires_at, l.state, l.agent_id, l.nonce, l.jti, l.approved_at, l.delivered_at
                   FROM login_requests l JOIN sites s ON s.id = l.site_id JOIN owners o ON o.id = s.owner_id
                   WHERE l.id = $1";
        let row: Option<Flat> = self.database.row(sql, &[id.as_str().into()]).await?;
        row.map(
            |(
                id,
                site,
                name,
                origin,
                suspended,
                challenge,
                difficulty,
                expires,
                state,
                agent,
                nonce,
                jti,
                at,
                done,
            )| {
                record((
                    (id, site, name, origin, suspended),
                    (challenge, difficulty, expires, state),
                    (agent, nonce, jti, at, done),
                ))
            },
        )
        .transpose()
    }

    /// Approves a pending login, once: of any number of callers one gets `true`, and only if at that moment the request
    /// is neither approved nor expired, agent, site and their owners are active, and the site is on the agent's list.
    pub(crate) async fn approve_login(&self, id: LoginRequestId, approval: Approval) -> Result<bool, StoreError> {
        let sql = "UPDATE login_requests
                   SET state = 'approved', agent_id = $2, nonce = $3, jti = $4, approved_at = $5
                   WHERE id = $1 AND state = 'pending' AND expires_at > $5
                     AND EXISTS (SELECT 1 FROM agents a JOIN owners o ON o.id = a.owner_id
                                 WHERE a.id = $2 AND a.suspended = 0 AND o.suspended = 0
                                   AND (a.any_site = 1 OR EXISTS (SELECT 1 FROM agent_sites m
                                        WHERE m.agent_id = a.id AND m.site_id = login_requests.site_id)))
                     AND EXISTS (SELECT 1 FROM sites s JOIN owners o ON o.id = s.owner_id
                                 WHERE s.id = login_requests.site_id AND s.suspended = 0 AND o.suspended = 0)";
        self.database
            .write(move |tx| {
                let (id, approval) = (id.clone(), approval.clone());
                Box::pin(async move {
                    let values: [Value; 5] = [
                        id.as_str().into(),
                        approval.agent.as_str().into(),
                        approval.nonce.as_str().into(),
                        approval.jti.as_str().into(),
                        approval.at.into(),
                    ];
                    if tx.execute(sql, &values).await? == 0 {
                        return Ok(false);
                    }
                    let row = AuditRow {
                        id: format!("approved:{id}"),
                        action: "login.approved",
                        actor: approval.agent.to_string(),
                        subject: id.to_string(),
                        detail: String::new(),
                    };
                    audit(tx, &row, approval.at).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Whether a site is on an agent's list; `--any-site` is not asked here.
    pub(crate) async fn is_listed(&self, agent: &AgentId, site: &SiteId) -> Result<bool, StoreError> {
        let sql = "SELECT COUNT(*) FROM agent_sites WHERE agent_id = $1 AND site_id = $2";
        let row: Option<(i64,)> = self.database.row(sql, &[agent.as_str().into(), site.as_str().into()]).await?;
        Ok(row.is_some_and(|(count,)| count > 0))
    }

    /// Notes that an event was written whole. Only the first time counts.
    pub(crate) async fn mark_delivered(&self, ids: Vec<LoginRequestId>, now: UnixMillis) -> Result<(), StoreError> {
        let sql = "UPDATE login_requests SET state = 'delivered', delivered_at = $2
                   WHERE id = $1 AND state = 'approved'";
        self.database
            .write(move |tx| {
                let ids = ids.clone();
                Box::pin(async move {
                    for id in &ids {
                        tx.execute(sql, &[id.as_str().into(), now.into()]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// One page of what a new stream of this site gets, in the order of approval.
    pub(crate) async fn backlog(
        &self,
        site: &SiteId,
        page: &Page,
        now: UnixMillis,
    ) -> Result<Vec<(LoginRequestId, UnixMillis)>, StoreError> {
        let sql = "SELECT id, approved_at FROM login_requests
                   WHERE site_id = $1 AND (state = 'approved' OR (state = 'delivered' AND delivered_at > $2))
                     AND (expires_at > $3 OR approved_at > $4)
                     AND (approved_at > $5 OR (approved_at = $5 AND id > $6))
                   ORDER BY approved_at, id LIMIT 256";
        let (after_at, after_id) = page.after.as_ref().map_or((UnixMillis::new(-1), ""), |(at, id)| (*at, id.as_str()));
        let values: [Value; 6] = [
            site.as_str().into(),
            now.minus(REDELIVERED_FOR).into(),
            now.into(),
            now.minus(DELIVERABLE_FOR).into(),
            after_at.into(),
            after_id.into(),
        ];
        let rows: Vec<(String, i64)> = self.database.rows(sql, &values).await?;
        rows.into_iter().map(|(id, at)| Ok((request_id(id)?, UnixMillis::new(at)))).collect()
    }

    /// What a passport of this login would say, while it may still be delivered to `caller`'s streams.
    pub(crate) async fn mintable(&self, id: &LoginRequestId, now: UnixMillis) -> Result<Option<Mintable>, StoreError> {
        type Row = (String, String, String, i64, String, i64, i64, i64, i64, i64, i64);
        let sql = "SELECT l.site_id, l.agent_id, a.owner_id, ao.level, l.jti, l.approved_at,
                          a.suspended + ao.suspended + s.suspended + so.suspended,
                          a.not_before, ao.not_before, s.not_before, so.not_before
                   FROM login_requests l
                   JOIN agents a ON a.id = l.agent_id JOIN owners ao ON ao.id = a.owner_id
                   JOIN sites s ON s.id = l.site_id JOIN owners so ON so.id = s.owner_id
                   WHERE l.id = $1 AND l.state <> 'pending' AND (l.expires_at > $2 OR l.approved_at > $3)";
        let values: [Value; 3] = [id.as_str().into(), now.into(), now.minus(DELIVERABLE_FOR).into()];
        let row: Option<Row> = self.database.row(sql, &values).await?;
        row.map(|(site, agent, owner, level, jti, approved_at, suspended, n1, n2, n3, n4)| {
            Ok(Mintable {
                id: id.clone(),
                site: site.parse().map_err(|_| StoreError::Unreadable("site id"))?,
                agent: agent.parse().map_err(|_| StoreError::Unreadable("agent id"))?,
                owner: owner.parse().map_err(|_| StoreError::Unreadable("owner id"))?,
                owner_level: level_of(level)?,
                jti: jti.parse().map_err(|_| StoreError::Unreadable("token id"))?,
                approved_at: UnixMillis::new(approved_at),
                active: suspended == 0,
                not_before: UnixMillis::new(n1.max(n2).max(n3).max(n4)),
            })
        })
        .transpose()
    }

    /// Logins approved since a time, here or elsewhere: site and request.
    pub(crate) async fn approved_since(&self, since: UnixMillis) -> Result<Vec<(SiteId, LoginRequestId)>, StoreError> {
        let sql = "SELECT site_id, id FROM login_requests WHERE approved_at >= $1 ORDER BY approved_at";
        pairs(self.database.rows(sql, &[since.into()]).await?)
    }

    /// Pending logins whose time ran out after `since` and up to `now`: site and request.
    pub(crate) async fn expired_between(
        &self,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<Vec<(SiteId, LoginRequestId)>, StoreError> {
        let sql = "SELECT site_id, id FROM login_requests
                   WHERE expires_at > $1 AND expires_at <= $2 AND state = 'pending' ORDER BY expires_at";
        pairs(self.database.rows(sql, &[since.into(), now.into()]).await?)
    }

    /// Whether a caller may open logins at, and see those of, a site.
    pub(crate) async fn serves(&self, caller: &Caller, site: &SiteId) -> Result<bool, StoreError> {
        match caller {
            Caller::Site { id, .. } => Ok(id == site),
            Caller::Gateway { id, .. } => {
                let sql = "SELECT COUNT(*) FROM gateway_sites WHERE gateway_id = $1 AND site_id = $2";
                let row: Option<(i64,)> = self.database.row(sql, &[id.as_str().into(), site.as_str().into()]).await?;
                Ok(row.is_some_and(|(count,)| count > 0))
            }
        }
    }

    /// Deletes login requests that ended a day ago.
    pub(crate) async fn forget_logins(&self, now: UnixMillis) -> Result<u64, StoreError> {
        let before = now.minus(KEPT_FOR);
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM login_requests WHERE id IN
                               (SELECT id FROM login_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT 1000)";
                    tx.execute(sql, &[before.into()]).await
                })
            })
            .await
    }
}

fn request_id(id: String) -> Result<LoginRequestId, StoreError> {
    id.try_into().map_err(|_| StoreError::Unreadable("login request id"))
}

fn pairs(rows: Vec<(String, String)>) -> Result<Vec<(SiteId, LoginRequestId)>, StoreError> {
    rows.into_iter()
        .map(|(site, id)| Ok((site.try_into().map_err(|_| StoreError::Unreadable("site id"))?, request_id(id)?)))
        .collect()
}

fn record(found: Found) -> Result<LoginRecord, StoreError> {
    let ((id, site, site_name, site_origin, suspended), (challenge, difficulty, expires_at, state), approval) = found;
    let state = match (state.as_str(), approval) {
        ("pending", _) => LoginState::Pending,
        ("approved", (Some(agent), Some(nonce), Some(jti), Some(at), _)) => {
            LoginState::Approved(approval_of(agent, nonce, jti, at)?)
        }
        ("delivered", (Some(agent), Some(nonce), Some(jti), Some(at), Some(delivered_at))) => {
            LoginState::Delivered { approval: approval_of(agent, nonce, jti, at)?, at: UnixMillis::new(delivered_at) }
        }
        _ => return Err(StoreError::Unreadable("login request state")),
    };
    Ok(LoginRecord {
        id: request_id(id)?,
        site: site.try_into().map_err(|_| StoreError::Unreadable("site id"))?,
        site_name,
        site_origin,
        site_suspended: suspended != 0,
        challenge,
        difficulty: u8::try_from(difficulty).map_err(|_| StoreError::Unreadable("difficulty"))?,
        expires_at: UnixMillis::new(expires_at),
        state,
    })
}

fn approval_of(agent: String, nonce: String, jti: String, at: i64) -> Result<Approval, StoreError> {
    Ok(Approval {
        agent: agent.try_into().map_err(|_| StoreError::Unreadable("agent id"))?,
        nonce,
        jti: jti.try_into().map_err(|_| StoreError::Unreadable("token id"))?,
        at: UnixMillis::new(at),
    })
}
