//! An issuer of `kind = "oauth"` that nobody here wrote: npm's oidc-provider, found by discovery.

use std::path::Path;
use std::process::Command;

use lime_tests::http::{self, Reply};
use lime_tests::{Gateway, Process, Stub, free_port, until};

use crate::scene::refused;

const RESOURCE: &str = "https://shop.example";

struct Server {
    url: String,
    _process: Process,
}

impl Server {
    fn start() -> Self {
        let port = free_port();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/node/authorization_server.mjs");
        assert!(program.exists(), "no {}: run tests/run setup", program.display());
        let mut command = Command::new("node");
        command.arg(program).args([&port.to_string(), RESOURCE]);
        let process = Process::start("authorization server", command);
        assert!(process.ready().is_some(), "it does not start:\n{}", process.said());
        Self { url: format!("http://127.0.0.1:{port}"), _process: process }
    }

    /// An access token of the client `buyer`, as RFC 6749 §4.4 and RFC 8707 have it asked for.
    fn token(&self, resource: &str, scope: &str) -> String {
        let request = http::request("POST", &format!("{}/token", self.url));
        // buyer:buyer-secret
        let request = request.header("Authorization", "Basic YnV5ZXI6YnV5ZXItc2VjcmV0");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let reply = request.body(format!("grant_type=client_credentials&resource={resource}&scope={scope}")).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }
}

#[test]
fn tokens_of_an_authorization_server_count_for_what_they_say() {
    let (server, origin) = (Server::start(), Stub::saying("x"));
    let gateway = Gateway::start(|url, _| {
        format!(
            "[issuer.corp]\nurl = \"{}\"\nkind = \"oauth\"\naudience = \"{RESOURCE}\"\n\
             [policy.write]\nrequire = \"passport\"\nscopes = [\"orders:write\"]\n\
             [[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\nissuer = \"corp\"\npolicy = \"open\"\n\
             [[site.route]]\npath = \"/agents/*\"\npolicy = \"passport\"\n\
             [[site.route]]\npath = \"/agents/*\"\nmethods = [\"POST\"]\npolicy = \"write\"\n",
            server.url, origin.url
        )
    });
    let ask = |method: &str, token: &str| -> Reply {
        http::request(method, &format!("{}/agents/x", gateway.url)).bearer(token).send()
    };
    let reads = server.token(RESOURCE, "orders:read");
    until("the keys are found", || ask("GET", &reads).status == 200);
    assert_eq!((origin.last().header("lime-agent-id"), origin.last().header("authorization")), (Some("buyer"), None));

    let reply = ask("POST", &reads);
    refused(&reply, 403, "insufficient_scope");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"orders:write\""));
    assert_eq!(ask("POST", &server.token(RESOURCE, "orders:write")).status, 200);

    // A token for another resource is the site's own affair, and no way in.
    let elsewhere = server.token("https://bank.example", "orders:write");
    refused(&ask("GET", &elsewhere), 401, "passport_required");
    let open = http::get(&format!("{}/", gateway.url)).bearer(&elsewhere).send();
    let sent = format!("Bearer {elsewhere}");
    assert_eq!((open.status, origin.last().header("authorization")), (200, Some(sent.as_str())));
    let (message, signature) = reads.rsplit_once('.').unwrap();
    let (front, back) = signature.split_at(signature.len() / 2);
    let altered = format!("{message}.{}{back}", front.chars().rev().collect::<String>());
    refused(&ask("GET", &altered), 401, "invalid_token");

    // A stranger is told where to go.
    let ways = http::get(&format!("{}/agents/x", gateway.url)).send().json()["ways_in"].clone();
    assert_eq!((ways[0]["way"].as_str(), ways[0]["issuer"].as_str()), (Some("oauth"), Some(server.url.as_str())));
    assert_eq!(ways[0]["resource"], RESOURCE);
}
