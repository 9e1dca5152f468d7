//! Long answers through the gateway: they flow, and end with the token, the owner's will or the client (R13).

use std::io::BufRead as _;
use std::time::{Duration, Instant};

use lime_tests::{IssuerSetup, until, within};
use serde_json::{Value, json};

use super::client::{Client, Tokens};
use super::scene::{Scene, Setup, call, request};

/// The shortest life that the issuer gives to an access token.
const TTL: Duration = Duration::from_secs(31);

/// A tool that tells of its progress ten times a second for two minutes.
fn slow() -> Value {
    let mut call = call("slow", &json!({ "times": 1200, "every": 100 }));
    call["params"]["_meta"]["progressToken"] = json!("p");
    call
}

/// Reads events until there are no more, or until `enough` says so; how many, and when the last came.
fn events(scene: &Scene, token: &str, mut enough: impl FnMut(usize) -> bool) -> (usize, Instant) {
    let (head, mut reader) = scene.message(&slow()).bearer(token).open();
    assert_eq!(head.status, 200, "{head:?}");
    assert!(head.header("content-type").unwrap().starts_with("text/event-stream"));
    let (mut count, mut last) = (0, Instant::now());
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        if line.starts_with("data:") && line.contains("progress") {
            (count, last) = (count + 1, Instant::now());
            if enough(count) {
                break;
            }
        }
        line.clear();
    }
    (count, last)
}

#[test]
fn an_event_is_passed_on_when_it_comes() {
    let scene = Scene::new();
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    let began = Instant::now();
    let (count, last) = events(&scene, &token, |count| count == 5);
    assert_eq!(count, 5);
    assert!(last - began < Duration::from_secs(10), "{:?}", last - began);
    // Whoever breaks off has cancelled.
    until("the server behind notices", || scene.upstream.seen().iter().any(|seen| seen["aborted"] == true));
}

#[test]
fn a_stream_ends_with_its_token() {
    let issuer = IssuerSetup::default().setting("access_token_ttl = \"31s\"");
    let scene = Scene::with(Setup { issuer, trust: "leeway = \"0s\"", ..Setup::default() });
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    let began = Instant::now();
    let (count, last) = events(&scene, &tokens.access, |_| false);
    let lasted = last - began;
    assert!(count > 50, "{count} events");
    assert!(lasted > TTL - Duration::from_secs(8) && lasted < TTL + Duration::from_secs(8), "{lasted:?}");
    until("the server behind notices", || scene.upstream.seen().iter().any(|seen| seen["aborted"] == true));
    // The token is over by itself, the grant is not.
    assert_eq!(scene.add(&tokens.access).status, 401);
    let newer = Tokens::of(&client.refresh(&scene, &tokens.refresh, &[]));
    super::scene::added(&scene.add(&newer.access));
}

#[test]
fn a_stream_ends_when_its_grant_is_revoked() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    let mut revoked = None;
    let (_, last) = events(&scene, &tokens.access, |count| {
        if count == 5 {
            assert_eq!(client.revoke(&scene, &tokens.refresh).status, 200);
            revoked = Some(Instant::now());
        }
        false
    });
    let after = last - revoked.expect("five events");
    assert!(after < Duration::from_secs(5), "{after:?}");
    within(Duration::from_secs(2), "the token is refused", || (scene.add(&tokens.access).status == 401).then_some(()));
}

#[test]
fn a_subscription_ends_when_its_grant_is_revoked() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    let body = request("subscriptions/listen", &json!({ "notifications": { "toolsListChanged": true } }));
    let (head, mut reader) = scene.message(&body).bearer(&tokens.access).open();
    assert_eq!(head.status, 200, "{head:?}");
    assert!(head.header("content-type").unwrap().starts_with("text/event-stream"));
    let mut line = String::new();
    assert!(reader.read_line(&mut line).is_ok_and(|read| read > 0), "it is told that it listens");
    let revoked = Instant::now();
    assert_eq!(client.revoke(&scene, &tokens.refresh).status, 200);
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        line.clear();
    }
    assert!(revoked.elapsed() < Duration::from_secs(8), "{:?}", revoked.elapsed());
    until("the server behind notices", || scene.upstream.seen().iter().any(|seen| seen["aborted"] == true));
}
