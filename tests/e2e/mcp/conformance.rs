//! The official conformance package, at the issuer and through the gateway.

use lime_tests::{free_port, node};

use super::client::Client;
use super::scene::{Manner, Rules, Scene, Setup};

#[track_caller]
fn check(scene: &Scene, part: &str, more: &[(&str, String)]) {
    let mut command = node::node("mcp/conformance.mjs");
    command.arg(part);
    let more = more.iter().map(|(name, value)| (format!("LIME_TEST_{name}"), value.clone()));
    node::tells(command, &[scene.environment(), more.collect()].concat());
}

#[track_caller]
fn token(scene: &Scene) -> (&'static str, String) {
    ("TOKEN", Client::register(scene).tokens(scene, "mcp:read").access)
}

#[test]
fn the_issuer_is_an_authorization_server_of_mcp() {
    check(&Scene::new(), "authorization", &[("CALLBACK_PORT", free_port().to_string())]);
}

#[test]
fn a_server_behind_the_gateway_is_as_conformant_as_it_is_itself() {
    let scene = Scene::with(Setup { rules: Rules::None, ..Setup::default() });
    let url = ("UPSTREAM_URL", format!("{}/mcp", scene.upstream.url));
    check(&scene, "server", &[token(&scene), url]);
}

#[test]
fn the_gateway_checks_headers_and_origins_for_a_server_that_checks_nothing() {
    let scene = Scene::with(Setup { rules: Rules::None, manner: Manner::Lax, ..Setup::default() });
    check(&scene, "gateway", &[token(&scene)]);
}
