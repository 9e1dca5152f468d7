//! What is decided at an MCP endpoint.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::*;
use crate::{AtMcp, Definition, McpOutcome, Pins};

const MCP: &str = "https://shop.example.com/mcp";
const METADATA: &str = "https://shop.example.com/.well-known/oauth-protected-resource/mcp";
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#;

fn header(reply: &Reply, name: &HeaderName) -> String {
    let found = reply.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.to_str().unwrap());
    found.collect::<Vec<_>>().join(" | ")
}

fn mcp_stage() -> Stage {
    Stage::new(mcp_site(site()))
}

#[test]
fn a_resource_token_counts_at_its_endpoint_alone() {
    let mut stage = mcp_stage();
    let place = stage.site.defined_at.clone();
    stage.site.mcp.push(McpEndpoint::new(&stage.site.url, "/other".parse().unwrap(), place).into());
    let shown = bearer(&resource_token(MCP, "mcp:read"));
    for _ in 0..2 {
        let played = stage.check("/mcp", &[("authorization", &shown)], "allow passport");
        assert!(!played.at_origin.contains_key("authorization"));
        let identity = played.outcome.decision.identity.unwrap();
        assert_eq!((identity.client.as_deref(), identity.resource.as_deref()), (Some("client-1"), Some(MCP)));
        for path in ["/other", "/", "/agents/x"] {
            stage.check(path, &[("authorization", &shown)], "deny 401 invalid_token (resource) unknown");
        }
    }
    let elsewhere = bearer(&resource_token("https://shop.example.com/mcp2", ""));
    stage.check("/mcp", &[("authorization", &elsewhere)], "deny 401 invalid_token (claims) unknown");
    // The agent SDK's lane, and a session of ours.
    stage.check("/mcp", &[("authorization", &bearer(&token()))], "allow passport");
    stage.check("/mcp", &[("authorization", &bearer(&stage.seal(&session())))], "allow passport");
}

#[test]
fn a_token_that_was_believed_counts_no_more_once_its_endpoint_is_gone() {
    let mut stage = mcp_stage();
    let shown = bearer(&resource_token(MCP, ""));
    stage.check("/mcp", &[("authorization", &shown)], "allow passport");
    stage.site.mcp.clear();
    stage.check("/mcp", &[("authorization", &shown)], "deny 401 invalid_token (claims) unknown");
}

#[test]
fn every_authorization_at_an_endpoint_is_ours_and_none_reaches_the_origin() {
    for (value, fault) in [
        ("Basic dXNlcjpwYXNz", "foreign"),
        ("Bearer opaque", "foreign"),
        ("Bearer a.b.c", "foreign"),
        ("PoW clearance", "scheme"),
        ("", "foreign"),
    ] {
        let mut stage = mcp_stage();
        let expected = format!("deny 401 invalid_token ({fault}) unknown");
        let played = stage.check("/mcp", &[("authorization", value)], &expected);
        let challenge = header(reply(&played.outcome), &WWW_AUTHENTICATE);
        let said = format!("Bearer error=\"invalid_token\", resource_metadata=\"{METADATA}\", scope=\"mcp:read\"");
        assert_eq!(challenge, said, "{value}");
        stage.site = observed(stage.site);
        let lines = [("authorization", value), ("lime-authorization", "Basic x")];
        let played = stage.play("/mcp", &lines);
        assert!(!played.at_origin.contains_key("authorization"), "{value}");
        assert!(!played.at_origin.contains_key("lime-authorization"), "{value}");
    }
    let played = mcp_stage().check("/other", &[("authorization", "Basic dXNlcjpwYXNz")], "allow unknown");
    assert!(played.at_origin.contains_key("authorization"), "elsewhere it is the site's");
}

#[test]
fn whoever_sent_nothing_is_told_where_to_ask_and_of_no_error() {
    let played = mcp_stage().check("/mcp", &[], "deny 401 passport_required unknown");
    let challenge = header(reply(&played.outcome), &WWW_AUTHENTICATE);
    assert_eq!(challenge, format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp:read\""));
    let played = mcp_stage().check("/agents/x", &[], "deny 401 passport_required unknown");
    assert!(!header(reply(&played.outcome), &WWW_AUTHENTICATE).contains("resource_metadata"));
}

