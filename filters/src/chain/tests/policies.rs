//! What a policy asks of whoever is identified, how often, and who may read the refusal.

use std::net::{IpAddr, Ipv6Addr};

use config::{Limit, LimitPer, Listed, Methods, PathPattern, Route};
use http::{HeaderMap, Method};
use passport::OwnerLevel;

use super::*;

fn policy(edit: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::new("orders", Require::Passport);
    edit(&mut policy);
    policy
}

fn route(path: &str, methods: Methods, policy: &Arc<Policy>) -> Route {
    let path: PathPattern = path.parse().unwrap();
    Route { path, methods, policy: Arc::clone(policy), defined_at: site().defined_at }
}

/// A site whose orders are under a policy, and nothing else.
fn selling(policy: Policy) -> Site {
    let policy = Arc::new(policy);
    site().with_routes(vec![route("/orders/*", Methods::Any, &policy)])
}

fn signed(edit: impl FnOnce(&mut AccessToken)) -> String {
    let mut claims = claims();
    edit(&mut claims);
    bearer(&KEY.sign(&claims).unwrap())
}

fn header<'o>(outcome: &'o Outcome, name: &str) -> Option<&'o str> {
    let headers = &reply(outcome).headers;
    headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.to_str().unwrap())
}

fn ids(ids: &[&str]) -> std::collections::BTreeSet<Box<str>> {
    ids.iter().map(|id| Box::from(*id)).collect()
}

/// What becomes of an agent under a policy: where it is refused, it is known whom; where it is only observed, it goes on
/// as itself.
#[track_caller]
fn check(policy: Policy, authorization: &str, reason: Option<Reason>) {
    let stage = Stage::new(selling(policy));
    let sent = [("authorization", authorization)];
    let Some(reason) = reason else {
        let played = stage.check("/orders/1", &sent, "allow passport");
        assert_eq!(played.outcome.decision.policy.as_ref().map(Asks::as_str), Some("orders"));
        return;
    };
    let played = stage.check("/orders/1", &sent, &format!("deny 403 {} passport", reason.as_str()));
    assert_eq!(played.outcome.decision.identity.as_ref().unwrap().agent.as_str(), "agent-1");
    stage.check("/else", &sent, "allow passport");

    let stage = Stage::new(observed(stage.site));
    let played = stage.check("/orders/1", &sent, &format!("would_deny {} passport", reason.as_str()));
    assert_eq!(lines(&played.at_origin, "lime-agent-id"), ["agent-1"]);
}

#[test]
fn every_scope_is_asked_for_and_compared_whole() {
    let orders =
        |scopes: &[&str]| policy(|policy| policy.scopes = scopes.iter().map(|scope| Box::from(*scope)).collect());
    let having = |scope: &str| signed(|claims| claims.scope = Some(scope.to_owned()));
    check(orders(&["read"]), &having("read"), None);
    check(orders(&["read", "write"]), &having("write other read"), None);
    for scope in ["", "read", "write", "read writer", "READ write", "read,write"] {
        check(orders(&["read", "write"]), &having(scope), Some(Reason::InsufficientScope));
    }
    check(orders(&["read"]), &signed(|claims| claims.scope = None), Some(Reason::InsufficientScope));
}

#[test]
fn a_refusal_for_want_of_scopes_names_them() {
    let stage = Stage::new(selling(policy(|policy| policy.scopes = vec!["read".into(), "orders:write".into()])));
    let played = stage.play("/orders/1", &[("authorization", &bearer(&token()))]);
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"read orders:write\"";
    assert_eq!(header(&played.outcome, "www-authenticate"), Some(challenge));
    let document: serde_json::Value = serde_json::from_slice(&reply(&played.outcome).body).unwrap();
    assert_eq!(document["type"], "https://shop.example.com/.lime/help#insufficient_scope");
}

#[test]
fn a_session_has_no_scopes() {
    let stage = Stage::new(selling(policy(|policy| policy.scopes = vec!["read".into()])));
    let session = bearer(&stage.seal(&session()));
    stage.check("/orders/1", &[("authorization", &session)], "deny 403 insufficient_scope passport");
}

#[test]
fn the_level_of_the_owner_is_the_least_that_is_asked() {
    let from = |level| policy(|policy| policy.owner_level = OwnerLevel::new(level));
    check(from(2), &bearer(&token()), None);
    check(from(3), &bearer(&token()), Some(Reason::OwnerLevelTooLow));
    check(from(1), &signed(|claims| claims.owner_level = OwnerLevel::default()), Some(Reason::OwnerLevelTooLow));
}

