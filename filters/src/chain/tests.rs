use std::sync::Arc;
use std::time::Duration;

use config::{IssuerKind, Login, McpEndpoint, OwnerHeaders, SharedCache};
use http::{HeaderMap, Method};
use passport::{
    AccessToken, Audience, KeySet, LoginPassport, OwnerLevel, Passport as _, PassportVersion, jwks_document,
};

use super::*;
use crate::stage::*;
use crate::{IssuerView, Reply, RevocationRow, Revocations, Session, SubjectKind, Trust, stage};

mod issuers;
mod mcp;
mod policies;
mod refusals;
mod standing;
mod strangers;

fn reply(outcome: &Outcome) -> &Reply {
    match &outcome.verdict {
        Verdict::Respond(reply) => reply,
        Verdict::Continue => panic!("not refused"),
    }
}

fn observed(site: Site) -> Site {
    Site { mode: Mode::Observe, ..site }
}

#[test]
fn people_notice_nothing() {
    let stage = Stage::new(site());
    let lines = [
        ("accept", "text/html"),
        ("cookie", "cart=1; theme=dark"),
        ("authorization", "Basic dXNlcjpwYXNz"),
        ("x-request-id", "abc"),
    ];
    let played = stage.check("/", &lines, "allow unknown");
    let mut expected = headers(&lines);
    expected.insert("lime-agent-trust", "unknown".parse().unwrap());
    assert_eq!(played.at_origin, expected);
}

#[test]
fn a_token_opens_a_protected_path_and_never_reaches_the_origin() {
    let stage = Stage::new(site());
    let played = stage.check("/agents/list", &[("authorization", &bearer(&token()))], "allow passport");
    assert!(!played.at_origin.contains_key("authorization"));
    assert_eq!(lines(&played.at_origin, "lime-agent-trust"), ["passport"]);
    assert_eq!(lines(&played.at_origin, "lime-agent-id"), ["agent-1"]);
    assert_eq!(lines(&played.at_origin, "lime-owner-level"), ["2"]);
    assert!(!played.at_origin.contains_key("lime-owner-id"), "an owner is told of only when asked for");
    let decision = &played.outcome.decision;
    assert_eq!(decision.policy.as_ref().map(Asks::as_str), Some("passport"));
    assert_eq!(decision.identity.as_ref().unwrap().kid.as_ref(), Some(KEY.kid()));
}

#[test]
fn a_session_opens_a_protected_path_as_cookie_and_as_bearer() {
    let stage = Stage::new(site());
    let session = stage.seal(&session());
    let played = stage.check("/agents/list", &[("authorization", &bearer(&session))], "allow passport");
    assert!(!played.at_origin.contains_key("authorization"));
    let cookies = format!("cart=1; __Host-lime={session}; theme=dark");
    let played = stage.check("/agents/list", &[("cookie", &cookies), ("cookie", "b=\"x; y\"")], "allow passport");
    assert_eq!(lines(&played.at_origin, "cookie"), ["cart=1; theme=dark", "b=\"x; y\""]);
    assert_eq!(lines(&played.at_origin, "lime-agent-id"), ["agent-1"]);
}

#[test]
fn the_cookie_has_its_plain_name_on_loopback_http_alone() {
    let stage = Stage::new(loopback_site());
    let session = stage.seal(&session());
    stage.check("/agents/", &[("cookie", &format!("lime={session}"))], "allow passport");
    let other = format!("__Host-lime={session}");
    let played = stage.check("/agents/", &[("cookie", &other)], "deny 401 passport_required unknown");
    assert_eq!(played.outcome.decision.fault, None);
    let stage = Stage::new(site());
    let played = stage.check("/", &[("cookie", "lime=theirs")], "allow unknown");
    assert_eq!(lines(&played.at_origin, "cookie"), ["lime=theirs"]);
}

#[test]
fn where_the_site_needs_authorization_ours_goes_beside_it() {
    let stage = Stage::new(site());
    let sent = [("authorization", "Basic dXNlcjpwYXNz"), ("lime-authorization", &*bearer(&token()))];
    let played = stage.check("/agents/list", &sent, "allow passport");
    assert_eq!(lines(&played.at_origin, "authorization"), ["Basic dXNlcjpwYXNz"]);
    assert!(!played.at_origin.contains_key("lime-authorization"));
    let session = stage.seal(&session());
    stage.check("/agents/list", &[("lime-authorization", &bearer(&session))], "allow passport");
}

