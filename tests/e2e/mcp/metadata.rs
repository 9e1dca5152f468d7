//! Discovery: where a stranger is sent, and what he finds there (A2, A3, A7, A17, A19, R1-R4, R9).

use lime_tests::http::{self, Reply};
use serde_json::{Value, json};

use super::scene::{Rules, Scene, Setup, request};

#[track_caller]
fn document(url: &str) -> Value {
    let reply = http::get(url).send();
    assert_eq!(reply.status, 200, "{url} {}", reply.text());
    assert!(reply.header("content-type").unwrap().starts_with("application/json"));
    reply.json()
}

#[test]
fn the_gateway_tells_of_its_resource_where_every_client_looks() {
    let scene = Scene::new();
    let url = format!("{}/.well-known/oauth-protected-resource/mcp", scene.gateway.url);
    let found = document(&url);
    assert_eq!(found["resource"], scene.resource);
    assert_eq!(found["authorization_servers"], json!([scene.issuer.url]));
    assert_eq!(found["bearer_methods_supported"], json!(["header"]));
    let scopes: Vec<_> = found["scopes_supported"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert!(scopes.iter().all(|scope| scope != "\"offline_access\""));
    assert!(scopes.contains(&"\"mcp:read\"".to_owned()) && scopes.contains(&"\"mcp:write\"".to_owned()), "{scopes:?}");
    // A program in a browser reads it too.
    let reply = http::get(&url).header("Origin", "https://inspector.example").send();
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn the_issuer_tells_of_itself_where_every_client_looks() {
    let scene = Scene::new();
    let issuer = &scene.issuer.url;
    let found = document(&format!("{issuer}/.well-known/oauth-authorization-server"));
    assert_eq!(found["issuer"], *issuer);
    assert_eq!(found["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(found["response_types_supported"], json!(["code"]));
    assert_eq!(found["authorization_response_iss_parameter_supported"], true);
    assert_eq!(found["client_id_metadata_document_supported"], true);
    let has = |name: &str, value: &str| found[name].as_array().is_some_and(|found| found.contains(&json!(value)));
    for (name, value) in [
        ("token_endpoint_auth_methods_supported", "none"),
        ("token_endpoint_auth_methods_supported", "client_secret_basic"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ("grant_types_supported", "authorization_code"),
        ("grant_types_supported", "refresh_token"),
        ("grant_types_supported", "client_credentials"),
    ] {
        assert!(has(name, value), "{value} in {name}: {found}");
    }
    for endpoint in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"] {
        assert!(found[endpoint].as_str().is_some_and(|url| url.starts_with(issuer.as_str())), "{endpoint}: {found}");
    }
    assert!(has("scopes_supported", "offline_access"), "{found}");
    let inserted = format!("{issuer}/.well-known/oauth-authorization-server/api/v1/modules/oauth");
    assert_eq!(document(&inserted), found, "where those look who take the endpoints' path for the issuer's");
    let alias = document(&format!("{issuer}/.well-known/openid-configuration"));
    assert_eq!((&alias["issuer"], &alias["token_endpoint"]), (&found["issuer"], &found["token_endpoint"]));
}

#[track_caller]
fn challenge(reply: &Reply) -> &str {
    assert_eq!(reply.status, 401, "{}", reply.text());
    reply.header("www-authenticate").expect("a challenge")
}

#[test]
fn a_stranger_is_told_where_to_go_and_who_erred_is_told_so() {
    let scene = Scene::new();
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", scene.gateway.url);
    let list = request("tools/list", &json!({}));
    let stranger = scene.message(&list).send();
    let said = challenge(&stranger);
    assert!(said.starts_with("Bearer "), "{said}");
    assert!(said.contains(&format!("resource_metadata=\"{metadata}\"")), "{said}");
    assert!(said.contains("scope=\"mcp:read\"") && !said.contains("error="), "{said}");
    assert_eq!(stranger.header("cache-control"), Some("no-store"));
    for method in ["GET", "DELETE"] {
        let reply = http::request(method, &format!("{}/mcp", scene.gateway.url)).send();
        assert!(challenge(&reply).contains(&metadata), "{method}");
    }
    let wrong = scene.message(&list).bearer("eyJhbGciOiJSUzI1NiJ9.e30.c2ln").send();
    let said = challenge(&wrong);
    assert!(said.contains("error=\"invalid_token\"") && said.contains(&metadata), "{said}");
    assert_eq!(scene.upstream.seen().len(), 0, "the server behind has heard of none of it");
}

#[test]
fn a_site_that_tells_no_tools_apart_needs_one_line() {
    let scene = Scene::with(Setup { rules: Rules::None, ..Setup::default() });
    assert_eq!(challenge(&scene.message(&request("ping", &json!({}))).send()).matches("Bearer").count(), 1);
}
