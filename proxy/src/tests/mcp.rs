//! MCP endpoints: who may ask what, and what of it reaches the origin.

use std::sync::Arc;
use std::time::Duration;

use config::{McpDemand, McpEndpoint, McpRule, McpRules, Mode, Policy, Require, RuleKind, Site, TrustedIssuer};

use super::issuer::Issuer;
use super::origin::Origin;
use super::rig::{Rig, guarded, shop, trusted};

mod early;
mod http2;
mod lists;
mod messages;
mod streams;

/// `shop.example` with endpoints at `/mcp`, `/early`, `/stream`, `/flood` and `/session`: `delete_*` takes `mcp:write`, and what is
/// `internal_*` is nobody's.
fn mcp_site(origin: &Origin, issuer: &Issuer) -> Site {
    let site = guarded(origin.address, issuer.address);
    with_endpoints(site)
}

fn with_endpoints(site: Site) -> Site {
    let rule = |pattern: &str, demand| McpRule {
        kind: RuleKind::Tool,
        pattern: pattern.parse().unwrap(),
        demand,
        defined_at: site.defined_at.clone(),
    };
    let writers = Arc::new(Policy { scopes: vec!["mcp:write".into()], ..Policy::new("writers", Require::Passport) });
    let rules = McpRules::new(vec![rule("delete_*", McpDemand::Policy(writers)), rule("internal_*", McpDemand::Deny)]);
    let endpoint = |path: &str| {
        let mut endpoint = McpEndpoint::new(&site.url, path.parse().unwrap(), site.defined_at.clone());
        endpoint.rules = rules.clone();
        Arc::new(endpoint)
    };
    let mcp = ["/mcp", "/early", "/stream", "/flood", "/session"].map(endpoint).to_vec();
    Site { mcp, ..site }
}

async fn rig(folder: &std::path::Path) -> (Rig, Origin, Issuer) {
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    (Rig::start(folder, vec![mcp_site(&origin, &issuer)]).await, origin, issuer)
}

/// A call of a tool in exactly so many bytes.
fn call(tool: &str, bytes: usize) -> String {
    let (start, end) = (
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"x":""#),
        "\"}}}",
    );
    let filling = "x".repeat(bytes - start.len() - end.len());
    format!("{start}{filling}{end}")
}

/// Posts a message whose length is said, on a connection of its own.
async fn post(rig: &Rig, path: &str, fields: &[&str], body: &str) -> super::client::Answer {
    let mut client = rig.client().await;
    let length = format!("Content-Length: {}", body.len());
    let mut all = vec!["Content-Type: application/json", &length];
    all.extend(fields);
    client.request("POST", path, &all).await;
    client.write_or_leave(body.as_bytes()).await;
    client.answer().await
}

