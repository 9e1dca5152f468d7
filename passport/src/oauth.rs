//! Access tokens of other issuers (RFC 9068): not a passport of ours, and believed for less.

use std::time::Duration;

use serde::Deserialize;

use crate::{AgentId, Audience, Refusal, UnixTime, Verified, json, jws, verify};
use crate::{BadId, KeySet};

/// The longest a token may live. Issuers give hours, some a day.
const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// What is read of an access token of another issuer. Members we do not know are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OAuthToken {
    /// Who issued it (RFC 7519 §4.1.1).
    pub iss: String,
    /// For whom it is.
    pub aud: Audience,
    /// Who acts: the client itself, or the person it acts for.
    pub sub: String,
    /// When it was issued. RFC 9068 §2.2 asks for it.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// When it begins.
    #[serde(default)]
    pub nbf: Option<UnixTime>,
    /// What it may be used for, parted by spaces (RFC 8693 §4.2).
    #[serde(default)]
    pub scope: Option<String>,
    /// The client it was issued to (RFC 8693 §4.3).
    #[serde(default)]
    pub client_id: Option<String>,
}

/// What an access token of another issuer has to say to count.
#[derive(Clone, Copy, Debug)]
pub struct OAuthExpected<'a> {
    /// `iss`, byte for byte.
    pub issuer: &'a str,
    /// One of `aud`, byte for byte.
    pub audience: &'a str,
    /// What `typ` may be, in lower case, without `application/`.
    pub typ: &'a [Box<str>],
    /// How far the issuer's clock and ours may differ.
    pub leeway: Duration,
}

impl OAuthToken {
    /// `sub` as an agent's id. What an id cannot hold is written as `:` and two hexadecimal digits, the colon too, so that
    /// no two subjects share an id.
    ///
    /// # Errors
    /// [`BadId`] when it is empty or longer than an id.
    pub fn agent(&self) -> Result<AgentId, BadId> {
        let mut id = String::with_capacity(self.sub.len());
        for byte in self.sub.bytes() {
            if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
                id.push(char::from(byte));
            } else {
                id += &format!(":{byte:02X}");
            }
        }
        id.parse()
    }
}

/// Checks an access token of another issuer.
///
/// # Errors
/// [`Refusal`], the first one in the order of [`verify()`](crate::verify()).
pub fn verify_oauth(
    token: &str,
    keys: &KeySet,
    expected: &OAuthExpected<'_>,
    now: UnixTime,
) -> Result<Verified<OAuthToken>, Refusal> {
    let signed = jws::check_signature(token, keys)?;
    let typ = signed.typ.as_deref().and_then(verify::bare_type).map(str::to_ascii_lowercase);
    if !typ.is_some_and(|typ| expected.typ.iter().any(|accepted| **accepted == *typ)) {
        return Err(Refusal::Type);
    }
    let claims: OAuthToken = json::object(&signed.payload).map_err(|_| Refusal::Claims)?;
    if claims.iss != expected.issuer {
        return Err(Refusal::Issuer);
    }
    let is_for_us = match &claims.aud {
        Audience::One(one) => one == expected.audience,
        Audience::Many(many) => many.iter().any(|one| one == expected.audience),
    };
    if !is_for_us {
        return Err(Refusal::Audience);
    }
    let lifetime = claims.exp.since(claims.iat);
    if lifetime.is_zero() || lifetime > LIFETIME_MAX {
        return Err(Refusal::Lifetime);
    }
    verify::counts_at(now, expected.leeway, claims.iat, claims.exp, claims.nbf)?;
    Ok(Verified::new(claims, signed.kid))
}

#[cfg(test)]
mod tests;