#[test]
fn an_open_path_takes_a_credential_and_tells_the_origin() {
    let stage = Stage::new(site());
    let played = stage.check("/", &[("authorization", &bearer(&token()))], "allow passport");
    assert!(!played.at_origin.contains_key("authorization"));
    assert_eq!(lines(&played.at_origin, "lime-agent-id"), ["agent-1"]);
    assert_eq!(played.outcome.decision.policy.as_ref().map(Asks::as_str), Some("open"));
}

#[test]
fn owner_headers_are_sent_where_configured() {
    let stage = Stage::new(Site { owner_headers: OwnerHeaders::Yes, ..site() });
    let played = stage.check("/agents/", &[("authorization", &bearer(&token()))], "allow passport");
    assert_eq!(lines(&played.at_origin, "lime-owner-id"), ["owner-1"]);
    let foreign = AccessToken { owner: None, owner_level: Default::default(), ..claims() };
    let sent = [("authorization", &*bearer(&KEY.sign(&foreign).unwrap())), ("lime-owner-id", "owner-9")];
    let played = stage.check("/agents/", &sent, "allow passport");
    assert!(!played.at_origin.contains_key("lime-owner-id"), "absent, and never the client's");
    assert_eq!(lines(&played.at_origin, "lime-owner-level"), ["0"]);
}

#[test]
fn identity_headers_of_a_client_reach_nobody_in_any_mode() {
    let spoofs = [
        ("lime-agent-id", "admin"),
        ("lime-agent-id", "again"),
        ("Lime_Agent_Id", "admin"),
        ("x-lime-agent-id", "admin"),
        ("x_lime_agent_id", "admin"),
        ("X_LIME-agent_ID", "admin"),
        ("lime-agent-trust", "passport"),
        ("lime_agent_trust", "passport"),
        ("lime-anything-else", "1"),
        ("lime-authorization-copy", "1"),
    ];
    let innocent = [("limelight", "1"), ("x-limes", "1"), ("sub-lime-agent-id", "1"), ("x-request-id", "1")];
    let sent: Vec<_> = spoofs.into_iter().chain(innocent).collect();
    for mode in [Mode::Off, Mode::Observe, Mode::Enforce] {
        let stage = Stage::new(Site { mode, ..site() });
        let played = stage.check("/", &sent, "allow unknown");
        let mut expected = headers(&innocent);
        expected.insert("lime-agent-trust", "unknown".parse().unwrap());
        assert_eq!(played.at_origin, expected, "{mode:?}");
    }
}

#[test]
fn what_is_the_sites_goes_on_byte_for_byte() {
    let stage = Stage::new(site());
    let foreign = AccessToken { iss: "https://login.shop.example.com".into(), ..claims() };
    let foreign = KEY.sign(&foreign).unwrap();
    let theirs = [
        "Basic dXNlcjpwYXNz",
        "Bearer opaque",
        "Bearer",
        "Bearer ",
        "bearer  a.b.c  ",
        "Bearer a.eyJpc3MiOjF9.c",
        "Token ls1.abc.def",
        "DPoP opaque",
        "Digest username=\"x\", realm=\"y\"",
        "PoWer x",
        "",
        &bearer(&foreign),
        &format!("DPoP {foreign}"),
        &format!("Bearer {}", "x".repeat(9000)),
        &oversized("https://login.shop.example.com"),
    ];
    for authorization in theirs {
        for path in ["/", "/agents/list"] {
            let played = stage.play(path, &[("authorization", authorization)]);
            assert_eq!(lines(&played.at_origin, "authorization"), [authorization]);
            assert_eq!(played.outcome.decision.fault, None, "{authorization}");
        }
        stage.check("/", &[("authorization", authorization)], "allow unknown");
        let played =
            stage.check("/agents/list", &[("authorization", authorization)], "deny 401 passport_required unknown");
        let document = String::from_utf8(reply(&played.outcome).body.to_vec()).unwrap();
        assert!(document.contains("Your Authorization header is the site's and was not read."));
    }
    let two = [("authorization", "Basic a"), ("authorization", "Bearer b")];
    assert_eq!(lines(&stage.check("/", &two, "allow unknown").at_origin, "authorization"), ["Basic a", "Bearer b"]);
}

