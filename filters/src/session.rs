//! Sessions: what the gateway gives an agent after a login. Sealed and stateless, so that every node that shares the
//! secret takes them, and no node keeps them.

use std::time::Duration;

use config::Site;
use passport::{AgentId, KeyId, LoginPassport, OwnerId, OwnerLevel, UnixTime, Verified};
use serde::{Deserialize, Serialize};

mod keys;

pub(crate) use keys::{KeyTag, tag_of};
pub use keys::{LoginSecret, SessionKeys};

/// What every session begins with, so that one is known at sight.
pub const SESSION_PREFIX: &str = "ls1.";

/// The longest a session may live, whatever a configuration says.
pub const SESSION_TTL_MAX: Duration = Duration::from_hours(24);

/// What a session says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The session's own name, for logs.
    pub sid: String,
    /// The agent that logged in.
    pub agent: AgentId,
    /// Its owner.
    pub owner: OwnerId,
    /// How well the issuer knows the owner.
    pub owner_level: OwnerLevel,
    /// The key that signed the login passport: a session falls with it.
    pub kid: KeyId,
    /// `iat` of the login passport: revocations count from here.
    pub login_at: UnixTime,
    /// When it ends.
    #[serde(rename = "exp")]
    pub expires_at: UnixTime,
}

impl Session {
    /// The session that a verified login passport begins at a site.
    #[must_use]
    pub fn begin(sid: String, passport: &Verified<LoginPassport>, site: &Site) -> Self {
        Self {
            sid,
            agent: passport.sub.clone(),
            owner: passport.user_id.clone(),
            owner_level: passport.user_kyc_level,
            kid: passport.kid().clone(),
            login_at: passport.iat,
            expires_at: passport.iat.plus(site.session_ttl.min(SESSION_TTL_MAX)),
        }
    }

    /// When it ends here: a site may have shortened its sessions since this one began.
    pub(crate) fn ends_at(&self, site: &Site) -> UnixTime {
        self.expires_at.min(self.login_at.plus(site.session_ttl.min(SESSION_TTL_MAX)))
    }
}

#[cfg(test)]
mod tests;