#[test]
fn lists_are_of_exact_ids_and_deny_is_stronger() {
    let agents = |allow: Option<&[&str]>, deny: &[&str]| {
        policy(|policy| policy.agents = Listed { allow: allow.map(ids), deny: ids(deny) })
    };
    let owners = |allow: Option<&[&str]>, deny: &[&str]| {
        policy(|policy| policy.owners = Listed { allow: allow.map(ids), deny: ids(deny) })
    };
    let token = bearer(&token());
    check(agents(Some(&["agent-1"]), &[]), &token, None);
    check(agents(None, &["agent-2", "AGENT-1", "agent-"]), &token, None);
    check(agents(Some(&["agent-2", "AGENT-1", "agent-11"]), &[]), &token, Some(Reason::AgentDenied));
    check(agents(Some(&["agent-1"]), &["agent-1"]), &token, Some(Reason::AgentDenied));
    check(owners(Some(&["owner-1"]), &[]), &token, None);
    check(owners(Some(&["owner-2"]), &[]), &token, Some(Reason::AgentDenied));
    check(owners(None, &["owner-1"]), &token, Some(Reason::AgentDenied));
    let ownerless = signed(|claims| claims.owner = None);
    check(owners(None, &["owner-1"]), &ownerless, None);
    check(owners(Some(&["owner-1"]), &[]), &ownerless, Some(Reason::AgentDenied));
}

#[test]
fn a_verdict_that_was_kept_does_not_carry_over_to_another_policy() {
    let (open, strict) = (Arc::new(policy(|_| ())), Arc::new(policy(|policy| policy.scopes = vec!["read".into()])));
    let routes = vec![route("/open/*", Methods::Any, &open), route("/strict/*", Methods::Any, &strict)];
    let stage = Stage::new(site().with_routes(routes));
    let sent = bearer(&token());
    for _ in 0..2 {
        stage.check("/open/1", &[("authorization", &sent)], "allow passport");
        stage.check("/strict/1", &[("authorization", &sent)], "deny 403 insufficient_scope passport");
    }
}

#[test]
fn readings_of_a_path_are_compared_under_the_method_that_is_asked_for() {
    let policy = Arc::new(policy(|_| ()));
    let methods = Methods::Only(vec![Method::POST]);
    let stage = Stage::new(site().with_routes(vec![route("/orders/*", methods, &policy)]));
    let reason = |method: &Method, path: &str| stage.play_as(method, path, &[]).outcome.decision.reason;
    assert_eq!(reason(&Method::GET, "/x/../orders/1"), None);
    assert_eq!(reason(&Method::POST, "/x/../orders/1"), Some(Reason::PathAmbiguous));
    assert_eq!(reason(&Method::POST, "/orders/x/../1"), Some(Reason::PassportRequired));
}

#[test]
fn what_asks_for_work_is_closed_to_strangers_and_open_to_agents() {
    let stage = Stage::new(selling(Policy::new("worked", Require::Cleared)));
    stage.check("/orders/1", &[("authorization", &bearer(&token()))], "allow passport");
    assert!(matches!(stage.play("/orders/1", &[]).outcome.verdict, Verdict::Respond(_)));
}

fn limited(per: LimitPer, rate: &str, burst: u32) -> Limit {
    Limit { per, rate: rate.parse().unwrap(), burst }
}

#[test]
fn a_limit_says_what_is_left_and_when_to_come_back() {
    let mut stage = Stage::new(selling(policy(|policy| policy.limits = vec![limited(LimitPer::Agent, "60/m", 2)])));
    let sent = bearer(&token());
    let sent = [("authorization", &*sent)];
    for left in ["\"agent\";r=1;t=1", "\"agent\";r=0;t=2"] {
        let played = stage.check("/orders/1", &sent, "allow passport");
        let answered = applied(&HeaderMap::new(), played.edits.response(&HeaderMap::new()));
        assert_eq!(lines(&answered, "ratelimit"), [left]);
        assert_eq!(lines(&answered, "ratelimit-policy"), ["\"agent\";q=60;w=60;burst=2"]);
    }
    let played = stage.check("/orders/1", &sent, "deny 429 rate_limited passport");
    assert_eq!(header(&played.outcome, "ratelimit"), Some("\"agent\";r=0;t=2"));
    assert_eq!(header(&played.outcome, "ratelimit-policy"), Some("\"agent\";q=60;w=60;burst=2"));
    assert_eq!(header(&played.outcome, "retry-after"), Some("1"));
    assert_eq!(played.outcome.decision.identity.as_ref().unwrap().agent.as_str(), "agent-1");

    let other = signed(|claims| claims.sub = "agent-2".parse().unwrap());
    stage.check("/orders/1", &[("authorization", &other)], "allow passport");
    stage.check("/else", &sent, "allow passport");
    stage.site.mode = Mode::Observe;
    let played = stage.check("/orders/1", &sent, "would_deny rate_limited passport");
    assert_eq!(lines(&played.at_origin, "lime-agent-id"), ["agent-1"]);
    (stage.site.mode, stage.now) = (Mode::Enforce, NOW.plus(seconds(1)));
    stage.check("/orders/1", &sent, "allow passport");
}

