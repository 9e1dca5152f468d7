use super::*;
use crate::stage::headers;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Hello, 世界"}}"#;
const READ: &str = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const TASK: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t","name":"n"}}"#;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const SAYS: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

const MODERN: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const OLD: (&str, &str) = ("mcp-protocol-version", "2025-11-25");
const NAME: (&str, &str) = ("mcp-name", "=?base64?SGVsbG8sIOS4lueVjA==?=");

fn method(name: &str) -> (&str, &str) {
    ("mcp-method", name)
}

#[track_caller]
fn checked(lines: &[(&str, &str)], body: &str, expected: Result<Era, Mismatch>) {
    let message = Message::read(body.as_bytes()).unwrap();
    assert_eq!(check(&headers(lines), &message), expected, "{lines:?} {body}");
}

#[test]
fn a_stateless_request_says_in_its_headers_what_it_says_in_its_body() {
    checked(&[MODERN, method("tools/call"), NAME], CALL, Ok(Era::Stateless));
    checked(&[MODERN, method("resources/read"), ("mcp-name", "file:///a")], READ, Ok(Era::Stateless));
    checked(&[MODERN, method("tools/list")], LIST, Ok(Era::Stateless));
    checked(&[MODERN, method("tasks/get"), ("mcp-name", "t")], TASK, Ok(Era::Stateless));
    checked(&[("mcp-protocol-version", "2031-01-01"), method("tools/list")], LIST, Ok(Era::Stateless));
    checked(&[MODERN], NOTE, Ok(Era::Stateless));
    checked(&[MODERN], ANSWER, Ok(Era::Stateless));
    checked(&[MODERN, method("ping")], SAYS, Ok(Era::Stateless));

    checked(&[MODERN], LIST, Err(Mismatch::NoMethod));
    checked(&[MODERN, NAME], CALL, Err(Mismatch::NoMethod));
    checked(&[MODERN, method("tools/call")], CALL, Err(Mismatch::NoName));
    checked(&[MODERN, method("resources/read")], READ, Err(Mismatch::NoName));
    checked(&[MODERN, method("Tools/call"), NAME], CALL, Err(Mismatch::Method));
    checked(&[MODERN, method("tools/list"), NAME], CALL, Err(Mismatch::Method));
    checked(&[MODERN, method("notifications/initialized")], NOTE, Err(Mismatch::Method));
    checked(&[MODERN, method("ping")], ANSWER, Err(Mismatch::Method));
    checked(&[MODERN, method("tasks/get"), ("mcp-name", "n")], TASK, Err(Mismatch::Name));
    for name in [
        "Hello, 世界",
        "hello",
        "=?BASE64?SGVsbG8sIOS4lueVjA==?=",
        "=?base64?SGVsbG8sIOS4lueVjA=?=",
        "=?base64?SGVsbG8sIOS4lueVjA==",
        "=?base64?gIA=?=",
        "",
    ] {
        checked(&[MODERN, method("tools/call"), ("mcp-name", name)], CALL, Err(Mismatch::Name));
    }
    checked(&[MODERN, method("tools/list"), ("mcp-name", "x")], LIST, Err(Mismatch::Name));
}

#[test]
fn in_a_session_headers_may_be_left_out_and_not_be_wrong() {
    checked(&[OLD], CALL, Ok(Era::Handshake));
    checked(&[], CALL, Ok(Era::Handshake));
    checked(&[OLD, method("tools/call"), NAME], CALL, Ok(Era::Handshake));
    checked(&[OLD, method("tools/list")], CALL, Err(Mismatch::Method));
    checked(&[("mcp-name", "other")], CALL, Err(Mismatch::Name));
    for version in ["", "2026-07-28x", "2026-7-28", "latest", "20260728--", "2026-07-27", "1999-01-01"] {
        checked(&[("mcp-protocol-version", version)], LIST, Ok(Era::Handshake));
    }
}

#[test]
fn the_revision_is_one() {
    checked(&[], SAYS, Err(Mismatch::Version));
    checked(&[OLD], SAYS, Err(Mismatch::Version));
    checked(&[("mcp-protocol-version", "2026-07-29"), method("ping")], SAYS, Err(Mismatch::Version));
    let odd = SAYS.replace("\"2026-07-28\"", "20260728");
    checked(&[MODERN, method("ping")], &odd, Err(Mismatch::Version));
}
