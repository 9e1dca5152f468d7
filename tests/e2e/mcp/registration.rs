//! Registration by clients themselves (RFC 7591): what is taken, and what is not (A6, A18).

use lime_tests::http;
use serde_json::{Value, json};

use super::client::{Client, REDIRECT, Tokens, refused};
use super::owner::Browser;
use super::scene::Scene;

#[test]
fn a_client_is_told_what_it_was_registered_with() {
    let scene = Scene::new();
    let asked = json!({ "client_name": "Notes", "application_type": "native", "scope": "mcp:read", "made_up": 1 });
    let reply = Client::try_register(&scene, &asked);
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert!(body["client_id"].is_string() && body.get("client_secret").is_none(), "{body}");
    assert_eq!((body["client_name"].as_str(), &body["redirect_uris"]), (Some("Notes"), &json!([REDIRECT])));
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert!(body["client_id_issued_at"].is_u64(), "{body}");
}

#[test]
fn a_client_that_could_not_be_trusted_with_a_code_is_not_registered() {
    let scene = Scene::new();
    let redirects = |uris: Value| json!({ "redirect_uris": uris });
    let many: Vec<_> = (0..200).map(|number| format!("https://app.example/{number}")).collect();
    let table = [
        (redirects(json!(["http://evil.example/cb"])), "invalid_redirect_uri"),
        (redirects(json!(["javascript:alert(1)"])), "invalid_redirect_uri"),
        (redirects(json!(["data:text/html,x"])), "invalid_redirect_uri"),
        (redirects(json!(["https://app.example/cb#part"])), "invalid_redirect_uri"),
        (redirects(json!(["https://user:secret@app.example/cb"])), "invalid_redirect_uri"),
        (redirects(json!(["/cb"])), "invalid_redirect_uri"),
        (redirects(json!([""])), "invalid_redirect_uri"),
        (redirects(json!([])), "invalid_redirect_uri"),
        (redirects(json!(many)), "invalid_redirect_uri"),
        (json!({ "client_name": 7 }), "invalid_client_metadata"),
        (json!({ "response_types": ["token"] }), "invalid_client_metadata"),
        (json!({ "grant_types": ["implicit"] }), "invalid_client_metadata"),
    ];
    for (metadata, error) in table {
        let reply = Client::try_register(&scene, &metadata);
        let found = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.status, found.as_str()), (400, error), "{metadata} {}", reply.text());
    }
    let nonsense = http::request("POST", &scene.oauth("register")).header("Content-Type", "application/json");
    assert_eq!(nonsense.clone().body("{").send().status, 400);
    let large = nonsense.body(format!("{{\"client_name\":\"{}\"}}", "x".repeat(8 * 1024))).send();
    refused(&large, 413, "invalid_client_metadata");
}

#[test]
fn a_client_is_told_what_was_made_of_its_wishes() {
    let scene = Scene::new();
    let registered = |wish: &Value| {
        let reply = Client::try_register(&scene, wish);
        assert_eq!(reply.status, 201, "{wish}");
        reply.json()
    };
    let name = registered(&json!({ "client_name": "x".repeat(7_000) }))["client_name"].as_str().unwrap().len();
    assert!(name <= 200, "a name of {name} characters fits on no page");
    for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
        let body = registered(&json!({ "token_endpoint_auth_method": method }));
        assert_eq!((body["token_endpoint_auth_method"].as_str(), body.get("client_secret")), (Some("none"), None));
    }
}

#[test]
fn a_client_has_the_grants_that_it_is_told_it_has() {
    let scene = Scene::new();
    for (wish, expected) in [
        (json!(["authorization_code"]), json!(["authorization_code"])),
        (json!(["authorization_code", "refresh_token", "implicit"]), json!(["authorization_code", "refresh_token"])),
        (Value::Null, json!(["authorization_code", "refresh_token"])),
    ] {
        let told = Client::try_register(&scene, &json!({ "grant_types": wish })).json();
        assert_eq!(told["grant_types"], expected);
        let id = told["client_id"].as_str().unwrap().to_owned();
        let client = Client { id, redirect: REDIRECT.to_owned() };
        let reply = client.redeem(&scene, &client.code(&scene, "mcp:read"), &[]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let refreshes = expected.as_array().unwrap().contains(&json!("refresh_token"));
        assert_eq!(reply.json().get("refresh_token").is_some(), refreshes, "{wish}");
    }
}

#[test]
fn a_client_lives_longer_for_what_an_owner_gave_it_and_not_for_being_named() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let end = client.expires_at(&scene);
    refused(&client.redeem(&scene, "nonsense", &[]), 400, "invalid_grant");
    refused(&client.refresh(&scene, "nonsense", &[]), 400, "invalid_grant");
    assert_eq!(client.revoke(&scene, "nonsense").status, 200);
    assert_eq!(client.expires_at(&scene), end);
    let tokens = client.tokens(&scene, "mcp:read");
    let later = client.expires_at(&scene);
    assert!(later > end, "{later} {end}");
    client.refresh(&scene, &tokens.refresh, &[]);
    assert_eq!(client.expires_at(&scene), later, "not for every refresh");
}

#[test]
fn a_client_that_is_gone_is_told_to_register_again() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let tokens = client.tokens(&scene, "mcp:read");
    scene.issuer.operate(&["client", "remove", &client.id]);
    refused(&client.refresh(&scene, &tokens.refresh, &[]), 401, "invalid_client");
}

#[test]
fn a_client_whose_time_is_up_registers_again() {
    let scene = Scene::new();
    let client = Client::register(&scene);
    let code = client.code(&scene, "mcp:read");
    assert!(scene.alter("UPDATE clients SET expires_at = 1") > 0);
    // Not before what an owner gave it has ended, too.
    let tokens = Tokens::of(&client.redeem(&scene, &code, &[]));
    assert!(scene.alter("UPDATE clients SET expires_at = 1") > 0);
    let newer = Tokens::of(&client.refresh(&scene, &tokens.refresh, &[]));
    assert_eq!(client.revoke(&scene, &newer.refresh).status, 200);
    assert!(scene.alter("UPDATE clients SET expires_at = 1") > 0);
    refused(&client.refresh(&scene, &newer.refresh, &[]), 401, "invalid_client");
    assert_eq!(Browser::default().get(&client.url(&scene, &[])).status, 400);
}

#[test]
fn a_registry_that_is_full_says_when_to_come_again() {
    let scene = Scene::new();
    assert_eq!(scene.alter("UPDATE counters SET value = 100000 WHERE name = 'registered_clients'"), 1);
    let reply = Client::try_register(&scene, &json!({}));
    refused(&reply, 429, "temporarily_unavailable");
    assert_eq!(reply.header("retry-after"), Some("3600"));
    assert_eq!(scene.alter("UPDATE counters SET value = 99999 WHERE name = 'registered_clients'"), 1);
    Client::register(&scene);
    assert_eq!(Client::try_register(&scene, &json!({})).status, 429);
}