#[test]
fn whoever_is_refused_for_another_reason_uses_nothing_up() {
    let stage = Stage::new(selling(policy(|policy| policy.limits = vec![limited(LimitPer::Site, "1/h", 1)])));
    for _ in 0..5 {
        stage.check("/orders/1", &[], "deny 401 passport_required unknown");
    }
    stage.check("/orders/1", &[("authorization", &bearer(&token()))], "allow passport");
    stage.check("/orders/1", &[("authorization", &bearer(&token()))], "deny 429 rate_limited passport");
}

#[test]
fn agents_of_one_owner_share_its_limit_and_the_ownerless_have_none() {
    let stage = Stage::new(selling(policy(|policy| policy.limits = vec![limited(LimitPer::Owner, "1/h", 1)])));
    let of = |agent: &str, owner: Option<&str>| {
        signed(|claims| {
            claims.sub = agent.parse().unwrap();
            claims.owner = owner.map(|owner| owner.parse().unwrap());
        })
    };
    stage.check("/orders/1", &[("authorization", &of("agent-1", Some("owner-1")))], "allow passport");
    stage.check("/orders/1", &[("authorization", &of("agent-2", Some("owner-1")))], "deny 429 rate_limited passport");
    stage.check("/orders/1", &[("authorization", &of("agent-3", Some("owner-2")))], "allow passport");
    for _ in 0..2 {
        stage.check("/orders/1", &[("authorization", &of("agent-4", None))], "allow passport");
    }
}

#[test]
fn a_client_is_an_address_or_a_household_and_nobody_when_it_is_hidden() {
    let mut stage = Stage::new(Site { limits: vec![limited(LimitPer::Client, "1/h", 1)], ..site() });
    let mut ask = |client: Option<IpAddr>, expected: &str| {
        stage.client = client;
        stage.check("/", &[], expected);
    };
    let v6 = |last: u16, household: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, household, 0, 0, 0, last));
    let (v4, mapped) = ("192.0.2.1".parse().unwrap(), "::ffff:192.0.2.1".parse().unwrap());
    ask(Some(v4), "allow unknown");
    ask(Some(mapped), "deny 429 rate_limited unknown");
    ask(Some("192.0.2.2".parse().unwrap()), "allow unknown");
    ask(Some(v6(1, 0x0100)), "allow unknown");
    ask(Some(v6(2, 0x01ff)), "deny 429 rate_limited unknown");
    ask(Some(v6(1, 0x0200)), "allow unknown");
    for _ in 0..3 {
        ask(None, "allow unknown");
    }
}

#[test]
fn a_limit_outlives_a_reload_that_leaves_it_as_it_is() {
    let site = |burst| selling(policy(|policy| policy.limits = vec![limited(LimitPer::Agent, "1/h", burst)]));
    let mut stage = Stage::new(site(1));
    let sent = bearer(&token());
    stage.check("/orders/1", &[("authorization", &sent)], "allow passport");
    stage.site = site(1);
    stage.check("/orders/1", &[("authorization", &sent)], "deny 429 rate_limited passport");
    stage.site = site(2);
    stage.check("/orders/1", &[("authorization", &sent)], "allow passport");
}

#[test]
fn a_page_of_a_listed_origin_may_read_a_refusal_and_no_other_may() {
    let stage = Stage::new(Site { cors: vec!["https://app.example".parse().unwrap()], ..site() });
    let allowed = |origin: &str| {
        let played = stage.play("/agents/x", &[("origin", origin)]);
        let vary: Vec<_> = reply(&played.outcome).headers.iter().filter(|(name, _)| name == "vary").collect();
        assert!(vary.iter().any(|(_, value)| value == "origin"), "whoever caches must know: {vary:?}");
        header(&played.outcome, "access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(allowed("https://app.example").as_deref(), Some("https://app.example"));
    for origin in ["https://app.example.evil", "http://app.example", "https://app.example:444", "null", "*", ""] {
        assert_eq!(allowed(origin), None, "{origin}");
    }
    let played = Stage::new(site()).play("/agents/x", &[("origin", "https://app.example")]);
    assert_eq!(header(&played.outcome, "access-control-allow-origin"), None);
}

#[test]
fn a_preflight_is_the_origins_to_answer_and_carries_nobody() {
    let stage = Stage::new(site());
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    let played = stage.play_as(&Method::OPTIONS, "/agents/x", &preflight);
    assert!(matches!(played.outcome.verdict, Verdict::Continue));
    assert_eq!(lines(&played.at_origin, "lime-agent-trust"), ["unknown"]);
    let refused =
        |method: &Method, sent: &[(&str, &str)]| stage.play_as(method, "/agents/x", sent).outcome.decision.reason;
    assert_eq!(refused(&Method::GET, &preflight), Some(Reason::PassportRequired));
    assert_eq!(refused(&Method::OPTIONS, &preflight[..1]), Some(Reason::PassportRequired));
    assert_eq!(refused(&Method::OPTIONS, &preflight[1..]), Some(Reason::PassportRequired));
    let with_token = [preflight[0], preflight[1], ("authorization", "Bearer ls1.forged")];
    assert_eq!(refused(&Method::OPTIONS, &with_token), Some(Reason::InvalidToken));
}
