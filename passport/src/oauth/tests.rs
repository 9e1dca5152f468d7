use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::Algorithm;

const NOW: u64 = 1_800_000_000;

/// An issuer that signs with elliptic curves.
struct Issuer {
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Issuer {
    fn new() -> Self {
        Self {
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    fn jwks(&self) -> String {
        let point = self.p256.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let ed = URL_SAFE_NO_PAD.encode(self.ed25519.public_key().as_ref());
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "kid": "ec", "x": x, "y": y, "use": "sig" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": ed, "alg": "EdDSA" },
        ]})
        .to_string()
    }

    fn keys(&self, accepted: &[Algorithm]) -> KeySet {
        KeySet::from_jwks_of(self.jwks().as_bytes(), accepted).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match header["kid"].as_str() {
            Some("ec") => self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
            _ => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims() -> Value {
    json!({ "iss": "https://kc.example/r", "aud": ["other", "https://shop.example"], "sub": "c|1@clients", "iat": NOW - 10,
            "exp": NOW + 300, "scope": "a b", "client_id": "c" })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn header(alg: &str, kid: &str) -> Value {
    json!({ "alg": alg, "kid": kid, "typ": "at+jwt" })
}

fn judge(token: &str, keys: &KeySet) -> Result<Verified<OAuthToken>, Refusal> {
    let typ = ["at+jwt".into(), "jwt".into()];
    let expected = OAuthExpected {
        issuer: "https://kc.example/r",
        audience: "https://shop.example",
        typ: &typ,
        leeway: Duration::from_secs(30),
    };
    verify_oauth(token, keys, &expected, UnixTime::from_secs(NOW))
}

#[test]
fn tokens_on_both_curves_are_believed_where_their_algorithm_is_accepted() {
    let issuer = Issuer::new();
    let all = issuer.keys(&Algorithm::ALL);
    for (alg, kid) in [("ES256", "ec"), ("EdDSA", "ed")] {
        for typ in ["at+jwt", "application/at+JWT", "JWT"] {
            let token = issuer.sign(&json!({ "alg": alg, "kid": kid, "typ": typ }), &claims());
            let verified = judge(&token, &all).unwrap();
            assert_eq!((verified.scope.as_deref(), verified.kid().as_str()), (Some("a b"), kid));
            assert_eq!(verified.agent().unwrap().as_str(), "c:7C1:40clients");
        }
    }
    let only_ec = issuer.keys(&[Algorithm::Es256]);
    assert_eq!(judge(&issuer.sign(&header("EdDSA", "ed"), &claims()), &only_ec).unwrap_err(), Refusal::UnknownKey);
    assert!(KeySet::from_jwks(issuer.jwks().as_bytes()).is_err(), "RS256 alone is the default");
}

#[test]
fn a_token_does_not_choose_its_algorithm() {
    let issuer = Issuer::new();
    let keys = issuer.keys(&Algorithm::ALL);
    for (alg, kid) in
        [("EdDSA", "ec"), ("ES256", "ed"), ("RS256", "ec"), ("none", "ec"), ("HS256", "ec"), ("es256", "ec")]
    {
        let token = issuer.sign(&header(alg, kid), &claims());
        assert_eq!(judge(&token, &keys).unwrap_err(), Refusal::Algorithm, "{alg} {kid}");
    }
}

#[test]
fn every_claim_has_its_refusal() {
    let issuer = Issuer::new();
    let keys = issuer.keys(&Algorithm::ALL);
    for (claims, refusal) in [
        (with("iss", json!("https://kc.example/r/")), Refusal::Issuer),
        (with("aud", json!("https://shop.example/")), Refusal::Audience),
        (with("aud", json!([])), Refusal::Audience),
        (with("aud", json!({ "a": 1 })), Refusal::Claims),
        (with("aud", Value::Null), Refusal::Claims),
        (with("sub", json!(7)), Refusal::Claims),
        (with("exp", json!("1900000000")), Refusal::Claims),
        (with("exp", json!(1e30)), Refusal::Claims),
        (with("exp", json!(-1)), Refusal::Claims),
        (with("iat", json!(1.5)), Refusal::Claims),
        (with("scope", json!(["a"])), Refusal::Claims),
        (with("exp", json!(NOW - 31)), Refusal::Lifetime),
        (with("exp", json!(NOW + 25 * 3600)), Refusal::Lifetime),
        (with("iat", json!(NOW + 31)), Refusal::NotYetValid),
        (with("nbf", json!(NOW + 31)), Refusal::NotYetValid),
    ] {
        let token = issuer.sign(&header("ES256", "ec"), &claims);
        assert_eq!(judge(&token, &keys).unwrap_err(), refusal, "{claims}");
    }
    let mut expired = with("exp", json!(NOW - 30));
    expired["iat"] = json!(NOW - 90);
    assert_eq!(judge(&issuer.sign(&header("ES256", "ec"), &expired), &keys).unwrap_err(), Refusal::Expired);
    for typ in [json!("lime-login+jwt"), json!("text/at+jwt"), Value::Null] {
        let token = issuer.sign(&json!({ "alg": "ES256", "kid": "ec", "typ": typ }), &claims());
        assert_eq!(judge(&token, &keys).unwrap_err(), Refusal::Type, "{typ}");
    }
    let token = issuer.sign(&header("ES256", "ec"), &claims());
    let (signed, _) = token.rsplit_once('.').unwrap();
    for signature in ["", "AA", &"A".repeat(86)] {
        assert_eq!(judge(&format!("{signed}.{signature}"), &keys).unwrap_err(), Refusal::Signature);
    }
}

#[test]
fn a_key_off_its_curve_or_of_another_size_is_none() {
    let point = |x: &[u8], y: &[u8]| json!({ "kty": "EC", "crv": "P-256", "kid": "k", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
    for key in [
        point(&[1; 32], &[1; 32]),
        point(&[1; 31], &[1; 32]),
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "AA" }),
        json!({ "kty": "OKP", "crv": "X25519", "kid": "k", "x": URL_SAFE_NO_PAD.encode([1; 32]) }),
        json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }),
    ] {
        let document = json!({ "keys": [key] }).to_string();
        assert!(KeySet::from_jwks_of(document.as_bytes(), &Algorithm::ALL).is_err(), "{document}");
    }
}
