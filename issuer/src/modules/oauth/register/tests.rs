use super::*;

fn body() -> Value {
    json!({ "redirect_uris": ["http://127.0.0.1/cb"], "client_name": "Notes" })
}

fn with(name: &str, value: Value) -> Value {
    let mut body = body();
    body[name] = value;
    body
}

fn parse(body: &Value) -> Result<Registration, RegistrationError> {
    Registration::parse(body.to_string().as_bytes())
}

#[track_caller]
fn check(body: &Value, member: &str, expected: impl Into<Value>) {
    let answer = parse(body).unwrap().answer("c1", UnixTime::from_secs(7));
    assert_eq!(answer.get(member).unwrap_or(&Value::Null), &expected.into(), "{body}");
}

#[test]
fn a_client_is_answered_with_what_was_registered() {
    let body = json!({
        "redirect_uris": ["https://app.example/cb", "com.example.app:/cb"],
        "client_name": "  My\u{202e} Notes\n",
        "grant_types": ["refresh_token", "authorization_code", "implicit"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "mcp:read mcp:write",
        "application_type": "native",
        "logo_uri": "https://app.example/logo.png",
        "jwks": null,
    });
    let expected = json!({
        "client_id": "c1",
        "client_id_issued_at": 7,
        "client_name": "My Notes",
        "redirect_uris": ["https://app.example/cb", "com.example.app:/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "mcp:read mcp:write",
        "application_type": "native",
    });
    assert_eq!(parse(&body).unwrap().answer("c1", UnixTime::from_secs(7)), expected);
}

#[test]
fn what_is_not_asked_for_has_a_default() {
    check(&body(), "application_type", "native");
    check(&with("redirect_uris", json!(["https://app.example/cb"])), "application_type", "web");
    check(&with("application_type", json!("web")), "application_type", "web");
    check(&body(), "grant_types", json!(["authorization_code", "refresh_token"]));
    check(&with("grant_types", json!(["authorization_code"])), "grant_types", json!(["authorization_code"]));
    check(&body(), "scope", Value::Null);
    check(&with("scope", json!("")), "scope", Value::Null);
    check(&with("scope", Value::Null), "scope", Value::Null);
    check(&with("client_name", Value::Null), "client_name", "127.0.0.1");
    check(&with("client_name", json!("\u{200b}")), "client_name", "127.0.0.1");
    check(&with("client_name", json!("x".repeat(200))), "client_name", "x".repeat(100));
    for method in ["none", "client_secret_basic", "private_key_jwt", "anything"] {
        check(&with("token_endpoint_auth_method", json!(method)), "token_endpoint_auth_method", "none");
    }
}

#[test]
fn every_refusal_says_which_kind_it_is() {
    let uris = |count: usize| json!(vec!["https://app.example/cb"; count]);
    parse(&with("redirect_uris", uris(10))).unwrap();
    for (body, code) in [
        (json!([]), "invalid_client_metadata"),
        (json!({}), "invalid_redirect_uri"),
        (with("redirect_uris", json!("https://app.example/cb")), "invalid_redirect_uri"),
        (with("redirect_uris", json!([7])), "invalid_redirect_uri"),
        (with("redirect_uris", uris(0)), "invalid_redirect_uri"),
        (with("redirect_uris", uris(11)), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["http://evil"])), "invalid_redirect_uri"),
        (with("redirect_uris", json!(["https://app.example/cb", "javascript:alert(1)"])), "invalid_redirect_uri"),
        (with("client_name", json!(7)), "invalid_client_metadata"),
        (with("application_type", json!("desktop")), "invalid_client_metadata"),
        (with("grant_types", json!(["client_credentials"])), "invalid_client_metadata"),
        (with("grant_types", json!([])), "invalid_client_metadata"),
        (with("grant_types", json!("authorization_code")), "invalid_client_metadata"),
        (with("response_types", json!(["token"])), "invalid_client_metadata"),
        (with("token_endpoint_auth_method", json!(["none"])), "invalid_client_metadata"),
        (with("scope", json!("a\"b")), "invalid_client_metadata"),
        (with("scope", json!("x".repeat(1001))), "invalid_client_metadata"),
        (with("software_statement", json!("a.b.c")), "unapproved_software_statement"),
    ] {
        assert_eq!(parse(&body).unwrap_err().code(), code, "{body}");
    }
    let twice = br#"{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}"#;
    for body in [&twice[..], b"", b"{", b"\"x\""] {
        assert_eq!(Registration::parse(body).unwrap_err().code(), "invalid_client_metadata");
    }
    let refused = parse(&with("redirect_uris", json!(["http://evil"]))).unwrap_err();
    assert_eq!(refused.to_string(), "redirect_uris: http is for 127.0.0.1, [::1] and localhost: use https");
}
