//! The older era at the gateway: sessions that belong to who opened them (R14, R16).

use lime_tests::http::{self, Reply, Request};
use lime_tests::until;
use serde_json::{Value, json};

use super::client::Client;
use super::scene::{OLDER_VERSION, Scene, answer};

fn message(scene: &Scene, token: &str, session: Option<&str>, body: &Value) -> Request {
    let request = scene.post(&body.to_string()).bearer(token).header("MCP-Protocol-Version", OLDER_VERSION);
    session.map_or(request.clone(), |session| request.header("Mcp-Session-Id", session))
}

fn call(tool: &str) -> Value {
    let arguments = json!({ "a": 2, "b": 40, "id": "1" });
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

/// Opens a session; its id.
#[track_caller]
fn opened(scene: &Scene, token: &str) -> String {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": OLDER_VERSION, "capabilities": {}, "clientInfo": client });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let reply = message(scene, token, None, &body).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let session = reply.header("mcp-session-id").expect("a session").to_owned();
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(message(scene, token, Some(&session), &ready).send().status, 202);
    session
}

#[track_caller]
fn works(reply: &Reply) {
    assert_eq!((reply.status, &answer(reply)["result"]["content"][0]["text"]), (200, &json!("42")), "{reply:?}");
}

#[test]
fn a_session_is_for_who_opened_it() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let token = client.tokens(&scene, "mcp:read").access;
    let session = opened(&scene, &token);
    works(&message(&scene, &token, Some(&session), &call("add")).send());
    let behind = scene.upstream.last()["headers"]["mcp-session-id"].as_str().unwrap().to_owned();
    assert!(
        session.starts_with(&behind) && session != behind,
        "the server behind knows its own id: {behind} {session}"
    );

    let fresh = client.tokens(&scene, "mcp:read mcp:write").access;
    works(&message(&scene, &fresh, Some(&session), &call("add")).send());

    let stranger = Client::register(&scene).tokens(&scene, "mcp:read").access;
    let before = scene.upstream.seen().len();
    let mut turned = session.clone();
    let last = turned.pop().unwrap();
    turned.push(if last == 'A' { 'B' } else { 'A' });
    for (token, session) in [
        (&stranger, session.as_str()),
        (&token, behind.as_str()),
        (&token, turned.as_str()),
        (&token, "nonsense"),
        (&token, ""),
    ] {
        let reply = message(&scene, token, Some(session), &call("add")).send();
        assert_eq!(reply.status, 404, "{session}: {}", reply.text());
    }
    for method in ["GET", "DELETE"] {
        let request = http::request(method, &format!("{}/mcp", scene.gateway.url)).bearer(&stranger);
        let request = request.header("Mcp-Session-Id", &session).header("Accept", "text/event-stream");
        assert_eq!(request.send().status, 404, "{method}");
    }
    assert_eq!(scene.upstream.seen().len(), before, "the server behind has heard of none of it");
    let stranger = message(&scene, "", Some(&session), &call("add"));
    assert_eq!(stranger.send().status, 401, "a session is no credential");
}

#[test]
fn tools_are_told_apart_in_the_older_era_too() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let token = client.tokens(&scene, "mcp:read").access;
    let session = opened(&scene, &token);
    let list = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" });
    let reply = message(&scene, &token, Some(&session), &list).send();
    let tools = answer(&reply)["result"]["tools"].clone();
    let names: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"add") && !names.contains(&"internal_reset"), "{names:?}");
    let denied = message(&scene, &token, Some(&session), &call("delete_note")).send();
    assert_eq!(denied.status, 403, "{}", denied.text());
    let hidden = message(&scene, &token, Some(&session), &call("internal_reset")).send();
    assert_eq!((hidden.status, answer(&hidden)["error"]["code"].as_i64()), (200, Some(-32602)));
}

#[test]
fn a_session_ends_when_its_client_says_so() {
    let scene = Scene::new();
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    let session = opened(&scene, &token);
    let delete = http::request("DELETE", &format!("{}/mcp", scene.gateway.url)).bearer(&token);
    assert_eq!(delete.header("Mcp-Session-Id", &session).send().status, 200);
    until("it is gone", || message(&scene, &token, Some(&session), &call("add")).send().status == 404);
}

#[test]
fn an_id_is_used_once_at_a_time_so_that_no_answer_comes_to_another_request() {
    let scene = Scene::new();
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    let session = opened(&scene, &token);
    let mut slow = call("slow");
    slow["id"] = json!(9);
    slow["params"]["arguments"] = json!({ "times": 300, "every": 100 });
    let (head, stream) = message(&scene, &token, Some(&session), &slow).open();
    assert_eq!(head.status, 200);
    let list = |id: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
    for id in [json!(9), json!("9")] {
        let reply = message(&scene, &token, Some(&session), &list(id.clone())).send();
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!(-32600)), "{id}");
    }
    assert_eq!(message(&scene, &token, Some(&session), &list(json!(10))).send().status, 200);
    drop(stream);
    until("the call is over", || message(&scene, &token, Some(&session), &list(json!(9))).send().status == 200);
}
