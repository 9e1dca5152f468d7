//! Keys and tokens as the issuer makes them, and the same keys without anything of ours around them.

use std::fmt;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passport::{AccessToken, KeySet, OwnerLevel, Passport as _, SigningKey, UnixTime, jwks_document};

/// The site that all tokens are for.
pub const SITE_HOST: &str = "shop.example.com";

/// Claims of a token for [`SITE_HOST`] that lives an hour, with one scope and ids as long as the issuer's. Each `number` is another
/// agent.
#[must_use]
pub fn claims(issuer: &str, number: usize, now: UnixTime) -> AccessToken {
    AccessToken {
        iss: issuer.to_owned(),
        aud: AccessToken::audience(),
        sub: format!("0198c0de-0000-7000-8000-{number:012x}").parse().unwrap(),
        iat: now,
        exp: now.plus(Duration::from_hours(1)),
        nbf: None,
        jti: format!("0198c0de-1111-7000-8000-{number:012x}").parse().unwrap(),
        domain: SITE_HOST.to_owned(),
        owner: Some("0198c0de-2222-7000-8000-000000000001".parse().unwrap()),
        owner_level: OwnerLevel::new(2),
        scope: Some("stock:read".to_owned()),
    }
}

/// One token for each of `numbers`, signed on all cores.
#[must_use]
pub fn tokens<F>(key: &SigningKey, numbers: Range<usize>, claims: F) -> Vec<String>
where
    F: Fn(usize) -> AccessToken + Sync,
{
    let numbers: Vec<usize> = numbers.collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let sign = |number: &usize| key.sign(&claims(*number)).unwrap();
    thread::scope(|scope| {
        let chunks = numbers.chunks(numbers.len().div_ceil(cores).max(1));
        let signers: Vec<_> =
            chunks.map(|chunk| scope.spawn(move || chunk.iter().map(sign).collect::<Vec<_>>())).collect();
        signers.into_iter().flat_map(|signer| signer.join().unwrap()).collect()
    })
}

/// The public half of `key`, as a gateway has it.
#[must_use]
pub fn key_set(key: &SigningKey) -> KeySet {
    KeySet::from_jwks(jwks_document([key.jwk()]).as_bytes()).unwrap()
}

/// A token that says what it said, with another letter in the middle of its signature.
#[must_use]
pub fn forged(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (before, rest) = signature.split_at(signature.len() / 2);
    let (letter, after) = rest.split_at(1);
    let other = if letter == "A" { "B" } else { "A" };
    format!("{message}.{before}{other}{after}")
}

/// The library alone, its keys parsed: the floor under what ours can cost.
pub struct Bare {
    pair: RsaKeyPair,
    public: ParsedPublicKey,
    random: SystemRandom,
}

/// What there is to check about a token once it is decoded.
#[derive(Debug)]
pub struct Decoded<'a> {
    message: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Decoded<'a> {
    /// Takes a token apart.
    #[must_use]
    pub fn new(token: &'a str) -> Self {
        let (message, signature) = token.rsplit_once('.').unwrap();
        Self { message: message.as_bytes(), signature: URL_SAFE_NO_PAD.decode(signature).unwrap() }
    }
}

impl Bare {
    /// The same key without our type around it.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        let jwk = serde_json::to_value(key.jwk()).unwrap();
        let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name).unwrap().as_str().unwrap()).unwrap();
        let components = PublicKeyComponents { n: number("n"), e: number("e") };
        Self {
            pair: RsaKeyPair::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap(),
            public: components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap(),
            random: SystemRandom::new(),
        }
    }

    /// RS256 over a decoded token.
    pub fn verify(&self, token: &Decoded<'_>) {
        self.public.verify_sig(token.message, &token.signature).unwrap();
    }

    /// RS256 over what a token signs.
    pub fn sign(&self, token: &Decoded<'_>, signature: &mut [u8]) {
        self.pair.sign(&RSA_PKCS1_SHA256, &self.random, token.message, signature).unwrap();
    }

    /// The bytes that [`Bare::sign`] writes.
    #[must_use]
    pub fn signature_bytes(&self) -> usize {
        self.pair.public_modulus_len()
    }
}

impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bare").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use passport::{Expected, Refusal};

    use super::*;

    #[test]
    fn a_forged_token_gets_as_far_as_its_signature() {
        let key = SigningKey::generate().unwrap();
        let now = UnixTime::from_secs(1_800_000_000);
        let issuer = "https://id.example.net";
        let expected = Expected { issuer, recipient: SITE_HOST, leeway: Duration::ZERO };
        let found = tokens(&key, 0..3, |number| claims(issuer, number, now));
        assert_eq!(found.len(), 3);
        for token in found {
            passport::verify::<AccessToken>(&token, &key_set(&key), &expected, now).unwrap();
            let refusal = passport::verify::<AccessToken>(&forged(&token), &key_set(&key), &expected, now).unwrap_err();
            assert_eq!(refusal, Refusal::Signature);
        }
    }
}