/// Posts one that does not say how long it is, in chunks.
async fn post_chunked(rig: &Rig, path: &str, fields: &[&str], body: &str) -> super::client::Answer {
    let mut client = rig.client().await;
    let mut all = vec!["Content-Type: application/json", "Transfer-Encoding: chunked"];
    all.extend(fields);
    client.request("POST", path, &all).await;
    for piece in body.as_bytes().chunks(10_000) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        client.write_or_leave(&chunk).await;
    }
    client.write_or_leave(b"0\r\n\r\n").await;
    client.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_out_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, origin, issuer) = rig(folder.path()).await;
    let refused = post(&rig, "/mcp", &[], &call("search", 100)).await;
    assert_eq!((refused.status, refused.reason().as_str()), (401, "passport_required"));
    let metadata = "https://shop.example/.well-known/oauth-protected-resource/mcp";
    assert_eq!(refused.header("www-authenticate").unwrap(), format!("Bearer resource_metadata=\"{metadata}\""));
    let document = rig.get("/.well-known/oauth-protected-resource/mcp", &["Origin: https://any.example"]).await;
    assert_eq!((document.status, document.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(document.json()["resource"], "https://shop.example/mcp");
    assert_eq!(document.json()["authorization_servers"], serde_json::json!([issuer.url()]));
    let preflight =
        rig.send("OPTIONS", "/.well-known/oauth-protected-resource/mcp", &["Origin: https://a.example"]).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, Some("*")));
    assert_eq!(rig.send("POST", "/.well-known/oauth-protected-resource/mcp", &[]).await.status, 405);
    assert_eq!(origin.requests(), 0);
    // There are several endpoints, and none of them is the root.
    assert_eq!(rig.get("/.well-known/oauth-protected-resource", &[]).await.status, 200);
    assert_eq!(origin.requests(), 1, "that one is the site's");

    let token = issuer.resource_bearer("https://shop.example/mcp", "", Duration::from_secs(300));
    let answer = post(&rig, "/mcp", &[&token], &call("search", 100)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("lime-agent-id: agent-1") || answer.body.contains("Lime-Agent-Id: agent-1"));
    assert!(!answer.body.to_lowercase().contains("authorization"), "{}", answer.body);
    let elsewhere = rig.get("/open", &[&token]).await;
    assert_eq!((elsewhere.status, elsewhere.reason().as_str()), (401, "invalid_token"));
    let in_query = post(&rig, "/mcp?access_token=x", &[&token], &call("search", 100)).await;
    assert_eq!((in_query.status, in_query.reason().as_str()), (400, "token_in_query"));
    let foreign = post(&rig, "/mcp", &["Authorization: Bearer opaque"], &call("search", 100)).await;
    assert_eq!((foreign.status, foreign.reason().as_str()), (401, "invalid_token"));
    assert!(foreign.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_refused_everything_goes_on_and_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let site = Site { mode: Mode::Observe, ..mcp_site(&origin, &issuer) };
    let rig = Rig::start(folder.path(), vec![site]).await;
    let bearer = issuer.bearer("agent-1");
    let long = call("search", 1_048_577);
    for (body, fields, reason) in [
        ("[]", &[][..], "message_invalid"),
        ("", &[], "message_invalid"),
        (&call("internal_x", 100), &[], "call_denied"),
        (&call("delete_x", 100), &[], "insufficient_scope"),
        (&call("search", 100), &["Mcp-Method: ping"], "header_mismatch"),
        (&call("search", 100), &["Origin: https://evil.example"], "origin_denied"),
        (&long, &[], "message_too_large"),
    ] {
        let mut fields = fields.to_vec();
        fields.push(&bearer);
        for answer in [post(&rig, "/mcp", &fields, body).await, post_chunked(&rig, "/mcp", &fields, body).await] {
            assert_eq!(answer.status, 200, "{reason}");
            assert!(answer.body.contains(body), "{reason}: the body is not as it was sent");
            assert!(!answer.body.contains("Bearer"), "{reason}");
        }
        let lines = rig.lines(origin.requests()).await;
        let line = lines.last().unwrap();
        assert_eq!((line["decision"].as_str(), line["reason"].as_str()), (Some("would_deny"), Some(reason)));
    }
    let in_query = post(&rig, "/mcp?access_token=x", &[&bearer], "{}").await;
    assert_eq!(in_query.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_switched_off_is_not_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let rig = Rig::start(folder.path(), vec![Site { mode: Mode::Off, ..mcp_site(&origin, &issuer) }]).await;
    let answer = post(&rig, "/mcp?access_token=x", &["Authorization: Basic x"], "[]").await;
    assert!(answer.status == 200 && answer.body.contains("Basic x"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_asks_is_told_that_a_message_must_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let trust = |server: &mut config::Server| server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let rig = Rig::start_with(folder.path(), vec![mcp_site(&origin, &issuer)], trust).await;
    for (uri, status) in [("/mcp", 403), ("/agents/x", 200)] {
        let mut client = super::client::Client::connect(rig.auth).await;
        let asked = [&*format!("X-Original-URI: {uri}"), "X-Original-Method: POST", &issuer.bearer("agent-1")];
        client.request("GET", "/", &asked).await;
        assert_eq!(client.answer().await.status, status, "{uri}");
    }
    assert!(rig.lines(2).await.iter().any(|line| line["reason"] == "message_unseen"));
}

/// Tokens end to the second.
fn exact(issuer: &Issuer, site: Site) -> Site {
    let issuer = TrustedIssuer { leeway: Duration::ZERO, ..(*trusted(issuer.address)).clone() };
    Site { issuers: vec![Arc::new(issuer)], ..site }
}

/// The site without the paths that ask for a passport beside its endpoints.
fn bare(origin: &Origin, issuer: &Issuer) -> Site {
    let site = Site { mode: Mode::Enforce, issuers: vec![trusted(issuer.address)], ..shop(origin.address) };
    with_endpoints(site)
}
