//! What is left of each message in the log.

use std::time::Duration;

use lime_tests::forge;
use serde_json::{Value, json};

use super::client::Client;
use super::scene::{Scene, Setup, added, call};

/// The audit line of the next message of a method that `wanted` takes.
#[track_caller]
fn line(scene: &Scene, wanted: impl Fn(&Value) -> bool) -> Value {
    let limit = Duration::from_secs(20);
    let found = scene.gateway.process.json(limit, |line| line["msg"] == "mcp" && wanted(line));
    found.expect("a line of the audit")
}

#[test]
fn every_message_leaves_a_line_whatever_came_of_it() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let token = client.tokens(&scene, "mcp:read").access;
    let agent = forge::claims_of(&token)["sub"].clone();
    let add = call("add", &json!({ "a": 2, "b": 40 }));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut traced = add.clone();
    traced["params"]["_meta"]["traceparent"] = json!(format!("00-{trace}-b7ad6b7169203331-01"));
    added(&scene.say(&token, &traced));
    let found = line(&scene, |line| line["tool"] == "add");
    for (name, value) in [
        ("decision", json!("allow")),
        ("method", json!("tools/call")),
        ("iss", json!(scene.issuer.url)),
        ("agent_id", agent.clone()),
        ("client_id", json!(client.id)),
        ("endpoint", json!(scene.resource)),
        ("status", json!(200)),
        ("trace_id", json!(trace)),
    ] {
        assert_eq!(found[name], value, "{name}: {found}");
    }
    assert!(found["arguments_sha256"].as_str().is_some_and(|digest| digest.len() == 64), "{found}");
    assert!(found["duration_ms"].is_number() && found["request_id"].is_string() && found["ts"].is_string(), "{found}");
    assert_eq!(found.get("arguments"), None, "{found}");

    scene.say(&token, &call("delete_note", &json!({ "id": "1" })));
    let found = line(&scene, |line| line["tool"] == "delete_note");
    assert_eq!((&found["reason"], &found["status"]), (&json!("insufficient_scope"), &json!(403)), "{found}");
    assert!(found["rule"].as_str().is_some_and(|rule| rule.contains("delete_*")), "{found}");
    scene.say(&token, &call("internal_reset", &json!({})));
    let found = line(&scene, |line| line["tool"] == "internal_reset");
    assert_eq!((&found["decision"], &found["agent_id"]), (&json!("deny"), &agent), "{found}");

    assert_eq!(scene.message(&add).send().status, 401);
    let found = line(&scene, |line| line["status"] == 401);
    assert_eq!(found.get("agent_id"), None, "{found}");
}

#[test]
fn refusals_that_are_alike_become_one_line() {
    let scene = Scene::new();
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    for _ in 0..50 {
        scene.say(&token, &call("internal_reset", &json!({})));
    }
    let first = line(&scene, |line| line["tool"] == "internal_reset");
    let second = line(&scene, |line| line["tool"] == "internal_reset");
    let repeated = second["repeated"].as_u64().expect("how many were alike");
    assert!((48..=49).contains(&repeated), "{first} {second}");
}

#[test]
fn arguments_are_written_where_they_are_asked_for_without_what_is_secret() {
    let audit = "audit = { arguments = \"values\", redact = [\"password\"] }\n";
    let scene = Scene::with(Setup { endpoint: audit, ..Setup::default() });
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    added(&scene.say(&token, &call("add", &json!({ "a": 2, "b": 40, "deep": { "PassWord": "open-sesame" } }))));
    let found = line(&scene, |line| line["tool"] == "add");
    assert_eq!((&found["arguments"]["a"], &found["arguments"]["b"]), (&json!(2), &json!(40)), "{found}");
    assert!(!found.to_string().contains("open-sesame"), "{found}");
}

#[test]
fn what_is_only_observed_is_told_each_time() {
    let scene = Scene::with(Setup { mode: Some("observe"), ..Setup::default() });
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    for id in 0..5 {
        scene.say(&token, &call("internal_reset", &json!({ "id": id })));
    }
    let digests: std::collections::BTreeSet<String> = (0..5)
        .map(|_| {
            let found = line(&scene, |line| line["tool"] == "internal_reset");
            assert_eq!((&found["decision"], found.get("repeated")), (&json!("would_deny"), None), "{found}");
            found["arguments_sha256"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(digests.len(), 5, "each with its own arguments");
}
