//! How the issuer says it: an RSA key, parsed once, that signs passports.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key_set::Jwk;
use crate::{KeyId, Passport};

/// A key pair that signs passports with RS256. Parsing a key costs more than signing with it: keep it.
pub struct SigningKey {
    pair: RsaKeyPair,
    jwk: Jwk,
    random: SystemRandom,
}

/// Why a private key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system gave no randomness, or too little.
    #[error("cannot generate an RSA key")]
    Generate,
    /// Not a PKCS#8 RSA key of 2048 bits or more.
    #[error("not a PKCS#8 RSA private key of 2048 bits or more")]
    Rejected,
}

/// Why a passport was not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// It would live longer than its kind may, or not at all.
    #[error("lifetime out of bounds")]
    Lifetime,
    /// `aud` is another kind's.
    #[error("audience of another kind of passport")]
    Audience,
    /// The claims cannot be written as JSON.
    #[error("claims cannot be written")]
    Claims,
    /// The key refused to sign.
    #[error("cannot sign")]
    Key,
}

impl SigningKey {
    /// A new RSA key of 2048 bits. Takes tens to hundreds of milliseconds.
    ///
    /// # Errors
    /// [`KeyError::Generate`].
    pub fn generate() -> Result<Self, KeyError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
        Self::from_pair(pair)
    }

    /// A key from its PKCS#8 v1 DER (RFC 5208).
    ///
    /// # Errors
    /// [`KeyError::Rejected`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_pair(RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Rejected)?)
    }

    fn from_pair(pair: RsaKeyPair) -> Result<Self, KeyError> {
        let public = pair.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero();
        let exponent = public.exponent().big_endian_without_leading_zero();
        let kid = thumbprint(modulus, exponent).ok_or(KeyError::Rejected)?;
        let jwk = Jwk::rs256(kid, modulus, exponent);
        Ok(Self { pair, jwk, random: SystemRandom::new() })
    }

    /// The private key as PKCS#8 v1 DER. Seal it before it touches a disk.
    ///
    /// # Errors
    /// [`KeyError::Rejected`] when the key cannot be written.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        self.pair.as_der().map(|der| der.as_ref().to_vec()).map_err(|_| KeyError::Rejected)
    }

    /// The key's name: its RFC 7638 thumbprint.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        self.jwk.kid()
    }

    /// The public half, to be published.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs `passport` as a compact JWS.
    ///
    /// # Errors
    /// [`SignError`]; a passport that no verifier would take is not signed.
    pub fn sign<P: Passport>(&self, passport: &P) -> Result<String, SignError> {
        if !crate::verify::lifetime_fits(passport) {
            return Err(SignError::Lifetime);
        }
        if !P::is_audience(passport.registered().audience) {
            return Err(SignError::Audience);
        }
        let header = serde_json::json!({ "alg": "RS256", "typ": P::TYP, "kid": self.kid() });
        let header = serde_json::to_vec(&header).map_err(|_| SignError::Claims)?;
        let payload = serde_json::to_vec(passport).map_err(|_| SignError::Claims)?;
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &self.random, token.as_bytes(), &mut signature)
            .map_err(|_| SignError::Key)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", self.kid()).finish_non_exhaustive()
    }
}

/// SHA-256 over the required members in lexicographic order, without white space (RFC 7638 §3).
fn thumbprint(modulus: &[u8], exponent: &[u8]) -> Option<KeyId> {
    let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
    let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    let digest = digest::digest(&digest::SHA256, members.as_bytes());
    URL_SAFE_NO_PAD.encode(digest).parse().ok()
}
