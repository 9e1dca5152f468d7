//! The one way to believe a token.

use std::ops::Deref;
use std::time::Duration;

use crate::jws;
use crate::{KeyId, KeySet, Passport, Refusal, UnixTime, json};

/// What a token must say to be meant for us.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`, byte for byte.
    pub issuer: &'a str,
    /// Whom it must be made out to: the site id of a login or binding passport, the domain of an access token, the URL of
    /// a resource token.
    pub recipient: &'a str,
    /// How far the issuer's clock and ours may differ.
    pub leeway: Duration,
}

/// A passport that [`verify`] has accepted. Nothing else can make one, so a function that takes it cannot be reached
/// with an unchecked token.
#[derive(Clone, Debug)]
pub struct Verified<P> {
    passport: P,
    kid: KeyId,
}

impl<P> Verified<P> {
    /// For those who have checked.
    pub(crate) const fn new(passport: P, kid: KeyId) -> Self {
        Self { passport, kid }
    }

    /// The key that signed it.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The claims alone, without the proof that they were checked.
    #[must_use]
    pub fn into_inner(self) -> P {
        self.passport
    }
}

impl<P> Deref for Verified<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.passport
    }
}

/// Verifies `token` as a passport of kind `P` (RFC 7519 §7.2, RFC 8725 §3).
///
/// Order: size, form, `crit`, algorithm, key, signature, type, claims, then what they say. What comes after the
/// signature is told only to those who could have had the issuer sign it.
///
/// # Errors
/// The first [`Refusal`] that applies.
pub fn verify<P: Passport>(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
    now: UnixTime,
) -> Result<Verified<P>, Refusal> {
    let signed = jws::check_signature(token, keys)?;
    if !signed.typ.as_deref().is_some_and(is_typ::<P>) {
        return Err(Refusal::Type);
    }
    let passport: P = json::object(&signed.payload).map_err(|_| Refusal::Claims)?;
    meant_for_us(&passport, expected, now)?;
    Ok(Verified::new(passport, signed.kid))
}

fn meant_for_us<P: Passport>(passport: &P, expected: &Expected<'_>, now: UnixTime) -> Result<(), Refusal> {
    let claims = passport.registered();
    if claims.issuer != expected.issuer {
        return Err(Refusal::Issuer);
    }
    if !P::is_audience(claims.audience) {
        return Err(Refusal::Audience);
    }
    if claims.recipient != expected.recipient {
        return Err(Refusal::Recipient);
    }
    if !lifetime_fits(passport) {
        return Err(Refusal::Lifetime);
    }
    counts_at(now, expected.leeway, claims.issued_at, claims.expires_at, claims.not_before)
}

pub(crate) fn counts_at(
    now: UnixTime,
    leeway: Duration,
    issued_at: UnixTime,
    expires_at: UnixTime,
    not_before: Option<UnixTime>,
) -> Result<(), Refusal> {
    if expires_at.plus(leeway) <= now {
        return Err(Refusal::Expired);
    }
    let latest = now.plus(leeway);
    if issued_at > latest || not_before.is_some_and(|not_before| not_before > latest) {
        return Err(Refusal::NotYetValid);
    }
    Ok(())
}

fn is_typ<P: Passport>(typ: &str) -> bool {
    bare_type(typ).is_some_and(|bare| bare.eq_ignore_ascii_case(P::TYP))
}

/// Media types are compared without case, and `application/` may be left out (RFC 7515 §4.1.9).
pub(crate) fn bare_type(typ: &str) -> Option<&str> {
    match typ.split_once('/') {
        Some((family, bare)) if family.eq_ignore_ascii_case("application") => Some(bare),
        Some(_) => None,
        None => Some(typ),
    }
}

pub(crate) fn lifetime_fits<P: Passport>(passport: &P) -> bool {
    let claims = passport.registered();
    let lifetime = claims.expires_at.since(claims.issued_at);
    !lifetime.is_zero() && lifetime <= P::LIFETIME_MAX
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