#[test]
fn no_reading_of_a_path_leads_past_an_endpoint() {
    let mut stage = mcp_stage();
    // With one policy for all, a path is still not two.
    stage.site.policy = Policy::passport();
    for path in ["//mcp", "/%6dcp", "/x/../mcp", "/mcp;x", "/mcp%2f", "/./mcp"] {
        stage.check(path, &[("authorization", &bearer(&token()))], "deny 400 path_ambiguous unknown");
    }
}

#[test]
fn a_token_of_another_issuer_may_be_for_the_resource() {
    let mut stage = mcp_stage();
    let mut other = (*lime("https://login.example.org")).clone();
    other.kind = IssuerKind::OAuth { audience: None };
    other.typ = vec!["at+jwt".into()];
    stage.site.issuers = vec![Arc::new(other)];
    let sign = |aud: &str| {
        let claims = passport::ResourceToken {
            iss: "https://login.example.org".into(),
            aud: Audience::One(aud.into()),
            sub: "agent-1".parse().unwrap(),
            iat: ago(10),
            exp: NOW.plus(seconds(290)),
            nbf: None,
            jti: "t".parse().unwrap(),
            client_id: "their-client".into(),
            scope: None,
            owner: "owner-1".parse().unwrap(),
            owner_level: OwnerLevel::new(0),
        };
        bearer(&KEY.sign(&claims).unwrap())
    };
    let played = stage.check("/mcp", &[("authorization", &sign(MCP))], "allow passport");
    assert_eq!(played.outcome.decision.identity.unwrap().client.as_deref(), Some("their-client"));
    stage.check("/agents/x", &[("authorization", &sign(MCP))], "deny 401 invalid_token (resource) unknown");
    let for_the_site = sign("https://shop.example.com");
    stage.check("/agents/x", &[("authorization", &for_the_site)], "allow passport");
    stage.check("/mcp", &[("authorization", &for_the_site)], "deny 401 invalid_token (resource) unknown");
    stage.check(
        "/mcp",
        &[("authorization", &sign("https://else.example"))],
        "deny 401 invalid_token (foreign) unknown",
    );
    // An audience that the operator names is meant for everything there.
    let mut named = (*stage.site.issuers[0]).clone();
    named.kind = IssuerKind::OAuth { audience: Some("https://api.example.org".into()) };
    stage.site.issuers = vec![Arc::new(named)];
    for path in ["/mcp", "/agents/x"] {
        stage.check(path, &[("authorization", &sign("https://api.example.org"))], "allow passport");
    }
    stage.check("/mcp", &[("authorization", &sign(MCP))], "allow passport");
}

#[test]
fn a_cookie_opens_no_endpoint() {
    let stage = mcp_stage();
    let session = stage.seal(&session());
    stage.check("/agents/x", &[("cookie", &format!("__Host-lime={session}"))], "allow passport");
    let played = stage.check(
        "/mcp",
        &[("cookie", &format!("a=1; __Host-lime={session}"))],
        "deny 401 passport_required unknown",
    );
    assert_eq!(lines(&played.at_origin, "cookie"), ["a=1"], "nor does it go on");
    stage.check("/mcp", &[("authorization", &bearer(&session))], "allow passport");
}

