//! Grants: each the family of tokens that follows from one authorization. A code begins it once, refresh tokens carry it
//! on, and whatever shows that a token was copied ends it, together with what its agent holds.

mod codes;
mod ending;
mod refresh;

use std::time::Duration;

use passport::{AgentId, OwnerId};

use super::database::StoreError;
use super::{Remembered, Store};
use crate::credentials::TokenHash;
use crate::time::UnixMillis;

use codes::{add_code, add_settled_code, redeem};
use ending::{end, end_some, forget};
pub(super) use ending::{end_of_agent, end_of_consent, end_of_owner};
use refresh::{rotate, rotated_before};

/// One authorization: who may do what where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) client_name: String,
    pub(crate) agent: AgentId,
    pub(crate) owner: OwnerId,
    pub(crate) resource: String,
    /// Names with a space between (RFC 6749 §3.3).
    pub(crate) scope: String,
}

/// An authorization code to be issued, with the grant it begins.
#[derive(Clone, Debug)]
pub(crate) struct NewCode {
    pub(crate) hash: TokenHash,
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    /// The `code_challenge` (RFC 7636 §4.2), S256.
    pub(crate) challenge: String,
    pub(crate) expires_at: UnixMillis,
}

/// An authorization code as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeRecord {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) expires_at: UnixMillis,
    pub(crate) redeemed: bool,
}

/// A refresh token to be issued.
#[derive(Clone, Debug)]
pub(crate) struct NewRefresh {
    pub(crate) hash: TokenHash,
    pub(crate) expires_at: UnixMillis,
}

/// What became of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redeemed {
    Done(Grant),
    /// It was redeemed before; its family has ended.
    Replayed,
    /// There is no such code, its time is up, or its grant has ended.
    Unknown,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rotated {
    Done(Grant),
    /// It was rotated a moment ago: this is the successor it has, sealed.
    Again {
        grant: Grant,
        sealed: String,
    },
    /// It was rotated before; its family has ended now.
    Reused,
    /// There is no such token of this client, its time is up, or its family has ended.
    Unknown,
}

/// Which families end together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Families {
    OfResource,
    OfClient,
}

type FoundGrant = (String, String, String, String, String, String, String);
type FoundCode = (String, String, String, String, String, String, String, String, String, i64, Option<i64>);
impl Store {
    /// Issues a code. `Ok(false)`: the consent it rests on was withdrawn meanwhile, and nothing was kept.
    pub(crate) async fn add_code(&self, code: NewCode, now: UnixMillis) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let code = code.clone();
                Box::pin(async move { add_code(tx, &code, now).await })
            })
            .await
    }

    /// Issues a code for which the owner need not be asked. `Ok(false)`: what was settled was withdrawn or changed
    /// meanwhile, and nothing was kept.
    pub(crate) async fn add_settled_code(
        &self,
        code: NewCode,
        settled: Remembered,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let (code, settled) = (code.clone(), settled.clone());
                Box::pin(async move { add_settled_code(tx, &code, &settled, now).await })
            })
            .await
    }

    /// A code, whatever became of it.
    pub(crate) async fn code(&self, hash: &TokenHash) -> Result<Option<CodeRecord>, StoreError> {
        let sql = "SELECT g.id, g.client_id, g.client_name, g.agent_id, g.owner_id, g.resource, g.scope,
                          c.redirect_uri, c.challenge, c.expires_at, c.redeemed_at
                   FROM codes c JOIN grants g ON g.id = c.grant_id WHERE c.hash = $1";
        let row: Option<FoundCode> = self.database.row(sql, &[hash.as_str().into()]).await?;
        row.map(|(id, client, name, agent, owner, resource, scope, redirect_uri, challenge, expires_at, redeemed)| {
            Ok(CodeRecord {
                grant: grant((id, client, name, agent, owner, resource, scope))?,
                redirect_uri,
                challenge,
                expires_at: UnixMillis::new(expires_at),
                redeemed: redeemed.is_some(),
            })
        })
        .transpose()
    }

    /// Redeems a code, once: of any number of callers one gets its grant, and every later one ends the family.
    pub(crate) async fn redeem_code(
        &self,
        hash: TokenHash,
        refresh: Option<NewRefresh>,
        now: UnixMillis,
    ) -> Result<Redeemed, StoreError> {
        self.database
            .write(move |tx| {
                let (hash, refresh) = (hash.clone(), refresh.clone());
                Box::pin(async move { redeem(tx, &hash, refresh.as_ref(), now).await })
            })
            .await
    }

    /// Rotates a refresh token of `client`, once: of any number of callers one issues the successor, those within the
    /// grace get the same one as long as it was not rotated itself, and every later one ends the family.
    pub(crate) async fn rotate_refresh(
        &self,
        hash: TokenHash,
        client: String,
        successor: NewRefresh,
        sealed: String,
        grace: Duration,
        now: UnixMillis,
    ) -> Result<Rotated, StoreError> {
        self.database
            .write(move |tx| {
                let (hash, client) = (hash.clone(), client.clone());
                let (successor, sealed) = (successor.clone(), sealed.clone());
                Box::pin(async move {
                    if let Some(grant) = rotate(tx, &hash, &client, &successor, &sealed, now).await? {
                        return Ok(Rotated::Done(grant));
                    }
                    rotated_before(tx, &hash, &client, grace, now).await
                })
            })
            .await
    }

    /// Whether a family has not ended; asked again after a token of it was signed.
    pub(crate) async fn family_stands(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT COUNT(*) FROM grants WHERE id = $1 AND ended_at IS NULL";
        let row: Option<(i64,)> = self.database.row(sql, &[id.into()]).await?;
        Ok(row.is_some_and(|(count,)| count > 0))
    }

    /// Ends a family and all its agent holds. `Ok(false)`: it has ended before, or there is none.
    pub(crate) async fn end_family(
        &self,
        id: String,
        reason: &'static str,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        self.database
            .write(move |tx| {
                let id = id.clone();
                Box::pin(async move { end(tx, &id, reason, now).await })
            })
            .await
    }

    /// The grant a refresh token belongs to, whatever became of either.
    pub(crate) async fn grant_by_refresh(&self, hash: &TokenHash) -> Result<Option<Grant>, StoreError> {
        let sql = "SELECT g.id, g.client_id, g.client_name, g.agent_id, g.owner_id, g.resource, g.scope
                   FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id WHERE r.hash = $1";
        self.database.row(sql, &[hash.as_str().into()]).await?.map(grant).transpose()
    }

    /// Deletes codes, refresh tokens and grants that ended, 1,000 of each at most. How many they were.
    pub(crate) async fn forget_grants(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.database.write(move |tx| Box::pin(async move { forget(tx, now).await })).await
    }

    /// Ends every family of one client or at one resource, and all their agents hold.
    pub(super) async fn end_families(
        &self,
        which: Families,
        of: &str,
        reason: &'static str,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        loop {
            let of = of.to_owned();
            let ended = self
                .database
                .write(move |tx| {
                    let of = of.clone();
                    Box::pin(async move { end_some(tx, which, &of, reason, now).await })
                })
                .await?;
            if ended == 0 {
                return Ok(());
            }
        }
    }
}

fn grant(found: FoundGrant) -> Result<Grant, StoreError> {
    let (id, client, client_name, agent, owner, resource, scope) = found;
    Ok(Grant {
        id,
        client,
        client_name,
        agent: agent.try_into().map_err(|_| StoreError::Unreadable("agent id"))?,
        owner: owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?,
        resource,
        scope,
    })
}
