//! What a passport says: one type a kind. Members we do not know are ignored (RFC 7519 §4), members we do know have one
//! type each: times are whole seconds, ids are ids.

use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AgentId, BindingId, LoginRequestId, OwnerId, OwnerLevel, SiteId, TokenId, UnixTime};

/// The only `passport_version` there is.
pub const PASSPORT_VERSION: &str = "3";

/// Tells a site who logs in. Lives 120 s at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginPassport {
    /// The issuer's origin.
    pub iss: String,
    /// Always `lime-site-login`, never in a list.
    pub aud: Audience,
    /// The agent that approved the login.
    pub sub: AgentId,
    /// When it was signed.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// Not before, where an issuer sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<UnixTime>,
    /// The same each time this login is delivered.
    pub jti: TokenId,
    /// The login request that was approved.
    pub request_id: LoginRequestId,
    /// The site that opened it.
    pub site_id: SiteId,
    /// The agent's owner.
    pub user_id: OwnerId,
    /// How well the issuer knows the owner.
    pub user_kyc_level: OwnerLevel,
    /// The version of this layout.
    pub passport_version: PassportVersion,
}

/// What an agent shows at one domain. Lives an hour at most (RFC 9068, where the names agree).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// The issuer's origin.
    pub iss: String,
    /// `mcp`, or a list that contains it.
    pub aud: Audience,
    /// The agent.
    pub sub: AgentId,
    /// When it was signed.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// Not before, where an issuer sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<UnixTime>,
    /// The token's own name.
    pub jti: TokenId,
    /// The host this token is for, in lower case.
    pub domain: String,
    /// The agent's owner, where the issuer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// How well the issuer knows the owner; not said is level 0.
    #[serde(default)]
    pub owner_level: OwnerLevel,
    /// What it may be used for, parted by spaces (RFC 8693 §4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Ties an agent to an account at a site. Lives 60 s at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingPassport {
    /// The issuer's origin.
    pub iss: String,
    /// Always `lime-binding`, never in a list.
    pub aud: Audience,
    /// The agent that is bound.
    pub sub: AgentId,
    /// When it was signed.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// Not before, where an issuer sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<UnixTime>,
    /// The passport's own name.
    pub jti: TokenId,
    /// The binding this completes.
    pub binding_id: BindingId,
    /// The site that asked for it.
    pub site_id: SiteId,
    /// The agent's owner.
    pub user_id: OwnerId,
    /// How well the issuer knows the owner.
    pub user_kyc_level: OwnerLevel,
    /// The version of this layout.
    pub passport_version: PassportVersion,
}

/// A kind of passport. Sealed: the four types of this crate and no other.
pub trait Passport: Serialize + DeserializeOwned + Sealed {
    /// `typ` of the header (RFC 8725 §3.11).
    const TYP: &'static str;
    /// The longest such a passport may live.
    const LIFETIME_MAX: Duration;

    /// The `aud` to sign with.
    #[must_use]
    fn audience() -> Audience
    where
        Self: FixedAudience,
    {
        Audience::One(Self::AUDIENCE.to_owned())
    }

    /// Whether an `aud` names this kind.
    fn is_audience(audience: &Audience) -> bool;

    /// The claims every kind has.
    fn registered(&self) -> Registered<'_>;
}

/// A kind of passport whose `aud` is always the same. That of a [`ResourceToken`](crate::ResourceToken) is its resource.
pub trait FixedAudience: Passport {
    /// `aud` of the payload.
    const AUDIENCE: &'static str;
}

/// The claims that decide whether a passport counts, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub struct Registered<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub audience: &'a Audience,
    /// Whom it is made out to: a site id, a domain, or the URL of a resource.
    pub recipient: &'a str,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
}

pub(crate) use sealed::Sealed;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::LoginPassport {}
    impl Sealed for super::AccessToken {}
    impl Sealed for super::BindingPassport {}
}

impl FixedAudience for LoginPassport {
    const AUDIENCE: &'static str = "lime-site-login";
}

impl FixedAudience for AccessToken {
    const AUDIENCE: &'static str = "mcp";
}

impl FixedAudience for BindingPassport {
    const AUDIENCE: &'static str = "lime-binding";
}

fn is_alone<P: FixedAudience>(audience: &Audience) -> bool {
    matches!(audience, Audience::One(one) if one == P::AUDIENCE)
}

impl Passport for LoginPassport {
    const TYP: &'static str = "lime-login+jwt";
    const LIFETIME_MAX: Duration = Duration::from_secs(120);

    fn is_audience(audience: &Audience) -> bool {
        is_alone::<Self>(audience)
    }

    fn registered(&self) -> Registered<'_> {
        Registered {
            issuer: &self.iss,
            audience: &self.aud,
            recipient: self.site_id.as_str(),
            issued_at: self.iat,
            expires_at: self.exp,
            not_before: self.nbf,
        }
    }
}

impl Passport for AccessToken {
    const TYP: &'static str = "at+jwt";
    const LIFETIME_MAX: Duration = Duration::from_secs(3600);

    /// Here a list will do (RFC 9068 §2.2), so that a token can also name a resource.
    fn is_audience(audience: &Audience) -> bool {
        match audience {
            Audience::One(one) => one == Self::AUDIENCE,
            Audience::Many(many) => many.iter().any(|one| one == Self::AUDIENCE),
        }
    }

    fn registered(&self) -> Registered<'_> {
        Registered {
            issuer: &self.iss,
            audience: &self.aud,
            recipient: &self.domain,
            issued_at: self.iat,
            expires_at: self.exp,
            not_before: self.nbf,
        }
    }
}

impl Passport for BindingPassport {
    const TYP: &'static str = "lime-binding+jwt";
    const LIFETIME_MAX: Duration = Duration::from_secs(60);

    fn is_audience(audience: &Audience) -> bool {
        is_alone::<Self>(audience)
    }

    fn registered(&self) -> Registered<'_> {
        Registered {
            issuer: &self.iss,
            audience: &self.aud,
            recipient: self.site_id.as_str(),
            issued_at: self.iat,
            expires_at: self.exp,
            not_before: self.nbf,
        }
    }
}

/// `aud`: one name or a list (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single name.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// `passport_version`: can only be [`PASSPORT_VERSION`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassportVersion;

impl Serialize for PassportVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(PASSPORT_VERSION)
    }
}

impl<'de> Deserialize<'de> for PassportVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = String::deserialize(deserializer)?;
        if version == PASSPORT_VERSION { Ok(Self) } else { Err(D::Error::custom("unknown passport_version")) }
    }
}
