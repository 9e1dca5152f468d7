//! Every way to be turned away.

use super::*;
use crate::SessionKeys;

/// The outcome on a protected and on an open path, under `Authorization`.
#[track_caller]
fn check_bad(stage: &Stage, authorization: &str, fault: &str) {
    let expected = format!("deny 401 invalid_token ({fault}) unknown");
    for path in ["/agents/list", "/"] {
        for header in ["authorization", "lime-authorization"] {
            let played = stage.check(path, &[(header, authorization)], &expected);
            assert_says_nothing_more(reply(&played.outcome), fault);
        }
    }
}

/// A client learns that a credential does not count, and not why.
#[track_caller]
fn assert_says_nothing_more(reply: &Reply, fault: &str) {
    let authenticate = reply.headers.iter().find(|(name, _)| name == "www-authenticate").unwrap();
    assert_eq!(authenticate.1, "Bearer error=\"invalid_token\"");
    let stage = Stage::new(site());
    let played = stage.play("/", &[("authorization", "Bearer ls1.x")]);
    assert_eq!(reply.body, self::reply(&played.outcome).body, "{fault}");
}

fn signed(edit: impl FnOnce(&mut AccessToken)) -> String {
    let mut claims = claims();
    edit(&mut claims);
    bearer(&KEY.sign(&claims).unwrap())
}

#[test]
fn a_token_that_does_not_count_is_refused_everywhere() {
    let stage = Stage::new(site());
    check_bad(&stage, &signed(|claims| (claims.iat, claims.exp) = (ago(600), ago(120))), "expired");
    check_bad(&stage, &signed(|claims| claims.domain = "other.example.com".into()), "recipient");
    check_bad(&stage, &signed(|claims| claims.iat = NOW.plus(seconds(121))), "not_yet_valid");
    check_bad(&stage, &signed(|claims| claims.nbf = Some(NOW.plus(seconds(121)))), "not_yet_valid");
    check_bad(&stage, &bearer(&FOREIGN_KEY.sign(&claims()).unwrap()), "unknown_key");
    check_bad(&stage, &oversized(ISSUER), "too_long");
    let token = token();
    check_bad(&stage, &bearer(token.strip_suffix(|_: char| true).unwrap()), "malformed");
    check_bad(&stage, &bearer(&broken(&token)), "signature");
    let (signed, _) = token.rsplit_once('.').unwrap();
    check_bad(&stage, &format!("Bearer {signed}."), "signature");
    check_bad(&stage, &format!("DPoP {token}"), "scheme");
}

