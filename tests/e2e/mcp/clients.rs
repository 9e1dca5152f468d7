//! Real clients, unmodified: each discovers, registers, is let in by the owner, calls tools, steps up, refreshes, revokes.

use lime_tests::{IssuerSetup, lime, node, python};

use super::client::Client;
use super::scene::{Scene, Setup};

#[track_caller]
fn node_client(scene: &Scene, script: &str, arguments: &[&str]) {
    let mut command = node::node(script);
    command.args(arguments);
    node::tells(command, &scene.environment());
}

#[track_caller]
fn python_client(scene: &Scene, script: &str, arguments: &[&str]) {
    let mut command = python::mcp_client(script);
    command.args(arguments);
    node::tells(command, &scene.environment());
}

#[test]
fn the_typescript_client_of_today_registers_and_works_in_both_eras() {
    let scene = Scene::new();
    for era in ["auto", "2026-07-28", "legacy"] {
        node_client(&scene, "mcp/client_v2.mjs", &[era, "dcr"]);
    }
}

#[test]
fn the_typescript_client_of_today_shows_a_document() {
    node_client(&Scene::new(), "mcp/client_v2.mjs", &["auto", "cimd"]);
}

#[test]
fn the_typescript_client_of_yesterday_registers_and_works() {
    node_client(&Scene::new(), "mcp/client_v1.mjs", &["dcr"]);
}

#[test]
fn the_typescript_client_of_yesterday_shows_a_document() {
    node_client(&Scene::new(), "mcp/client_v1.mjs", &["cimd"]);
}

#[test]
fn the_python_client_registers_and_works_in_both_eras() {
    let scene = Scene::new();
    for mode in ["auto", "legacy"] {
        python_client(&scene, "client_mcp.py", &["dcr", mode]);
    }
}

#[test]
fn the_python_client_shows_a_document() {
    python_client(&Scene::new(), "client_mcp.py", &["cimd", "auto"]);
}

#[test]
fn fastmcp_registers_and_works() {
    python_client(&Scene::new(), "client_fastmcp.py", &["dcr"]);
}

#[test]
fn fastmcp_shows_a_document() {
    python_client(&Scene::new(), "client_fastmcp.py", &["cimd"]);
}

#[test]
fn the_strictest_readers_of_the_rfcs_find_nothing_wrong() {
    node_client(&Scene::new(), "mcp/strict.mjs", &[]);
}

/// Makes two RSA keys in a folder: `client.pem` with `client.jwks`, and `other.pem`.
const KEYS: &str = "
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
import json, jwt, sys
for name in ['client', 'other']:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    open(f'{sys.argv[1]}/{name}.pem', 'wb').write(pem)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    jwks = {'keys': [{**jwk, 'use': 'sig', 'alg': 'RS256', 'kid': 'c1'}]}
    open(f'{sys.argv[1]}/{name}.jwks', 'w').write(json.dumps(jwks))
";

#[test]
fn a_program_comes_in_with_a_secret_or_a_key_of_its_own() {
    let scene = Scene::new();
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = python::python().args(["-c", KEYS]).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (id, secret) = scene.machine();
    let agent = scene.issuer.agent(&scene.owner, &[&scene.site.id]);
    let jwks = file("client.jwks");
    let keyed = scene.issuer.operate(&["client", "add", "--agent", &agent.id, "--name", "Keyed", "--jwks", &jwks]);
    let known = [
        ("CLIENT_ID", id),
        ("CLIENT_SECRET", secret),
        ("KEY_CLIENT_ID", keyed["client_id"].as_str().unwrap().to_owned()),
        ("KEY_ALG", "RS256".to_owned()),
        ("KEY_FILE", file("client.pem")),
        ("OTHER_KEY_FILE", file("other.pem")),
    ];
    let known = known.map(|(name, value)| (format!("LIME_TEST_{name}"), value));
    node::tells(node::node("mcp/machine.mjs"), &[scene.environment(), known.into()].concat());
}

#[test]
fn the_lime_sdks_find_their_way_with_tokens_for_a_domain() {
    // A name, because the agent SDK asks for no token for an address; of https, because the issuer knows no other
    // resources away from this machine. What stands before the gateway takes the TLS off.
    let issuer = IssuerSetup::default().setting("access_token_ttl = \"31s\"");
    let scene = Scene::with(Setup { issuer, url: Some("https://tools.lime.test"), ..Setup::default() });
    let token = Client::register(&scene).tokens(&scene, "mcp:read").access;
    let lime = lime([""; 0]);
    let known = [
        ("LIME_TEST_ISSUER", scene.issuer.url.as_str()),
        ("LIME_TEST_ISSUER_FILE", scene.issuer.file().to_str().unwrap()),
        ("LIME_TEST_LIME", lime.get_program().to_str().unwrap()),
        ("LIME_TEST_GATEWAY_PORT", scene.gateway.url.rsplit(':').next().unwrap()),
        ("LIME_TEST_TOOLS_SITE", scene.site.id.as_str()),
        ("LIME_TEST_RESOURCE", scene.resource.as_str()),
        ("LIME_TEST_RESOURCE_TOKEN", token.as_str()),
    ];
    python::pytest("test_mcp_gateway.py", &known);
}
