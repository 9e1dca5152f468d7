//! Nothing else signs.

use std::sync::Arc;
use std::time::Duration;

use passport::{
    AccessToken, Audience, LoginPassport, Passport, PassportVersion, ResourceToken, SigningKey, TokenId, UnixTime,
};
use tokio::sync::Semaphore;

use crate::store::{CallerRecord, Mintable, ResourceRecord};
use crate::time::UnixMillis;

/// Signs off the runtime's threads, as many at a time as there are processors: a signature takes a third of a
/// millisecond, and a burst of them must not stand in the way of everything else.
#[derive(Debug)]
pub(crate) struct Signer {
    issuer: String,
    login_ttl: Duration,
    access_ttl: Duration,
    slots: Arc<Semaphore>,
}

/// What the access token of an OAuth client says beside who acts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForResource<'a> {
    pub(crate) resource: &'a ResourceRecord,
    pub(crate) client: &'a str,
    pub(crate) scope: &'a str,
    /// The grant it comes from, where an owner gave one: whoever revokes the token ends that.
    pub(crate) grant: Option<&'a str>,
}

/// No passport was made; it was logged why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSigned;

impl Signer {
    pub(crate) fn new(issuer: String, login_ttl: Duration, access_ttl: Duration) -> Self {
        let slots = std::thread::available_parallelism().map_or(1, usize::from);
        Self { issuer, login_ttl, access_ttl, slots: Arc::new(Semaphore::new(slots)) }
    }

    /// The login passport of an approved login, signed afresh, with the `jti` it always has.
    pub(crate) async fn login(
        &self,
        key: Arc<SigningKey>,
        login: &Mintable,
        now: UnixMillis,
    ) -> Result<String, NotSigned> {
        let iat = issued_at(now, login.not_before);
        let passport = LoginPassport {
            iss: self.issuer.clone(),
            aud: LoginPassport::audience(),
            sub: login.agent.clone(),
            iat,
            exp: iat.plus(self.login_ttl),
            nbf: None,
            jti: login.jti.clone(),
            request_id: login.id.clone(),
            site_id: login.site.clone(),
            user_id: login.owner.clone(),
            user_kyc_level: login.owner_level,
            passport_version: PassportVersion,
        };
        self.sign(key, passport).await
    }

    /// An access token for `domain`. `not_before` is the latest of the agent's and the site's.
    pub(crate) async fn access(
        &self,
        key: Arc<SigningKey>,
        agent: &CallerRecord,
        domain: String,
        not_before: UnixMillis,
        now: UnixMillis,
    ) -> Result<String, NotSigned> {
        let iat = issued_at(now, not_before);
        let token = AccessToken {
            iss: self.issuer.clone(),
            aud: AccessToken::audience(),
            sub: agent.id.clone(),
            iat,
            exp: iat.plus(self.access_ttl),
            nbf: None,
            jti: token_id().ok_or(NotSigned)?,
            domain,
            owner: Some(agent.owner.clone()),
            owner_level: agent.owner_level,
            scope: None,
        };
        self.sign(key, token).await
    }

    /// An access token of an OAuth client for one resource.
    pub(crate) async fn resource(
        &self,
        key: Arc<SigningKey>,
        agent: &CallerRecord,
        claims: ForResource<'_>,
        now: UnixMillis,
    ) -> Result<String, NotSigned> {
        let ForResource { resource, client, scope, grant } = claims;
        let iat = issued_at(now, agent.not_before.max(resource.not_before));
        let token = ResourceToken {
            iss: self.issuer.clone(),
            aud: Audience::One(resource.url.clone()),
            sub: agent.id.clone(),
            iat,
            exp: iat.plus(self.access_ttl),
            nbf: None,
            jti: token_id_of(grant).ok_or(NotSigned)?,
            client_id: client.to_owned(),
            scope: Some(scope.to_owned()),
            owner: agent.owner.clone(),
            owner_level: agent.owner_level,
        };
        self.sign(key, token).await
    }

    pub(crate) const fn access_ttl(&self) -> Duration {
        self.access_ttl
    }

    async fn sign<P: Passport + Send + 'static>(&self, key: Arc<SigningKey>, passport: P) -> Result<String, NotSigned> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| NotSigned)?;
        let signed = tokio::task::spawn_blocking(move || {
            let signed = key.sign(&passport);
            drop(slot);
            signed
        });
        signed.await.map_err(|_| NotSigned)?.map_err(|error| {
            tracing::error!(%error, "a passport was not signed");
            NotSigned
        })
    }
}

/// A new `jti`.
pub(crate) fn token_id() -> Option<TokenId> {
    uuid::Uuid::new_v4().to_string().try_into().ok()
}

/// A new `jti` that begins with the grant the token comes from.
fn token_id_of(grant: Option<&str>) -> Option<TokenId> {
    let id = uuid::Uuid::new_v4();
    grant.map_or_else(|| id.to_string(), |grant| format!("{grant}.{id}")).try_into().ok()
}

/// Later than `not_before` in whole seconds, since a verifier refuses what was issued in that very second: an agent that
/// was just resumed must not get a token that is refused.
fn issued_at(now: UnixMillis, not_before: UnixMillis) -> UnixTime {
    let earliest =
        if not_before.get() == 0 { UnixTime::from_secs(0) } else { not_before.secs().plus(Duration::from_secs(1)) };
    now.secs().max(earliest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_issued_in_the_second_of_a_resume() {
        let resumed = UnixMillis::new(10_400);
        assert_eq!(issued_at(UnixMillis::new(10_900), resumed).as_secs(), 11);
        assert_eq!(issued_at(UnixMillis::new(11_000), resumed).as_secs(), 11);
        assert_eq!(issued_at(UnixMillis::new(12_000), resumed).as_secs(), 12);
        assert_eq!(issued_at(UnixMillis::new(900), UnixMillis::new(0)).as_secs(), 0);
    }
}