/// A token of an issuer that is longer than any that is verified.
fn oversized(issuer: &str) -> String {
    use base64::Engine as _;
    let part = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = part(r#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#.into());
    let payload = part(format!(r#"{{"iss":"{issuer}","groups":"{}"}}"#, "x".repeat(8000)));
    format!("Bearer {header}.{payload}.AAAA")
}

#[test]
fn with_the_mode_off_nothing_is_read() {
    let stage = Stage::new(Site { mode: Mode::Off, ..site() });
    let session = format!("__Host-lime={}", stage.seal(&session()));
    let sent = [("authorization", &*bearer("ls1.forged")), ("authorization", &bearer(&token())), ("cookie", &session)];
    let played = stage.check("/agents/%2e%2e/x", &sent, "allow unknown");
    let mut expected = headers(&sent);
    expected.insert("lime-agent-trust", "unknown".parse().unwrap());
    assert_eq!(played.at_origin, expected);
    let from_origin = headers(&[("set-cookie", "__Host-lime=x")]);
    assert_eq!(played.edits.response(&from_origin).count(), 0);
    stage.check("/a b", &[], "deny 400 path_invalid unknown");
    stage.check("/.lime/help", &[], "deny 404 not_found unknown");
}

#[test]
fn a_protected_response_is_kept_out_of_shared_caches() {
    let cached = |site: Site, path: &str, lines: &[(&str, &str)]| {
        let played = Stage::new(site).play(path, lines);
        let from_origin = headers(&[("cache-control", "public, max-age=60")]);
        stage::lines(&applied(&from_origin, played.edits.response(&from_origin)), "cache-control").join("; ")
    };
    let shown: &[(&str, &str)] = &[("authorization", &bearer(&token()))];
    assert_eq!(cached(site(), "/agents/list", shown), "private, max-age=60");
    assert_eq!(cached(observed(site()), "/agents/list", shown), "private, max-age=60");
    assert_eq!(cached(Site { shared_cache: SharedCache::Yes, ..site() }, "/agents/list", shown), "public, max-age=60");
    assert_eq!(cached(site(), "/", shown), "public, max-age=60");
    assert_eq!(cached(observed(site()), "/agents/list", &[]), "public, max-age=60");
}

#[test]
fn an_origin_cannot_set_our_cookie() {
    let played = Stage::new(site()).play("/", &[]);
    let from_origin =
        headers(&[("set-cookie", "a=1"), ("set-cookie", "__Host-lime=x; Path=/"), ("set-cookie", "b=2; Secure")]);
    let after = applied(&from_origin, played.edits.response(&from_origin));
    assert_eq!(lines(&after, "set-cookie"), ["a=1", "b=2; Secure"]);
    let harmless = headers(&[("set-cookie", "a=__Host-lime=x")]);
    assert_eq!(played.edits.response(&harmless).count(), 0);
}

#[test]
fn observe_passes_what_is_policy_and_says_so() {
    let stage = Stage::new(observed(site()));
    let (good, session) = (bearer(&token()), stage.seal(&session()));
    let two_cookies = format!("a=1; __Host-lime={session}; __Host-lime={session}");
    let check = |path: &str, sent: &[(&str, &str)], expected: &str| {
        let played = stage.check(path, sent, expected);
        assert!(matches!(played.outcome.verdict, Verdict::Continue));
        assert!(lines(&played.at_origin, "authorization").iter().all(|line| line == "Basic a"));
        assert!(lines(&played.at_origin, "cookie").iter().all(|line| line == "a=1"));
        assert_eq!(played.at_origin.contains_key("lime-agent-id"), expected == "allow passport");
    };
    check("/agents/list", &[], "would_deny passport_required unknown");
    check("/agents/list", &[("authorization", "Bearer ls1.x.y")], "would_deny invalid_token (seal) unknown");
    check("/", &[("authorization", "Bearer ls1.x.y")], "would_deny invalid_token (seal) unknown");
    check("/", &[("authorization", "PoW x")], "allow unknown");
    let beside = [("authorization", &*good), ("authorization", "Basic a")];
    check("/", &beside, "would_deny credential_ambiguous unknown");
    check("/", &[("cookie", &two_cookies)], "would_deny credential_ambiguous unknown");
    check("/agents/list", &[("authorization", &good)], "allow passport");
    stage.check("/agents/../x", &[], "deny 400 path_ambiguous unknown");
    stage.check("/a b", &[], "deny 400 path_invalid unknown");
    stage.check("/.lime/x", &[], "deny 404 not_found unknown");
}

#[test]
fn a_login_passport_is_no_access_token() {
    let passport = LoginPassport {
        iss: ISSUER.into(),
        aud: LoginPassport::audience(),
        sub: "agent-1".parse().unwrap(),
        iat: NOW,
        exp: NOW.plus(seconds(120)),
        nbf: None,
        jti: "jti-1".parse().unwrap(),
        request_id: "request-1".parse().unwrap(),
        site_id: "site-1".parse().unwrap(),
        user_id: "owner-1".parse().unwrap(),
        user_kyc_level: Default::default(),
        passport_version: PassportVersion,
    };
    let token = KEY.sign(&passport).unwrap();
    Stage::new(site()).check(
        "/agents/",
        &[("authorization", &bearer(&token))],
        "deny 401 invalid_token (type) unknown",
    );
}
