//! The gate inside somebody else's Pingora proxy: the example of `proxy/examples`, as its readers would start it.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use lime_tests::http;
use lime_tests::{Issuer, Process, Stub, free_port, until};
use tempfile::TempDir;

use crate::scene::refused;

#[test]
fn a_proxy_of_ones_own_becomes_a_gateway() {
    let (origin, issuer, port, folder) = (Stub::saying("x"), Issuer::start(), free_port(), TempDir::new().unwrap());
    let url = format!("http://127.0.0.1:{port}");
    let owner = issuer.owner();
    let site = issuer.site(&owner, &url);
    let agent = issuer.agent(&owner, &[&site.id]);
    let file = folder.path().join("lime.toml");
    let state = folder.path().join("state");
    let text = format!(
        "listen = \"127.0.0.1:{port}\"\n[server]\nstate = {state:?}\n[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n\
         mode = \"enforce\"\nprotect = \"/agents/*\"\nissuer = \"{}\"\n",
        origin.url, issuer.url
    );
    fs::write(&file, text).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/examples/embed");
    let mut command = Command::new(program);
    command.arg(format!("127.0.0.1:{port}")).arg(&file);
    let mut process = Process::start("embed", command);
    until("the proxy listens", || {
        assert!(process.runs(), "it does not start:\n{}", process.said());
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert_eq!(http::get(&format!("{url}/")).header("Lime-Agent-Id", "admin").send().status, 200);
    assert_eq!(origin.last().header("lime-agent-id"), None);
    let protected = || http::get(&format!("{url}/agents/x"));
    until("the keys are known", || protected().send().status == 401);
    refused(&protected().send(), 401, "passport_required");
    let reply = protected().bearer(&issuer.token(&agent, "127.0.0.1")).send();
    assert_eq!((reply.status, origin.last().header("lime-agent-id")), (200, Some(agent.id.as_str())));
}
