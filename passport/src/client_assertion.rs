//! What a client signs to say who it is (RFC 7523 §2.2): no passport, and believed for one request.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::jws::Unchecked;
use crate::key_set::{PublicKey, members};
use crate::{Audience, KeyId, KeySetError, Refusal, UnixTime, json, verify};

/// How far ahead `exp` may lie: what was signed for one request needs minutes, and is remembered for as long.
const AHEAD_MAX: Duration = Duration::from_mins(10);

/// Keys of one client. Of an assertion that names none of them each is tried.
const CLIENT_KEYS_MAX: usize = 8;

/// 65537, as nearly every RSA key has it.
const EXPONENT_MAX: [u8; 3] = [1, 0, 1];

/// Longest `jti`, in bytes.
const JTI_BYTES_MAX: usize = 256;

/// What `typ` may be where there is one, in lower case: that of any JWT, and the one that is for this alone.
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];

/// Claims by which a client says who it is. Members we do not know are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ClientAssertion {
    /// The client, as the one who signs.
    pub iss: String,
    /// The client, as the one it is about.
    pub sub: String,
    /// For whom it is.
    pub aud: Audience,
    /// When it ends.
    pub exp: UnixTime,
    /// Its name, once only.
    pub jti: String,
    /// When it was signed.
    #[serde(default)]
    pub iat: Option<UnixTime>,
    /// When it begins.
    #[serde(default)]
    pub nbf: Option<UnixTime>,
}

impl ClientAssertion {
    /// `sub` of what looks like a JWT, before anything is checked: enough to choose whose keys to ask for.
    #[must_use]
    pub fn unverified_subject(token: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Subject {
            sub: String,
        }
        let unchecked = Unchecked::parse(token).ok()?;
        json::object::<Subject>(&unchecked.payload).ok().map(|claims| claims.sub)
    }
}

/// What an assertion has to say to count.
#[derive(Clone, Copy, Debug)]
pub struct ClientExpected<'a> {
    /// `iss` and `sub`, byte for byte.
    pub client_id: &'a str,
    /// One of these has to be one of `aud`, byte for byte: the issuer, or the endpoint that is asked (RFC 7523 §3).
    pub audiences: &'a [&'a str],
    /// How far the client's clock and ours may differ.
    pub leeway: Duration,
}

/// The keys of one client. Unlike an issuer's they may go without names: many a client has a single one.
pub struct ClientKeys {
    keys: Vec<(Option<KeyId>, PublicKey)>,
}

impl ClientKeys {
    /// Reads a client's key set (RFC 7591 §2), of eight keys at most. Keys that we could not verify with are skipped, and RSA
    /// keys with an exponent above 65537.
    ///
    /// # Errors
    /// [`KeySetError`] when nothing usable is left or the document is not what it should be.
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeySetError> {
        let members = members(document, CLIENT_KEYS_MAX)?;
        let keys: Vec<_> = members.iter().filter(|key| is_cheap(key)).filter_map(PublicKey::from_json).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self { keys }) }
    }

    /// A name chooses; without one on either side every key is tried. The last refusal says most: a key that fits the
    /// algorithm stands behind one that does not.
    fn check(&self, token: &Unchecked<'_>) -> Result<(), Refusal> {
        let is_meant = |kid: &Option<KeyId>| kid.is_none() || token.kid.is_none() || *kid == token.kid;
        let mut refusal = Refusal::UnknownKey;
        for (_, key) in self.keys.iter().filter(|(kid, _)| is_meant(kid)) {
            match token.check(key) {
                Ok(()) => return Ok(()),
                Err(Refusal::Algorithm) if refusal == Refusal::Signature => {}
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }
}

/// Whether an RSA key has an exponent of the usual size: a client chooses what verifying it costs us.
fn is_cheap(key: &serde_json::Value) -> bool {
    let Some(exponent) = key.get("e").and_then(serde_json::Value::as_str) else { return true };
    let exponent = URL_SAFE_NO_PAD.decode(exponent).unwrap_or_default();
    exponent.len() < EXPONENT_MAX.len() || (exponent.len() == EXPONENT_MAX.len() && exponent[..] <= EXPONENT_MAX[..])
}

impl fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.iter().map(|(kid, _)| kid)).finish()
    }
}

/// Checks what a client signed to say who it is (RFC 7523 §3). Whoever takes it has to see to it that its `jti` counts
/// once.
///
/// # Errors
/// [`Refusal`], the first one in the order of [`verify()`](crate::verify()).
pub fn verify_client_assertion(
    token: &str,
    keys: &ClientKeys,
    expected: &ClientExpected<'_>,
    now: UnixTime,
) -> Result<ClientAssertion, Refusal> {
    let token = Unchecked::parse(token)?;
    keys.check(&token)?;
    if let Some(typ) = &token.typ {
        let typ = verify::bare_type(typ).map(str::to_ascii_lowercase);
        if !typ.is_some_and(|typ| TYPES.contains(&typ.as_str())) {
            return Err(Refusal::Type);
        }
    }
    let claims: ClientAssertion = json::object(&token.payload).map_err(|_| Refusal::Claims)?;
    if !(1..=JTI_BYTES_MAX).contains(&claims.jti.len()) {
        return Err(Refusal::Claims);
    }
    if claims.iss != expected.client_id || claims.sub != expected.client_id {
        return Err(Refusal::Issuer);
    }
    let is_ours = |audience: &String| expected.audiences.contains(&audience.as_str());
    let is_for_us = match &claims.aud {
        Audience::One(one) => is_ours(one),
        Audience::Many(many) => many.iter().any(is_ours),
    };
    if !is_for_us {
        return Err(Refusal::Audience);
    }
    if claims.exp > now.plus(AHEAD_MAX) {
        return Err(Refusal::Lifetime);
    }
    verify::counts_at(now, expected.leeway, claims.iat.unwrap_or(now), claims.exp, claims.nbf)?;
    Ok(claims)
}

#[cfg(test)]
mod tests;
