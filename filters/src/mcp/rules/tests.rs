use config::{McpRules, Require, Site};

use super::*;
use crate::stage::{identity, mcp_site, rule, site};

fn endpoint(change: impl FnOnce(&mut McpEndpoint)) -> McpEndpoint {
    let Site { mcp, .. } = mcp_site(site());
    let mut endpoint = (*mcp[0]).clone();
    change(&mut endpoint);
    endpoint
}

fn deny(kind: RuleKind, pattern: &str) -> McpRule {
    rule(kind, pattern, McpDemand::Deny)
}

fn allow(kind: RuleKind, pattern: &str) -> McpRule {
    rule(kind, pattern, McpDemand::Policy(Policy::passport()))
}

/// What becomes of a message in words: `allow passport`, `scope writers`, `hidden`.
fn ruled(endpoint: &McpEndpoint, scopes: &[&str], era: Era, text: &str) -> String {
    let identity = identity("agent-1", None, scopes);
    match rule_on(endpoint, &identity, &Message::read(text.as_bytes()).unwrap(), era) {
        McpRuling::Allow { policy, .. } => format!("allow {}", policy.name),
        McpRuling::NeedsScope { policy, .. } => format!("scope {}", policy.name),
        McpRuling::NotAdmitted { reason, .. } => format!("no: {}", reason.as_str()),
        McpRuling::Hidden { .. } => "hidden".to_owned(),
    }
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn call(tool: &str) -> String {
    request("tools/call", &format!(r#"{{"name":"{tool}"}}"#))
}

fn read(uri: &str) -> String {
    request("resources/read", &format!(r#"{{"uri":"{uri}"}}"#))
}

#[track_caller]
fn check(endpoint: &McpEndpoint, scopes: &[&str], text: &str, expected: &str) {
    assert_eq!(ruled(endpoint, scopes, Era::Handshake, text), expected, "{text}");
}

#[test]
fn a_rule_asks_in_place_of_the_endpoint() {
    let endpoint = endpoint(|_| {});
    check(&endpoint, &[], &call("search"), "allow passport");
    check(&endpoint, &["mcp:read"], &call("delete_note"), "scope writers");
    check(&endpoint, &["mcp:write"], &call("delete_note"), "allow writers");
    check(&endpoint, &["mcp:write"], &call("internal_reset"), "hidden");
    check(&endpoint, &[], &request("tools/list", "{}"), "allow passport");
    // One that nobody waits for is judged all the same.
    check(&endpoint, &[], r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"internal_x"}}"#, "hidden");
    let view = identity("agent-1", None, &[]);
    let view = McpView::new(&endpoint, &view);
    for (name, is_shown) in [("search", true), ("delete_note", true), ("internal_reset", false)] {
        assert_eq!(view.shows(RuleKind::Tool, name), is_shown, "{name}");
    }
}

#[test]
fn whom_a_policy_does_not_let_in_is_not_shown_that_something_is_there() {
    let mut policy = Policy::new("few", Require::Passport);
    policy.scopes = vec!["mcp:admin".into()];
    for (agents, level, expected) in [("agent-2", 0, "hidden"), ("agent-1", 3, "hidden"), ("agent-1", 2, "scope few")] {
        let mut policy = policy.clone();
        policy.agents.allow = Some([agents.into()].into());
        policy.owner_level = passport::OwnerLevel::new(level);
        let few = rule(RuleKind::Tool, "*", McpDemand::Policy(Arc::new(policy)));
        let endpoint = endpoint(|endpoint| endpoint.rules = McpRules::new(vec![few]));
        check(&endpoint, &[], &call("x"), expected);
    }
}

#[test]
fn whom_the_endpoint_does_not_let_in_is_told_so_unless_a_rule_lets_him_in() {
    let endpoint = endpoint(|endpoint| {
        let mut policy = Policy::new("known", Require::Passport);
        policy.owner_level = passport::OwnerLevel::new(3);
        endpoint.policy = Arc::new(policy);
        endpoint.rules =
            McpRules::new(vec![allow(RuleKind::Tool, "search"), deny(RuleKind::Resource, "file:///secret")]);
    });
    for text in [request("initialize", "{}"), request("tools/list", "{}"), call("other")] {
        check(&endpoint, &[], &text, "no: owner_level_too_low");
    }
    check(&endpoint, &[], &call("search"), "allow passport");
    check(&endpoint, &[], &read("file:///secret"), "hidden");
    let view = identity("agent-1", None, &[]);
    let view = McpView::new(&endpoint, &view);
    assert!(view.shows(RuleKind::Tool, "search") && !view.shows(RuleKind::Tool, "other"));
}

#[test]
fn a_rule_on_a_method_counts_where_no_other_does() {
    let endpoint = endpoint(|endpoint| {
        endpoint.rules = McpRules::new(vec![
            deny(RuleKind::Method, "tools/call"),
            deny(RuleKind::Method, "logging/*"),
            allow(RuleKind::Tool, "search"),
        ]);
    });
    check(&endpoint, &[], &call("search"), "allow passport");
    check(&endpoint, &[], &call("other"), "hidden");
    check(&endpoint, &[], &request("logging/setLevel", "{}"), "hidden");
    check(&endpoint, &[], &request("ping", "{}"), "allow passport");
    let view = identity("agent-1", None, &[]);
    let view = McpView::new(&endpoint, &view);
    assert!(
        view.shows(RuleKind::Tool, "search") && !view.shows(RuleKind::Tool, "other"),
        "lists show what can be called"
    );
}

#[test]
fn what_is_not_listed_is_not_there_but_for_the_protocol_itself() {
    let endpoint = endpoint(|endpoint| {
        endpoint.unlisted = Unlisted::Deny;
        endpoint.rules = McpRules::new(vec![allow(RuleKind::Tool, "search"), allow(RuleKind::Method, "x/y")]);
    });
    let both = |text: &str| [Era::Handshake, Era::Stateless].map(|era| ruled(&endpoint, &[], era, text));
    for (method, handshake, stateless) in [
        ("initialize", "allow passport", "hidden"),
        ("ping", "allow passport", "hidden"),
        ("server/discover", "hidden", "allow passport"),
        ("subscriptions/listen", "hidden", "allow passport"),
        ("tools/list", "allow passport", "allow passport"),
        ("x/y", "allow passport", "allow passport"),
        ("x/z", "hidden", "hidden"),
        ("admin/reset", "hidden", "hidden"),
    ] {
        assert_eq!(both(&request(method, "{}")), [handshake, stateless], "{method}");
    }
    assert_eq!(both(&call("search")), ["allow passport", "allow passport"]);
    for text in [
        call("other"),
        read("file:///x"),
        request("prompts/get", r#"{"name":"x"}"#),
        request("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"x"}}"#),
        request("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a:b"]}}"#),
    ] {
        assert_eq!(both(&text), ["hidden", "hidden"], "{text}");
    }
    assert_eq!(both(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), ["allow passport", "hidden"]);
}

#[test]
fn where_rules_tell_things_apart_nothing_passes_that_they_cannot_see() {
    let rules = vec![deny(RuleKind::Tool, "internal_*"), allow(RuleKind::Method, "x/known")];
    let endpoint = endpoint(|endpoint| endpoint.rules = McpRules::new(rules));
    for (method, expected) in [
        ("x/invoke", "hidden"),
        ("tasks/get", "hidden"),
        ("tasks/list", "hidden"),
        ("x/known", "allow passport"),
        ("ping", "allow passport"),
        ("server/discover", "allow passport"),
        ("notifications/tasks/status", "allow passport"),
    ] {
        check(&endpoint, &[], &request(method, "{}"), expected);
    }
    let by_method = self::endpoint(|endpoint| endpoint.rules = McpRules::new(vec![deny(RuleKind::Method, "x/no")]));
    for (method, expected) in [("x/no", "hidden"), ("x/invoke", "allow passport"), ("tasks/get", "allow passport")] {
        check(&by_method, &[], &request(method, "{}"), expected);
    }
}

#[test]
fn of_several_resources_the_least_open_counts() {
    let endpoint =
        endpoint(|endpoint| endpoint.rules = McpRules::new(vec![deny(RuleKind::Resource, "file:///secret/*")]));
    let listen = |uris: &str| {
        request("subscriptions/listen", &format!(r#"{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}"#))
    };
    check(&endpoint, &[], &listen(r#""file:///a","file:///b""#), "allow passport");
    check(&endpoint, &[], &listen(r#""file:///a","file:///secret/b""#), "hidden");
}

#[test]
fn a_uri_is_not_read_past_its_rule() {
    let endpoint = endpoint(|endpoint| {
        endpoint.rules = McpRules::new(vec![
            deny(RuleKind::Resource, "file:///secret/*"),
            deny(RuleKind::Resource, "note:Hidden"),
            allow(RuleKind::Resource, "db://host/q?id=1"),
        ]);
    });
    for uri in [
        "file:///secret/x",
        "FILE:///secret/x",
        "file:///a/../secret/x",
        "file:///a/%2e%2e/secret/x",
        "file:///%73ecret/x",
        "file:///%2573ecret/x",
        "file:////secret/x",
        "file:///./secret/x",
        "file:///secret/../a",
        "note:Hidden",
        "NOTE:Hidden",
        "note:%48idden",
        "file:/secret/x",
        "file://localhost/secret/x",
        "file:///sec\\tret/x",
        "file:///x%00/%2e%2e/secret/a",
    ] {
        check(&endpoint, &[], &read(uri), "hidden");
    }
    for uri in
        ["file:///a", "file:///a/", "file:///a%20b", "note:hidden", "note:Other", "db://host/q?id=1", "db://host", "x"]
    {
        check(&endpoint, &[], &read(uri), "allow passport");
    }
    check(&endpoint, &[], &read(&format!("file:///{}", "a".repeat(9000))), "hidden");
}
