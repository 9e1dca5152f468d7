use super::*;
use crate::stage::{ISSUER, KEY, bearer, claims, headers, site, token};

/// What a line of `Authorization` is taken for: `site`, `token`, `session`, or what is wrong with it.
#[track_caller]
fn check(line: &str, expected: &str) {
    let (site, cache) = (site(), VerifiedCache::default());
    let judged_for = JudgedFor::new(&site);
    let reader = Reader { site: &site, cache: &cache, judged_for: &judged_for, endpoint: None };
    let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
    let found = match reader.ours(&value) {
        None => "site",
        Some(Ours::Work(Work::Proof(_))) => "proof",
        Some(Ours::Work(Work::Clearance(_))) => "clearance",
        Some(Ours::Work(Work::Malformed)) => "malformed",
        Some(Ours::Credential(Credential::AccessToken(text, _))) => {
            assert_eq!(text.text.trim(), text.text);
            "token"
        }
        Some(Ours::Credential(Credential::Session(text))) => {
            assert!(text.text.starts_with(SESSION_PREFIX));
            "session"
        }
        Some(Ours::Credential(Credential::Unusable(fault))) => fault.code(),
    };
    assert_eq!(found, expected, "{line}");
}

#[test]
fn a_scheme_is_known_in_any_case_and_after_any_blanks() {
    let token = token();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        check(&format!("{scheme} {token}"), "token");
        check(&format!("{scheme}   {token}  "), "token");
        check(&format!("{scheme}\t{token}"), "token");
        check(&format!("{scheme} ls1.a.b"), "session");
    }
    check(&format!("dpop {token}"), "scheme");
    check("POW lime-gw1.x", "malformed");
    check("PoW challenge=\"lime-gw1.x\", nonces=\"1\"", "proof");
    check("pow clearance=\"lc1.x\"", "clearance");
}

#[test]
fn what_is_not_ours_is_the_sites() {
    let foreign = |iss: &str| KEY.sign(&passport::AccessToken { iss: iss.into(), ..claims() }).unwrap();
    for iss in ["https://id.example.net/", "https://ID.example.net", "http://id.example.net", ""] {
        check(&bearer(&foreign(iss)), "site");
    }
    check(&bearer(&foreign(ISSUER)), "token");
    let token = token();
    for line in [
        format!("Bearer{token}"),
        format!("Token {token}"),
        format!("Bearer {token}.x"),
        "Bearer LS1.a.b".to_owned(),
        "Bearer ls2.a.b".to_owned(),
        "ls1.a.b".to_owned(),
        "Bearer \u{e9}.\u{e9}.\u{e9}".to_owned(),
        "DPoP ls1.a.b".to_owned(),
    ] {
        check(&line, "site");
    }
}

#[test]
fn a_token_of_ours_with_something_around_it_is_still_ours() {
    let token = token();
    check(&format!("Bearer {token}, Basic x"), "token");
    check(&format!("Bearer x {token}"), "token");
    check(&format!("Bearer {token}\u{e9}"), "token");
}

#[test]
fn a_session_that_is_no_text_or_too_long_is_ours_and_bad() {
    check("Bearer ls1.\u{e9}", "session");
    check(&format!("Bearer ls1.{}", "a".repeat(TOKEN_BYTES_MAX - 4)), "session");
    check(&format!("Bearer ls1.{}", "a".repeat(TOKEN_BYTES_MAX - 3)), "seal");
}

#[test]
fn lines_without_our_cookie_are_not_touched() {
    let (site, cache) = (site(), VerifiedCache::default());
    let judged_for = JudgedFor::new(&site);
    let reader = Reader { site: &site, cache: &cache, judged_for: &judged_for, endpoint: None };
    let sent = headers(&[("cookie", "a=1;  b=2 ;"), ("authorization", "Basic x")]);
    let shown = reader.read(&sent);
    assert!(shown.cookies_left.is_none() && shown.authorization_left.is_none());
    let sent = headers(&[("cookie", "a=1;  b=2 ;"), ("cookie", "__Host-lime=ls1.a.b")]);
    assert_eq!(reader.read(&sent).cookies_left.unwrap(), ["a=1;  b=2 ;"]);
}
