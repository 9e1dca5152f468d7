//! Who an agent is, once a credential was verified, and how the origin is told.

use http::HeaderValue;
use passport::{AgentId, KeyId, OwnerId, OwnerLevel, UnixTime};

/// How sure we are of who asks. One ladder for policy, limits, logs and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Nothing was shown, or nothing that counts.
    Unknown,
    /// A gateway challenge was solved.
    Cleared,
    /// A verified HTTP message signature.
    Signed,
    /// An issuer vouches: an access token, or a session that began with a login passport.
    Passport,
}

impl Trust {
    /// The word in logs and in `Lime-Agent-Trust`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Cleared => "cleared",
            Self::Signed => "signed",
            Self::Passport => "passport",
        }
    }
}

/// What an agent showed to be identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownAs {
    /// An access token of an issuer.
    AccessToken,
    /// A session that this fleet sealed after a login.
    Session,
}

impl ShownAs {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::Session => "session",
        }
    }
}

/// An agent that was identified. Only verification makes one.
#[derive(Debug)]
pub struct Identity {
    /// The agent.
    pub agent: AgentId,
    /// Its owner, where the issuer says.
    pub owner: Option<OwnerId>,
    /// How well the issuer knows the owner.
    pub owner_level: OwnerLevel,
    /// When the issuer signed what this rests on; for a session, the login passport. Revocations count from here.
    pub issued_at: UnixTime,
    /// When the credential ends.
    pub expires_at: UnixTime,
    /// The key that signed it.
    pub kid: Option<KeyId>,
    /// What was shown.
    pub shown_as: ShownAs,
    /// What the credential may be used for (RFC 6749 §3.3).
    pub scopes: Scopes,
    /// Which of the site's issuers stands behind it, in their order.
    pub issuer: usize,
    /// The OAuth client that acts in the agent's name, where the credential says.
    pub client: Option<Box<str>>,
    /// The resource that the credential is for, where it is for one alone (RFC 8707).
    pub resource: Option<Box<str>>,
    pub(crate) headers: IdentityHeaders,
}

/// An identity as header values, made once so that a request costs a reference count each.
#[derive(Debug)]
pub(crate) struct IdentityHeaders {
    pub(crate) agent: HeaderValue,
    pub(crate) owner: Option<HeaderValue>,
    pub(crate) owner_level: HeaderValue,
}

/// Scopes as a token says them: parted by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Box<str>);

impl Scopes {
    pub(crate) fn new(text: Option<String>) -> Self {
        Self(text.unwrap_or_default().into())
    }

    /// Whether a scope is among them.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.split(' ').any(|one| one == scope)
    }

    /// All of them that are scopes (RFC 6749 §3.3): what else stands there cannot be asked for again.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        self.0.split(' ').filter(move |one| !one.is_empty() && one.bytes().all(is_allowed))
    }
}

/// Whom a credential is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) agent: AgentId,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) owner_level: OwnerLevel,
    pub(crate) scopes: Scopes,
    /// Who acts in its name.
    pub(crate) client: Option<Box<str>>,
}

/// Who stands behind it.
#[derive(Debug)]
pub(crate) struct Vouched {
    pub(crate) issuer: usize,
    pub(crate) kid: KeyId,
    pub(crate) shown_as: ShownAs,
    /// What for, where it is for one thing alone.
    pub(crate) resource: Option<Box<str>>,
}

/// From when to when a credential counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
}

impl Identity {
    /// `None` when an id could not stand in a header. Ids are made so that each can.
    pub(crate) fn new(subject: Subject, validity: Validity, vouched: Vouched) -> Option<Self> {
        let Subject { agent, owner, owner_level, scopes, client } = subject;
        let Vouched { issuer, kid, shown_as, resource } = vouched;
        let headers = IdentityHeaders {
            agent: HeaderValue::from_str(agent.as_str()).ok()?,
            owner: owner.as_ref().map(|owner| HeaderValue::from_str(owner.as_str())).transpose().ok()?,
            owner_level: HeaderValue::from(u16::from(owner_level.get())),
        };
        let Validity { issued_at, expires_at } = validity;
        Some(Self {
            agent,
            owner,
            owner_level,
            issued_at,
            expires_at,
            kid: Some(kid),
            shown_as,
            scopes,
            issuer,
            client,
            resource,
            headers,
        })
    }

    /// The rung this identity stands on.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        match self.shown_as {
            ShownAs::AccessToken | ShownAs::Session => Trust::Passport,
        }
    }
}
