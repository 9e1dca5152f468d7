use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example.net";
const TOKEN_ENDPOINT: &str = "https://id.example.net/api/v1/modules/oauth/token";

/// A client with a key on each curve.
struct Client {
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Client {
    fn new() -> Self {
        Self {
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// Both keys, the one on P-256 with this name.
    fn keys(&self, kid: Option<&str>) -> ClientKeys {
        let point = self.p256.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let mut ec = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        if let Some(kid) = kid {
            ec["kid"] = kid.into();
        }
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed",
                         "x": URL_SAFE_NO_PAD.encode(self.ed25519.public_key().as_ref()) });
        ClientKeys::from_jwks(json!({ "keys": [ec, ed, { "kty": "oct", "k": "AAAA" }] }).to_string().as_bytes())
            .unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match header["alg"].as_str() {
            Some("EdDSA") => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
            _ => self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims() -> Value {
    json!({ "iss": "c1", "sub": "c1", "aud": ISSUER, "exp": NOW + 300, "iat": NOW, "jti": "one" })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn judge(token: &str, keys: &ClientKeys) -> Result<ClientAssertion, Refusal> {
    let expected =
        ClientExpected { client_id: "c1", audiences: &[ISSUER, TOKEN_ENDPOINT], leeway: Duration::from_secs(30) };
    verify_client_assertion(token, keys, &expected, UnixTime::from_secs(NOW))
}

#[test]
fn a_client_is_known_by_any_of_its_keys_with_or_without_a_name() {
    let client = Client::new();
    for (header, kid) in [
        (json!({ "alg": "ES256" }), None),
        (json!({ "alg": "ES256", "typ": "JWT" }), Some("ec")),
        (json!({ "alg": "ES256", "kid": "ec", "typ": "client-authentication+jwt" }), Some("ec")),
        (json!({ "alg": "ES256", "kid": "anything" }), None),
        (json!({ "alg": "EdDSA" }), Some("ec")),
        (json!({ "alg": "EdDSA", "kid": "ed" }), None),
    ] {
        let assertion = judge(&client.sign(&header, &claims()), &client.keys(kid)).unwrap();
        assert_eq!((assertion.jti.as_str(), assertion.exp), ("one", UnixTime::from_secs(NOW + 300)), "{header}");
    }
}

#[test]
fn a_key_of_another_name_algorithm_or_client_is_none() {
    let (client, other) = (Client::new(), Client::new());
    let keys = client.keys(Some("ec"));
    for (header, refusal) in [
        (json!({ "alg": "ES256", "kid": "gone" }), Refusal::UnknownKey),
        (json!({ "alg": "ES256", "kid": "ed" }), Refusal::Algorithm),
        (json!({ "alg": "RS256", "kid": "ec" }), Refusal::Algorithm),
        (json!({ "alg": "RS256" }), Refusal::Algorithm),
        (json!({ "alg": "none" }), Refusal::Algorithm),
        (json!({ "alg": "HS256" }), Refusal::Algorithm),
        (json!({ "alg": "ES256", "crit": ["x"] }), Refusal::Critical),
        (json!({ "alg": "ES256", "typ": "at+jwt" }), Refusal::Type),
    ] {
        assert_eq!(judge(&client.sign(&header, &claims()), &keys).unwrap_err(), refusal, "{header}");
    }
    for header in [json!({ "alg": "ES256" }), json!({ "alg": "EdDSA" })] {
        assert_eq!(judge(&other.sign(&header, &claims()), &keys).unwrap_err(), Refusal::Signature);
    }
}

#[test]
fn every_claim_has_its_refusal() {
    let client = Client::new();
    let keys = client.keys(None);
    let mut without = claims();
    without.as_object_mut().unwrap().remove("jti");
    for (claims, refusal) in [
        (without, Refusal::Claims),
        (with("jti", json!("")), Refusal::Claims),
        (with("jti", json!("x".repeat(257))), Refusal::Claims),
        (with("exp", Value::Null), Refusal::Claims),
        (with("iss", json!("c2")), Refusal::Issuer),
        (with("sub", json!("c2")), Refusal::Issuer),
        (with("aud", json!("https://id.example.net/")), Refusal::Audience),
        (with("aud", json!([])), Refusal::Audience),
        (with("exp", json!(NOW + 601)), Refusal::Lifetime),
        (with("exp", json!(NOW - 30)), Refusal::Expired),
        (with("iat", json!(NOW + 31)), Refusal::NotYetValid),
        (with("nbf", json!(NOW + 31)), Refusal::NotYetValid),
    ] {
        assert_eq!(judge(&client.sign(&json!({ "alg": "ES256" }), &claims), &keys).unwrap_err(), refusal, "{claims}");
    }
    for claims in [
        with("aud", json!(TOKEN_ENDPOINT)),
        with("aud", json!(["x", ISSUER])),
        with("exp", json!(NOW + 600)),
        with("exp", json!(NOW - 29)),
        with("jti", json!("x".repeat(256))),
    ] {
        judge(&client.sign(&json!({ "alg": "ES256" }), &claims), &keys).unwrap();
    }
}

#[test]
fn who_it_says_it_is_can_be_asked_before_it_is_believed() {
    let token = Client::new().sign(&json!({ "alg": "ES256" }), &claims());
    assert_eq!(ClientAssertion::unverified_subject(&token).as_deref(), Some("c1"));
    assert_eq!(ClientAssertion::unverified_subject("a.b.c"), None);
}

#[test]
fn a_client_has_eight_keys_of_the_usual_cost() {
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let set = |keys: &[Value]| ClientKeys::from_jwks(json!({ "keys": keys }).to_string().as_bytes());
    assert!(set(&vec![ed.clone(); 8]).is_ok());
    assert!(matches!(set(&vec![ed; 9]), Err(KeySetError::TooMany(8))));
    let modulus = URL_SAFE_NO_PAD.encode([0xC5; 256]);
    for (exponent, counts) in [
        (&[3][..], true),
        (&[1, 0, 1], true),
        (&[1, 0, 3], false),
        (&[0xFF, 0xFF, 0xFF], false),
        (&[1, 0, 0, 0], false),
    ] {
        let key = json!({ "kty": "RSA", "n": modulus, "e": URL_SAFE_NO_PAD.encode(exponent) });
        assert_eq!(set(&[key]).is_ok(), counts, "{exponent:?}");
    }
}

#[test]
fn a_set_without_a_key_that_verifies_is_none() {
    for (document, is_empty) in
        [(r#"{"keys":[]}"#, true), (r#"{"keys":[{"kty":"oct","k":"AA"}]}"#, true), ("[]", false)]
    {
        let refused = ClientKeys::from_jwks(document.as_bytes()).unwrap_err();
        assert_eq!(matches!(refused, KeySetError::Empty), is_empty, "{document}");
    }
}
