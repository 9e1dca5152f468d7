//! Tokens nobody should believe, and the keys of an issuer that a test plays itself.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passport::{AccessToken, Audience, LoginPassport, OwnerLevel, PassportVersion, SigningKey, UnixTime};
use serde_json::{Value, json};

/// Now, in whole seconds.
#[must_use]
pub fn now() -> UnixTime {
    UnixTime::from_secs(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

/// A new key. Takes a moment: a test makes one and keeps it.
#[must_use]
pub fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

/// The key set that publishes `keys`.
#[must_use]
pub fn jwks(keys: &[&SigningKey]) -> String {
    passport::jwks_document(keys.iter().map(|key| key.jwk()))
}

/// The claims of a good access token of `issuer` for `domain`.
#[must_use]
pub fn claims(issuer: &str, domain: &str) -> AccessToken {
    AccessToken {
        iss: issuer.to_owned(),
        aud: Audience::One("mcp".to_owned()),
        sub: "0193a000-0000-7000-8000-000000000001".parse().unwrap(),
        iat: now(),
        exp: now().plus(Duration::from_secs(300)),
        nbf: None,
        jti: "j1".parse().unwrap(),
        domain: domain.to_owned(),
        owner: None,
        owner_level: OwnerLevel::new(0),
        scope: None,
    }
}

/// The claims of a good login passport of `issuer` for a site.
#[must_use]
pub fn login_claims(issuer: &str, site: &str, request: &str) -> LoginPassport {
    LoginPassport {
        iss: issuer.to_owned(),
        aud: Audience::One("lime-site-login".to_owned()),
        sub: "0193a000-0000-7000-8000-000000000001".parse().unwrap(),
        iat: now(),
        exp: now().plus(Duration::from_secs(120)),
        nbf: None,
        jti: "j1".parse().unwrap(),
        request_id: request.parse().unwrap(),
        site_id: site.parse().unwrap(),
        user_id: "0193a000-0000-7000-8000-000000000002".parse().unwrap(),
        user_kyc_level: OwnerLevel::new(0),
        passport_version: PassportVersion,
    }
}

/// The header of a token.
#[must_use]
pub fn header_of(token: &str) -> Value {
    part(token, 0)
}

/// The header of what may be a token.
#[must_use]
pub fn try_header_of(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').next()?).ok()?).ok()
}

/// The claims of a token, whoever signed it.
#[must_use]
pub fn claims_of(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// The claims of `token` under `alg: none`.
#[must_use]
pub fn with_alg_none(token: &str) -> String {
    let mut header = header_of(token);
    header["alg"] = json!("none");
    format!("{}.", unsigned(&header, &claims_of(token)))
}

/// The claims of `token` under HS256, with the published document as the secret.
#[must_use]
pub fn with_hs256(token: &str, public: &[u8]) -> String {
    let mut header = header_of(token);
    header["alg"] = json!("HS256");
    let text = unsigned(&header, &claims_of(token));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// `token` under a key that nobody has.
#[must_use]
pub fn with_kid(token: &str, kid: &str) -> String {
    let mut header = header_of(token);
    header["kid"] = json!(kid);
    let signature = token.rsplit('.').next().unwrap();
    format!("{}.{signature}", unsigned(&header, &claims_of(token)))
}

/// `token` with another claim under the old signature.
#[must_use]
pub fn with_claim(token: &str, name: &str, value: Value) -> String {
    let mut claims = claims_of(token);
    claims[name] = value;
    let signature = token.rsplit('.').next().unwrap();
    format!("{}.{signature}", unsigned(&header_of(token), &claims))
}

/// A key that signs whatever it is given, good or not: the issuer that a test plays.
#[derive(Debug)]
pub struct Forger {
    pair: RsaKeyPair,
    kid: String,
}

impl Forger {
    /// A new key of this name. Takes a moment: a test makes one and keeps it.
    #[must_use]
    pub fn new(kid: &str) -> Self {
        Self { pair: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), kid: kid.to_owned() }
    }

    /// The public key as it is published.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// The header of a good access token.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "at+jwt", "kid": self.kid })
    }

    /// These claims as an access token.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// Any header over any claims, signed with RS256 whatever the header says.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&RSA_PKCS1_SHA256, &header.to_string(), &claims.to_string())
    }

    /// Any texts as header and claims, signed as asked.
    #[must_use]
    pub fn sign_text(&self, algorithm: &'static dyn RsaEncoding, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(algorithm, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