/// The same claims, signed with the same key as another type of token.
fn retyped(token: &str, typ: Option<&str>) -> String {
    let mut header = json!({ "alg": "RS256", "kid": KEY.kid().as_str() });
    if let Some(typ) = typ {
        header["typ"] = json!(typ);
    }
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), token.split('.').nth(1).unwrap());
    let key = RsaKeyPair::from_pkcs8(&KEY.to_pkcs8().unwrap()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_of_another_type_opens_no_endpoint() {
    let mut stage = mcp_stage();
    let good = resource_token(MCP, "mcp:read");
    stage.check("/mcp", &[("authorization", &bearer(&good))], "allow passport");
    for typ in [Some("JWT"), Some("oauth-id-jag+jwt"), Some("at+jwt; x"), None] {
        let token = retyped(&good, typ);
        stage.resources.cache = Arc::default();
        stage.check("/mcp", &[("authorization", &bearer(&token))], "deny 401 invalid_token (type) unknown");
    }
}

/// A message to `/mcp`, judged.
struct Sent {
    head: McpOutcome,
    body: Option<McpOutcome>,
    edits: Edits,
    headers: HeaderMap,
}

impl Stage {
    fn send(&self, method: &Method, lines: &[(&str, &str)], identity: Option<Identity>, body: &str) -> Sent {
        let chain = Chain::new(Arc::new(self.site.clone()), self.resources.clone());
        let mut lines = lines.to_vec();
        lines.push(("content-type", "application/json"));
        let headers = headers(&lines);
        let host = self.site.url.host();
        let request =
            Request { method, host, path: b"/mcp", headers: &headers, client: self.client, request_id: "01JD" };
        let identity = identity.map(Arc::new);
        let endpoint = &self.site.mcp[0];
        let (elapsed, hidden_tools) = (self.now.since(ago(1_000)), self.hidden_tools.as_ref());
        let at = AtMcp {
            request: &request,
            endpoint,
            identity: identity.as_ref(),
            mode: self.site.mode,
            elapsed,
            hidden_tools,
            param_headers: None,
        };
        let mut edits = Edits::new();
        let head = chain.meet_mcp(&at, Some(1), &mut edits);
        let goes_on = matches!(head.verdict, Verdict::Continue) && *method == Method::POST;
        let body = goes_on.then(|| chain.judge_message(&at, body.as_bytes(), &mut edits));
        Sent { head, body, edits, headers }
    }
}

/// In words: the status if it was answered, what is logged.
fn in_words(outcome: &McpOutcome) -> String {
    let status = match &outcome.verdict {
        Verdict::Respond(reply) => reply.status.as_u16().to_string(),
        Verdict::Continue => "goes on".to_owned(),
    };
    match outcome.decided {
        Some((word, reason)) => format!("{status} {} {}", word.as_str(), reason.as_str()),
        None => status,
    }
}

fn agent(scopes: &[&str]) -> Option<Identity> {
    Some(identity("agent-1", Some("client-1"), scopes))
}

#[test]
fn a_message_is_judged_and_what_it_was_is_known_after() {
    let stage = mcp_stage();
    let sent = stage.send(&Method::POST, &[], agent(&["mcp:write"]), &CALL.replace("search", "delete_note"));
    let body = sent.body.unwrap();
    assert_eq!((in_words(&sent.head), in_words(&body)), ("goes on".into(), "goes on".into()));
    assert_eq!(body.policy.map(|policy| policy.name.clone()), Some("writers".into()));
    let call = body.call.unwrap();
    assert_eq!((call.method.as_deref(), call.id.as_deref()), (Some("tools/call"), Some("1")));
    assert_eq!(call.target, Some((config::RuleKind::Tool, "delete_note".into())));
    assert_eq!(call.rule.as_deref(), Some("tool delete_*"));
}

#[test]
fn a_message_that_may_not_go_on_is_answered_and_where_nobody_is_refused_logged() {
    for (lines, scopes, body, enforced, observed_as) in [
        (&[][..], &[][..], "[]", "400 deny message_invalid", "message_invalid"),
        (&[("mcp-method", "ping")], &[], CALL, "400 deny header_mismatch", "header_mismatch"),
        (&[], &[], &CALL.replace("search", "internal_x"), "200 deny call_denied", "call_denied"),
        (&[], &["a"], &CALL.replace("search", "delete_x"), "403 deny insufficient_scope", "insufficient_scope"),
    ] {
        let mut stage = mcp_stage();
        let sent = stage.send(&Method::POST, lines, agent(scopes), body);
        assert_eq!(in_words(sent.body.as_ref().unwrap()), enforced, "{body}");
        stage.site = observed(stage.site);
        let sent = stage.send(&Method::POST, lines, agent(scopes), body);
        assert_eq!(in_words(&sent.body.unwrap()), format!("goes on would_deny {observed_as}"), "{body}");
    }
    for (method, lines, enforced) in [
        (Method::PUT, &[][..], "405 deny method_not_allowed"),
        (Method::POST, &[("content-encoding", "gzip")], "415 deny media_type_unsupported"),
        (Method::POST, &[("origin", "https://evil.example")], "403 deny origin_denied"),
        (Method::GET, &[("mcp-name", "a"), ("mcp-name", "b")], "400 deny header_repeated"),
    ] {
        let mut stage = mcp_stage();
        let sent = stage.send(&method, lines, agent(&[]), "");
        assert_eq!(in_words(&sent.head), enforced, "{method} {lines:?}");
        if method == Method::PUT {
            let Verdict::Respond(reply) = &sent.head.verdict else { panic!("refused") };
            assert_eq!(header(reply, &ALLOW), "GET, POST, DELETE, OPTIONS");
        }
        stage.site = observed(stage.site);
        let sent = stage.send(&method, lines, agent(&[]), "");
        assert!(in_words(&sent.head).starts_with("goes on would_deny"), "{method} {lines:?}");
    }
    let observing = Stage::new(observed(mcp_site(site())));
    let sent = observing.send(&Method::POST, &[], None, &CALL.replace("search", "internal_x"));
    assert_eq!(in_words(&sent.body.unwrap()), "goes on", "there is nobody to rule on");
    let sent = mcp_stage().send(&Method::POST, &[], None, CALL);
    assert_eq!(in_words(&sent.body.unwrap()), "500 error internal", "which cannot be where somebody is asked for");
}

#[test]
fn a_tool_that_became_another_is_not_there() {
    let mut stage = mcp_stage();
    let mut pins = Pins::default();
    for text in ["{}", "{\"title\":\"another\"}"] {
        pins.judge("", "search", Definition::read(text), NOW);
    }
    stage.hidden_tools = Some(pins.hidden_at(""));
    let sent = stage.send(&Method::POST, &[], agent(&[]), CALL);
    let body = sent.body.unwrap();
    assert_eq!(in_words(&body), "200 deny call_denied");
    assert_eq!(body.call.unwrap().rule.as_deref(), Some("pins"));
    let Verdict::Respond(reply) = &body.verdict else { panic!("refused") };
    assert!(String::from_utf8_lossy(&reply.body).contains("Unknown tool: search"));
    let sent = stage.send(&Method::POST, &[], agent(&[]), &CALL.replace("search", "find"));
    assert_eq!(in_words(&sent.body.unwrap()), "goes on");
    stage.site = observed(stage.site);
    let sent = stage.send(&Method::POST, &[], agent(&[]), CALL);
    assert_eq!(in_words(&sent.body.unwrap()), "goes on would_deny call_denied");
}

#[test]
fn the_limits_of_a_rule_count_calls_of_its_own() {
    let mut stage = mcp_stage();
    let mut endpoint = (*stage.site.mcp[0]).clone();
    let limit = |per| config::Limit { per, rate: "1/h".parse().unwrap(), burst: 1 };
    let few = Policy { limits: vec![limit(config::LimitPer::Agent)], ..Policy::new("few", Require::Passport) };
    let few = Arc::new(few);
    endpoint.rules = config::McpRules::new(
        ["few_*", "other_*"]
            .map(|tool| rule(config::RuleKind::Tool, tool, config::McpDemand::Policy(Arc::clone(&few))))
            .into(),
    );
    stage.site.mcp = vec![Arc::new(endpoint)];
    let send = |tool: &str| {
        let sent = stage.send(&Method::POST, &[], agent(&[]), &CALL.replace("search", tool));
        (in_words(sent.body.as_ref().unwrap()), sent)
    };
    assert_eq!(send("few_a").0, "goes on");
    let (words, sent) = send("few_b");
    assert_eq!(words, "429 deny rate_limited");
    let Verdict::Respond(reply) = sent.body.unwrap().verdict else { panic!("refused") };
    assert!(header(&reply, &RETRY_AFTER).parse::<u64>().unwrap() > 3000);
    assert!(header(&reply, &HeaderName::from_static("ratelimit")).contains("agent"));
    assert_eq!(send("search").0, "goes on", "another tool's calls are not counted");
    assert_eq!(send("other_a").0, "goes on", "nor are those of another rule with the policy");
    assert_eq!(send("other_b").0, "429 deny rate_limited");
}

#[test]
fn a_session_is_given_and_taken_back_only_bound() {
    let stage = mcp_stage();
    let sent = stage.send(&Method::POST, &[], agent(&[]), CALL);
    let given =
        applied(&headers(&[("mcp-session-id", "s-1")]), sent.edits.response(&headers(&[("mcp-session-id", "s-1")])));
    let [bound] = &lines(&given, "mcp-session-id")[..] else { panic!("one") };
    assert!(bound.starts_with("s-1.") && bound.len() == 26, "{bound}");
    let with = [("mcp-session-id", bound.as_str()), ("expect", "100-continue"), ("last-event-id", "7")];
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let sent = stage.send(&method, &with, agent(&[]), CALL);
        assert_eq!(in_words(&sent.head), "goes on");
        let at_origin = applied(&sent.headers, sent.edits.request(&sent.headers));
        assert_eq!(lines(&at_origin, "mcp-session-id"), ["s-1"]);
        assert_eq!((lines(&at_origin, "last-event-id").len(), at_origin.contains_key("expect")), (1, false));
        let observing = Stage { site: observed(stage.site.clone()), resources: stage.resources.clone(), ..mcp_stage() };
        let sent = observing.send(&method, &with, agent(&[]), CALL);
        let at_origin = applied(&sent.headers, sent.edits.request(&sent.headers));
        assert_eq!(lines(&at_origin, "mcp-session-id"), ["s-1"], "a mode that changes ends no session");
        let sent = observing.send(&method, &[("mcp-session-id", "s-2")], agent(&[]), CALL);
        let at_origin = applied(&sent.headers, sent.edits.request(&sent.headers));
        assert_eq!((in_words(&sent.head), lines(&at_origin, "mcp-session-id")), ("goes on".into(), vec!["s-2".into()]));
        assert_eq!(
            in_words(&stage.send(&method, &[("mcp-session-id", "s-1")], agent(&[]), CALL).head),
            "404 deny session_unknown"
        );
        let other = Some(identity("agent-1", None, &[]));
        assert_eq!(in_words(&stage.send(&method, &with, other, CALL).head), "404 deny session_unknown");
    }
    // Streams are taken up in a session alone, and the later era has none.
    for lines in [
        &[("last-event-id", "7")][..],
        &[("mcp-session-id", "x"), ("mcp-protocol-version", "2026-07-28"), ("last-event-id", "7")],
    ] {
        let sent = stage.send(&Method::GET, lines, agent(&[]), "");
        let at_origin = applied(&sent.headers, sent.edits.request(&sent.headers));
        assert!(!at_origin.contains_key("last-event-id") && !at_origin.contains_key("mcp-session-id"), "{lines:?}");
    }
    let stream = headers(&[("content-type", "text/event-stream; charset=utf-8")]);
    let sent = stage.send(&Method::POST, &[], agent(&[]), CALL);
    assert_eq!(lines(&applied(&stream, sent.edits.response(&stream)), "x-accel-buffering"), ["no"]);
}

#[test]
fn a_stream_asks_for_what_the_endpoint_asks() {
    let mut stage = mcp_stage();
    let mut endpoint = (*stage.site.mcp[0]).clone();
    endpoint.policy = Arc::new(Policy { scopes: vec!["mcp:read".into()], ..Policy::new("readers", Require::Passport) });
    stage.site.mcp = vec![Arc::new(endpoint)];
    let sent = stage.send(&Method::GET, &[], agent(&["mcp:write"]), "");
    assert_eq!(in_words(&sent.head), "403 deny insufficient_scope");
    let Verdict::Respond(reply) = &sent.head.verdict else { panic!("refused") };
    assert!(header(reply, &WWW_AUTHENTICATE).contains("scope=\"mcp:read mcp:write\""));
    assert_eq!(in_words(&stage.send(&Method::GET, &[], agent(&["mcp:read"]), "").head), "goes on");
}
