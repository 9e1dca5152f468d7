//! A token as bytes: three parts, strictly decoded, and the signature over the first two (RFC 7515 §5.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::json;
use crate::key_set::{KeySet, PublicKey};
use crate::{Algorithm, KeyId, Refusal};

/// Longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8192;

/// What a signed token said, once a key of the set has vouched for the bytes.
pub(crate) struct Signed {
    pub(crate) kid: KeyId,
    pub(crate) typ: Option<String>,
    pub(crate) payload: Vec<u8>,
}

/// The members of a JOSE header (RFC 7515 §4.1) that decide something. `jku`, `jwk`, `x5u` and the like are never
/// followed: the key set is the only source of keys.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<KeyId>,
    #[serde(default)]
    typ: Option<String>,
    /// Presence counts, whatever the value: `null` too.
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(value).map(Some)
}

struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signed: &'a str,
}

/// Checks the signature of `token` with the key its header names, and nothing else.
pub(crate) fn check_signature(token: &str, keys: &KeySet) -> Result<Signed, Refusal> {
    let unchecked = Unchecked::parse(token)?;
    let kid = unchecked.kid.clone().ok_or(Refusal::Malformed)?;
    let key = keys.key(&kid).ok_or(Refusal::UnknownKey)?;
    unchecked.check(key)?;
    Ok(Signed { kid, typ: unchecked.typ, payload: unchecked.payload })
}

/// A token of the right form, of which nothing is believed yet.
pub(crate) struct Unchecked<'a> {
    pub(crate) kid: Option<KeyId>,
    pub(crate) typ: Option<String>,
    pub(crate) payload: Vec<u8>,
    algorithm: Algorithm,
    signature: Vec<u8>,
    signed: &'a str,
}

impl<'a> Unchecked<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refusal> {
        let parts = split(token)?;
        let header: Header = json::object(&decode(parts.header)?).map_err(|_| Refusal::Malformed)?;
        if header.crit.is_some() {
            return Err(Refusal::Critical);
        }
        let algorithm = Algorithm::ALL.into_iter().find(|known| header.alg == known.as_str());
        Ok(Self {
            algorithm: algorithm.ok_or(Refusal::Algorithm)?,
            kid: header.kid,
            typ: header.typ,
            payload: decode(parts.payload)?,
            signature: decode(parts.signature)?,
            signed: parts.signed,
        })
    }

    /// Whether `key` made the signature, with its own algorithm.
    pub(crate) fn check(&self, key: &PublicKey) -> Result<(), Refusal> {
        if self.algorithm != key.algorithm {
            return Err(Refusal::Algorithm);
        }
        key.check(self.signed.as_bytes(), &self.signature)
    }
}

/// What a token claims of itself before anything is checked: enough to choose whom to ask, never enough to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// `kid` of the header.
    pub kid: Option<KeyId>,
    /// `iss` of the payload.
    pub iss: String,
    /// `aud` of the payload: what there is of texts in it.
    pub audiences: Vec<String>,
    /// `domain` of the payload.
    pub domain: Option<String>,
}

/// Reads what looks like a JWT; `None` for anything else, however long.
#[must_use]
pub fn unverified(token: &str) -> Option<Unverified> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
        #[serde(default)]
        aud: Value,
        #[serde(default)]
        domain: Value,
    }
    #[derive(Deserialize)]
    struct Key {
        #[serde(default)]
        kid: Option<KeyId>,
    }
    let parts = split(token).ok()?;
    let claims: Claims = serde_json::from_slice(&decode(parts.payload).ok()?).ok()?;
    let header: Option<Key> = decode(parts.header).ok().and_then(|header| serde_json::from_slice(&header).ok());
    let text = |value: Value| if let Value::String(text) = value { Some(text) } else { None };
    Some(Unverified {
        kid: header.and_then(|header| header.kid),
        iss: claims.iss,
        audiences: if let Value::Array(all) = claims.aud {
            all.into_iter().filter_map(text).collect()
        } else {
            text(claims.aud).into_iter().collect()
        },
        domain: text(claims.domain),
    })
}

fn split(token: &str) -> Result<Parts<'_>, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    Ok(Parts { header, payload, signature, signed })
}

/// Strict base64url (RFC 7515 §2): no padding, no white space, no stray bits at the end.
fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}
