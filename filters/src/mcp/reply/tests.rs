use serde_json::{Value, json};

use super::*;
use crate::stage::{identity, mcp_site, site};

#[track_caller]
fn check(reply: &Reply, status: u16, expected: &Value) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status.as_u16(), &body), (status, expected));
    let header = |name: HeaderName| reply.headers.iter().find(|(found, _)| *found == name).unwrap().1.clone();
    assert_eq!(
        (header(CONTENT_TYPE), header(CACHE_CONTROL)),
        ("application/json".parse().unwrap(), "no-store".parse().unwrap())
    );
}

fn hidden(text: &str, era: Era) -> Reply {
    let message = Message::read(text.as_bytes()).unwrap();
    tell(Told::NotThere(&message, era))
}

#[test]
fn what_is_hidden_is_told_as_what_never_was() {
    let call = r#"{"jsonrpc":"2.0","id":"a\"","method":"tools/call","params":{"name":"x\"y"}}"#;
    let expected =
        json!({ "jsonrpc": "2.0", "id": "a\"", "error": { "code": -32602, "message": "Unknown tool: x\"y" } });
    check(&hidden(call, Era::Handshake), 200, &expected);
    let read = r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"a:b"}}"#;
    for (era, code) in [(Era::Handshake, -32002), (Era::Stateless, -32602)] {
        let error = json!({ "code": code, "message": "Resource not found", "data": { "uri": "a:b" } });
        check(&hidden(read, era), 200, &json!({ "jsonrpc": "2.0", "id": 7, "error": error }));
    }
    let prompt = r#"{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"p"}}"#;
    let error = json!({ "code": -32602, "message": "Unknown prompt: p" });
    check(&hidden(prompt, Era::Stateless), 200, &json!({ "jsonrpc": "2.0", "id": 7, "error": error }));
    let method = r#"{"jsonrpc":"2.0","id":7,"method":"x/y"}"#;
    for (era, status) in [(Era::Handshake, 200), (Era::Stateless, 404)] {
        let error = json!({ "code": -32601, "message": "Method not found: x/y" });
        check(&hidden(method, era), status, &json!({ "jsonrpc": "2.0", "id": 7, "error": error }));
    }
    let note = r#"{"jsonrpc":"2.0","method":"x/y"}"#;
    let error = json!({ "code": -32601, "message": "Method not found: x/y" });
    check(&hidden(note, Era::Handshake), 400, &json!({ "jsonrpc": "2.0", "error": error }));
}

#[test]
fn a_message_that_cannot_be_read_or_is_contradicted_is_a_bad_request() {
    let error = json!({ "code": -32600, "message": "the body is a list: send one message a request" });
    check(&tell(Told::Malformed(Malformed::Batch)), 400, &json!({ "jsonrpc": "2.0", "error": error }));
    let message = Message::read(br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#).unwrap();
    let error = json!({ "code": -32020, "message": "Header mismatch: Mcp-Method is missing" });
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "error": error });
    check(&tell(Told::Mismatch(Mismatch::NoMethod, &message)), 400, &expected);
}

#[test]
fn more_scopes_are_asked_for_with_those_there_are() {
    let site = mcp_site(site());
    let needed = [Box::from("mcp:write"), Box::from("mcp:read")];
    let asked =
        challenge_scopes(&site, &site.mcp[0], &needed, &identity("a", None, &["mcp:read", "mcp:x", "bad\"one"]));
    assert_eq!(
        asked.unwrap().1.to_str().unwrap(),
        "Bearer error=\"insufficient_scope\", scope=\"mcp:write mcp:read mcp:x\", \
         resource_metadata=\"https://shop.example.com/.well-known/oauth-protected-resource/mcp\""
    );
}