#[test]
fn a_token_with_another_algorithm_is_refused() {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let stage = Stage::new(site());
    let payload = part(&format!(r#"{{"iss":"{ISSUER}"}}"#));
    for alg in ["none", "HS256", "RS384", "PS256", "rs256"] {
        let header = part(&format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{}"}}"#, KEY.kid()));
        check_bad(&stage, &format!("Bearer {header}.{payload}.AAAA"), "algorithm");
    }
    let critical = part(&format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{}","crit":["x"]}}"#, KEY.kid()));
    check_bad(&stage, &format!("Bearer {critical}.{payload}.AAAA"), "critical");
    let nameless = part(r#"{"alg":"RS256","typ":"at+jwt"}"#);
    check_bad(&stage, &format!("Bearer {nameless}.{payload}.AAAA"), "malformed");
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let stage = Stage::new(site());
    stage.check("/agents/", &[("authorization", &signed(|claims| claims.aud = several()))], "allow passport");
    assert_eq!(
        KEY.sign(&AccessToken { aud: Audience::One("other".into()), ..claims() }),
        Err(passport::SignError::Audience),
        "our signer makes none; the vectors of passport hold that our verifier takes none"
    );
}

fn several() -> Audience {
    Audience::Many(vec!["https://shop.example.com".into(), "mcp".into()])
}

#[test]
fn the_leeway_is_two_minutes_and_no_more() {
    let stage = Stage::new(site());
    let ended = |count| signed(move |claims| (claims.iat, claims.exp) = (ago(600), ago(count)));
    stage.check("/agents/", &[("authorization", &ended(119))], "allow passport");
    stage.check("/agents/", &[("authorization", &ended(120))], "deny 401 invalid_token (expired) unknown");
}

#[test]
fn a_session_that_does_not_count_is_refused_everywhere() {
    let stage = Stage::new(site());
    let sealed = stage.seal(&session());
    let (front, back) = sealed.split_at(sealed.len() - 10);
    check_bad(&stage, &bearer(&format!("{front}AAAAAAAAAA")), "seal");
    check_bad(&stage, &bearer(&format!("ls1.AAAAAAAA.{back}")), "seal");
    check_bad(&stage, "Bearer ls1.", "seal");
    check_bad(&stage, &bearer(&format!("ls1.{}", "A".repeat(9000))), "seal");
    let ended = Session { login_at: ago(3600), expires_at: NOW, ..session() };
    check_bad(&stage, &bearer(&stage.seal(&ended)), "session_ended");
    let elsewhere = Site { url: "https://other.example.com".parse().unwrap(), ..site() };
    let foreign = stage.resources.sessions.seal(&elsewhere, &session(), [3; 12]).unwrap();
    check_bad(&stage, &bearer(&foreign), "seal");
    let other = SessionKeys::new(&[8; 32], None).seal(&stage.site, &session(), [3; 12]).unwrap();
    check_bad(&stage, &bearer(&other), "seal");
}

#[test]
fn a_bad_cookie_is_refused_and_taken_back() {
    let stage = Stage::new(site());
    let expected = "deny 401 invalid_token (seal) unknown";
    for cookie in ["__Host-lime=ls1.x.y", "a=1; __Host-lime=", "__Host-lime=theirs"] {
        let played = stage.check("/", &[("cookie", cookie)], expected);
        let set: Vec<_> = reply(&played.outcome).headers.iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(set.len(), 1);
        assert!(set[0].1.to_str().unwrap().starts_with("__Host-lime=; Path=/; Max-Age=0;"));
    }
    let good = bearer(&token());
    let played = stage.check("/", &[("authorization", &good), ("cookie", "__Host-lime=ls1.x.y")], expected);
    assert!(!reply(&played.outcome).headers.iter().any(|(name, _)| name == "set-cookie"));
}

#[test]
fn what_lime_authorization_carries_is_ours_whatever_it_is() {
    let stage = Stage::new(site());
    let foreign = AccessToken { iss: "https://evil.example".into(), ..claims() };
    let foreign = FOREIGN_KEY.sign(&foreign).unwrap();
    for line in ["", "Basic a", "opaque", "Bearer opaque", &bearer(&foreign)] {
        stage.check("/", &[("lime-authorization", line)], "deny 401 invalid_token (scheme) unknown");
    }
}

#[test]
fn more_than_one_credential_is_ambiguous() {
    let stage = Stage::new(site());
    let (token, session) = (bearer(&token()), stage.seal(&session()));
    let other = stage.seal(&Session { agent: "agent-2".parse().unwrap(), ..stage::session() });
    let cookie = |session: &str| format!("__Host-lime={session}");
    let twice = format!("{}; {}", cookie(&session), cookie(&session));
    let cases: [&[(&str, &str)]; 8] = [
        &[("authorization", &token), ("authorization", "Basic a")],
        &[("authorization", "Basic a"), ("authorization", &token)],
        &[("authorization", &token), ("authorization", &token)],
        &[("authorization", &token), ("lime-authorization", &token)],
        &[("lime-authorization", &token), ("lime-authorization", &token)],
        &[("cookie", &twice)],
        &[("cookie", &cookie(&session)), ("cookie", &cookie(&session))],
        &[("authorization", &token), ("cookie", &cookie(&other))],
    ];
    for sent in cases {
        for path in ["/", "/agents/list"] {
            stage.check(path, sent, "deny 400 credential_ambiguous unknown");
        }
    }
    let same_agent: [(&str, &str); 2] = [("authorization", &token), ("cookie", &cookie(&session))];
    stage.check("/agents/list", &same_agent, "allow passport");
}

#[test]
fn a_stranger_is_told_the_ways_in() {
    let stage = Stage::new(site());
    let played = stage.check("/agents/list", &[], "deny 401 passport_required unknown");
    let reply = reply(&played.outcome);
    let document: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        document,
        serde_json::json!({
            "type": "https://shop.example.com/.lime/help#passport_required",
            "title": "This path is for identified agents",
            "status": 401,
            "reason": "passport_required",
            "request_id": "01JD",
            "detail": "No Lime credential was sent.",
            "issuer": "https://id.example.net",
            "ways_in": [
                {"way": "token", "at": "https://id.example.net/api/v1/modules/oauth/token",
                 "body": {"domain": "shop.example.com"}},
                {"way": "login", "at": "https://shop.example.com/.lime/login", "method": "POST"},
            ],
        })
    );
    let header = |name: &str| reply.headers.iter().find(|(found, _)| found == name).unwrap().1.to_str().unwrap();
    assert_eq!(header("content-type"), "application/problem+json");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("www-authenticate"), "Bearer realm=\"https://shop.example.com\"");
    assert_eq!(played.outcome.decision.wants_keys_of(), None);
}

#[test]
fn a_way_that_does_not_work_here_is_not_offered() {
    let stage = Stage::new(Site { login: Login::Off, ..site() });
    let played = stage.play("/agents/list", &[]);
    let document: serde_json::Value = serde_json::from_slice(&reply(&played.outcome).body).unwrap();
    let ways: Vec<_> = document["ways_in"].as_array().unwrap().iter().map(|way| way["way"].clone()).collect();
    assert_eq!(ways, ["token"]);
}

#[test]
fn a_path_of_two_readings_is_refused_before_anything_is_read() {
    let stage = Stage::new(site());
    let sent = bearer(&token());
    for path in ["/x/../agents/list", "/%61gents/list", "/agents%2flist", "//x/agents/list"] {
        stage.check(path, &[("authorization", &sent)], "deny 400 path_ambiguous unknown");
    }
    stage.check("/agents\\x", &[], "deny 400 path_invalid unknown");
    stage.check("/agents%00", &[], "deny 400 path_invalid unknown");
    for path in ["/.lime", "/.lime/", "/.lime/anything"] {
        stage.check(path, &[("authorization", &sent)], "deny 404 not_found unknown");
    }
    stage.check("/%2elime/help", &[], "deny 400 path_ambiguous unknown");
}

#[test]
fn a_site_without_an_issuer_takes_every_jwt_for_the_sites_and_no_session() {
    let stage = Stage::new(Site { issuers: Vec::new(), ..site() }.with_routes(Vec::new()));
    let token = bearer(&token());
    let played = stage.check("/", &[("authorization", &token)], "allow unknown");
    assert_eq!(lines(&played.at_origin, "authorization"), [token]);
    let session = bearer(&stage.seal(&session()));
    stage.check("/", &[("authorization", &session)], "deny 401 invalid_token (no_issuer) unknown");
}
