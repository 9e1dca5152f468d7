//! Whom we believe: a JWK set (RFC 7517 §5) with every key parsed once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::{Algorithm, KeyId, Refusal};

/// Largest key-set document that is read, in bytes.
pub const JWKS_BYTES_MAX: usize = 64 * 1024;

/// Most keys in one document.
pub const KEYS_MAX: usize = 64;

/// Modulus sizes taken, in bytes: 2048 to 4096 bits. Less can be broken, more costs a verifier too much.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// A public RSA signature key as it is published (RFC 7517 §4, RFC 7518 §6.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: String,
    alg: String,
    kid: KeyId,
    n: String,
    e: String,
}

impl Jwk {
    pub(crate) fn rs256(kid: KeyId, modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            kty: "RSA".into(),
            usage: "sig".into(),
            alg: "RS256".into(),
            kid,
            n: URL_SAFE_NO_PAD.encode(modulus),
            e: URL_SAFE_NO_PAD.encode(exponent),
        }
    }

    /// The key's name.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }
}

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Whether a JWK holds what nobody but its owner may know: it has been where it should not be.
#[must_use]
pub fn is_private(jwk: &serde_json::Map<String, serde_json::Value>) -> bool {
    PRIVATE.iter().any(|member| jwk.contains_key(*member))
}

/// The document that publishes `keys`, in their order.
#[must_use]
pub fn jwks_document<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> String {
    let keys: Vec<&Jwk> = keys.into_iter().collect();
    serde_json::json!({ "keys": keys }).to_string()
}

/// Why a key-set document is refused as a whole. What was known before stays known.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Longer than [`JWKS_BYTES_MAX`].
    #[error("key set longer than 65536 bytes")]
    TooLong,
    /// Not `{"keys":[{..},..]}`.
    #[error("not a JWK set")]
    Malformed(#[source] serde_json::Error),
    /// More keys than so many, which is [`KEYS_MAX`] for an issuer.
    #[error("more than {0} keys")]
    TooMany(usize),
    /// Two keys of one name: which of them signed?
    #[error("kid {0} stands twice in the key set")]
    DuplicateKid(KeyId),
    /// A document without a single key we could use.
    #[error("no signature key of an accepted algorithm in the key set (RSA keys have 2048 to 4096 bits)")]
    Empty,
}

/// Keys of one issuer, parsed once and cheap to share. Swap it whole; it never changes.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: HashMap<KeyId, Arc<PublicKey>>,
}

impl KeySet {
    /// Reads a published key set of which RS256 keys count.
    ///
    /// # Errors
    /// As [`from_jwks_of`](Self::from_jwks_of).
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeySetError> {
        Self::from_jwks_of(document, &[Algorithm::Rs256])
    }

    /// Reads a published key set. Keys that are not for signatures of these algorithms are skipped, as RFC 7517 §5 asks.
    ///
    /// # Errors
    /// [`KeySetError`] when nothing usable is left or the document is not what it should be.
    pub fn from_jwks_of(document: &[u8], accepted: &[Algorithm]) -> Result<Self, KeySetError> {
        let mut keys = HashMap::new();
        for member in members(document, KEYS_MAX)? {
            let Some((Some(kid), key)) = PublicKey::from_json(&member) else { continue };
            if !accepted.contains(&key.algorithm) {
                continue;
            }
            if keys.insert(kid.clone(), Arc::new(key)).is_some() {
                return Err(KeySetError::DuplicateKid(kid));
            }
        }
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self { keys }) }
    }

    /// A set without the keys of these names; for keys an issuer revoked after it had published them.
    #[must_use]
    pub fn without<'a>(&self, revoked: impl IntoIterator<Item = &'a KeyId>) -> Self {
        let mut keys = self.keys.clone();
        for kid in revoked {
            keys.remove(kid);
        }
        Self { keys }
    }

    /// Whether a key of this name is here.
    #[must_use]
    pub fn contains(&self, kid: &KeyId) -> bool {
        self.keys.contains_key(kid)
    }

    /// The names of the keys, in no order.
    pub fn kids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.keys()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none, so that every token is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn key(&self, kid: &KeyId) -> Option<&PublicKey> {
        self.keys.get(kid).map(Arc::as_ref)
    }
}

/// The keys of a document as they stand in it, each of any kind.
pub(crate) fn members(document: &[u8], keys_max: usize) -> Result<Vec<serde_json::Value>, KeySetError> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    if document.len() > JWKS_BYTES_MAX {
        return Err(KeySetError::TooLong);
    }
    let document: Document = json::object(document).map_err(KeySetError::Malformed)?;
    if document.keys.len() > keys_max { Err(KeySetError::TooMany(keys_max)) } else { Ok(document.keys) }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

/// A key that checks one algorithm and no other: it comes from here, never from a token.
pub(crate) struct PublicKey {
    pub(crate) algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

impl PublicKey {
    /// A key and its name, if it has one. `None` for a key that is for something else, or that is too weak or too large.
    pub(crate) fn from_json(jwk: &serde_json::Value) -> Option<(Option<KeyId>, Self)> {
        let text = |name: &str| jwk.get(name)?.as_str();
        let is_or_absent = |name: &str, value: &str| jwk.get(name).is_none_or(|found| found == value);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let verifies =
            jwk.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
        // Without `crv` for RSA, and with exactly one for the others (RFC 7518 §6.2.1, RFC 8037 §2).
        let algorithm = match (text("kty")?, text("crv")) {
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return None,
        };
        if !is_or_absent("use", "sig") || !is_or_absent("alg", algorithm.as_str()) || !verifies {
            return None;
        }
        let parsed = match algorithm {
            Algorithm::Rs256 => rsa(&bytes("n")?, &bytes("e")?),
            Algorithm::Es256 => p256(&bytes("x")?, &bytes("y")?),
            Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, bytes("x")?).ok(),
        };
        let kid = match jwk.get("kid") {
            Some(kid) => Some(kid.as_str()?.parse().ok()?),
            None => None,
        };
        Some((kid, Self { algorithm, parsed: parsed? }))
    }

    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        self.parsed.verify_sig(message, signature).map_err(|_| Refusal::Signature)
    }
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<ParsedPublicKey> {
    let starts_at_once = |number: &[u8]| number.first().is_some_and(|byte| *byte != 0);
    // Base64urlUInt has no leading zero octets (RFC 7518 §2); an exponent of 1 would sign anything, and past 33
    // bits no issuer goes (FIPS 186-5 allows more, nobody uses it).
    let modulus_fits = MODULUS_BYTES.contains(&modulus.len()) && starts_at_once(modulus);
    let exponent_fits = (1..=4).contains(&exponent.len()) && starts_at_once(exponent) && exponent != [1];
    if !modulus_fits || !exponent_fits {
        return None;
    }
    PublicKeyComponents { n: modulus, e: exponent }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()
}

/// Coordinates have all their octets, also where the first are zero (RFC 7518 §6.2.1.2).
fn p256(x: &[u8], y: &[u8]) -> Option<ParsedPublicKey> {
    const COORDINATE_BYTES: usize = 32;
    if x.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
        return None;
    }
    // An uncompressed point (SEC 1 §2.3.3).
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], x, y].concat()).ok()
}
