use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passport::Audience;
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example.net";

fn keys(pair: &Ed25519KeyPair) -> ClientKeys {
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    ClientKeys::from_jwks(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] }).to_string().as_bytes())
        .unwrap()
}

fn sign(pair: &Ed25519KeyPair, client: &str, jti: &str) -> String {
    let claims = json!({ "iss": client, "sub": client, "aud": ISSUER, "exp": NOW + 60, "jti": jti });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA" })), part(&claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())))
}

fn claims(client: &str, jti: &str, exp: u64) -> ClientAssertion {
    ClientAssertion {
        iss: client.to_owned(),
        sub: client.to_owned(),
        aud: Audience::One(ISSUER.to_owned()),
        exp: UnixTime::from_secs(exp),
        jti: jti.to_owned(),
        iat: None,
        nbf: None,
    }
}

fn take(taken: &mut Taken, client: &str, jti: &str, exp: u64, now: u64) -> Result<(), AssertionRefusal> {
    taken.take(&claims(client, jti, exp), UnixTime::from_secs(now))
}

#[test]
fn an_assertion_is_taken_once_whoever_asks_first() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let (keys, assertions) = (keys(&pair), Assertions::default());
    let now = UnixTime::from_secs(NOW);
    let one = sign(&pair, "c1", "one");
    let taken = std::thread::scope(|scope| {
        let take = || assertions.take(&one, &keys, "c1", &[ISSUER], now);
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1);
    assert!(taken.iter().all(|taken| matches!(taken, Ok(()) | Err(AssertionRefusal::Again))));
    assertions.take(&sign(&pair, "c1", "two"), &keys, "c1", &[ISSUER], now).unwrap();
    assertions.take(&sign(&pair, "c2", "one"), &keys, "c2", &[ISSUER], now).unwrap();
}

#[test]
fn an_assertion_that_does_not_count_is_not_remembered() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let (keys, assertions) = (keys(&pair), Assertions::default());
    let one = sign(&pair, "c1", "one");
    let now = UnixTime::from_secs(NOW);
    for (client, audience, refusal) in
        [("c2", ISSUER, passport::Refusal::Issuer), ("c1", "https://other.example", passport::Refusal::Audience)]
    {
        assert_eq!(assertions.take(&one, &keys, client, &[audience], now), Err(refusal.into()));
    }
    assertions.take(&one, &keys, "c1", &["https://id.example.net/token", ISSUER], now).unwrap();
}

#[test]
fn one_that_could_be_shown_again_is_never_forgotten_to_make_room() {
    let mut taken = Taken::default();
    for number in 0..OF_CLIENT_MAX {
        take(&mut taken, "c1", &number.to_string(), NOW + 60, NOW).unwrap();
    }
    assert_eq!(take(&mut taken, "c1", "more", NOW + 60, NOW), Err(AssertionRefusal::Full));
    assert_eq!(take(&mut taken, "c1", "0", NOW + 60, NOW), Err(AssertionRefusal::Again));
    take(&mut taken, "c2", "more", NOW + 60, NOW).unwrap();
    // The leeway is a part of the time in which it counts.
    assert_eq!(take(&mut taken, "c1", "more", NOW + 120, NOW + 89), Err(AssertionRefusal::Full));
    take(&mut taken, "c1", "more", NOW + 120, NOW + 90).unwrap();
    assert_eq!(taken.count, 1);
}

#[test]
fn all_clients_together_have_a_bound() {
    let mut taken = Taken::default();
    for client in 0..ALL_MAX / OF_CLIENT_MAX {
        for number in 0..OF_CLIENT_MAX {
            take(&mut taken, &client.to_string(), &number.to_string(), NOW + 60, NOW).unwrap();
        }
    }
    assert_eq!(take(&mut taken, "another", "one", NOW + 60, NOW), Err(AssertionRefusal::Full));
    take(&mut taken, "another", "one", NOW + 120, NOW + 90).unwrap();
}
